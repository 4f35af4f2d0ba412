//! What the checker cannot see in the ledger: what was said on the wire against what was written down before, and what was
//! written down beside the audit.

use std::collections::{BTreeMap, BTreeSet};

use bursar_domain::execution::{ExecutionState, KEY_TRUSTED};
use bursar_fake_stripe::gate::Seen;
use bursar_store::executions::{self, Execution};
use bursar_store::{Db, audit, events, objects, proposals};
use serde_json::Value;

use super::stand::World;
use crate::checker::Breach;

/// Everything that is as it must never be.
pub(super) async fn breaches(world: &World) -> anyhow::Result<Vec<Breach>> {
    let mut found = Vec::new();
    let mut say = |invariant, what| found.push(Breach { invariant, what });
    let mut db = world.reader.read().await?;
    let mut by_key: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for seen in world.gate.seen() {
        if seen.written.key.starts_with("bursar_") {
            by_key.entry(seen.written.key.clone()).or_default().push(seen);
        }
    }
    for (key, writes) in &by_key {
        match executions::by_key(&mut db, world.reader.keyring(), key).await? {
            None => say("I3", format!("{} left under {key}, which no intent has", writes[0].written.path)),
            Some(execution) => {
                sent_as_intended(writes, &execution, &mut say);
                refused_by_stripe(writes, &execution, &mut say);
                policies_spoke(&mut db, world, &execution, &mut say).await?;
            }
        }
        too_late(key, writes, &mut say);
    }
    let captured =
        world.stripe.charges().into_iter().filter_map(|charge| {
            Some((charge["id"].as_str()?.to_owned(), charge["amount_captured"].as_i64()?))
        });
    no_more_than_captured(&by_key, &captured.collect(), &mut say);
    audited(&mut db, &by_key, world, &mut say).await?;
    kept_in_their_lanes(&mut db, world, &mut say).await?;
    Ok(found)
}

type Say<'a> = dyn FnMut(&'static str, String) + 'a;

/// I3, I7: the stored bytes, under the stored version, to the stored account.
fn sent_as_intended(writes: &[Seen], execution: &Execution, say: &mut Say<'_>) {
    let intent = &execution.intent;
    for Seen { written, .. } in writes {
        if written.body.as_bytes() != intent.request || written.path != intent.path {
            say("I3", format!("{}: what left is not what was intended", intent.proposal));
        }
        if written.version != intent.api_version {
            say("I3", format!("{}: it left under version {}", intent.proposal, written.version));
        }
        if written.account != intent.account {
            let (meant, sent) = (&intent.account, &written.account);
            say("I7", format!("{}: meant for {meant:?}, sent to {sent:?}", intent.proposal));
        }
    }
}

/// I4: refused means that Stripe said a definite no.
fn refused_by_stripe(writes: &[Seen], execution: &Execution, say: &mut Say<'_>) {
    let said_no = |seen: &Seen| {
        let again = matches!(
            seen.code.as_deref(),
            Some("rate_limit" | "lock_timeout" | "idempotency_key_in_use" | "approval_required")
        );
        let status = seen.status.unwrap_or_default();
        (matches!(status, 400..=428 | 430..=499) && status != 409 && !again) || status == 200
    };
    if execution.state == ExecutionState::Refused && !writes.iter().any(said_no) {
        say("I4", format!("{} is refused, and Stripe never said no", execution.intent.proposal));
    }
}

/// I3: nothing is executed on the word of policies that could not be evaluated.
async fn policies_spoke(
    db: &mut Db,
    world: &World,
    execution: &Execution,
    say: &mut Say<'_>,
) -> anyhow::Result<()> {
    let id = &execution.intent.proposal;
    if let Some(proposal) = proposals::get(db, world.reader.keyring(), id).await? {
        let notes = &proposal.policy_verdict.notes;
        if notes.iter().any(|note| note.starts_with("policies failed to evaluate")) {
            say("I3", format!("{id}: executed though a policy failed to evaluate"));
        }
        let meant = proposal.content.action.amount().map(|money| format!("amount={}", money.amount));
        let body = String::from_utf8_lossy(&execution.intent.request).into_owned();
        let is_refund = proposal.content.action.verb() == "refund.create";
        if is_refund && !body.split('&').any(|pair| Some(pair) == meant.as_deref()) {
            say("I3", format!("{id}: {meant:?} was agreed to, and the request says {body}"));
        }
    }
    Ok(())
}

