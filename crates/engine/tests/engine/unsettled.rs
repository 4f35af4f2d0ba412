//! What is under way or in doubt is neither done again, nor replaced, nor forgotten.

use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_domain::execution::ExecutionState;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::{FailPoint, Viewer};
use serde_json::json;

use crate::answers::{Verb, under_way};
use crate::scene::{Scene, Wish};
use bursar_fake_stripe::gate::Harm;

#[tokio::test]
async fn a_refund_in_doubt_is_not_made_again_and_stays_before_a_person() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(9_000);
    // It happens, and the answer is about something else: the lane stops, and nobody can tell.
    let other = Harm::Change { pointer: "/amount", to: json!(4_001) };
    scene.stage.gate.harm("POST", "/v1/refunds", 1, other);
    let first = scene.ask(&charge, 4_000).await.unwrap();
    scene.live_until(&first.proposal, ProposalState::InDoubt).await;
    let lane = format!("lane:{}/test", scene.stage.stripe.account_id());
    scene.engine().revive(&Actor::Engine, &lane).await.unwrap();
    let again = scene.ask(&charge, 4_000).await.unwrap();
    assert_eq!((again.proposal, again.repeated), (first.proposal.clone(), true));
    let another = scene.ask(&charge, 1_000).await.unwrap();
    scene.live_until(&another.proposal, ProposalState::Done).await;
    scene.quiet().await;
    assert_eq!(scene.stage.our_effects().len(), 2, "the doubtful one once, and the other");
    let case = scene.case_of(&first.proposal).await;
    assert_eq!(case["state"], "needs_person", "what else was done settles no doubt");
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let waiting = scene.engine().waiting(&Viewer { person: carl.id, roles: carl.roles }).await.unwrap();
    let found = waiting.iter().find(|waiting| waiting.case["id"] == case["id"]);
    assert!(found.is_some_and(|waiting| waiting.for_viewer), "{waiting:?}");
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_payment_under_way_is_not_replaced_by_another_card() {
    let scene = Scene::new(Wish::paying_alone()).await;
    let pay = under_way(&scene, Verb::Pay, Some((Harm::answer(503, ""), usize::MAX))).await;
    let unknown =
        async || scene.execution(&pay).await.is_some_and(|held| held.state == ExecutionState::Unknown);
    scene.until("it was sent, and nobody knows", unknown).await;
    scene.quiet().await;
    let case = scene.case_of(&pay).await;
    let invoice = case["about"]["id"].as_str().unwrap().to_owned();
    scene.pass_business(Duration::from_mins(1));
    let failed = crate::stage::Failed {
        event: json!(null),
        invoice: invoice.clone(),
        customer: case["customer"].as_str().unwrap().to_owned(),
        account: None,
    };
    scene.stage.give_working_card(&failed).await;
    let told = scene.stage.newest_event("invoice.updated").await;
    let heard = async || scene.engine().event(told["id"].as_str().unwrap()).await.is_ok();
    scene.until("the new card is heard of", heard).await;
    scene.quiet().await;
    assert_eq!(scene.proposals(&invoice, "invoice.pay").await.len(), 1, "one live key for one invoice");
    scene.stage.gate.heal();
    scene.live_until(&pay, ProposalState::Done).await;
    scene.quiet().await;
    assert_eq!(scene.stage.effects("invoice.pay").len(), 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn an_outcome_leaves_alone_what_the_case_became_meanwhile() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(64_000);
    let (answered, go_on) = scene.engine().pause_at(FailPoint::Answered);
    let small = scene.ask(&charge, 5_000).await.unwrap();
    answered.await.unwrap();
    let large = scene.ask(&charge, 30_000).await.unwrap();
    assert_eq!(large.state, ProposalState::Asking);
    go_on.send(()).unwrap();
    scene.live_until(&small.proposal, ProposalState::Done).await;
    let case = scene.case_of(&large.proposal).await;
    assert_eq!(case["state"], "needs_person", "the large one still asks: {case}");
    assert_eq!(case["amount"], 30_000);
    assert!(case["due_at"].is_string() || case["due_at"].is_i64(), "and has its time: {case}");
}
