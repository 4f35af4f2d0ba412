//! What is in doubt does not stay so for ever: people ask for another look, or look themselves and say what became of it.

use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_domain::approval::Choice;
use bursar_domain::execution::ExecutionState;
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::{Error, Settlement, Truth};
use serde_json::json;

use crate::answers::{Verb, under_way};
use crate::scene::{Scene, Who, Wish};
use bursar_fake_stripe::gate::Harm;

const DAY: &str = "2026-11-21";

/// A refund whose fate nobody knows: Stripe said something that it never should. The lane runs again.
async fn doubted(scene: &Scene) -> ProposalId {
    let proposal = under_way(scene, Verb::Refund, Some((Harm::answer(401, "{}"), 1))).await;
    scene.live_until(&proposal, ProposalState::InDoubt).await;
    let (scope, _) = scene.engine().health().await.unwrap().kill_switches.remove(0);
    scene.engine().revive(&Actor::Engine, &scope).await.unwrap();
    scene.quiet().await;
    proposal
}

async fn settle(scene: &Scene, who: &Who, proposal: &ProposalId, truth: Truth) -> Result<(), Error> {
    let settlement = Settlement {
        proposal: proposal.clone(),
        person: who.id.clone(),
        name: who.name.clone(),
        roles: who.roles.clone(),
        truth,
        reason: "looked at it in the dashboard".to_owned(),
        method: "console".to_owned(),
    };
    scene.engine().settle_by_hand(settlement).await
}

