//! Cases as data: `cases/NAME.json` in, one snapshot out. A case lists Stripe's objects as overrides of `base.json`, which
//! holds one ordinary object of each kind (`invoice.old` in the shape before basil); `now-30h` in any value is that time.
//! Reads are answered in rounds, as the engine does, from the objects of the case and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bursar_domain::action::Action;
use bursar_domain::case::CaseKey;
use bursar_domain::id::ProposalId;
use bursar_domain::known::{Answer, Known, PastMessage, PastProposal, Read};
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::PLAYBOOK;
use super::evidence::instant;
use super::retry::hours_between;
use crate::{Plan, Wanted};

/// 2026-11-20 10:00 UTC.
const NOW_S: i64 = 1_795_168_800;

/// What the engine allows.
const ROUNDS_MAX: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    signal: String,
    objects: Vec<Value>,
    /// Ids that Stripe does not have, though something names them.
    #[serde(default)]
    gone: Vec<String>,
    /// Kinds whose lists were longer than what was read.
    #[serde(default)]
    partial: Vec<String>,
    /// When our copies were read; now unless said.
    as_of: Option<i64>,
    #[serde(default)]
    history: Vec<Past>,
    #[serde(default)]
    messages: Vec<Sent>,
    #[serde(default)]
    settings: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Past {
    verb: String,
    subject: String,
    state: ProposalState,
    at: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    template: String,
    at: i64,
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/recovery/cases");

impl Case {
    fn read(name: &str) -> Case {
        let text = std::fs::read_to_string(format!("{ROOT}/{name}.json")).unwrap();
        let mut raw: Value = serde_json::from_str(&text).unwrap();
        resolve_times(&mut raw);
        serde_json::from_value(raw).unwrap()
    }

    fn settings(&self) -> Value {
        let mut settings: Value = serde_json::from_str(include_str!("cases/settings.json")).unwrap();
        settings.as_object_mut().unwrap().extend(self.settings.clone());
        (PLAYBOOK.check_settings)(&settings).unwrap();
        settings
    }
}

fn check(name: &str) {
    let case = Case::read(name);
    let settings = case.settings();
    let (known, rounds) = World::of(&case).answer(&case);
    let classified = (PLAYBOOK.classify)(&known, &settings);
    let plan = (PLAYBOOK.propose)(&known, &classified, &settings);

    let mut shown =
        format!("about: {}\nclass: {}\nrule: {}\n", case.about, classified.class, classified.rule);
    if let Some(what) = &classified.incomplete {
        writeln!(shown, "incomplete: {what}").unwrap();
    }
    show_plan(&plan, &mut shown);
    writeln!(shown, "\nreads:").unwrap();
    for round in rounds {
        writeln!(shown, "  {}", round.iter().map(show_read).collect::<Vec<_>>().join("; ")).unwrap();
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, shown);
    });
    assert!(plan.wake_at.is_none_or(|at| at > known.now), "a look into the past");
    assert_eq!(plan.wake_at.is_none(), plan.close.is_some(), "a case waits for something or is closed");
}

/// Stripe as the case has it.
struct World {
    objects: Vec<Value>,
}

impl World {
    fn of(case: &Case) -> World {
        let mut base: BTreeMap<String, Value> =
            serde_json::from_str(include_str!("cases/base.json")).unwrap();
        base.values_mut().for_each(resolve_times);
        let grown = case.objects.iter().map(|object| {
            let kind = object["object"].as_str().unwrap();
            // What Stripe leaves of a deleted object has nothing else.
            let ordinary = base.get(kind).filter(|_| object["deleted"] != true);
            let mut whole = ordinary.cloned().unwrap_or_else(|| Value::Object(Map::new()));
            merge(&mut whole, object);
            whole["object"] = kind.trim_end_matches(".old").into();
            whole
        });
        World { objects: grown.collect() }
    }

    fn answer(&self, case: &Case) -> (Known, Vec<Vec<Read>>) {
        let invoice = self.objects.iter().find(|object| object["object"] == "invoice");
        let id = invoice.map_or("in_A", |invoice| invoice["id"].as_str().unwrap());
        let key =
            CaseKey { playbook: "recovery".into(), object_kind: "invoice".into(), object_id: id.to_owned() };
        let mut known = Known::new(key, BusinessTime::from_unix_s(NOW_S), &case.signal);
        let mut rounds = Vec::new();
        loop {
            let missing = (PLAYBOOK.reads)(&known);
            if missing.is_empty() {
                return (known, rounds);
            }
            assert!(rounds.len() < ROUNDS_MAX, "asks for ever: {missing:?}");
            for read in &missing {
                assert!(
                    known.answers.insert(read.clone(), self.one(read, case)).is_none(),
                    "asked twice: {read:?}"
                );
            }
            rounds.push(missing);
        }
    }