/// I2: Stripe forgets a key after a day, and then it protects nothing.
fn too_late(key: &str, writes: &[Seen], say: &mut Say<'_>) {
    let trusted = i64::try_from(KEY_TRUSTED.as_secs()).unwrap_or(i64::MAX);
    let first = writes[0].at_s;
    if let Some(late) = writes.iter().find(|seen| seen.at_s - first > trusted) {
        say("I2", format!("{key} was sent again {} s after the first time", late.at_s - first));
    }
}

/// I5: no request asks for more than a charge took.
fn no_more_than_captured(
    by_key: &BTreeMap<String, Vec<Seen>>,
    captured: &BTreeMap<String, i64>,
    say: &mut Say<'_>,
) {
    for writes in by_key.values().filter(|writes| writes[0].written.path == "/v1/refunds") {
        let body = &writes[0].written.body;
        let field = |name: &str| body.split('&').find_map(|pair| pair.strip_prefix(name));
        let (charge, amount) = (field("charge=").unwrap_or_default(), field("amount=").unwrap_or_default());
        let asked: i64 = amount.parse().unwrap_or_default();
        if captured.get(charge).is_some_and(|taken| asked > *taken) {
            say("I5", format!("{asked} of {charge} was asked for, which took {:?}", captured.get(charge)));
        }
    }
}

/// I6: each intent, each end and each vote has its entry.
async fn audited(
    db: &mut Db,
    by_key: &BTreeMap<String, Vec<Seen>>,
    world: &World,
    say: &mut Say<'_>,
) -> anyhow::Result<()> {
    // What waits to be chained is told too: whoever has the duty may have died with it.
    let waiting = audit::unsealed(db).await?.0;
    let mut entries = if waiting > 0 { audit::newest(db, waiting, None).await? } else { Vec::new() };
    while let page =
        audit::after(db, entries.iter().filter_map(|one| one.seq).max().unwrap_or(0), 500).await?
        && !page.is_empty()
    {
        entries.extend(page);
    }
    let commits = entries.into_iter().flat_map(|stored| stored.entry.commits);
    let told: BTreeSet<(String, String)> = commits.map(|commit| (commit.table, commit.key)).collect();
    for key in by_key.keys() {
        let Some(execution) = executions::by_key(db, world.reader.keyring(), key).await? else { continue };
        let id = execution.intent.id.to_string();
        let ended = execution.state.is_final() || execution.state == ExecutionState::InDoubt;
        for (table, due) in [("executions", true), ("executions.end", ended)] {
            if due && !told.contains(&(table.to_owned(), id.clone())) {
                say("I6", format!("the audit says nothing of {table} {id}"));
            }
        }
    }
    Ok(())
}

/// I7: an event belongs to its own account and mode.
async fn kept_in_their_lanes(db: &mut Db, world: &World, say: &mut Say<'_>) -> anyhow::Result<()> {
    for (id, lane) in &world.acknowledged {
        if events::get(db, lane, id).await?.is_none() && events::find(db, id).await?.is_some() {
            say("I7", format!("{id} is of {lane}, and kept in another lane"));
        }
    }
    Ok(())
}

/// I4: where the newest word on an invoice came in, the mirror knows it.
pub(super) async fn mirrored(world: &World) -> anyhow::Result<Vec<Breach>> {
    let mut db = world.reader.read().await?;
    let mut found = Vec::new();
    let mut newest: BTreeMap<(String, String), (i64, Value)> = BTreeMap::new();
    for event in &world.delivered {
        let object = &event["data"]["object"];
        let (Some(id), Some(at)) = (object["id"].as_str(), event["created"].as_i64()) else { continue };
        let kept = event["id"].as_str().and_then(|id| world.acknowledged.get(id));
        let (Some(lane), "invoice") = (kept, object["object"].as_str().unwrap_or_default()) else { continue };
        let known = newest.entry((lane.clone(), id.to_owned())).or_insert((at, object["status"].clone()));
        if at > known.0 {
            *known = (at, object["status"].clone());
        }
    }
    for ((lane, id), (at, status)) in newest {
        let Some(held) = objects::get(&mut db, world.reader.keyring(), &lane, "invoice", &id).await? else {
            continue;
        };
        let read_later = held.version_at.div_euclid(1_000_000) > at;
        let ended = matches!(status.as_str(), Some("paid" | "void"));
        if !held.stale && ended && !read_later && held.body["status"] != status {
            let what = format!("{id} is {status}, and the mirror says {}", held.body["status"]);
            found.push(Breach { invariant: "I4", what });
        }
    }
    Ok(found)
}
