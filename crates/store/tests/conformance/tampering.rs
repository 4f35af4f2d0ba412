//! Whoever takes out, doubles or swaps what was recorded is found.

use bursar_domain::approval::ApprovalState;
use bursar_domain::execution::ExecutionState;
use bursar_domain::id::{AuditId, QuarantineId};
use bursar_domain::proposal::ProposalState;
use bursar_store::audit::{self, Finding, Record, Table};
use bursar_store::executions::Progress;
use bursar_store::quarantine::NewQuarantined;
use bursar_store::{Store, approvals, decisions, events, executions, policies, proposals, quarantine};
use serde_json::json;

use crate::rows::{NOW, approval, decision, event, intent, keep_inputs, proposal, vote};
use crate::scene::{AT, LANE, Scene, alter, entropy, write};

/// A row that something was committed about.
pub struct Recorded {
    pub table: Table,
    pub key: String,
}

/// One row of every table that the audit commits to, sealed.
pub async fn recorded() -> (Scene, Vec<Recorded>) {
    let scene = Scene::new().await;
    let (store, keyring) = (&scene.store, scene.keyring());
    let group = AuditId::from_entropy(entropy(200));
    let batch = [event("evt_1"), events::NewEvent { api_version: None, request_key: None, ..event("evt_2") }];
    let entry = group.clone();
    write!(store, |tx| events::accept(tx, &keyring, &batch, entry, AT).await).unwrap();
    let keyring = scene.keyring();
    let apart = NewQuarantined {
        id: QuarantineId::from_entropy(entropy(1)),
        entry: AuditId::from_entropy(entropy(201)),
        lane: None,
        connection: Some("main".to_owned()),
        reason: "not_json",
        source: "webhook",
        received_at: AT,
        sameness: "hash".to_owned(),
        body: b"<html>".to_vec(),
    };
    let apart_id = apart.id.to_string();
    write!(store, |tx| quarantine::keep(tx, &keyring, apart).await).unwrap();
    let inputs = write_rows(&scene).await;
    let rows = [
        (Table::EventGroup, group.to_string()),
        (Table::Quarantine, apart_id),
        (Table::Decisions, decision(1, "").id.to_string()),
        (Table::Inputs, format!("{LANE} {inputs}")),
        (Table::Proposals, proposal(1).id.to_string()),
        (Table::ProposalEnds, proposal(1).id.to_string()),
        (Table::Approvals, approval(1).id.to_string()),
        (Table::Votes, vote(1, 1).id.to_string()),
        (Table::Executions, intent(1).id.to_string()),
        (Table::ExecutionEnds, intent(1).id.to_string()),
        (Table::PolicySets, "hash".to_owned()),
    ];
    assert!(
        Table::ALL.iter().all(|table| rows.iter().any(|(known, _)| known == table)),
        "every table has a row here"
    );
    for (number, (table, key)) in (0..).zip(&rows) {
        commit_to(store, number, *table, key).await;
    }
    write!(store, |tx| audit::seal(tx, 100).await).unwrap();
    let rows = rows.map(|(table, key)| Recorded { table, key });
    (scene, rows.into())
}

/// Everything but what records itself; answers the hash of the inputs.
async fn write_rows(scene: &Scene) -> String {
    let keyring = scene.keyring();
    write!(scene.store, |tx| {
        let inputs = keep_inputs(tx, &keyring, b"{}").await?;
        decisions::add(tx, &[&decision(1, &inputs)]).await?;
        proposals::add(tx, &keyring, &[&proposal(1)], AT).await?;
        approvals::add(tx, &[&approval(1)]).await?;
        approvals::add_vote(tx, &keyring, &vote(1, 1), AT).await?;
        approvals::close(tx, &approval(1).id, ApprovalState::Met, NOW, "approved").await?;
        executions::add(tx, &keyring, &intent(1), AT).await?;
        let progress = Progress {
            state: ExecutionState::Refused,
            code: Some("card_declined"),
            waiting_for: None,
            absent_since: None,
            receipt: None,
        };
        executions::record(tx, &intent(1).id, &progress, NOW).await?;
        let (asking, refused) = (ProposalState::Asking, ProposalState::Refused);
        proposals::advance(tx, &proposal(1).id, asking, refused, NOW, Some("declined")).await?;
        proposals::say_why(tx, &keyring, &proposal(1), "the card was declined", AT).await?;
        policies::keep_set(tx, "hash", &json!([["refunds.cedar", "permit (…);"]]), AT).await?;
        Ok(inputs)
    })
    .unwrap()
}

async fn commit_to(store: &Store, number: u8, table: Table, key: &str) {
    let key = key.to_owned();
    write!(store, |tx| {
        // Events and quarantine record themselves.
        let own = matches!(table, Table::EventGroup | Table::Quarantine);
        let commits = if own { Vec::new() } else { vec![audit::commitment(tx, table, &key).await?] };
        let record = Record {
            id: AuditId::from_entropy(entropy(number)),
            at: AT,
            kind: "row.recorded",
            lane: Some(LANE.to_owned()),
            actor: None,
            data: json!({"table": table.as_str()}),
            commits,
        };
        audit::append(tx, record).await
    })
    .unwrap();
}

