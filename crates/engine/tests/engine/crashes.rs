//! The process dies anywhere and another one opens the same directory: exactly one effect, and nothing forgotten.

use std::time::Duration;

use bursar_domain::approval::Choice;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::FailPoint;
use futures_util::future::join_all;
use serde_json::json;

use crate::answers::{VERBS, Verb, under_way};
use crate::scene::{Reached, Scene, Wish};
use bursar_fake_stripe::gate::Harm;

/// Waits until a job stands still there.
async fn stands(reached: Reached) {
    tokio::time::timeout(Duration::from_secs(20), reached).await.expect("nobody came by").unwrap();
}

async fn assert_one_effect(scene: &Scene, proposal: &bursar_domain::id::ProposalId, what: &str) {
    scene.live_until(proposal, ProposalState::Done).await;
    assert_eq!(scene.stage.our_effects().len(), 1, "{what}");
    let writes = scene.stage.our_writes();
    assert!(writes.windows(2).all(|pair| pair[0] == pair[1]), "{what}: one key, one request");
    scene.quiet().await;
    scene.assert_audit().await;
}

async fn die_at(verb: Verb, point: FailPoint, harm: Option<Harm>) {
    let what = format!("{verb:?} at {point:?} with {harm:?}");
    let mut scene = Scene::new(verb.wish()).await;
    let reached = scene.engine().stand_still_at(point);
    let proposal = under_way(&scene, verb, harm.map(|harm| (harm, 1))).await;
    stands(reached).await;
    scene.restart().await;
    assert_one_effect(&scene, &proposal, &what).await;
    // Sent a second time only where nobody could know that it was sent at all.
    let most = if point == FailPoint::Counted { 1 } else { 2 };
    assert!(scene.stage.our_writes().len() <= most, "{what}");
}

const ON_THE_WAY: [FailPoint; 4] =
    [FailPoint::Intended, FailPoint::Counted, FailPoint::Answered, FailPoint::Concluded];

#[tokio::test]
async fn a_death_at_any_step_of_an_execution_leaves_one_effect() {
    for verb in VERBS {
        join_all(ON_THE_WAY.map(|point| die_at(verb, point, None))).await;
    }
}

#[tokio::test]
async fn a_death_after_a_lost_answer_leaves_one_effect() {
    for verb in VERBS {
        join_all([Harm::CutBefore, Harm::CutAfter].map(|harm| die_at(verb, FailPoint::Answered, Some(harm))))
            .await;
    }
}

#[tokio::test]
async fn a_death_while_stripe_is_silent_leaves_one_effect() {
    for verb in VERBS {
        for harm in [Harm::HoldBefore, Harm::HoldAfter] {
            let what = format!("{verb:?} with {harm:?}");
            let mut scene = Scene::new(verb.wish()).await;
            let proposal = under_way(&scene, verb, Some((harm, 1))).await;
            scene.until("the request is out", async || !scene.stage.our_writes().is_empty()).await;
            scene.restart().await;
            assert_one_effect(&scene, &proposal, &what).await;
        }
    }
}

#[tokio::test]
async fn a_death_after_a_stored_500_leaves_one_effect_and_no_second_request() {
    for verb in VERBS {
        let route = match verb {
            Verb::Refund => "POST /v1/refunds",
            Verb::Pay => "POST /v1/invoices/{id}/pay",
        };
        let mut scene = Scene::new(verb.wish()).await;
        // Stripe's own: carried out, stored, and replayed to whoever asks again.
        scene.stage.stripe.arm_fault(json!({"route": route, "kind": "status", "status": 500})).unwrap();
        let reached = scene.engine().stand_still_at(FailPoint::Answered);
        let proposal = under_way(&scene, verb, None).await;
        stands(reached).await;
        scene.restart().await;
        assert_one_effect(&scene, &proposal, &format!("{verb:?}")).await;
        assert_eq!(scene.stage.our_writes().len(), 1, "{verb:?}: it was found");
    }
}

#[tokio::test]
async fn two_deaths_in_any_order_leave_one_effect() {
    let pairs = ON_THE_WAY.into_iter().flat_map(|first| ON_THE_WAY.map(|second| (first, second)));
    let pairs: Vec<(FailPoint, FailPoint)> = pairs.collect();
    for four in pairs.chunks(4) {
        join_all(four.iter().map(|(first, second)| die_twice(*first, *second))).await;
    }
}

async fn die_twice(first: FailPoint, second: FailPoint) {
    let mut scene = Scene::new(Wish::default()).await;
    let reached = scene.engine().stand_still_at(first);
    let proposal = under_way(&scene, Verb::Refund, None).await;
    stands(reached).await;
    let mut reached = scene.restart_standing_still_at(second).await;
    // The second place may already lie behind.
    let over = async || {
        scene.pass_machine(Duration::from_secs(1));
        reached.try_recv().is_ok() || scene.state(&proposal).await == ProposalState::Done
    };
    scene.until("the second death, or the end", over).await;
    scene.restart().await;
    assert_one_effect(&scene, &proposal, &format!("{first:?}, then {second:?}")).await;
}

#[tokio::test]
async fn a_death_while_an_event_is_taken_or_decided_on_loses_neither() {
    for point in [FailPoint::EventUnderstood, FailPoint::Decided] {
        let mut scene = Scene::new(Wish::default()).await;
        let mut reached = scene.engine().stand_still_at(point);
        let failed = scene.stage.failed_invoice("insufficient_funds");
        let answered = tokio::select! {
            answer = scene.deliver(&failed.event) => answer.is_ok(),
            _ = &mut reached => false,
        };
        // What is taken in the commit that accepts it is not answered before.
        assert_eq!(answered, point == FailPoint::Decided);
        if answered {
            stands(reached).await;
        }
        assert!(scene.cases(&failed.invoice).await.is_empty(), "{point:?}");
        scene.restart().await;
        if !answered {
            scene.deliver(&failed.event).await.unwrap();
        }
        scene.until("its case", async || scene.cases(&failed.invoice).await.len() == 1).await;
        scene.quiet().await;
        scene.deliver(&failed.event).await.unwrap();
        scene.quiet().await;
        assert_eq!(scene.cases(&failed.invoice).await.len(), 1, "{point:?}");
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn whoever_was_answered_was_heard() {
    let mut scene = Scene::new(Wish::default()).await;
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let charge = scene.stage.charge(64_000);
    let asked = scene.ask(&charge, 30_000).await.unwrap();
    scene.restart().await;
    scene.vote(&carl, &asked.approval.unwrap(), Choice::Approve).await.unwrap();
    scene.restart().await;
    assert_one_effect(&scene, &asked.proposal, "a vote, then death").await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.deliver(&failed.event).await.unwrap();
    scene.restart().await;
    scene.until("its case", async || scene.cases(&failed.invoice).await.len() == 1).await;
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_stop_finishes_what_it_can_and_leaves_the_rest_to_be_found() {
    let mut scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(9_000);
    scene.stage.gate.harm("POST", "/v1/refunds", 1, Harm::answer(503, ""));
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    scene.until("it waits for Stripe", async || scene.stage.our_writes().len() == 1).await;
    scene.quiet().await;
    scene.engine().stop().await;
    let refused = scene.deliver(&json!({})).await;
    assert!(matches!(refused, Err(bursar_engine::Error::Stopping)), "{refused:?}");
    scene.restart().await;
    assert_one_effect(&scene, &asked.proposal, "a stop in between").await;
}