    fn one(&self, read: &Read, case: &Case) -> Answer {
        let as_of = BusinessTime::from_unix_s(case.as_of.unwrap_or(NOW_S));
        match read {
            Read::Object { kind, id } => {
                let found =
                    self.objects.iter().find(|object| object["object"] == **kind && object["id"] == **id);
                match found {
                    Some(value) => Answer::Object { value: value.clone(), as_of },
                    None if case.gone.contains(id) => Answer::Gone { as_of },
                    None => panic!("the case says nothing about {kind} {id}"),
                }
            }
            Read::List { kind, filter } => {
                let fits = |object: &&Value| {
                    object["object"] == **kind
                        && filter.iter().all(|(field, wanted)| object[field] == **wanted)
                };
                let mut items: Vec<Value> = self.objects.iter().filter(fits).cloned().collect();
                items.sort_by_key(|object| std::cmp::Reverse(object["created"].as_i64()));
                Answer::List { items, complete: !case.partial.contains(kind), as_of }
            }
            Read::CaseHistory => Answer::CaseHistory { proposals: history(&case.history) },
            Read::Messages { .. } => Answer::Messages {
                sent: case
                    .messages
                    .iter()
                    .map(|sent| PastMessage {
                        template: sent.template.clone(),
                        sent_at: BusinessTime::from_unix_s(sent.at),
                    })
                    .collect(),
            },
        }
    }
}

fn history(past: &[Past]) -> Vec<PastProposal> {
    let proposal = |(index, past): (usize, &Past)| {
        let at = BusinessTime::from_unix_s(past.at);
        PastProposal {
            id: ProposalId::from_entropy([u8::try_from(index).unwrap(); 16]),
            verb: past.verb.clone(),
            subject: past.subject.clone(),
            state: past.state,
            proposed_at: at,
            settled_at: (!past.state.is_open()).then_some(at),
        }
    };
    past.iter().enumerate().map(proposal).collect()
}

/// `now`, `now-30h`, `now+7d`, `now-5m` become seconds, wherever they stand.
fn resolve_times(value: &mut Value) {
    match value {
        Value::String(text) => {
            let Some(offset) = text.strip_prefix("now") else { return };
            let seconds = match offset.split_at_checked(offset.len().saturating_sub(1)) {
                Some((number, unit)) if !number.is_empty() => {
                    let unit_s = BTreeMap::from([("m", 60), ("h", 3600), ("d", 86_400)])[unit];
                    number.parse::<i64>().unwrap() * unit_s
                }
                _ => 0,
            };
            *value = (NOW_S + seconds).into();
        }
        Value::Array(items) => items.iter_mut().for_each(resolve_times),
        Value::Object(fields) => fields.values_mut().for_each(resolve_times),
        _ => {}
    }
}

fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

fn show_plan(plan: &Plan, shown: &mut String) {
    let now = BusinessTime::from_unix_s(NOW_S);
    let optional = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    writeln!(shown, "\ntitle: {}", plan.title).unwrap();
    writeln!(shown, "amount: {}", optional(plan.amount.map(|amount| amount.to_string()))).unwrap();
    let customer = optional(plan.customer.clone());
    writeln!(shown, "customer: {customer} {:?}", optional(plan.customer_name.clone())).unwrap();
    let wake = plan.wake_at.map(|at| format!("{} (in {} h)", instant(at), hours_between(now, at)));
    writeln!(shown, "wake: {}", optional(wake)).unwrap();
    writeln!(shown, "withdraw: {:?}", plan.withdraw).unwrap();
    writeln!(shown, "close: {}", optional(plan.close.clone())).unwrap();
    plan.wanted.iter().for_each(|wanted| show_wanted(wanted, shown));
}

fn show_wanted(wanted: &Wanted, shown: &mut String) {
    writeln!(shown, "\n== {}\nreason: {}", wanted.action.verb(), wanted.rationale.reason).unwrap();
    for line in &wanted.rationale.evidence {
        writeln!(shown, "  - {line}").unwrap();
    }
    match &wanted.action {
        Action::SendMail(mail) => {
            writeln!(shown, "to: {} ({} {})\nsubject: {}", mail.to, mail.template, mail.locale, mail.subject)
                .unwrap();
            writeln!(shown, "---\n{}\n---\n{}\n---", mail.text, mail.html.as_deref().unwrap_or("-")).unwrap();
        }
        Action::CreateTask { title, role, .. } => writeln!(shown, "task for {role}: {title}").unwrap(),
        other => writeln!(shown, "params: {}", bursar_domain::canonical::to_text(&other.params()).unwrap())
            .unwrap(),
    }
}

