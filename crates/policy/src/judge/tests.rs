//! Ways in which Cedar fails open, and sets that say nothing: all of them must be denials.

use bursar_domain::actor::Actor;
use bursar_domain::effect::Effect;
use bursar_domain::facts::{FactName, FactValue, Facts, HomeAmount, Source};
use bursar_domain::id::{PersonId, TokenId};
use bursar_domain::lane::Lane;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::Ruling;
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;

use super::*;
use crate::source::PolicyFile;

const PERMIT_ALL: &str = "@id(\"all\") permit(principal, action, resource);";

fn facts(amount: i64) -> Facts {
    let mut facts = Facts::default();
    let money = Money::new(amount, Currency::USD);
    let value =
        FactValue::Money { money, home: Some(HomeAmount { money, rate: "same currency".to_owned() }) };
    facts.insert(FactName::Amount, value, Source::Stripe, BusinessTime::from_unix_s(0));
    facts
}

fn judged(set: &PolicySet, facts: &Facts) -> Judgement {
    asked(set, facts, "refund.create", &[Effect::MoneyOut])
}

fn asked(set: &PolicySet, facts: &Facts, verb: &str, effects: &[Effect]) -> Judgement {
    let lane: Lane = "acct_1/live".parse().unwrap();
    set.judge(&Question {
        actor: &Actor::Engine,
        roles: &[],
        verb,
        effects,
        lane: &lane,
        target: None,
        facts,
    })
}

fn loaded(text: &str) -> PolicySet {
    PolicySet::load(&[PolicyFile::new("p.cedar", text)]).unwrap()
}

/// Permits everything, and a forbid that Cedar was not made to validate.
fn with_forbid(condition: &str) -> PolicySet {
    let text =
        format!("{PERMIT_ALL}\n@id(\"no\") forbid(principal, action, resource) when {{ {condition} }};");
    PolicySet::unvalidated(&PolicyFile::new("p.cedar", text))
}

#[test]
fn a_forbid_that_fails_to_evaluate_denies_and_alarms() {
    assert_eq!(
        judged(&loaded(PERMIT_ALL), &facts(1)).verdict.ruling,
        Ruling::Allow,
        "or the cases prove nothing"
    );
    for (case, condition) in [
        ("missing attribute", "context.disputed"),
        ("missing attribute of a record", "context.refundable.amount > 1"),
        ("wrong type", "context.currency > 1"),
        ("not a truth value", "context.amount"),
        ("overflow", "context.amount * 9223372036854775807 * 2 > 1"),
        ("unknown entity", "Bursar::Person::\"nobody\".suspended"),
        ("bad extension value", "decimal(context.currency).lessThan(decimal(\"1.0\"))"),
    ] {
        let judgement = judged(&with_forbid(condition), &facts(2));
        assert_eq!(judgement.verdict.ruling, Ruling::Deny, "{case}");
        assert!(
            judgement.alarm.as_ref().is_some_and(|alarm| alarm.contains("`no`")),
            "{case}: {judgement:?}"
        );
        assert_eq!(judgement.verdict.notes, judgement.alarm.into_iter().collect::<Vec<_>>(), "{case}");
    }
}

#[test]
fn a_permit_that_fails_to_evaluate_denies_what_another_permits() {
    let text = format!(
        "{PERMIT_ALL}\n@id(\"bad\") permit(principal, action, resource) when {{ context.disputed }};"
    );
    let judgement = judged(&PolicySet::unvalidated(&PolicyFile::new("p.cedar", text)), &facts(1));
    assert_eq!((judgement.verdict.ruling, judgement.alarm.is_some()), (Ruling::Deny, true));
}

#[test]
fn overflow_passes_validation_and_still_denies() {
    let cap = "@id(\"cap\") forbid(principal, action, resource)
        when { context has amount && context.amount + context.amount > 10000 };";
    let set = loaded(&format!("{PERMIT_ALL}\n{cap}"));
    assert_eq!(judged(&set, &facts(5000)).verdict.ruling, Ruling::Allow);
    assert_eq!(judged(&set, &facts(5001)).alarm, None);
    let judgement = judged(&set, &facts(i64::MAX));
    assert_eq!((judgement.verdict.ruling, judgement.alarm.is_some()), (Ruling::Deny, true));
}

