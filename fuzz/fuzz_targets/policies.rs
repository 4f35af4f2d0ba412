//! Policy files, parted by lines `----`. A set that does not load says where and why. One that loads is the same in any order,
//! says the same twice, allows nothing that no permit permits and that a forbid forbids, and asks somebody where it asks.
#![no_main]

use bursar_domain::actor::Actor;
use bursar_domain::effect::Effect;
use bursar_domain::facts::{FactName, FactValue, Facts, HomeAmount, Source};
use bursar_domain::lane::Lane;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::{Ruling, Verdict};
use bursar_policy::{LoadError, PolicyFile, PolicySet, Question, default_set};
use bursar_stripe::{Currency, Money};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: bursar_fuzz::seeds(seeds()), |text: &str| {
    let texts = text.split("\n----\n").enumerate();
    let files: Vec<PolicyFile> = texts.map(|(number, text)| PolicyFile::new(format!("p{number}.cedar"), text)).collect();
    match PolicySet::load(&files) {
        Ok(set) => loaded(&set, &files),
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().for_each(|error| says_where(error, &files));
        }
    }
});

fn says_where(error: &LoadError, files: &[PolicyFile]) {
    assert!(!error.message.is_empty() && !error.message.contains('\n'), "{error}");
    if error.file.is_empty() {
        assert_eq!((error.line, error.column), (0, 0), "{error}");
        return;
    }
    let file =
        files.iter().find(|file| file.path == error.file).unwrap_or_else(|| panic!("no such file: {error}"));
    let line =
        usize::try_from(error.line).ok().and_then(|line| file.text.split('\n').nth(line.checked_sub(1)?));
    let line = line.unwrap_or_else(|| panic!("no such line: {error}"));
    let columns = line.chars().count() + 1;
    assert!(
        (1..=columns).contains(&usize::try_from(error.column).expect("small")),
        "no such column: {error}"
    );
}

fn loaded(set: &PolicySet, files: &[PolicyFile]) {
    let mut turned = files.to_vec();
    turned.reverse();
    let again = PolicySet::load(&turned).expect("the order of files does not matter");
    assert_eq!(set.hash(), again.hash());
    for amount in [0, 10_000, 10_001, i64::MAX] {
        let verdict = judge(set, amount);
        assert_eq!(verdict.ruling, judge(&again, amount).ruling);
        assert_eq!(verdict.policy_set, set.hash());
        stands_to_reason(set, &verdict);
        let harder = forbidding(files);
        assert_eq!(judge(&harder, amount).ruling, Ruling::Deny, "a forbid forbids");
    }
}

fn judge(set: &PolicySet, amount: i64) -> Verdict {
    let lane: Lane = "acct_1/live".parse().expect("a lane");
    let facts = facts(amount);
    let question = Question {
        actor: &Actor::Engine,
        roles: &[],
        verb: "refund.create",
        effects: &[Effect::MoneyOut],
        lane: &lane,
        target: None,
        facts: &facts,
    };
    let judgement = set.judge(&question);
    assert!(judgement.alarm.is_none() || judgement.verdict.ruling == Ruling::Deny, "{judgement:?}");
    assert_eq!(judgement, set.judge(&question));
    judgement.verdict
}

/// A charge of which as much can be given back as there is, on a day without refunds.
fn facts(amount: i64) -> Facts {
    let mut facts = Facts::default();
    let mut know = |name, value| facts.insert(name, value, Source::Stripe, BusinessTime::from_unix_s(0));
    let usd = |amount| {
        let money = Money::new(amount, Currency::USD);
        FactValue::Money { money, home: Some(HomeAmount { money, rate: "same currency".to_owned() }) }
    };
    know(FactName::Amount, usd(amount));
    know(FactName::Refundable, usd(i64::MAX));
    know(FactName::SpentToday, usd(0));
    know(FactName::Disputed, FactValue::Flag(false));
    know(FactName::ChargeAgeDays, FactValue::Count(3));
    know(FactName::RefundReason, FactValue::Text("duplicate".to_owned()));
    facts
}

fn stands_to_reason(set: &PolicySet, verdict: &Verdict) {
    let rules =
        || set.rules().iter().filter(|rule| verdict.policies.iter().any(|policy| policy.id == rule.id));
    let asks = verdict.ruling == Ruling::Ask;
    assert_eq!(asks, !verdict.requirements.is_empty(), "{verdict:?}");
    assert_eq!(asks, verdict.expires_s.is_some_and(|expires| expires > 0), "{verdict:?}");
    assert!(verdict.requirements.iter().all(|requirement| requirement.quorum > 0), "{verdict:?}");
    match verdict.ruling {
        Ruling::Ask => assert!(rules().any(|rule| rule.asking.is_some()), "{verdict:?}"),
        Ruling::Allow => assert!(rules().any(|rule| rule.is_automatic()), "{verdict:?}"),
        Ruling::Deny => {}
        Ruling::Observe => panic!("policies do not observe"),
    }
}

/// The same files and one more, that forbids everything.
fn forbidding(files: &[PolicyFile]) -> PolicySet {
    let forbid =
        PolicyFile::new("forbid.cedar", "@id(\"fuzz-forbids\") forbid(principal, action, resource);");
    let all: Vec<PolicyFile> = files.iter().cloned().chain([forbid]).collect();
    // Of this name there may be one already.
    PolicySet::load(&all).or_else(|_| PolicySet::load(&all[files.len()..])).expect("it loads by itself")
}

fn seeds() -> Vec<String> {
    let mut seeds: Vec<String> = default_set().into_iter().map(|file| file.text).collect();
    seeds.push("@id(\"all\") permit(principal, action, resource);".to_owned());
    seeds.push(
        "@id(\"a\") @ask(\"controller\") @quorum(\"2\") permit(principal, action, resource) when { context has amount };\
         \n----\n@id(\"b\") forbid(principal, action, resource) unless { 1 + 2 * 3 == 7 || !false };"
            .to_owned(),
    );
    seeds.push(
        "@id(\"é\")\npermit(principal, action, resource) when { context.amount < \"ü\" };\u{200b}".to_owned(),
    );
    seeds
}
