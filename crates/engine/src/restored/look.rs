//! Compares a copy with Stripe: every event since the copy's newest moment is read, and each that happened under a key of
//! ours is either of an action that the copy knows, or lost to it and put before people. One look proves no absence; two
//! that are complete and a minute apart do.

use std::collections::HashMap;
use std::time::Duration;

use bursar_domain::action::{Action, RefundReason};
use bursar_domain::execution::ABSENCE_GAP;
use bursar_domain::id::ProposalId;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_store::audit::{self, Record};
use bursar_store::restores::{self, Lost, Restore};
use bursar_store::{events, executions, proposals};
use bursar_stripe::currency::Currency;
use bursar_stripe::event::{Event, EventObject};
use bursar_stripe::money::Money;
use bursar_stripe::object::Refund;
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::Result;
use crate::budget;
use crate::execute::idempotency_key;
use crate::lanes::Open;
use crate::poll::{KEPT_S, fetch};
use crate::start::{Engine, store_error};

/// One node at a time looks.
const DUTY: &str = "reconciler";
const TICK: Duration = Duration::from_millis(500);
/// How soon after a look that was not complete the next one is tried.
const AGAIN: Duration = Duration::from_secs(15);
/// And after one that was: the second must lie apart.
const APART: Duration = ABSENCE_GAP;
/// Clocks differ: how long before the copy's newest moment a look begins.
const SLACK_S: i64 = 3_600;

pub(crate) async fn look_forever(engine: Engine) {
    let mut stopping = engine.stopping();
    engine.inner.duties.want(DUTY);
    loop {
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            _ = stopping.changed() => return,
        }
        if !engine.inner.duties.are_ours(DUTY) {
            continue;
        }
        if let Err(error) = look_if_due(&engine).await {
            tracing::warn!(%error, "the restored copy could not be compared with Stripe; trying again");
        }
    }
}

async fn look_if_due(engine: &Engine) -> Result<()> {
    let open = restores::open(&mut engine.inner.store.read().await?).await?;
    let Some(restore) = open.filter(|restore| restore.stock_taken) else { return Ok(()) };
    let machine = engine.inner.clocks.machine();
    let wait = if restore.problem.is_some() { AGAIN } else { APART };
    let since = restore.looked_at.map(|at| machine.since(MachineTime::from_micros(at)));
    if is_ready(&restore) || since.is_some_and(|since| since < wait) {
        return Ok(());
    }
    let problem = match engine.look_at_all(&restore).await {
        Ok(problem) => problem,
        Err(error) => Some(error.for_keeping()),
    };
    let complete_since = restore.complete_since.or(problem.is_none().then(|| machine.micros()));
    engine
        .inner
        .store
        .write(move |tx| {
            async move {
                restores::looked(tx, &restore, machine.micros(), complete_since, problem.as_deref()).await
            }
            .boxed()
        })
        .await
        .map_err(store_error)
}

/// Whether two complete looks lie far enough apart.
pub(super) fn is_ready(restore: &Restore) -> bool {
    let (Some(first), Some(last), None) = (restore.complete_since, restore.looked_at, &restore.problem)
    else {
        return false;
    };
    MachineTime::from_micros(last).since(MachineTime::from_micros(first)) >= ABSENCE_GAP
}

impl Engine {
    /// Answers why the look was not complete, where it was not.
    async fn look_at_all(&self, restore: &Restore) -> Result<Option<String>> {
        let lanes = self.inner.lanes.all();
        let now_s = self.inner.clocks.business().unix_s() + 1;
        let from_s = restore.since_s - SLACK_S;
        let mut unasked = None;
        for open in &lanes {
            // An account that cannot be asked keeps no other from being compared: a person may lift the hold all the same.
            if let Err(error) = self.look_at_one(restore, open, (from_s, now_s)).await {
                unasked.get_or_insert(format!("{}: {}", open.connection.name, error.for_keeping()));
            }
        }
        if unasked.is_some() {
            return Ok(unasked);
        }
        let configured = &self.inner.settings.connections;
        let silent =
            configured.iter().find(|name| !lanes.iter().any(|open| open.connection.name == name.name));
        Ok(match silent {
            Some(connection) => Some(format!("{} has not answered yet", connection.name)),
            None if from_s < now_s - KEPT_S => {
                Some("the copy is older than the 30 days for which Stripe keeps events".to_owned())
            }
            None => None,
        })
    }

