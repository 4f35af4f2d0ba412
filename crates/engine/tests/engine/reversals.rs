//! A refund that fails after it was done: only the very one that we made counts, its case or the newer one calls a person,
//! and the day gets its budget back.

use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_engine::Endpoint;
use serde_json::{Value, json};

use crate::scene::{CONNECT_SECRET, SECRET, Scene, Wish};

const CONNECTED: &str = "acct_connected1";
/// The day of the scene.
const DAY: &str = "2026-11-21";

/// A small refund that was done, and Stripe's object of it.
async fn done(scene: &Scene, charge: &str, amount: i64) -> (ProposalId, Value) {
    let proposal = scene.ask(charge, amount).await.unwrap().proposal;
    scene.live_until(&proposal, ProposalState::Done).await;
    scene.quiet().await;
    let id = scene.execution(&proposal).await.unwrap().receipt.unwrap().object.unwrap();
    let refund = scene.stage.call("GET", &format!("/v1/refunds/{id}"), &[]).await;
    assert_eq!(refund["metadata"]["bursar_action"], proposal.as_str(), "{refund}");
    (proposal, refund)
}

/// What Stripe tells when a refund has failed.
async fn failure_of(scene: &Scene, number: usize, refund: &Value) -> Value {
    let mut event = scene.stage.newest_event("refund.created").await;
    event["id"] = json!(format!("evt_failed{number}"));
    event["type"] = json!("refund.failed");
    event["data"]["object"] = refund.clone();
    event["data"]["object"]["status"] = json!("failed");
    event["data"]["object"]["failure_reason"] = json!("expired_or_canceled_card");
    event
}

#[tokio::test]
async fn only_the_very_refund_that_we_made_is_taken_for_ours() {
    let connected = CONNECTED.parse().unwrap();
    let scene = Scene::new(Wish { connected: vec![connected], ..Wish::default() }).await;
    let charge = scene.stage.charge(9_000);
    let (proposal, refund) = done(&scene, &charge, 5_000).await;
    assert_eq!(scene.given_out(DAY).await, 5_000);

    let (mut other_charge, mut other_id) = (refund.clone(), refund.clone());
    other_charge["charge"] = json!("ch_another1");
    other_id["id"] = json!("re_another1");
    for (number, foreign) in [&other_charge, &other_id].into_iter().enumerate() {
        let event = failure_of(&scene, number, foreign).await;
        scene.deliver_bytes(Endpoint::Account, SECRET, event.to_string().as_bytes()).await.unwrap();
    }
    // The same ids on another account: whoever owns that may write what they like.
    let mut event = failure_of(&scene, 7, &refund).await;
    event["account"] = json!(CONNECTED);
    scene.deliver_bytes(Endpoint::Connect, CONNECT_SECRET, event.to_string().as_bytes()).await.unwrap();
    scene.quiet().await;
    assert_eq!(scene.state(&proposal).await, ProposalState::Done, "none of these is ours");
    assert_eq!(scene.given_out(DAY).await, 5_000);

    scene.deliver(&failure_of(&scene, 8, &refund).await).await.unwrap();
    scene.live_until(&proposal, ProposalState::Reversed).await;
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_reversal_is_told_in_the_case_that_is_open_by_now() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(90_000);
    let (proposal, refund) = done(&scene, &charge, 5_000).await;
    let first = scene.case_of(&proposal).await;
    assert_eq!(first["state"], "closed");
    let newer = scene.ask(&charge, 64_000).await.unwrap();
    assert_eq!(newer.state, ProposalState::Asking);
    assert_ne!(first["id"], newer.case.as_str());

    for number in [1, 2] {
        scene.deliver(&failure_of(&scene, number, &refund).await).await.unwrap();
        scene.live_until(&proposal, ProposalState::Reversed).await;
        scene.quiet().await;
    }
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0);
    assert_eq!(scene.given_out(DAY).await, 0, "the day gets its budget back, once");
    let told = scene.case_of(&newer.proposal).await;
    assert_eq!(told["state"], "needs_person");
    let reversals = |case: &Value| {
        let lines = case["timeline"].as_array().unwrap();
        lines.iter().filter(|line| line["data"]["state"] == "reversed").count()
    };
    assert_eq!((reversals(&told), reversals(&scene.case_of(&proposal).await)), (1, 1), "{told}");
    let entries = scene.audited("execution.reversed").await;
    assert_eq!(entries.len(), 1);
    let commits = entries[0]["commits"].as_array().unwrap();
    assert!(
        commits.iter().any(|row| row["table"] == "proposals.end" && row["key"] == proposal.as_str()),
        "the entry speaks of the row that changed: {commits:?}"
    );
    scene.assert_audit().await;
}
