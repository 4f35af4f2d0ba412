//! The gate's answer, with everything needed to explain it. The policy's own verdict and the effective one, after mode
//! and kill switch, are both kept.

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::effect::Effect;
use crate::mode::Mode;
use crate::role::Role;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// Recorded, not done.
    Observe,
    Deny,
    Ask,
    Allow,
}

impl Ruling {
    pub fn as_str(self) -> &'static str {
        match self {
            Ruling::Observe => "observe",
            Ruling::Deny => "deny",
            Ruling::Ask => "ask",
            Ruling::Allow => "allow",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub ruling: Ruling,
    /// The policies that decided; empty when nothing permits.
    pub policies: Vec<DecidingPolicy>,
    /// Who must say yes when the ruling is ask: all of them together.
    pub requirements: Vec<Requirement>,
    /// Seconds of business time the question stays open.
    pub expires_s: Option<i64>,
    /// Why, where it is not the policies': evaluation errors, the mode, the kill switch.
    pub notes: Vec<String>,
    /// Content hash of the policy set that judged.
    pub policy_set: String,
}

/// One seat rule: `quorum` different people holding `role`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Requirement {
    pub role: Role,
    pub quorum: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidingPolicy {
    pub id: String,
    pub file: String,
    pub line: u32,
    /// `permit` or `forbid`.
    pub effect: String,
    /// The fact-against-literal comparisons that decided it, confirmed at their boundary.
    pub comparisons: Vec<Comparison>,
    /// The condition as written, where no comparison could be confirmed.
    pub condition: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The fact as policies name it, `amount_home`.
    pub fact: String,
    /// `<`, `<=`, `>`, `>=`, `==`.
    pub operator: String,
    pub actual: i64,
    pub limit: i64,
    /// `automatic at or below 100.00 USD`, where evaluating again at the boundary showed it.
    pub counterfactual: Option<String>,
}

/// Requirements of several asking policies hold together: per role the highest quorum.
pub fn merge_requirements(all: impl IntoIterator<Item = Requirement>) -> Vec<Requirement> {
    let mut merged: Vec<Requirement> = Vec::new();
    for requirement in all {
        match merged.iter_mut().find(|known| known.role == requirement.role) {
            Some(known) => known.quorum = known.quorum.max(requirement.quorum),
            None => merged.push(requirement),
        }
    }
    merged.sort();
    merged
}

/// What clamps a verdict after policy has spoken.
#[derive(Clone, Debug)]
pub struct Clamp {
    pub mode: Mode,
    /// Who is asked in assist mode.
    pub assist_role: Role,
    /// The kill switch that holds, if one does: its reason.
    pub killed: Option<String>,
    /// Why it may have been done already without anybody here knowing: a person is asked, whoever wants it.
    pub doubtful: Option<String>,
}

impl Verdict {
    /// The effective verdict. Modes clamp playbooks, not people; a kill switch and a doubt clamp everybody. Nothing here can turn
    /// a denial into anything else, or an ask into an allow.
    #[must_use]
    pub fn clamped(&self, clamp: &Clamp, actor: &Actor, effects: &[Effect]) -> Verdict {
        let mut effective = self.clone();
        if let Some(reason) = &clamp.killed {
            effective.ruling = Ruling::Deny;
            effective.notes.push(format!("kill switch: {reason}"));
            return effective;
        }
        if let Some(reason) = &clamp.doubtful {
            if self.ruling == Ruling::Allow {
                effective.ruling = Ruling::Ask;
                effective.requirements = vec![Requirement { role: clamp.assist_role, quorum: 1 }];
            }
            effective.notes.push(reason.clone());
        }
        let leaves = effects.iter().any(|effect| effect.leaves_bursar());
        if !actor.is_clamped_by_mode() || !leaves || self.ruling == Ruling::Deny {
            return effective;
        }
        match clamp.mode {
            Mode::Observe => {
                effective.ruling = Ruling::Observe;
                effective.notes.push("mode observe: recorded, not done".to_owned());
            }
            Mode::Assist if self.ruling == Ruling::Allow => {
                effective.ruling = Ruling::Ask;
                effective.requirements = vec![Requirement { role: clamp.assist_role, quorum: 1 }];
                effective.notes.push(format!(
                    "mode assist: policy would allow this; {} is asked about everything that leaves Bursar",
                    clamp.assist_role
                ));
            }
            Mode::Automate | Mode::Assist => {}
        }
        effective
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ruling: Ruling) -> Verdict {
        Verdict {
            ruling,
            policies: vec![],
            requirements: vec![],
            expires_s: None,
            notes: vec![],
            policy_set: "0".to_owned(),
        }
    }

