//! The one gate: every action, whoever wants it, is judged here. Policy speaks first; then the mode of the playbook and
//! the kill switches clamp what it said.

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::facts::Facts;
use bursar_domain::lane::Lane;
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_domain::verdict::{Clamp, Verdict};
use bursar_policy::{PolicySet, Question};
use bursar_store::planted::{Bug, planted};
use bursar_store::{Db, modes, restores};

use crate::restored::STOPPED;
use crate::start::Engine;
use crate::{Error, Result};

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Motion<'a> {
    pub(crate) actor: &'a Actor,
    pub(crate) roles: &'a [Role],
    pub(crate) lane: &'a Lane,
    pub(crate) action: &'a Action,
    pub(crate) facts: &'a Facts,
}

/// What policy said, and what holds after mode and kill switch.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) policy: Verdict,
    pub(crate) effective: Verdict,
}

/// Judges a motion against a set. The database answers within the caller's transaction or read.
pub(crate) async fn judge(
    db: &mut Db,
    policy: &PolicySet,
    motion: Motion<'_>,
    standing: &Standing,
) -> Result<Judged> {
    let question = Question::about(motion.action, motion.actor, motion.roles, motion.lane, motion.facts);
    let mut judgement = policy.judge(&question);
    if judgement.alarm.is_some() && planted(Bug::PolicyErrorsIgnored) {
        judgement.verdict.ruling = bursar_domain::verdict::Ruling::Allow;
    }
    if let Some(alarm) = &judgement.alarm {
        tracing::error!(verb = motion.action.verb(), %alarm, "a policy failed to evaluate; denied");
        metrics::counter!("bursar_policy_alarms_total").increment(1);
    }
    let clamp = clamp(db, motion, standing).await?;
    let effective = judgement.verdict.clamped(&clamp, motion.actor, motion.action.effects());
    metrics::counter!("bursar_decisions_total", "effect" => motion.action.effects().first().map_or("none", |effect| effect.as_str()),
        "outcome" => effective.ruling.as_str())
    .increment(1);
    Ok(Judged { policy: judgement.verdict, effective })
}

/// What holds for a lane where nobody has set anything else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) mode: Mode,
    pub(crate) assist_role: Role,
}

async fn clamp(db: &mut Db, motion: Motion<'_>, standing: &Standing) -> Result<Clamp> {
    let lane = motion.lane.to_string();
    let mode = match motion.actor {
        Actor::Playbook { name, .. } => modes::get(db, &lane, name).await?.unwrap_or(standing.mode),
        _ => standing.mode,
    };
    let scopes = scopes(&lane, motion.actor);
    let killed = modes::killed(db).await?.into_iter().find(|(scope, _)| scopes.contains(scope));
    Ok(Clamp {
        doubtful: doubtful(db, &lane, motion).await?,
        mode,
        assist_role: standing.assist_role,
        killed: killed.map(|(scope, reason)| format!("{scope}: {reason}")),
    })
}

/// Why a person is asked whatever policy says: it may have been done before a copy of the database was put back.
async fn doubtful(db: &mut Db, lane: &str, motion: Motion<'_>) -> Result<Option<String>> {
    Ok(match motion.action {
        Action::SendMail(_) if restores::is_open(db).await? => {
            Some("the database is a restored copy: this letter may have been sent before".to_owned())
        }
        Action::RefundCharge { charge, .. } => {
            let lost = restores::lost_on(db, lane, charge.as_str()).await?;
            lost.first().map(|lost| {
                let what = lost.object_id.as_deref().unwrap_or("something");
                format!("{what} was done to it before a copy of the database was put back that knows nothing of that")
            })
        }
        _ => None,
    })
}

/// What stops an actor on a lane, and why: a restored copy that nobody has cleared, or a kill switch.
pub(crate) async fn stopped(
    db: &mut Db,
    lane: &str,
    actor: &Actor,
) -> bursar_store::Result<Option<(String, String)>> {
    if restores::is_open(db).await? {
        let (scope, reason) = STOPPED;
        return Ok(Some((scope.to_owned(), reason.to_owned())));
    }
    let scopes = scopes(lane, actor);
    Ok(modes::killed(db).await?.into_iter().find(|(scope, _)| scopes.contains(scope)))
}

/// The kill switches that stop an actor on a lane.
pub(crate) fn scopes(lane: &str, actor: &Actor) -> [String; 3] {
    ["all".to_owned(), format!("lane:{lane}"), actor.key()]
}

impl Engine {
    pub(crate) fn standing(&self, lane: &str) -> Standing {
        Standing { mode: self.inner.lanes.default_mode(lane), assist_role: self.inner.settings.assist_role }
    }
}

/// A lane as a row has it.
pub(crate) fn parse_lane(text: &str) -> Result<Lane> {
    text.parse().map_err(|_| Error::Broken(format!("`{text}` is no lane")))
}
