//! Reads what is judged: everything the database holds, and everything that the ledger knows.

use bursar_domain::approval::Choice;
use bursar_domain::case::CaseState;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_store::cases::Case;
use bursar_store::proposals::Proposal;
use bursar_store::{Db, Store, approvals, audit, cases, events, executions, jobs, proposals};
use serde_json::Value;

use super::{Acted, Asked, Effect, Evidence, Seen, Sent, Yes};

const PAGE: i64 = 500;

pub(super) async fn seen(evidence: &Evidence<'_>) -> anyhow::Result<Seen> {
    let mut db = evidence.store.read().await?;
    let captured = evidence.stripe.charges();
    let captured = captured
        .iter()
        .filter_map(|charge| Some((charge["id"].as_str()?.to_owned(), charge["amount_captured"].as_i64()?)));
    Ok(Seen {
        events: kept_events(&mut db).await?,
        acknowledged: evidence.acknowledged.clone(),
        answered: evidence.answered.clone(),
        actions: actions(&mut db, evidence.store).await?,
        effects: evidence.stripe.ledger().iter().map(effect).collect(),
        captured: captured.collect(),
        audit: audit_trouble(&mut db).await?,
        left: left_behind(&mut db, evidence.now).await?,
    })
}

async fn kept_events(db: &mut Db) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    let mut filter = events::Filter { limit: PAGE, ..events::Filter::default() };
    loop {
        let page = events::list(db, &filter).await?;
        let Some(last) = page.last() else { return Ok(ids) };
        filter.before = Some((last.created_s, last.id.clone()));
        ids.extend(page.into_iter().map(|event| event.id));
    }
}

async fn audit_trouble(db: &mut Db) -> anyhow::Result<Option<String>> {
    let report = audit::verify(db).await?;
    if report.ok {
        return Ok(None);
    }
    Ok(Some(
        report.first_bad.map_or_else(|| "the audit does not verify".to_owned(), |bad| format!("{bad:?}")),
    ))
}

/// Jobs that gave up, and what of the others is overdue or in somebody's hands.
async fn left_behind(db: &mut Db, now: (BusinessTime, MachineTime)) -> anyhow::Result<Vec<String>> {
    let mut left: Vec<String> =
        jobs::dead(db, PAGE).await?.iter().map(|job| format!("gave up: {job:?}")).collect();
    let depth = jobs::depth(db, now.0.micros(), now.1.micros()).await?;
    if depth.due + depth.leased > 0 {
        left.push(format!("{} jobs are due and {} in somebody's hands", depth.due, depth.leased));
    }
    Ok(left)
}

async fn actions(db: &mut Db, store: &Store) -> anyhow::Result<Vec<Acted>> {
    let mut found = Vec::new();
    let mut filter = cases::Filter { limit: PAGE, ..cases::Filter::default() };
    loop {
        let page = cases::list(db, store.keyring(), &filter).await?;
        let Some(last) = page.last() else { return Ok(found) };
        filter.before = Some((last.updated_at, last.id.as_str().to_owned()));
        for case in &page {
            for proposal in proposals::of_case(db, store.keyring(), &case.id).await? {
                found.push(acted(db, store, case, &proposal).await?);
            }
        }
    }
}

async fn acted(db: &mut Db, store: &Store, case: &Case, proposal: &Proposal) -> anyhow::Result<Acted> {
    let action = &proposal.content.action;
    let sent = executions::of_proposal(db, store.keyring(), &proposal.id).await?;
    Ok(Acted {
        id: proposal.id.as_str().to_owned(),
        lane: proposal.lane.clone(),
        verb: action.verb(),
        target: action.target().map(|(_, id)| id.to_owned()),
        amount: action.amount().map(|money| money.amount),
        state: proposal.state,
        digest: proposal.digest.clone(),
        ruling: proposal.verdict.ruling,
        execution: sent.map(|sent| Sent {
            key: sent.intent.idempotency_key,
            digest: sent.intent.digest,
            account: sent.intent.account,
            intended_s: sent.intent.intended_at.unix_s(),
            object: sent.receipt.and_then(|receipt| receipt.object),
        }),
        approval: asked(db, store, proposal).await?,
        escalated: needs_person(db, store, case).await?,
    })
}

/// Of one key only one case is open: a person is called there.
async fn needs_person(db: &mut Db, store: &Store, case: &Case) -> anyhow::Result<bool> {
    let open = cases::open_of(db, store.keyring(), &case.lane, &case.key).await?;
    Ok(open.is_some_and(|open| open.state == CaseState::NeedsPerson))
}

async fn asked(db: &mut Db, store: &Store, proposal: &Proposal) -> anyhow::Result<Option<Asked>> {
    let Some(approval) = approvals::of_proposal(db, &proposal.id).await? else { return Ok(None) };
    let votes = approvals::votes(db, store.keyring(), &approval.id).await?;
    let yes = votes.into_iter().filter(|vote| vote.choice == Choice::Approve).map(|vote| Yes {
        person: vote.person.as_str().to_owned(),
        roles: vote.roles,
        digest: vote.digest,
    });
    Ok(Some(Asked {
        yes: yes.collect(),
        digest: approval.digest,
        requirements: approval.requirements,
        makers: approval.makers.iter().map(|person| person.as_str().to_owned()).collect(),
    }))
}

fn effect(entry: &Value) -> Effect {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Effect {
        kind: text(&entry["kind"]).unwrap_or_default(),
        object: text(&entry["object"]).unwrap_or_default(),
        key: text(&entry["idempotency_key"]),
        action: text(&entry["metadata"]["bursar_action"]),
        amount: entry["amount"].as_i64(),
        charge: text(&entry["charge"]),
        account: text(&entry["account"]).unwrap_or_default(),
        livemode: entry["livemode"].as_bool().unwrap_or_default(),
        at_s: entry["at"].as_i64().unwrap_or_default(),
    }
}