    /// Reads what happened on an account between two seconds, and compares the copy with it.
    async fn look_at_one(&self, restore: &Restore, open: &Open, (from_s, now_s): (i64, i64)) -> Result<()> {
        fetch(self, open, from_s.max(now_s - KEPT_S), now_s, "reconcile").await?;
        self.look_at_lane(restore, open, from_s).await
    }

    async fn look_at_lane(&self, restore: &Restore, open: &Open, from_s: i64) -> Result<()> {
        let lane = open.lane.to_string();
        let mut db = self.inner.store.read().await?;
        let keys = events::our_keys_since(&mut db, &lane, from_s).await?;
        let of = |id: ProposalId| (idempotency_key(&self.inner.installation.id, &id), id);
        let waiting: HashMap<String, ProposalId> =
            proposals::waiting(&mut db).await?.into_iter().map(|(id, _)| of(id)).collect();
        drop(db);
        for key in keys {
            let happened = self.effect_of(&lane, &key).await?;
            match waiting.get(&key) {
                Some(proposal) => {
                    self.doubt_restored(proposal, BusinessTime::from_unix_s(happened.happened_s)).await?;
                }
                None => self.keep_lost(restore, happened).await?,
            }
        }
        Ok(())
    }

    /// What happened under a key, as its events tell it.
    async fn effect_of(&self, lane: &str, key: &str) -> Result<Lost> {
        let mut db = self.inner.store.read().await?;
        let told = events::all_caused_by(&mut db, lane, key).await?;
        let mut lost = Lost {
            lane: lane.to_owned(),
            request_key: key.to_owned(),
            proposal: None,
            object_kind: None,
            object_id: None,
            target: None,
            amount: None,
            currency: None,
            happened_s: told.first().map_or(0, |event| event.created_s),
        };
        for stored in &told {
            if lost.object_kind.is_none() || stored.object_kind.as_deref() == Some("refund") {
                lost.object_kind.clone_from(&stored.object_kind);
                lost.object_id.clone_from(&stored.object_id);
                let body = stored.body(&mut db, self.inner.store.keyring()).await?;
                describe(&mut lost, &body);
            }
        }
        Ok(lost)
    }

    /// Keeps what the copy knows nothing of, once, with its audit entry; what it took of its day's budget is taken.
    async fn keep_lost(&self, restore: &Restore, lost: Lost) -> Result<()> {
        let mut db = self.inner.store.read().await?;
        let known = executions::by_key(&mut db, self.inner.store.keyring(), &lost.request_key).await?;
        drop(db);
        if known.is_some() {
            return Ok(());
        }
        let record = Record {
            id: self.audit_id(),
            at: self.inner.clocks.machine().micros(),
            kind: "restore.lost_effect",
            lane: Some(lost.lane.clone()),
            actor: Some("engine".to_owned()),
            data: json!({"restore": restore.id.as_str(), "effect": lost}),
            commits: Vec::new(),
        };
        let (engine, restore) = (self.clone(), restore.id.clone());
        self.inner
            .store
            .write(move |tx| {
                async move {
                    if !restores::add_lost(tx, &restore, &lost).await? {
                        return Ok(());
                    }
                    if let Some(action) = refund_of(&lost) {
                        let at = BusinessTime::from_unix_s(lost.happened_s);
                        budget::take(tx, &engine.inner.settings, &lost.lane, &action, at).await?;
                    }
                    audit::append(tx, record).await
                }
                .boxed()
            })
            .await
            .map_err(store_error)
    }
}

/// Reads target, amount and mark off the object of an event.
fn describe(lost: &mut Lost, body: &[u8]) {
    let Ok(event) = Event::parse(body) else { return };
    let EventObject::Snapshot { object, .. } = &event.object else { return };
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    match lost.object_kind.as_deref() {
        Some("refund") => {
            if let Ok(refund) = Refund::from_value(object) {
                lost.amount = Some(refund.amount.amount);
                lost.currency = Some(refund.amount.currency.as_str().to_owned());
            }
            lost.target = text("/charge").or_else(|| text("/charge/id"));
            lost.proposal = text("/metadata/bursar_action").and_then(|id| id.parse().ok());
        }
        _ => lost.target.clone_from(&lost.object_id),
    }
}

fn refund_of(lost: &Lost) -> Option<Action> {
    if lost.object_kind.as_deref() != Some("refund") {
        return None;
    }
    let currency = lost.currency.as_deref().and_then(|code| Currency::parse(code).ok())?;
    Some(Action::RefundCharge {
        charge: lost.target.as_deref()?.parse().ok()?,
        amount: Money::new(lost.amount?, currency),
        reason: RefundReason::RequestedByCustomer,
    })
}
