//! Stripe is away: what was accepted waits and says for what; when it is back, everything happens, once.

use std::time::Duration;

use bursar_domain::approval::Choice;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::IngestAnswer;

use crate::scene::{Scene, Wish};
use bursar_fake_stripe::gate::Harm;

#[tokio::test]
async fn events_are_accepted_and_decided_when_stripe_is_back() {
    let mut scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.stage.gate.close();
    assert_eq!(scene.deliver(&failed.event).await.unwrap(), IngestAnswer::Accepted);
    scene.quiet().await;
    for _ in 0..20 {
        scene.pass_machine(Duration::from_mins(1));
        scene.quiet().await;
    }
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0, "waiting is no failure");
    // The process may come and go meanwhile: the lane is known from before.
    scene.restart().await;
    assert_eq!(scene.deliver(&failed.event).await.unwrap(), IngestAnswer::Duplicate);
    scene.stage.gate.reopen().await;
    let decided = async || {
        scene.pass_machine(Duration::from_secs(2));
        scene.cases(&failed.invoice).await.len() == 1
    };
    scene.until("its case", decided).await;
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_key_that_was_revoked_parks_nothing_and_storms_nobody() {
    let scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    let refused = r#"{"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}"#;
    scene.stage.gate.harm("GET", "/v1/", usize::MAX, Harm::answer(401, refused));
    scene.pass_business(Duration::from_mins(20));
    scene.deliver(&failed.event).await.unwrap();
    scene.quiet().await;
    let reads = scene.stage.gate.reads();
    for _ in 0..10 {
        scene.pass_machine(Duration::from_mins(1));
        scene.quiet().await;
    }
    assert!(scene.stage.gate.reads() - reads <= 20, "a few a minute");
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0);
    scene.stage.gate.heal();
    let decided = async || {
        scene.pass_machine(Duration::from_secs(5));
        scene.cases(&failed.invoice).await.len() == 1
    };
    scene.until("its case, once the key is back", decided).await;
}

#[tokio::test]
async fn a_key_that_was_mistyped_gives_up_no_work_of_its_lane() {
    let mut scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.pass_business(Duration::from_mins(20));
    scene.stage.gate.close();
    scene.deliver(&failed.event).await.unwrap();
    scene.quiet().await;
    scene.wish.key = Some("sk_test_mistyped".to_owned());
    scene.stage.gate.reopen().await;
    scene.restart().await;
    assert_eq!(scene.engine().health().await.unwrap().unconnected, ["main"], "Stripe does not know the key");
    for _ in 0..20 {
        scene.pass_machine(Duration::from_mins(1));
        scene.quiet().await;
    }
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0, "the work waits for the key");
    scene.wish.key = None;
    scene.restart().await;
    let decided = async || {
        scene.pass_machine(Duration::from_secs(5));
        scene.cases(&failed.invoice).await.len() == 1
    };
    scene.until("its case, once the key is right", decided).await;
}

#[tokio::test]
async fn a_stripe_that_never_answers_keeps_nobody_from_voting_and_stopping() {
    let scene = Scene::new(Wish { workers: 8, ..Wish::default() }).await;
    let asked = scene.ask(&scene.stage.charge(64_000), 30_000).await.unwrap();
    let failed: Vec<_> = (0..8).map(|_| scene.stage.failed_invoice("insufficient_funds")).collect();
    scene.pass_business(Duration::from_mins(20));
    let before = scene.stage.gate.reads();
    scene.stage.gate.harm("GET", "/v1/", usize::MAX, Harm::HoldBefore);
    for failed in &failed {
        scene.deliver(&failed.event).await.unwrap();
    }
    scene.until("all workers ask Stripe", async || scene.stage.gate.reads() == before + 8).await;
    let carl = scene.who("Carl", &[Role::Controller]).await;
    scene.vote(&carl, &asked.approval.unwrap(), Choice::Approve).await.unwrap();
    scene.engine().kill(&carl.actor(), "all", "Stripe is silent").await.unwrap();
    assert_eq!(scene.engine().health().await.unwrap().kill_switches.len(), 1);
}