#[test]
fn an_asking_permit_asks_nobody_when_a_policy_fails() {
    let text = "@id(\"ask\") @ask(\"operator\") permit(principal, action, resource);
        @id(\"bad\") forbid(principal, action, resource) when { context.disputed };";
    let judgement = judged(&PolicySet::unvalidated(&PolicyFile::new("p.cedar", text)), &facts(1));
    assert_eq!(judgement.verdict.ruling, Ruling::Deny);
    assert!(judgement.verdict.requirements.is_empty() && judgement.verdict.expires_s.is_none());
}

#[test]
fn facts_of_another_type_than_the_catalogue_says_deny_and_alarm() {
    let entry = r#"{"type": "text", "value": "no", "source": "stripe", "as_of": 0}"#;
    let facts: Facts = serde_json::from_str(&format!(r#"{{"disputed": {entry}}}"#)).unwrap();
    let judgement = judged(&loaded(PERMIT_ALL), &facts);
    assert_eq!((judgement.verdict.ruling, judgement.alarm.is_some()), (Ruling::Deny, true));
}

#[test]
fn nothing_permits_means_deny() {
    for set in [PolicySet::empty(), loaded(""), loaded("// nothing\n")] {
        for verb in bursar_domain::action::VERBS {
            let judgement = asked(&set, &facts(1), verb, effects_of(verb));
            assert_eq!(judgement.verdict.ruling, Ruling::Deny, "{verb}");
            assert_eq!(judgement.verdict.notes[0], "no policy permits this");
            assert!(judgement.alarm.is_none() && judgement.verdict.policies.is_empty());
        }
    }
}

#[test]
fn unknown_effects_are_denied_whatever_is_permitted() {
    let set = loaded(PERMIT_ALL);
    for (verb, effects, alarms) in [
        ("charge.delete", &[Effect::MoneyOut][..], false),
        ("money_out", &[Effect::MoneyOut], false),
        ("refund.create", &[], true),
        ("refund.create", &[Effect::Internal], true),
        ("refund.create", &[Effect::MoneyOut, Effect::Internal], true),
    ] {
        let judgement = asked(&set, &facts(1), verb, effects);
        assert_eq!(
            (judgement.verdict.ruling, judgement.alarm.is_some()),
            (Ruling::Deny, alarms),
            "{verb} {effects:?}"
        );
    }
    assert_eq!(asked(&set, &facts(1), "refund.create", &[Effect::MoneyOut; 2]).verdict.ruling, Ruling::Allow);
}

#[test]
fn all_who_ask_ask_together_and_the_shortest_time_counts() {
    let set = loaded(
        "@id(\"a\") @ask(\"controller\") @quorum(\"2\") @expires(\"7d\") permit(principal, action, resource);
         @id(\"b\") @ask(\"operator,controller\") @expires(\"30m\") permit(principal, action, resource)
         when { context has amount };
         @id(\"c\") @ask(\"support\") permit(principal, action, resource) when { context has disputed };",
    );
    let verdict = judged(&set, &facts(1)).verdict;
    assert_eq!(verdict.ruling, Ruling::Ask);
    let seats: Vec<(&str, u32)> =
        verdict.requirements.iter().map(|seat| (seat.role.as_str(), seat.quorum)).collect();
    assert_eq!(seats, [("operator", 1), ("controller", 2)]);
    assert_eq!(verdict.expires_s, Some(1800));
    assert_eq!(verdict.policies.iter().map(|policy| policy.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_forbid_beats_every_permit_and_groups_work() {
    let set = loaded(&format!(
        "{PERMIT_ALL} @id(\"out\") forbid(principal, action in Bursar::Action::\"money_out\", resource);"
    ));
    assert_eq!(judged(&set, &facts(1)).verdict.policies[0].id, "out");
    assert_eq!(asked(&set, &facts(1), "task.create", &[Effect::Internal]).verdict.ruling, Ruling::Allow);
}

#[test]
fn only_people_and_their_tools_hold_roles() {
    let set = loaded("@id(\"support\") permit(principal in Bursar::Role::\"support\", action, resource);");
    let (person, token) = (PersonId::from_entropy([0; 16]), TokenId::from_entropy([0; 16]));
    let name = || "x".to_owned();
    let (lane, facts): (Lane, Facts) = ("acct_1/live".parse().unwrap(), facts(1));
    for (actor, expected) in [
        (Actor::Person { id: person.clone(), name: name() }, Ruling::Allow),
        (Actor::ApiKey { id: token.clone(), name: name(), owner: person.clone() }, Ruling::Allow),
        (Actor::Agent { id: token, name: name(), owner: person.clone() }, Ruling::Allow),
        (Actor::Playbook { name: name(), author: Some(person) }, Ruling::Deny),
        (Actor::Engine, Ruling::Deny),
    ] {
        for (roles, expected) in
            [(&[Role::Support][..], expected), (&[Role::Platform], Ruling::Deny), (&[], Ruling::Deny)]
        {
            let effects = &[Effect::MoneyOut];
            let question = Question {
                actor: &actor,
                roles,
                verb: "refund.create",
                effects,
                lane: &lane,
                target: None,
                facts: &facts,
            };
            assert_eq!(set.judge(&question).verdict.ruling, expected, "{actor:?} {roles:?}");
        }
    }
}

/// The target and the lane are there to be looked at.
#[test]
fn one_object_or_one_mode_can_be_closed() {
    let set = loaded(&format!(
        "{PERMIT_ALL}
         @id(\"one\") forbid(principal, action, resource) when {{ context has target_id && context.target_id == \"ch_1\" }};
         @id(\"live\") forbid(principal, action, resource) when {{ resource.livemode && resource.account == \"acct_2\" }};"
    ));
    let facts = facts(1);
    for (lane, target, expected) in [
        ("acct_1/live", "ch_1", "one"),
        ("acct_1/live", "ch_2", "all"),
        ("acct_2/live", "ch_2", "live"),
        ("acct_2/test", "ch_2", "all"),
    ] {
        let (lane, effects): (Lane, _) = (lane.parse().unwrap(), &[Effect::MoneyOut]);
        let (verb, target) = ("refund.create", Some(("charge", target)));
        let question =
            Question { actor: &Actor::Engine, roles: &[], verb, effects, lane: &lane, target, facts: &facts };
        assert_eq!(set.judge(&question).verdict.policies[0].id, expected, "{lane} {target:?}");
    }
}
