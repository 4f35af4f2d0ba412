//! A refund's whole way: asked for, judged, decided, sent once, and told.

use bursar_domain::approval::{Choice, Tally, VoteError};
use bursar_domain::execution::ExecutionState;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::Error;
use serde_json::json;

use crate::scene::{Scene, Wish};

#[tokio::test]
async fn a_small_one_needs_nobody() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(20_000);
    let asked = scene.ask(&charge, 10_000).await.unwrap();
    assert_eq!(asked.state, ProposalState::Approved);
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    let effects = scene.stage.our_effects();
    assert_eq!(effects.len(), 1);
    assert_eq!(
        (effects[0]["kind"].as_str(), effects[0]["amount"].as_i64()),
        (Some("refund.create"), Some(10_000))
    );
    assert_eq!(effects[0]["metadata"]["bursar_action"], asked.proposal.as_str());
    let execution = scene.execution(&asked.proposal).await.unwrap();
    assert_eq!((execution.state, execution.sends), (ExecutionState::Done, 1));
    let receipt = execution.receipt.unwrap();
    assert!(receipt.object.is_some_and(|object| object.starts_with("re_")));
    assert!(receipt.request_id.is_some());
    assert!(receipt.balance_transaction.is_some_and(|id| id.starts_with("txn_")));
    assert!(receipt.changes.iter().all(bursar_domain::execution::Change::agrees), "{:?}", receipt.changes);
    let case = &scene.cases(&charge).await[0];
    assert_eq!(case["state"], "closed", "nothing is left to do");
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_large_one_waits_for_a_controller_and_is_then_sent_once() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(64_000);
    let before = scene.ask(&scene.stage.charge(5_000), 5_000).await.unwrap();
    scene.live_until(&before.proposal, ProposalState::Done).await;
    let asked = scene.ask(&charge, 64_000).await.unwrap();
    assert_eq!(asked.state, ProposalState::Asking);
    let approval = asked.approval.unwrap();
    let card = scene.engine().approval(&approval, None).await.unwrap()["card"].clone();
    assert_eq!(
        card["risk"],
        json!({"tier": "medium", "reasons": ["over the limit", "cannot be taken back"]})
    );
    let line = json!({"scope": "USD", "before": "50.00 USD", "after": "690.00 USD"});
    assert_eq!(card["budget"]["lines"], json!([line]));
    let held = scene.stage.call("GET", &format!("/v1/charges/{charge}"), &[]).await;
    let last4 = held["payment_method_details"]["card"]["last4"].as_str().unwrap();
    assert_eq!(
        card["title"]["subject"],
        format!("of 640.00 USD paid 21 Nov 2026 · Visa ••{last4} · {charge}")
    );
    assert_eq!(card["links"], json!([]), "a simulated Stripe has no pages");
    scene.quiet().await;
    assert_eq!(scene.stage.our_effects().len(), 1, "nothing is sent before somebody said yes");
    let olivia = scene.who("Olivia", &[Role::Operator]).await;
    let refused = scene.vote(&olivia, &approval, Choice::Approve).await;
    assert!(matches!(refused, Err(Error::Vote(VoteError::NotAsked))), "{refused:?}");
    let carl = scene.who("Carl", &[Role::Controller]).await;
    assert_eq!(scene.vote(&carl, &approval, Choice::Approve).await.unwrap(), Tally::Met);
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    let again = scene.vote(&carl, &approval, Choice::Approve).await;
    assert!(matches!(again, Err(Error::Vote(VoteError::Decided))), "{again:?}");
    assert_eq!(scene.stage.effects("refund.create").len(), 2);
    let document = scene.engine().approval(&approval, None).await.unwrap();
    assert!(document["receipt"].is_object(), "{document}");
    scene.assert_audit().await;
}

