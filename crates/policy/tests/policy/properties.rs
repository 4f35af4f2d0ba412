//! What must hold for any amount and any text.

use bursar_domain::facts::FactName;
use bursar_domain::verdict::Ruling;
use bursar_policy::{PolicyFile, PolicySet};
use proptest::prelude::*;

use crate::scene::{defaults, judge, playbook, refund};

/// Cedar is thorough and slow: a quarter of the cases that are asked for.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.div_ceil(4), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    /// The limits hold whatever the numbers, up to the ends of 64 bits, where a sum fails and is a denial.
    #[test]
    fn nothing_beyond_the_limits_is_automatic(
        amount in prop_oneof![any::<i64>(), -10..20_000_i64],
        left in prop_oneof![any::<i64>(), 0..20_000_i64],
        spent in prop_oneof![any::<i64>(), 180_000..210_000_i64],
        disputed: bool,
    ) {
        let known = refund(amount)
            .usd(FactName::Refundable, left)
            .usd(FactName::SpentToday, spent)
            .flag(FactName::Disputed, disputed);
        let lane = "acct_1/live".parse().unwrap();
        let set = SET.with(std::clone::Clone::clone);
        let question = bursar_policy::Question {
            actor: &playbook(),
            roles: &[],
            verb: "refund.create",
            effects: &[bursar_domain::effect::Effect::MoneyOut],
            lane: &lane,
            target: None,
            facts: &known.0,
        };
        let judgement = set.judge(&question);
        let within = amount > 0 && amount <= 10_000 && amount <= left && !disputed
            && spent.checked_add(amount).is_some_and(|total| total <= 200_000);
        prop_assert_eq!(judgement.verdict.ruling == Ruling::Allow, within);
        if spent.checked_add(amount).is_none() {
            prop_assert_eq!(judgement.verdict.ruling, Ruling::Deny);
        }
        prop_assert_eq!(set.judge(&question), judgement, "the same question, the same answer");
    }

    /// Every limit that an explanation claims is the limit.
    #[test]
    fn claimed_limits_are_true(limit in 1..1_000_000_i64, above in 1..1_000_000_i64) {
        let text = format!(
            "@id(\"automatic\") permit(principal, action, resource)
             when {{ context has amount_home && context.amount_home <= {limit} }};
             @id(\"asks\") @ask(\"controller\") permit(principal, action, resource)
             when {{ context has amount_home && context.amount_home > {limit} }};"
        );
        let set = PolicySet::load(&[PolicyFile::new("p.cedar", text)]).unwrap();
        let of = |amount| judge(&set, "refund.create", &playbook(), &[], &refund(amount));
        let comparison = of(limit + above).policies[0].comparisons[0].clone();
        prop_assert_eq!((comparison.limit, comparison.actual), (limit, limit + above));
        let claim = format!("automatic at or below {}.{:02} USD", limit / 100, limit % 100);
        prop_assert_eq!(comparison.counterfactual, Some(claim));
        prop_assert_eq!((of(limit).ruling, of(limit + 1).ruling), (Ruling::Allow, Ruling::Ask));
    }

    /// Broken text is refused with a place within it and never a panic.
    #[test]
    fn mangled_policies_are_loaded_or_refused(at in 0..400_usize, junk in "\\PC{0,6}", cut in 0..40_usize) {
        let text = include_str!("../../../../policies/messages.cedar");
        let start = text.floor_char_boundary(at.min(text.len()));
        let end = text.floor_char_boundary((start + cut).min(text.len())).max(start);
        let mangled = format!("{}{junk}{}", &text[..start], &text[end..]);
        if let Err(errors) = PolicySet::load(&[PolicyFile::new("p.cedar", mangled.as_str())]) {
            for error in errors {
                prop_assert!(error.line as usize <= mangled.lines().count() + 1, "{}", error);
                prop_assert!(error.line > 0 && error.column > 0 && !error.message.is_empty());
            }
        }
    }
}

std::thread_local! {
    static SET: std::rc::Rc<PolicySet> = std::rc::Rc::new(defaults());
}