#[tokio::test]
async fn another_look_finds_what_has_happened() {
    let scene = Scene::new(Wish::default()).await;
    let proposal = doubted(&scene).await;
    let olivia = scene.who("Olivia", &[Role::Operator]).await;
    scene.engine().look_again(&olivia.actor(), &proposal).await.unwrap();
    scene.quiet().await;
    assert_eq!(scene.state(&proposal).await, ProposalState::InDoubt, "nothing is there yet");
    assert_eq!(scene.case_of(&proposal).await["state"], "needs_person");
    let charge = scene.case_of(&proposal).await["about"]["id"].as_str().unwrap().to_owned();
    let form =
        [("charge", charge.as_str()), ("amount", "5000"), ("metadata[bursar_action]", proposal.as_str())];
    scene.stage.call("POST", "/v1/refunds", &form).await;
    scene.engine().look_again(&olivia.actor(), &proposal).await.unwrap();
    scene.live_until(&proposal, ProposalState::Done).await;
    let entries = scene.audited("execution.look_asked").await;
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["actor"], olivia.actor().key());
    let late = scene.engine().look_again(&olivia.actor(), &proposal).await;
    assert!(matches!(late, Err(Error::Conflict { code: "not_in_doubt", .. })), "{late:?}");
    assert_eq!(scene.stage.our_writes().len(), 1, "looking sends nothing");
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_controller_who_did_not_ask_for_it_says_what_became_of_it() {
    for (truth, ends, given_out) in [
        (Truth::Happened { object: Some("re_found1".to_owned()) }, ProposalState::Done, 5_000),
        (Truth::DidNotHappen, ProposalState::NoEffect, 0),
    ] {
        let scene = Scene::new(Wish::default()).await;
        let proposal = doubted(&scene).await;
        let olivia = scene.who("Olivia", &[Role::Operator]).await;
        // Whoever asked is a controller by now, and still the one who asked.
        let sam = scene.who("Sam", &[Role::Support, Role::Controller]).await;
        let carl = scene.who("Carl", &[Role::Controller]).await;
        for who in [&olivia, &sam] {
            let refused = settle(&scene, who, &proposal, truth.clone()).await;
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{who:?}: {refused:?}");
        }
        assert_eq!(scene.state(&proposal).await, ProposalState::InDoubt);
        assert_eq!(scene.given_out(DAY).await, 5_000);

        settle(&scene, &carl, &proposal, truth.clone()).await.unwrap();
        assert_eq!(scene.state(&proposal).await, ends);
        assert_eq!(scene.why(&proposal).await, "looked at it in the dashboard");
        assert_eq!(scene.given_out(DAY).await, given_out, "{truth:?}");
        let again = settle(&scene, &carl, &proposal, truth.clone()).await;
        assert!(matches!(again, Err(Error::Conflict { code: "not_in_doubt", .. })), "{again:?}");
        let entries = scene.audited("execution.settled_by_hand").await;
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["actor"], carl.actor().key());
        assert_eq!(scene.case_of(&proposal).await["state"], "closed");
        scene.quiet().await;
        assert_eq!(scene.stage.our_writes().len(), 1, "nothing is sent by this");
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn a_payment_that_did_not_happen_frees_the_recovery_of_its_invoice() {
    let scene = Scene::new(Wish::paying_alone()).await;
    let proposal = under_way(&scene, Verb::Pay, Some((Harm::answer(401, "{}"), 1))).await;
    scene.live_until(&proposal, ProposalState::InDoubt).await;
    let (scope, _) = scene.engine().health().await.unwrap().kill_switches.remove(0);
    scene.engine().revive(&Actor::Engine, &scope).await.unwrap();
    let carl = scene.who("Carl", &[Role::Controller]).await;
    scene.quiet().await;
    assert_eq!(scene.case_of(&proposal).await["state"], "needs_person");
    settle(&scene, &carl, &proposal, Truth::DidNotHappen).await.unwrap();
    // As long as nobody knows, the playbook neither tries again nor waits for anything but a person.
    let goes_on = async || scene.case_of(&proposal).await["state"] == "waiting";
    scene.until("the recovery goes on", goes_on).await;
    assert_eq!(scene.state(&proposal).await, ProposalState::NoEffect);
}

#[tokio::test]
async fn words_without_sense_settle_nothing() {
    let scene = Scene::new(Wish::default()).await;
    let proposal = doubted(&scene).await;
    let carl = scene.who("Carl", &[Role::Controller]).await;
    for object in ["", "re 1", "re_\u{202e}1"] {
        let truth = Truth::Happened { object: Some(object.to_owned()) };
        let refused = settle(&scene, &carl, &proposal, truth).await;
        assert!(matches!(refused, Err(Error::Invalid { param: "object", .. })), "{object:?}: {refused:?}");
    }
    assert_eq!(scene.state(&proposal).await, ProposalState::InDoubt);
}

#[tokio::test]
async fn doubt_is_told_in_the_case_that_is_open_by_now() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(90_000);
    scene.stage.gate.harm("POST", "/v1/refunds", 1, Harm::answer(401, "{}"));
    let proposal = scene.ask(&charge, 5_000).await.unwrap().proposal;
    scene.live_until(&proposal, ProposalState::InDoubt).await;
    let (scope, _) = scene.engine().health().await.unwrap().kill_switches.remove(0);
    scene.engine().revive(&Actor::Engine, &scope).await.unwrap();
    // Something else on the same charge is done, which may close the case; then somebody asks for more.
    let other = scene.ask(&charge, 1_000).await.unwrap().proposal;
    scene.live_until(&other, ProposalState::Done).await;
    scene.quiet().await;
    let newer = scene.ask(&charge, 64_000).await.unwrap();
    assert_eq!(newer.state, ProposalState::Asking);
    let olivia = scene.who("Olivia", &[Role::Operator]).await;
    scene.engine().look_again(&olivia.actor(), &proposal).await.unwrap();
    let told = async || {
        scene.pass_machine(Duration::from_secs(2));
        let case = scene.case_of(&newer.proposal).await;
        let lines = case["timeline"].as_array().unwrap();
        lines.last().is_some_and(|line| line["data"]["state"] == "in_doubt")
    };
    scene.until("the open case tells of the doubt", told).await;
    assert_eq!(scene.case_of(&newer.proposal).await["state"], "needs_person");
    scene.quiet().await;
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0);
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_is_denied_at_stripe_is_refused() {
    for (kind, ends) in [("approved", ProposalState::Approved), ("rejected", ProposalState::Refused)] {
        let scene = Scene::new(Wish::default()).await;
        let parked = json!({"error": {"code": "approval_required", "approval_request": {"id": "areq_1"}}});
        let harm = Harm::answer(400, &parked.to_string());
        let proposal = under_way(&scene, Verb::Refund, Some((harm, 1))).await;
        let waits = async || {
            let held = scene.execution(&proposal).await;
            held.is_some_and(|held| held.state == ExecutionState::WaitingAtStripe)
        };
        scene.until("it waits", waits).await;
        for request in ["areq_another", "areq_1"] {
            let event = json!({
                "id": format!("evt_{request}"), "object": "v2.core.event", "livemode": false,
                "type": format!("v2.core.approval_request.{kind}"), "created": "2026-11-21T00:00:00Z",
                "related_object": {"id": request, "type": "v2.core.approval_request", "url": "/v2/core/x"},
            });
            assert_eq!(scene.state(&proposal).await, ProposalState::Approved);
            scene.deliver(&event).await.unwrap();
            scene.quiet().await;
        }
        scene.live_until(&proposal, ends).await;
        assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0);
        assert_eq!(scene.stage.our_writes().len(), 1);
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn what_nobody_at_stripe_agrees_to_in_time_is_in_doubt_and_no_longer_asked_after() {
    for (expires_at, days) in [(json!(null), 7), (json!("2026-11-23T00:00:00Z"), 2)] {
        let scene = Scene::new(Wish::default()).await;
        let carl = scene.who("Carl", &[Role::Controller]).await;
        let charge = scene.stage.charge(64_000);
        let asked = scene.ask(&charge, 30_000).await.unwrap();
        let request = json!({"id": "areq_1", "expires_at": expires_at});
        let parked = json!({"error": {"code": "approval_required", "approval_request": request}});
        scene.stage.gate.harm("POST", "/v1/refunds", 1, Harm::answer(400, &parked.to_string()));
        scene.vote(&carl, &asked.approval.unwrap(), Choice::Approve).await.unwrap();
        let waits = async || {
            let held = scene.execution(&asked.proposal).await;
            held.is_some_and(|held| held.state == ExecutionState::WaitingAtStripe)
        };
        scene.until("it waits", waits).await;
        scene.pass_business(Duration::from_hours(days * 24 - 1));
        for _ in 0..3 {
            scene.pass_machine(Duration::from_mins(20));
            scene.quiet().await;
        }
        assert_eq!(scene.state(&asked.proposal).await, ProposalState::Approved, "not before its time");
        scene.pass_business(Duration::from_hours(2));
        scene.live_until(&asked.proposal, ProposalState::InDoubt).await;
        assert_eq!(scene.case_of(&asked.proposal).await["state"], "needs_person");
        scene.quiet().await;
        let reads = scene.stage.gate.reads();
        scene.pass_machine(Duration::from_hours(2));
        scene.quiet().await;
        assert_eq!(scene.stage.gate.reads(), reads, "nobody asks any more");
        assert_eq!(scene.stage.our_writes().len(), 1);
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn a_case_in_which_something_is_in_doubt_is_not_closed_by_the_payment_of_others() {
    let scene = Scene::new(Wish::paying_alone()).await;
    let proposal = under_way(&scene, Verb::Pay, Some((Harm::answer(401, "{}"), 1))).await;
    scene.live_until(&proposal, ProposalState::InDoubt).await;
    let (scope, _) = scene.engine().health().await.unwrap().kill_switches.remove(0);
    scene.engine().revive(&Actor::Engine, &scope).await.unwrap();
    scene.quiet().await;
    let invoice = scene.case_of(&proposal).await["about"]["id"].as_str().unwrap().to_owned();
    let decided = async || scene.case_of(&proposal).await["decisions"].as_array().unwrap().len();
    let before = decided().await;
    let paid = scene.stage.call("POST", &format!("/v1/invoices/{invoice}/pay"), &[]).await;
    assert_eq!(paid["status"], "paid", "{paid}");
    scene.until("it is heard of", async || decided().await > before).await;
    scene.quiet().await;
    assert_eq!(scene.case_of(&proposal).await["state"], "needs_person", "nobody knows what became of ours");
    let carl = scene.who("Carl", &[Role::Controller]).await;
    settle(&scene, &carl, &proposal, Truth::DidNotHappen).await.unwrap();
    let closed = async || scene.case_of(&proposal).await["state"] == "closed";
    scene.until("nothing is left to be done", closed).await;
}