#[tokio::test]
async fn people_who_say_no_end_it() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(64_000);
    let asked = scene.ask(&charge, 64_000).await.unwrap();
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let approval = asked.approval.unwrap();
    assert_eq!(scene.vote(&carl, &approval, Choice::Reject).await.unwrap(), Tally::Refused);
    assert_eq!(scene.state(&asked.proposal).await, ProposalState::Rejected);
    scene.quiet().await;
    assert!(scene.stage.gate.written().is_empty());
    assert_eq!(scene.cases(&charge).await[0]["state"], "closed");
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_policy_forbids_is_filed_and_never_sent() {
    let scene = Scene::new(Wish::default()).await;
    let disputed = scene.stage.trigger("charge.dispute.created", json!({"amount": 5_000}));
    let objects = disputed["objects"].as_array().unwrap();
    let disputed =
        objects.iter().find(|object| object["object"] == "charge").unwrap()["id"].as_str().unwrap();
    let spent = scene.stage.charge(9_000);
    let first = scene.ask(&spent, 6_000).await.unwrap();
    scene.live_until(&first.proposal, ProposalState::Done).await;
    let table = [(disputed, 1_000, "refunds.disputed"), (spent.as_str(), 3_001, "refunds.over_refundable")];
    for (charge, amount, policy) in table {
        let asked = scene.ask(charge, amount).await.unwrap();
        assert_eq!((asked.state, asked.approval), (ProposalState::Denied, None), "{policy}");
        let deciding: Vec<&str> = asked.verdict.policies.iter().map(|policy| policy.id.as_str()).collect();
        assert_eq!(deciding, [policy]);
    }
    scene.quiet().await;
    assert_eq!(scene.stage.effects("refund.create").len(), 1, "only the first");
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_it_is_filed() {
    let scene = Scene::new(Wish::default()).await;
    let sam = scene.who("Sam", &[Role::Support]).await;
    let charge = scene.stage.charge(9_000);
    for (charge, amount, param) in [
        (charge.as_str(), Some(0), "amount"),
        (charge.as_str(), Some(-5), "amount"),
        ("in_1", Some(5), "charge"),
        ("../../etc/passwd", Some(5), "charge"),
    ] {
        let refused = scene.ask_as(&sam, charge, amount).await;
        assert!(
            matches!(&refused, Err(Error::Invalid { param: found, .. }) if *found == param),
            "{refused:?}"
        );
    }
    let nowhere = scene.ask_as(&sam, "ch_nowhere", Some(5)).await;
    assert!(matches!(nowhere, Err(Error::NotFound { .. })), "{nowhere:?}");
    assert!(scene.stage.gate.written().is_empty());
}

#[tokio::test]
async fn an_amount_that_was_left_out_is_everything_that_is_left() {
    let scene = Scene::new(Wish::default()).await;
    let sam = scene.who("Sam", &[Role::Support]).await;
    let charge = scene.stage.charge(9_000);
    let part = scene.ask(&charge, 4_000).await.unwrap();
    scene.live_until(&part.proposal, ProposalState::Done).await;
    let rest = scene.ask_as(&sam, &charge, None).await.unwrap();
    assert_eq!(
        (rest.amount.amount, rest.state),
        (5_000, ProposalState::Approved),
        "known before it is judged"
    );
    scene.live_until(&rest.proposal, ProposalState::Done).await;
    let nothing = scene.ask_as(&sam, &charge, None).await;
    assert!(matches!(nothing, Err(Error::Invalid { param: "charge", .. })), "{nothing:?}");
    let refunded: i64 =
        scene.stage.effects("refund.create").iter().filter_map(|effect| effect["amount"].as_i64()).sum();
    assert_eq!(refunded, 9_000);
}

#[tokio::test]
async fn a_second_click_is_no_second_wish() {
    let scene = Scene::new(Wish::default()).await;
    let sam = scene.who("Sam", &[Role::Support]).await;
    let charge = scene.stage.charge(64_000);
    let asks = (0..8).map(|_| scene.ask_as(&sam, &charge, Some(30_000)));
    let asked = futures_util::future::join_all(asks).await;
    let first = asked[0].as_ref().unwrap().proposal.clone();
    for other in &asked {
        assert_eq!(other.as_ref().unwrap().proposal, first);
    }
    assert_eq!(asked.iter().filter(|other| !other.as_ref().unwrap().repeated).count(), 1);
    assert_eq!(scene.proposals(&charge, "refund.create").await.len(), 1);
}

#[tokio::test]
async fn a_day_has_its_limit_however_many_ask_at_once() {
    let scene = Scene::new(Wish::default()).await;
    let sam = scene.who("Sam", &[Role::Support]).await;
    // The default policies let 2,000.00 a day go by themselves, 100.00 at a time.
    let charges: Vec<String> = (0..25).map(|_| scene.stage.charge(10_000)).collect();
    let asks = charges.iter().map(|charge| scene.ask_as(&sam, charge, Some(10_000)));
    for asked in futures_util::future::join_all(asks).await {
        asked.unwrap();
    }
    scene.quiet().await;
    let sent: i64 =
        scene.stage.effects("refund.create").iter().filter_map(|effect| effect["amount"].as_i64()).sum();
    assert_eq!(sent, 200_000, "to the last cent and not one further");
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_refund_that_fails_after_it_was_done_comes_back_to_a_person() {
    let scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
    let charge = scene.stage.charge(9_000);
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    let refund = scene.execution(&asked.proposal).await.unwrap().receipt.unwrap().object.unwrap();
    scene.stage.trigger("refund.failed", json!({"refund": refund, "failure_reason": "lost_or_stolen_card"}));
    scene.live_until(&asked.proposal, ProposalState::Reversed).await;
    assert_eq!(scene.cases(&charge).await[0]["state"], "needs_person");
    scene.quiet().await;
    assert_eq!(scene.stage.effects("refund.create").len(), 1, "nothing is repeated by itself");
    scene.assert_audit().await;
}
