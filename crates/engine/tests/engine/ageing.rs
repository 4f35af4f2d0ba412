//! Stripe keeps an idempotency key for a day. One that may be older protects nothing: look, never send.

use std::time::Duration;

use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_engine::FailPoint;

use crate::answers::{VERBS, Verb, under_way};
use crate::scene::{Scene, Wish};
use bursar_fake_stripe::gate::Harm;

/// Sent once with this harm; then nobody answers for so long.
async fn sent_and_away(verb: Verb, harm: Harm, away: Duration) -> (Scene, ProposalId) {
    let scene = Scene::new(verb.wish()).await;
    let proposal = under_way(&scene, verb, Some((harm, 1))).await;
    scene.until("it was sent", async || scene.stage.our_writes().len() == 1).await;
    scene.stage.gate.close();
    scene.quiet().await;
    scene.pass_business(away);
    scene.stage.gate.reopen().await;
    (scene, proposal)
}

const JUST_UNDER: Duration = Duration::from_secs(23 * 3_600 - 60);

#[tokio::test]
async fn within_the_day_the_same_key_is_used_again() {
    let (scene, proposal) = sent_and_away(Verb::Refund, Harm::CutBefore, JUST_UNDER).await;
    scene.live_until(&proposal, ProposalState::Done).await;
    let writes = scene.stage.our_writes();
    assert_eq!(writes.len(), 2);
    assert_eq!(writes[0], writes[1]);
    assert_eq!(scene.stage.our_effects().len(), 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn after_it_what_did_not_happen_ends_and_is_not_sent_again() {
    for hours in [23, 25, 72] {
        let away = Duration::from_secs(hours * 3_600 + 60);
        let (scene, proposal) = sent_and_away(Verb::Refund, Harm::CutBefore, away).await;
        scene.live_until(&proposal, ProposalState::NoEffect).await;
        assert_eq!(scene.stage.our_writes().len(), 1, "{hours} h");
        assert!(scene.stage.our_effects().is_empty(), "{hours} h");
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn after_it_what_did_happen_is_found() {
    for verb in VERBS {
        let (scene, proposal) = sent_and_away(verb, Harm::CutAfter, Duration::from_hours(25)).await;
        scene.live_until(&proposal, ProposalState::Done).await;
        assert_eq!(scene.stage.our_writes().len(), 1, "{verb:?}");
        assert_eq!(scene.stage.our_effects().len(), 1, "{verb:?}");
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn while_stripe_cannot_be_read_nothing_is_concluded_and_nothing_sent() {
    let scene = Scene::new(Wish::default()).await;
    let proposal = under_way(&scene, Verb::Refund, Some((Harm::CutAfter, 1))).await;
    scene.until("it was sent", async || scene.stage.our_writes().len() == 1).await;
    scene.stage.gate.harm("GET", "/v1/refunds", usize::MAX, Harm::answer(500, ""));
    scene.quiet().await;
    scene.pass_business(Duration::from_hours(31 * 24));
    for _ in 0..20 {
        scene.pass_machine(Duration::from_mins(5));
        scene.quiet().await;
    }
    assert_eq!(scene.state(&proposal).await, ProposalState::Approved);
    assert_eq!(scene.stage.our_writes().len(), 1);
    scene.stage.gate.heal();
    scene.live_until(&proposal, ProposalState::Done).await;
    assert_eq!(scene.stage.our_effects().len(), 1);
}

#[tokio::test]
async fn an_intent_that_never_left_and_is_a_day_old_is_not_sent() {
    let mut scene = Scene::new(Wish::default()).await;
    let reached = scene.engine().stand_still_at(FailPoint::Intended);
    let proposal = under_way(&scene, Verb::Refund, None).await;
    reached.await.unwrap();
    scene.kill();
    scene.pass_business(Duration::from_hours(24));
    scene.restart().await;
    scene.live_until(&proposal, ProposalState::NoEffect).await;
    assert!(scene.stage.our_writes().is_empty());
    scene.assert_audit().await;
}
