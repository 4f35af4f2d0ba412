//! What the default policies decide, row by row.

use bursar_domain::facts::FactName::{
    Amount, AttemptsThirtyDays, CustomerDeleted, DeclineClass, Disputed, HoursToNextAttempt, InvoiceStatus,
    MessagesSevenDays, OpenDispute, PendingCancellation, Refundable, SpentToday,
};
use bursar_domain::role::Role;
use bursar_policy::{default_set, schema};
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;

use crate::scene::{Known, agent, defaults, judge, letter, payment, person, playbook, refund, short};

fn table(verb: &str, rows: impl IntoIterator<Item = (&'static str, Known, &'static str)>) {
    let set = defaults();
    for (case, known, expected) in rows {
        assert_eq!(short(&judge(&set, verb, &playbook(), &[], &known)), expected, "{case}");
    }
}

fn yen(amount: i64) -> Money {
    Money::new(amount, Currency::JPY)
}

#[test]
fn refunds() {
    let reason = |known: Known, reason| known.text(bursar_domain::facts::FactName::RefundReason, reason);
    let in_yen = refund(0).money(Refundable, yen(90_000), None);
    table(
        "refund.create",
        [
            ("at the limit", refund(10_000), "allow: refunds.automatic"),
            ("one cent above", refund(10_001), "ask controller: refunds.over_limit"),
            ("the last cent that is left", refund(90_000), "ask controller: refunds.over_limit"),
            ("one cent more than is left", refund(90_001), "deny: refunds.over_refundable"),
            ("less than nothing", refund(-1), "deny: refunds.not_positive"),
            ("nothing", refund(0), "deny: refunds.not_positive"),
            ("disputed", refund(500).flag(Disputed, true), "deny: refunds.disputed"),
            ("disputed and large", refund(50_000).flag(Disputed, true), "deny: refunds.disputed"),
            ("to the day's limit", refund(10_000).usd(SpentToday, 190_000), "allow: refunds.automatic"),
            ("past it", refund(10_000).usd(SpentToday, 190_001), "ask controller: refunds.over_daily_limit"),
            ("day unknown", refund(500).without(SpentToday), "ask controller: refunds.no_rate"),
            ("fraud", reason(refund(500), "fraudulent"), "ask controller: refunds.fraudulent"),
            ("duplicate", reason(refund(500), "duplicate"), "allow: refunds.automatic"),
            (
                "large fraud",
                reason(refund(50_000), "fraudulent"),
                "ask controller: refunds.over_limit, refunds.fraudulent",
            ),
            (
                "yen without a rate",
                in_yen.clone().money(Amount, yen(500), None),
                "ask controller: refunds.no_rate",
            ),
            (
                "yen at the limit",
                in_yen.clone().money(Amount, yen(15_000), Some(10_000)),
                "allow: refunds.automatic",
            ),
            (
                "yen above it",
                in_yen.clone().money(Amount, yen(15_001), Some(10_001)),
                "ask controller: refunds.over_limit",
            ),
            (
                "yen beyond the charge",
                in_yen.money(Amount, yen(90_001), Some(60_000)),
                "deny: refunds.over_refundable",
            ),
            (
                "another currency",
                refund(500).money(Amount, yen(500), Some(340)),
                "deny: refunds.other_currency",
            ),
            ("dispute unknown", refund(500).without(Disputed), "deny"),
            ("refundable unknown", refund(500).without(Refundable), "deny"),
            ("amount unknown", refund(500).without(Amount), "deny"),
            ("nothing known", Known::default(), "deny"),
        ],
    );
}

#[test]
fn payments() {
    table(
        "invoice.pay",
        [
            ("at the limit", payment(100_000), "allow: payments.automatic"),
            ("one cent above", payment(100_001), "ask operator: payments.over_limit"),
            ("no rate", payment(0).money(Amount, yen(500), None), "ask operator: payments.no_rate"),
            ("yen", payment(0).money(Amount, yen(15_000), Some(10_000)), "allow: payments.automatic"),
            (
                "a day ahead of Stripe",
                payment(500).count(HoursToNextAttempt, 24),
                "allow: payments.automatic",
            ),
            (
                "within the day",
                payment(500).count(HoursToNextAttempt, 23),
                "deny: payments.races_next_attempt",
            ),
            ("the fourteenth", payment(500).count(AttemptsThirtyDays, 14), "allow: payments.automatic"),
            ("the fifteenth", payment(500).count(AttemptsThirtyDays, 15), "deny: payments.too_many_attempts"),
            ("stolen card", payment(500).text(DeclineClass, "never"), "deny: payments.hard_decline"),
            (
                "needs the customer",
                payment(500).text(DeclineClass, "needs_customer"),
                "ask operator: payments.other_decline",
            ),
            ("class unknown", payment(500).without(DeclineClass), "ask operator: payments.other_decline"),
            ("disputing", payment(500).flag(OpenDispute, true), "ask operator: payments.dispute_or_leaving"),
            (
                "leaving",
                payment(500).flag(PendingCancellation, true),
                "ask operator: payments.dispute_or_leaving",
            ),
            (
                "leaving?",
                payment(500).without(PendingCancellation),
                "ask operator: payments.dispute_or_leaving",
            ),
            ("paid meanwhile", payment(500).text(InvoiceStatus, "paid"), "deny: payments.not_open"),
            ("status unknown", payment(500).without(InvoiceStatus), "deny"),
            ("attempts unknown", payment(500).without(AttemptsThirtyDays), "deny"),
            ("schedule unknown", payment(500).without(HoursToNextAttempt), "deny"),
            ("nothing to pay", payment(0), "deny: payments.not_positive"),
        ],
    );
}

