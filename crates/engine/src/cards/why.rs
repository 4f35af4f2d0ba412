//! Why people are asked: the deciding policies with the comparison that fired, and what else they should know.

use bursar_domain::actor::Actor;
use bursar_domain::facts::{FactName, FactValue};
use bursar_domain::verdict::{Comparison, DecidingPolicy, Ruling};
use bursar_store::proposals::Proposal;
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use serde_json::{Value, json};

use super::words;

/// Said first where it is not policy that asks but the mode of the playbook.
pub(super) fn because(proposal: &Proposal) -> Option<String> {
    clamped(proposal).then(|| match &proposal.actor {
        Actor::Playbook { name, .. } => format!(
            "{} is in assist mode on this lane, so people decide about everything that leaves Bursar. Policy by itself \
             would have allowed this.",
            words::capitalised(name)
        ),
        _ => "Policy by itself would have allowed this.".to_owned(),
    })
}

fn clamped(proposal: &Proposal) -> bool {
    proposal.verdict.ruling == Ruling::Ask && proposal.policy_verdict.ruling == Ruling::Allow
}

/// One entry a policy and comparison.
pub(super) fn policies(proposal: &Proposal) -> Vec<Value> {
    let set: String = proposal.policy_set.chars().take(12).collect();
    // A policy that permits fired no limit, so none is claimed.
    let tells = !clamped(proposal);
    let mut entries = Vec::new();
    for policy in &proposal.verdict.policies {
        let comparisons: Vec<&Comparison> = policy.comparisons.iter().filter(|_| tells).collect();
        if comparisons.is_empty() {
            entries.push(entry(policy, &set, None, policy.condition.as_deref().filter(|_| tells), None));
        }
        for fired in comparisons {
            let shown = json!({
                "fact": fired.fact,
                "label": label(&fired.fact),
                "value": amount(proposal, &fired.fact, fired.actual),
                "operator": operator(&fired.operator),
                "limit": amount(proposal, &fired.fact, fired.limit),
            });
            entries.push(entry(policy, &set, Some(&shown), None, fired.counterfactual.as_deref()));
        }
    }
    entries
}

fn entry(
    policy: &DecidingPolicy,
    set: &str,
    comparison: Option<&Value>,
    condition: Option<&str>,
    counterfactual: Option<&str>,
) -> Value {
    json!({"policy": policy.id, "file": policy.file, "line": policy.line, "set": set, "effect": policy.effect,
        "comparison": comparison, "condition": condition, "counterfactual": counterfactual})
}

/// `spent_today.amount_home + amount_home` -> `Refunded today, this lane, with this amount`.
fn label(path: &str) -> String {
    let mut said = String::new();
    for part in path.split(" + ") {
        let name = part.split('.').next().unwrap_or_default();
        let name = if name == "amount_home" { "amount" } else { name };
        let known = FactName::ALL.iter().copied().find(|fact| fact.as_str() == name);
        let words = known.map_or_else(|| name.replace('_', " "), |fact| super::facts::label(fact).to_owned());
        match known {
            _ if said.is_empty() => said = words,
            Some(FactName::Amount) => said.push_str(", with this amount"),
            _ => said.extend([" + ", words.as_str()]),
        }
    }
    said
}

/// As people write it.
fn operator(cedar: &str) -> &str {
    match cedar {
        ">=" => "≥",
        "<=" => "≤",
        "==" => "=",
        other => other,
    }
}

/// A number at a path such as `spent_today.amount_home + amount_home`, as money where it is money.
fn amount(proposal: &Proposal, path: &str, number: i64) -> String {
    currency(proposal, path)
        .map_or_else(|| number.to_string(), |currency| words::money(Money::new(number, currency)))
}

fn currency(proposal: &Proposal, path: &str) -> Option<Currency> {
    let first = path.split([' ', '+', '-']).find(|part| !part.is_empty())?;
    let (fact, part) = first.split_once('.').unwrap_or((first, ""));
    let (name, at_home) = match fact {
        "amount_home" => (FactName::Amount, true),
        other => (FactName::ALL.iter().copied().find(|name| name.as_str() == other)?, part == "amount_home"),
    };
    match &proposal.content.facts.get(name)?.value {
        FactValue::Money { home, .. } if at_home => home.as_ref().map(|home| home.money.currency),
        FactValue::Money { money, .. } => Some(money.currency),
        _ => None,
    }
}

/// Reason and evidence of whoever proposes, and what the verdict notes. All of it is ours, none of it claimed.
pub(super) fn also(proposal: &Proposal) -> Vec<String> {
    let rationale = &proposal.content.rationale;
    let asked_by_people = !matches!(proposal.actor, Actor::Playbook { .. } | Actor::Engine);
    let mut lines = Vec::new();
    // What a person's request says and rests on are the title of the card and its facts.
    if !asked_by_people {
        lines.extend(Some(rationale.reason.clone()).filter(|reason| !reason.is_empty()));
        lines.extend(rationale.evidence.iter().cloned());
    }
    // The mode has been told in a sentence of its own.
    lines.extend(
        proposal
            .verdict
            .notes
            .iter()
            .filter(|note| !(clamped(proposal) && note.starts_with("mode ")))
            .cloned(),
    );
    if proposal.content.facts.count(FactName::RefundsTwelveMonths) == Some(0)
        && proposal.content.action.verb() == "refund.create"
    {
        lines.push("First refund for this customer in twelve months".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fired_is_said_in_words() {
        for (path, words) in [
            ("amount_home", "Amount"),
            ("refundable.amount", "Refundable now"),
            ("spent_today.amount_home + amount_home", "Refunded today, this lane, with this amount"),
            ("attempts_thirty_days", "Declined charges, 30 days"),
            ("something_else", "something else"),
        ] {
            assert_eq!(label(path), words, "{path}");
        }
    }
}
