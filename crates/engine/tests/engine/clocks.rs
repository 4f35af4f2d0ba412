//! A clock that cannot be right: nothing leaves, nobody's vote counts, and it is said; once it is right, everything goes on.

use std::time::Duration;

use bursar_domain::approval::Choice;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::{ClockTrust, Error};

use crate::scene::{Scene, Wish};
use crate::stage::NOW_S;

#[tokio::test]
async fn in_1970_nothing_leaves() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(20_000);
    scene.set_machine_s(12);
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    assert_eq!(asked.state, ProposalState::Approved);
    scene.quiet().await;
    assert!(scene.stage.gate.written().is_empty());
    let why = scene.engine().health().await.unwrap().clock.unwrap();
    assert_eq!(why, "the clock says 1970-01-01T00:00:12Z");
    assert_eq!(scene.execution(&asked.proposal).await, None, "not even an intent");
    scene.set_machine_s(NOW_S);
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    assert_eq!(scene.stage.our_effects().len(), 1);
    assert_eq!(scene.engine().health().await.unwrap().clock, None);
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_clock_far_before_what_was_recorded_stops_executions_and_votes() {
    let mut scene = Scene::new(Wish::default()).await;
    let (small, large) = (scene.stage.charge(20_000), scene.stage.charge(64_000));
    let first = scene.ask(&small, 5_000).await.unwrap();
    scene.live_until(&first.proposal, ProposalState::Done).await;
    let question = scene.ask(&large, 64_000).await.unwrap().approval.unwrap();
    scene.assert_audit().await;
    // Set back a little, as clocks are: nobody minds.
    scene.set_machine_s(NOW_S - 3_600);
    assert_eq!(scene.engine().health().await.unwrap().clock, None);
    // And by two days, also over a restart.
    for _ in 0..2 {
        scene.set_machine_s(NOW_S - 2 * 86_400);
        let second = scene.ask(&small, 6_000).await.unwrap();
        assert_eq!(second.state, ProposalState::Approved);
        scene.quiet().await;
        assert_eq!(scene.stage.our_effects().len(), 1, "only the first");
        let carl = scene.who("Carl", &[Role::Controller]).await;
        let vote = scene.vote(&carl, &question, Choice::Approve).await;
        assert!(matches!(vote, Err(Error::Clock(_))), "{vote:?}");
        let why = scene.engine().health().await.unwrap().clock.unwrap();
        assert!(why.starts_with("the clock says 2026-11-19T00:00:00Z, and it has been 2026-11-21T"), "{why}");
        scene.restart().await;
    }
    // Somebody says that the clock is right now.
    scene.wish.clock = ClockTrust::Accepted;
    scene.restart().await;
    let done = async || {
        scene.pass_machine(Duration::from_secs(20));
        scene.stage.our_effects().len() == 2
    };
    scene.until("the second refund", done).await;
    let entries = scene.engine().audit_entries(50, None).await.unwrap().items;
    assert!(entries.iter().any(|entry| entry["kind"] == "clock.accepted"), "{entries:?}");
}
