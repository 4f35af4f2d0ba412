//! What a verdict says for itself.

use bursar_domain::facts::FactName::{
    Amount, AttemptsThirtyDays, Disputed, HoursToNextAttempt, Refundable, SpentToday,
};
use bursar_domain::role::Role;
use bursar_domain::verdict::Verdict;
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use insta::assert_snapshot;

use crate::scene::{Known, defaults, judge, letter, loaded, payment, person, playbook, refund};

/// A verdict line by line: policies with their comparisons or condition, then the notes.
fn told(verdict: &Verdict) -> String {
    let mut lines = vec![verdict.ruling.as_str().to_owned()];
    for policy in &verdict.policies {
        lines.push(format!("{} {}", policy.effect, policy.id));
        for comparison in &policy.comparisons {
            let (fact, operator) = (&comparison.fact, &comparison.operator);
            let outcome =
                comparison.counterfactual.as_ref().map(|text| format!("; {text}")).unwrap_or_default();
            lines.push(format!("  {fact} {} {operator} {}{outcome}", comparison.actual, comparison.limit));
        }
        lines.extend(policy.condition.iter().map(|condition| format!("  {condition}")));
    }
    lines.extend(verdict.notes.iter().map(|note| format!("- {note}")));
    lines.join("\n")
}

fn of_refund(known: &Known) -> String {
    told(&judge(&defaults(), "refund.create", &playbook(), &[], known))
}

#[test]
fn the_file_and_the_line_are_those_of_the_policy() {
    let verdict = judge(&defaults(), "refund.create", &playbook(), &[], &refund(64_000));
    let policy = &verdict.policies[0];
    let text = include_str!("../../../../policies/refunds.cedar");
    let line = text.lines().nth(policy.line as usize - 1).unwrap();
    assert_eq!((policy.file.as_str(), line), ("policies/refunds.cedar", "@id(\"refunds.over_limit\")"));
}