fn show_read(read: &Read) -> String {
    match read {
        Read::Object { kind, id } => format!("{kind} {id}"),
        Read::List { kind, filter } => {
            let filter: Vec<_> = filter.iter().map(|(field, value)| format!("{field}={value}")).collect();
            format!("list {kind} {}", filter.join(","))
        }
        Read::CaseHistory => "history".to_owned(),
        Read::Messages { customer } => format!("messages {customer}"),
    }
}

macro_rules! cases {
    ($($name:ident,)*) => {
        const NAMES: &[&str] = &[$(stringify!($name),)*];
        $(#[test] fn $name() { check(stringify!($name)); })*
    };
}

/// Whatever single answer is missing or garbage: no panic, no endless reading, and no money asked for an invoice that
/// cannot be read.
#[test]
fn one_bad_answer_harms_nobody() {
    for name in NAMES {
        let case = Case::read(name);
        let settings = case.settings();
        let (known, _) = World::of(&case).answer(&case);
        for read in known.answers.keys() {
            for bad in bad_answers(known.now) {
                let mut known = known.clone();
                known.answers.insert(read.clone(), bad);
                let more = (PLAYBOOK.reads)(&known);
                assert!(!more.contains(read), "{name}: asks again for {read:?}");
                let classified = (PLAYBOOK.classify)(&known, &settings);
                let plan = (PLAYBOOK.propose)(&known, &classified, &settings);
                assert_eq!(plan.wake_at.is_none(), plan.close.is_some(), "{name} {read:?}");
                if matches!(read, Read::Object { kind, .. } if kind == "invoice") {
                    assert!(plan.wanted.iter().all(|wanted| wanted.action.verb() == "task.create"), "{name}");
                }
            }
        }
    }
}

fn bad_answers(as_of: BusinessTime) -> [Answer; 3] {
    let garbage = Value::String("{{7*7}}".to_owned());
    [
        Answer::Gone { as_of },
        Answer::Object { value: garbage.clone(), as_of },
        Answer::List { items: vec![garbage], complete: true, as_of },
    ]
}

#[test]
fn every_case_file_is_checked() {
    let mut files: Vec<String> = std::fs::read_dir(ROOT)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().trim_end_matches(".json").to_owned())
        .filter(|name| name != "base" && name != "settings")
        .collect();
    files.sort();
    assert_eq!(files, NAMES);
}

cases! {
    authentication_required_decline,
    authentication_requires_action,
    customer_deleted,
    customer_deleted_stub,
    ended_invoice_gone,
    ended_nothing_due,
    ended_subscription_canceled,
    ended_uncollectible,
    ended_voided,
    failing_charge_beyond_the_list,
    fresh_details_of_same_card,
    fresh_method,
    fresh_method_after_tries_used,
    fresh_method_is_the_stolen_card_again,
    fresh_method_near_stripes_attempt,
    fresh_method_replaces_open_try,
    fresh_subscription_keeps_its_own,
    handoff_null_confirmed,
    handoff_null_just_failed,
    handoff_null_not_read_again,
    hard_blocked_by_stripe,
    hard_blocked_despite_advice,
    hard_blocked_unknown_reason,
    hard_no_email,
    hard_second_recipient_in_address,
    hard_stolen_card_untold,
    hold_collection_paused,
    hold_processing,
    hostile_decline_code,
    hostile_link,
    hostile_name_is_a_link,
    hostile_words,
    incomplete_currency,
    incomplete_currency_timer,
    incomplete_no_failure_seen,
    incomplete_no_failure_seen_timer,
    incomplete_unknown_status,
    letters_all_used,
    letters_never_twice,
    letters_one_a_day,
    letters_replaced_when_class_changes,
    letters_standing,
    letters_wait_for_our_try,
    limit_first_refused,
    limit_last_allowed,
    limit_not_countable,
    limit_other_card_blocked_and_old,
    limit_twenty_declines,
    money_dinar_german,
    money_yen,
    new_expired_card_german,
    new_method_detached,
    new_no_method_on_file,
    no_customer,
    old_shape_source,
    out_of_steps,
    partial_payment,
    recovered_in_between,
    retry_due_next_attempt_far,
    retry_due_time_falls_near_stripes,
    retry_expired_counts,
    retry_in_doubt,
    retry_next_attempt_just_far_enough,
    retry_next_attempt_just_too_near,
    retry_rejected,
    retry_spacing,
    retry_standing,
    retry_tries_used,
    retry_void_does_not_count,
    retry_waits_next_attempt_near,
    risk_all_at_once,
    risk_currency_without_limit,
    risk_dispute_of_unknown_status,
    risk_one_cent_below,
    sent_invoice,
    temporary_expanded_links,
    temporary_first_failure,
    temporary_old_shape,
    unexplained_merchants_rule,
    unexplained_new_code,
    unexplained_task_once,
    unexplained_task_unnamed,
}