    fn playbook() -> Actor {
        Actor::Playbook { name: "recovery".to_owned(), author: None }
    }

    #[test]
    fn the_clamp_table() {
        use Ruling::{Allow, Ask, Deny, Observe};
        for (mode, policy, effective) in [
            (Mode::Observe, Allow, Observe),
            (Mode::Observe, Ask, Observe),
            (Mode::Observe, Deny, Deny),
            (Mode::Assist, Allow, Ask),
            (Mode::Assist, Ask, Ask),
            (Mode::Assist, Deny, Deny),
            (Mode::Automate, Allow, Allow),
            (Mode::Automate, Ask, Ask),
            (Mode::Automate, Deny, Deny),
        ] {
            let clamp = Clamp { mode, assist_role: Role::Operator, killed: None, doubtful: None };
            let got = verdict(policy).clamped(&clamp, &playbook(), &[Effect::MoneyIn]);
            assert_eq!(got.ruling, effective, "{mode} {policy:?}");
        }
    }

    #[test]
    fn people_and_internal_effects_are_not_clamped_and_a_kill_switch_clamps_all() {
        let observe =
            Clamp { mode: Mode::Observe, assist_role: Role::Operator, killed: None, doubtful: None };
        assert_eq!(
            verdict(Ruling::Allow).clamped(&observe, &Actor::Engine, &[Effect::MoneyOut]).ruling,
            Ruling::Allow
        );
        assert_eq!(
            verdict(Ruling::Allow).clamped(&observe, &playbook(), &[Effect::Internal]).ruling,
            Ruling::Allow
        );
        let killed = Clamp { killed: Some("drill".to_owned()), ..observe };
        assert_eq!(
            verdict(Ruling::Allow).clamped(&killed, &Actor::Engine, &[Effect::Internal]).ruling,
            Ruling::Deny
        );
    }

    #[test]
    fn what_may_have_been_done_already_is_asked_about_whoever_wants_it() {
        use Ruling::{Allow, Ask, Deny, Observe};
        let clamp = |mode| Clamp {
            mode,
            assist_role: Role::Operator,
            killed: None,
            doubtful: Some("it was done".to_owned()),
        };
        for (actor, mode, policy, effective) in [
            (Actor::Engine, Mode::Automate, Allow, Ask),
            (Actor::Engine, Mode::Automate, Deny, Deny),
            (playbook(), Mode::Automate, Allow, Ask),
            (playbook(), Mode::Assist, Allow, Ask),
            (playbook(), Mode::Observe, Allow, Observe),
        ] {
            let got = verdict(policy).clamped(&clamp(mode), &actor, &[Effect::MoneyOut]);
            assert_eq!(got.ruling, effective, "{actor:?} {mode} {policy:?}");
            assert_eq!(got.notes[0], "it was done");
        }
    }

    #[test]
    fn requirements_merge_to_the_highest_quorum_per_role() {
        let ask = |role, quorum| Requirement { role, quorum };
        assert_eq!(
            merge_requirements([ask(Role::Controller, 1), ask(Role::Operator, 1), ask(Role::Controller, 2)]),
            vec![ask(Role::Operator, 1), ask(Role::Controller, 2)]
        );
    }
}