#[test]
fn a_refund_above_the_limit() {
    assert_snapshot!(of_refund(&refund(64_000)), @r"
    ask
    permit refunds.over_limit
      amount_home 64000 > 10000; automatic at or below 100.00 USD
    ");
    // In euros the limit is still one in home currency.
    let euros = |amount| Money::new(amount, Currency::EUR);
    let known = refund(0).money(Refundable, euros(90_000), None).money(Amount, euros(20_000), Some(21_700));
    assert_snapshot!(of_refund(&known), @r"
    ask
    permit refunds.over_limit
      amount_home 21700 > 10000; automatic at or below 100.00 USD
    ");
}

#[test]
fn a_refund_within_the_limit() {
    assert_snapshot!(of_refund(&refund(4_200)), @r"
    allow
    permit refunds.automatic
      amount_home 4200 <= 10000; asks a person above 100.00 USD
    ");
}

#[test]
fn a_refund_past_the_days_limit() {
    assert_snapshot!(of_refund(&refund(8_000).usd(SpentToday, 195_000)), @r"
    ask
    permit refunds.over_daily_limit
      spent_today.amount_home + amount_home 203000 > 200000; automatic at or below 50.00 USD
    ");
}

#[test]
fn a_refund_of_more_than_is_left() {
    assert_snapshot!(of_refund(&refund(64_000).usd(Refundable, 24_000)), @r"
    deny
    forbid refunds.over_refundable
      amount 64000 > 24000; asks a person at or below 240.00 USD
    - automatic with amount_home at or below 100.00 USD: refunds.automatic (policies/refunds.cedar:10)
    ");
    assert_snapshot!(of_refund(&refund(64_000).usd(Refundable, 5_000)), @r"
    deny
    forbid refunds.over_refundable
      amount 64000 > 5000; automatic at or below 50.00 USD
    ");
}

#[test]
fn a_refund_of_a_disputed_charge_claims_no_threshold() {
    assert_snapshot!(of_refund(&refund(500).flag(Disputed, true)), @r"
    deny
    forbid refunds.disputed
      when { context has disputed && context.disputed }
    ");
}

#[test]
fn a_refund_about_which_too_little_is_known() {
    assert_snapshot!(of_refund(&refund(500).without(Disputed).without(SpentToday)), @r"
    deny
    - no policy permits this
    - not known, though permits look at it: spent_today, disputed
    ");
    assert_snapshot!(of_refund(&refund(500).money(Amount, Money::new(500, Currency::USD), None)), @r"
    ask
    permit refunds.no_rate
      when { context has amount && context has currency && context has refundable && context.refundable.currency == context.currency && context.amount <= context.refundable.amount && context has disputed && !context.disputed && !(context has amount_home && context has spent_today.amount_home) }
    ");
}

#[test]
fn payments_and_letters() {
    let set = defaults();
    let paid = |known: &Known| told(&judge(&set, "invoice.pay", &playbook(), &[], known));
    assert_snapshot!(paid(&payment(500).count(HoursToNextAttempt, 3)), @r"
    deny
    forbid payments.races_next_attempt
      hours_to_next_attempt 3 < 24; automatic at or above 24
    ");
    assert_snapshot!(paid(&payment(500).count(AttemptsThirtyDays, 17)), @r"
    deny
    forbid payments.too_many_attempts
      attempts_thirty_days 17 >= 15; automatic below 15
    ");
    let soon = payment(500).count(HoursToNextAttempt, 3);
    assert_snapshot!(told(&judge(&set, "invoice.pay", &person(), &[Role::Operator], &soon)), @r"
    ask
    permit payments.before_next_attempt
      hours_to_next_attempt 3 < 24; automatic at or above 24
    ");
    assert_snapshot!(told(&judge(&set, "mail.send", &playbook(), &[], &letter(2))), @r"
    ask
    permit messages.many
      messages_seven_days 2 >= 2; automatic below 2
    ");
    assert_snapshot!(told(&judge(&set, "mail.send", &playbook(), &[], &letter(6))), @r"
    deny
    forbid messages.too_many
      messages_seven_days 6 >= 5; asks a person below 5
    - automatic with messages_seven_days below 2: messages.automatic (policies/messages.cedar:5)
    ");
}

#[test]
fn what_cannot_be_confirmed_is_not_claimed() {
    let either = loaded(
        "@id(\"either\") @ask(\"controller\") permit(principal, action, resource)
         when { context has amount && (context.amount > 10000 || context.amount > 20000 || context.amount != 7) };",
    );
    assert_snapshot!(told(&judge(&either, "refund.create", &playbook(), &[], &refund(64_000))), @r"
    ask
    permit either
      when { context has amount && (context.amount > 10000 || context.amount > 20000 || context.amount != 7) }
    ");
    let twice = loaded(
        "@id(\"twice\") @ask(\"controller\") permit(principal, action, resource)
         when { context has amount && context.amount + context.amount > 10000 };",
    );
    assert_snapshot!(told(&judge(&twice, "refund.create", &playbook(), &[], &refund(64_000))), @r"
    ask
    permit twice
      when { context has amount && context.amount + context.amount > 10000 }
    ");
}

#[test]
fn comparisons_in_other_words() {
    let set = loaded(
        "@id(\"unless\") permit(principal, action, resource)
         when { context has amount } unless { context.amount > 10000 };
         @id(\"turned\") @ask(\"controller\") permit(principal, action, resource)
         when { context has amount && 10000 < context.amount };
         @id(\"exactly\") forbid(principal, action, resource)
         when { context has amount && context.amount == 30000 };",
    );
    let refund_of = |amount| told(&judge(&set, "refund.create", &playbook(), &[], &refund(amount)));
    assert_snapshot!(refund_of(9_000), @r"
    allow
    permit unless
      amount 9000 <= 10000; asks a person above 100.00 USD
    ");
    assert_snapshot!(refund_of(20_000), @r"
    ask
    permit turned
      amount 20000 > 10000; automatic at or below 100.00 USD
    ");
    assert_snapshot!(refund_of(30_000), @r"
    deny
    forbid exactly
      amount 30000 == 30000
    ");
}