#[test]
fn people_may_ask_to_be_quicker_than_stripe_but_not_to_break_the_networks_rules() {
    let set = defaults();
    let soon = payment(500).count(HoursToNextAttempt, 1);
    let by_person = |known: &Known| short(&judge(&set, "invoice.pay", &person(), &[Role::Operator], known));
    assert_eq!(by_person(&soon), "ask operator: payments.before_next_attempt");
    assert_eq!(by_person(&soon.clone().text(DeclineClass, "never")), "deny: payments.hard_decline");
    assert_eq!(by_person(&soon.clone().count(AttemptsThirtyDays, 15)), "deny: payments.too_many_attempts");
    assert_eq!(
        short(&judge(&set, "invoice.pay", &agent(), &[Role::Operator], &soon)),
        "deny: payments.races_next_attempt"
    );
}

#[test]
fn letters() {
    table(
        "mail.send",
        [
            ("the first", letter(0), "allow: messages.automatic"),
            ("the second", letter(1), "allow: messages.automatic"),
            ("the third", letter(2), "ask operator: messages.many"),
            ("the fifth", letter(4), "ask operator: messages.many"),
            ("the sixth", letter(5), "deny: messages.too_many"),
            ("deleted", letter(0).flag(CustomerDeleted, true), "deny: messages.customer_deleted"),
            ("deleted?", letter(0).without(CustomerDeleted), "ask operator: messages.customer_unknown"),
            ("how many?", letter(0).without(MessagesSevenDays), "deny"),
        ],
    );
}

#[test]
fn portals_open_for_those_who_look_after_customers() {
    let set = defaults();
    let nothing = Known::default();
    let portal =
        |actor, roles: &[Role]| short(&judge(&set, "billing_portal.session.create", &actor, roles, &nothing));
    assert_eq!(portal(person(), &[Role::Support]), "allow: access.portal_for_people");
    assert_eq!(portal(person(), &[Role::Controller, Role::Operator]), "allow: access.portal_for_people");
    assert_eq!(portal(person(), &[Role::Controller, Role::Platform]), "deny");
    assert_eq!(portal(person(), &[]), "deny");
    assert_eq!(portal(agent(), &[Role::Support]), "deny");
    assert_eq!(portal(playbook(), &[]), "allow: access.portal_for_playbooks");
    assert_eq!(portal(playbook(), &[Role::Support]), "allow: access.portal_for_playbooks");
    let deleted = Known::default().flag(CustomerDeleted, true);
    let verdict = judge(&set, "billing_portal.session.create", &playbook(), &[], &deleted);
    assert_eq!(short(&verdict), "deny: access.customer_deleted");
}

#[test]
fn tasks_are_always_allowed() {
    let set = defaults();
    for actor in [person(), agent(), playbook(), bursar_domain::actor::Actor::Engine] {
        assert_eq!(
            short(&judge(&set, "task.create", &actor, &[], &Known::default())),
            "allow: internal.automatic"
        );
    }
}

#[test]
fn the_files_in_the_repository_are_those_in_the_binary() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let written = std::fs::read_to_string(folder.join("schema.cedarschema")).unwrap();
    assert!(written == schema::text(), "write it anew: cargo run -p bursar-policy --example write_schema");
    let mut on_disk: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.rsplit('.').next() == Some("cedar"))
        .map(|name| format!("policies/{name}"))
        .collect();
    on_disk.sort();
    assert_eq!(on_disk, default_set().into_iter().map(|file| file.path).collect::<Vec<_>>());
}

#[test]
fn a_set_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&defaults());
}

/// Every piece of Cedar in the README, beside the defaults where it has another id than they.
#[test]
fn the_readmes_examples_are_in_order() {
    let readme = include_str!("../../../../policies/README.md");
    let blocks: Vec<&str> =
        readme.split("```cedar\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4);
    for (place, block) in blocks.into_iter().enumerate() {
        let mut files = if place == 0 { vec![] } else { default_set() };
        files.push(bursar_policy::PolicyFile::new("policies/own.cedar", block));
        bursar_policy::PolicySet::load(&files).unwrap_or_else(|errors| panic!("{block}\n{errors:#?}"));
    }
}