#[tokio::test]
async fn an_open_case_says_what_it_waits_for() {
    let scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.deliver(&failed.event).await.unwrap();
    scene.until("its case", async || scene.cases(&failed.invoice).await.len() == 1).await;
    scene.quiet().await;
    // Long enough that the mirror is too old to decide on.
    scene.pass_business(Duration::from_mins(20));
    let changed = scene.stage.newest_event("invoice.updated").await;
    scene.stage.gate.close();
    scene.deliver(&changed).await.unwrap();
    let waits = async || {
        let case = scene.cases(&failed.invoice).await.remove(0);
        case["state"] == "blocked" && case["blocked_on"].as_str().is_some_and(|on| on.contains("Stripe"))
    };
    scene.until("the case says it", waits).await;
    scene.stage.gate.reopen().await;
    let goes_on = async || {
        scene.pass_machine(Duration::from_secs(2));
        scene.cases(&failed.invoice).await[0]["state"] != "blocked"
    };
    scene.until("and goes on", goes_on).await;
}

#[tokio::test]
async fn an_approved_refund_waits_and_is_sent_once() {
    let mut scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(64_000);
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let asked = scene.ask(&charge, 30_000).await.unwrap();
    scene.stage.gate.close();
    scene.vote(&carl, &asked.approval.unwrap(), Choice::Approve).await.unwrap();
    for _ in 0..10 {
        scene.pass_machine(Duration::from_mins(1));
        scene.quiet().await;
    }
    assert_eq!(scene.state(&asked.proposal).await, ProposalState::Approved);
    scene.restart().await;
    scene.stage.gate.reopen().await;
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    assert_eq!(scene.stage.our_effects().len(), 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn polling_fills_the_hole_when_stripe_is_back() {
    let scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
    let polled = async || scene.engine().health().await.unwrap().lanes[0].polled_age_s.is_some();
    scene.until("a first poll", polled).await;
    scene.stage.gate.close();
    scene.pass_business(Duration::from_hours(3));
    scene.pass_machine(Duration::from_hours(3));
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.stage.gate.reopen().await;
    let found = async || {
        scene.pass_machine(Duration::from_secs(2));
        scene.cases(&failed.invoice).await.len() == 1
    };
    scene.until("its case", found).await;
    scene.until("the hole is noted", async || scene.engine().gaps(9).await.unwrap().items.len() == 1).await;
    assert_eq!(
        scene.deliver(&failed.event).await.unwrap(),
        IngestAnswer::Duplicate,
        "the webhook comes late"
    );
    scene.quiet().await;
    assert_eq!(scene.cases(&failed.invoice).await.len(), 1);
}

#[tokio::test]
async fn what_stripe_says_about_a_key_is_kept_nowhere() {
    let words = "Invalid API Key provided: rk_test_****Ab12";
    let scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
    let polled = async || scene.engine().health().await.unwrap().lanes[0].polled_age_s.is_some();
    scene.until("the first poll", polled).await;
    let charge = scene.stage.charge(9_000);
    let body = serde_json::json!({"error": {"message": words, "type": "invalid_request_error"}}).to_string();
    scene.stage.gate.harm_after("GET", "/v1/charges/", 1, usize::MAX, Harm::answer(401, &body));
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    scene.stage.gate.harm("GET", "/v1/", usize::MAX, Harm::answer(401, &body));
    let noted = async || {
        let health = scene.engine().health().await.unwrap();
        health.lanes.iter().any(|lane| lane.last_error.as_deref().is_some_and(|why| why.contains("401")))
    };
    scene.until("the poller says that it is refused", noted).await;
    scene.quiet().await;
    assert_eq!(scene.state(&asked.proposal).await, ProposalState::Approved, "it waits for a key");
    assert!(!scene.shows("Ab12"));
}