/// Where the rows of a commitment lie, and which columns may change after it: they are settled elsewhere or not at all.
pub fn place(table: Table) -> (&'static str, &'static str, &'static [&'static str]) {
    match table {
        Table::EventGroup => ("events", "audit_id", &["resolved"]),
        Table::Quarantine => ("quarantine", "id", &["state", "settled_at", "settled_by", "settled_why"]),
        Table::Decisions => ("decisions", "id", &[]),
        Table::Inputs => ("inputs", "lane || ' ' || hash", &[]),
        Table::Proposals => ("proposals", "id", &["state", "settled_at", "settled_why", "settled_words"]),
        Table::ProposalEnds => ("proposals", "id", &[]),
        Table::Approvals => ("approvals", "id", &["state", "closed_at", "closed_why"]),
        Table::Votes => ("votes", "id", &[]),
        Table::Executions => (
            "executions",
            "id",
            &[
                "first_sent_at",
                "sends",
                "maybe_sent",
                "reserved_day",
                "reserved",
                "reserved_currency",
                "state",
                "waiting_for",
                "waiting_until",
                "absent_since",
                "outcome_at",
                "outcome_code",
                "receipt",
            ],
        ),
        Table::ExecutionEnds => (
            "executions",
            "id",
            &[
                "first_sent_at",
                "sends",
                "maybe_sent",
                "reserved_day",
                "reserved",
                "reserved_currency",
                "waiting_for",
                "waiting_until",
                "absent_since",
            ],
        ),
        Table::PolicySets => ("policy_sets", "hash", &[]),
    }
}

pub async fn first_bad(store: &Store) -> Option<Finding> {
    let report = audit::verify(&mut store.read().await.unwrap()).await.unwrap();
    assert_eq!(report.ok, report.first_bad.is_none());
    report.first_bad
}

#[tokio::test]
async fn rows_and_entries_that_are_removed_doubled_or_swapped_are_named() {
    let (scene, rows) = recorded().await;
    let mut raw = scene.raw().await;
    for Recorded { table, key } in &rows {
        let (name, by, _) = place(*table);
        // Taken out and put back whole.
        alter(&mut raw, &format!("CREATE TABLE aside AS SELECT * FROM {name} WHERE {by} = '{key}'")).await;
        alter(&mut raw, &format!("DELETE FROM {name} WHERE {by} = '{key}'")).await;
        let bad = first_bad(&scene.store).await.unwrap_or_else(|| panic!("{name} without {key}"));
        assert!(bad.detail.contains("gone"), "{bad:?}");
        alter(&mut raw, &format!("INSERT INTO {name} SELECT * FROM aside")).await;
        alter(&mut raw, "DROP TABLE aside").await;
        assert_eq!(first_bad(&scene.store).await, None, "{name} put back");
    }
    let twice = "INSERT INTO events SELECT lane, 'evt_9', type, created_s, api_version, request_key, object_kind, object_id,
        snapshot_event, sameness, sameness_any_version, source, received_at, subject, body, body_hash, audit_id, resolved
        FROM events WHERE id = 'evt_1'";
    alter(&mut raw, twice).await;
    assert_eq!(
        first_bad(&scene.store).await.unwrap().table.as_deref(),
        Some("events"),
        "one more in a group"
    );
    alter(&mut raw, "DELETE FROM events WHERE id = 'evt_9'").await;
    for (what, changes, back) in [
        (
            "two entries swapped",
            "UPDATE audit SET seq = CASE seq WHEN 3 THEN -4 WHEN 4 THEN -3 ELSE seq END; UPDATE audit SET seq = -seq WHERE seq < 0",
            "UPDATE audit SET seq = CASE seq WHEN 3 THEN -4 WHEN 4 THEN -3 ELSE seq END; UPDATE audit SET seq = -seq WHERE seq < 0",
        ),
        (
            "one unsealed again",
            "UPDATE audit SET seq = NULL WHERE seq = 3",
            "UPDATE audit SET seq = 3 WHERE seq IS NULL",
        ),
    ] {
        for sql in changes.split("; ") {
            alter(&mut raw, sql).await;
        }
        assert_eq!(
            first_bad(&scene.store).await.and_then(|bad| bad.seq.map(|seq| seq <= 4)),
            Some(true),
            "{what}"
        );
        for sql in back.split("; ") {
            alter(&mut raw, sql).await;
        }
    }
    alter(&mut raw, "DELETE FROM audit WHERE seq = 2").await;
    assert!(first_bad(&scene.store).await.unwrap().detail.contains("entry 2 "));
}
