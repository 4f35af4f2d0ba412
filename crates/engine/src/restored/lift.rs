//! How a copy stands, and the act of a person that lets things leave again.

use bursar_domain::actor::Actor;
use bursar_domain::id::{AuditId, PersonId};
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_store::audit::{self, Record};
use bursar_store::restores::{self, Lost, Restore};
use bursar_store::{Db, Tx, jobs, people, proposals};
use futures_util::FutureExt as _;
use serde::Serialize;
use serde_json::json;

use super::CODE;
use super::look::is_ready;
use crate::cards::rfc3339;
use crate::start::Engine;
use crate::{Error, Result};

/// Who may say that everything which may have happened was looked at: it is about money.
const LIFTS: Role = Role::Controller;
/// So many of what the copy knows nothing of are named.
const LOST_SHOWN: i64 = 1_000;

/// How a copy stands that nobody has cleared yet.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Restored {
    pub id: String,
    /// A code, and the same in words.
    pub why: String,
    pub words: String,
    pub noticed_at: String,
    /// Where the chain of the copy ends, and where the anchor says that it had come to.
    pub head: i64,
    pub anchor: Option<i64>,
    /// Whatever the copy does not know of happened after this.
    pub since: String,
    pub looked_at: Option<String>,
    /// Why the last look at Stripe was not complete.
    pub problem: Option<String>,
    /// Everything was compared twice, far enough apart.
    pub ready: bool,
    /// Events that were read and not taken in yet.
    pub events_waiting: i64,
    /// Of what the copy holds, that which may have been carried out and which nobody can tell yet.
    pub in_doubt: i64,
    /// What happened at Stripe that the copy knows nothing of: how much, and the oldest thousand.
    pub lost_count: i64,
    pub lost: Vec<Lost>,
}

/// A person lets things leave again. Their identity and roles were established by whoever calls.
#[derive(Clone, Debug)]
pub struct Lift {
    pub person: PersonId,
    pub name: String,
    pub roles: Vec<Role>,
    /// They do so although not everything could be compared.
    pub although_incomplete: bool,
}

impl Engine {
    /// The copy that nobody has cleared yet, where this database is one.
    pub async fn restored(&self) -> Result<Option<Restored>> {
        standing(&mut self.inner.store.read().await?).await
    }

    /// Lets things leave again: an audited act of a controller.
    pub async fn lift_restored(&self, lift: Lift) -> Result<()> {
        let (id, at) = (self.audit_id(), self.inner.clocks.machine().micros());
        self.inner.store.write(move |tx| async move { lifted(tx, &lift, (id, at)).await }.boxed()).await?;
        self.inner.work.notify_one();
        Ok(())
    }
}

/// Asked where it is written: another copy may be noticed between a look and a word.
async fn lifted(tx: &mut Tx, lift: &Lift, (id, at): (AuditId, i64)) -> Result<()> {
    may(tx, lift).await?;
    let restore = restores::open(tx).await?.ok_or_else(|| Error::Conflict {
        code: "nothing_held",
        message: "the database is no restored copy, or was cleared already; nothing was changed".to_owned(),
    })?;
    let stands = told(tx, restore.clone()).await?;
    if !lift.although_incomplete {
        complete(&stands)?;
    }
    let actor = Actor::Person { id: lift.person.clone(), name: lift.name.clone() };
    let record = Record {
        id,
        at,
        kind: "restore.lifted",
        lane: None,
        actor: Some(actor.key()),
        data: json!({"restore": restore.id.as_str(), "complete": stands.ready, "lost": stands.lost_count,
            "in_doubt": stands.in_doubt}),
        commits: Vec::new(),
    };
    restores::lift(tx, &restore.id, at, &actor.key()).await?;
    Ok(audit::append(tx, record).await?)
}

/// The copy that nobody has cleared yet, where the database is one.
pub(crate) async fn standing(db: &mut Db) -> Result<Option<Restored>> {
    match restores::open(db).await? {
        Some(restore) => told(db, restore).await.map(Some),
        None => Ok(None),
    }
}

async fn told(db: &mut Db, restore: Restore) -> Result<Restored> {
    let at = |micros: i64| rfc3339(BusinessTime::from_micros(micros));
    Ok(Restored {
        words: words(&restore),
        noticed_at: at(restore.noticed_at),
        head: restore.head_seq,
        anchor: restore.anchor_seq,
        since: rfc3339(BusinessTime::from_unix_s(restore.since_s)),
        looked_at: restore.looked_at.map(at),
        ready: is_ready(&restore),
        events_waiting: jobs::events_waiting(db).await?,
        in_doubt: proposals::in_doubt_because(db, CODE).await?,
        lost_count: restores::lost_count(db, &restore.id).await?,
        lost: restores::lost_in(db, &restore.id, LOST_SHOWN).await?,
        problem: restore.problem,
        why: restore.why,
        id: restore.id.to_string(),
    })
}

fn words(restore: &Restore) -> String {
    let head = restore.head_seq;
    match (restore.why.as_str(), restore.anchor_seq) {
        ("behind", Some(anchor)) => {
            format!("the database is an old copy: its audit ends at entry {head} and had come to {anchor}")
        }
        ("other_chain", Some(anchor)) => {
            format!("the database is another copy: entry {anchor} of its audit is not the one that was there")
        }
        ("other_installation", _) => "the database is another installation's than the anchor's".to_owned(),
        ("anchor_unreadable", _) => {
            "the anchor cannot be read, so that nobody knows whether the database is the newest".to_owned()
        }
        _ => format!("the database was restored from a copy whose audit ends at entry {head}"),
    }
}

fn complete(stands: &Restored) -> Result<()> {
    let refused = |message: String| {
        Err(Error::Conflict {
            code: "not_compared",
            message: format!("{message}; nothing was changed, and nothing leaves"),
        })
    };
    if !stands.ready {
        return refused(match &stands.problem {
            Some(problem) => format!("the copy could not be compared with Stripe: {problem}"),
            None => "the copy is being compared with Stripe, twice and a minute apart".to_owned(),
        });
    }
    if stands.events_waiting > 0 {
        return refused(format!("{} events are still being taken in", stands.events_waiting));
    }
    Ok(())
}

/// A controller, by the roles of this moment.
async fn may(tx: &mut Tx, lift: &Lift) -> Result<()> {
    let person = people::get(tx, &lift.person).await?.filter(|person| !person.disabled);
    let holds = person.is_some_and(|person| person.roles.contains(&LIFTS));
    if holds && lift.roles.contains(&LIFTS) {
        return Ok(());
    }
    Err(Error::Forbidden(format!("this needs the role {}; nothing was changed", LIFTS.as_str())))
}
