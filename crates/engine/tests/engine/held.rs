//! What was intended and never left: it goes out only if everything that held when it was written holds still.

use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_domain::approval::Choice;
use bursar_domain::execution::ExecutionState;
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::{FailPoint, Rate};
use bursar_stripe::currency::Currency;

use crate::answers::{Verb, under_way};
use crate::letters::{Post, letter_about};
use crate::scene::{Scene, Wish};
use bursar_fake_stripe::gate::Harm;

/// Waits until the execution says what it waits for.
async fn waits_for(scene: &Scene, proposal: &ProposalId, what: &str) {
    let waits = async || {
        scene.pass_machine(Duration::from_secs(2));
        let held = scene.execution(proposal).await;
        held.is_some_and(|held| held.waiting_for.is_some_and(|told| told.contains(what)))
    };
    scene.until(what, waits).await;
    scene.quiet().await;
}

/// A refund whose intent stands, held up by a kill switch before anything left.
async fn stopped_refund() -> (Scene, ProposalId) {
    let mut scene = Scene::new(Wish::default()).await;
    let reached = scene.engine().stand_still_at(FailPoint::Intended);
    let proposal = under_way(&scene, Verb::Refund, None).await;
    reached.await.unwrap();
    scene.engine().kill(&Actor::Engine, "all", "drill").await.unwrap();
    scene.restart().await;
    waits_for(&scene, &proposal, "all is stopped").await;
    (scene, proposal)
}

#[tokio::test]
async fn a_letter_that_waits_for_a_mail_server_is_withdrawn_when_the_invoice_is_paid() {
    let mut scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    let proposal = letter_about(&scene, &failed).await;
    waits_for(&scene, &proposal, "mail server").await;
    scene.pass_business(Duration::from_mins(1));
    scene.stage.give_working_card(&failed).await;
    scene.stage.call("POST", &format!("/v1/invoices/{}/pay", failed.invoice), &[]).await;
    scene.deliver(&scene.stage.newest_event("invoice.paid").await).await.unwrap();
    scene.live_until(&proposal, ProposalState::Void).await;
    let execution = scene.execution(&proposal).await.unwrap();
    assert_eq!((execution.state, execution.sends), (ExecutionState::NoEffect, 0));
    let post = Post::open().await;
    scene.wish = post.wish();
    scene.restart().await;
    scene.pass_machine(Duration::from_hours(2));
    scene.quiet().await;
    assert!(post.mailbox.letters().is_empty(), "whoever has paid is not told that they have not");
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0);
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_letter_that_waited_a_day_is_not_sent_any_more() {
    let scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    let proposal = letter_about(&scene, &failed).await;
    waits_for(&scene, &proposal, "mail server").await;
    // Stripe is away, so that nobody else finds that it makes no sense any more.
    scene.stage.gate.close();
    scene.pass_business(Duration::from_hours(24));
    scene.live_until(&proposal, ProposalState::NoEffect).await;
    let execution = scene.execution(&proposal).await.unwrap();
    assert_eq!(execution.state, ExecutionState::NoEffect);
    assert_eq!(execution.outcome_code.as_deref(), Some("too_late"));
    scene.assert_audit().await;
}

#[tokio::test]
async fn without_a_mail_server_a_letter_looks_ever_more_seldom() {
    let scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    let proposal = letter_about(&scene, &failed).await;
    waits_for(&scene, &proposal, "mail server").await;
    // Nothing while it is being looked at.
    let wait_s = async || {
        let due = scene.execution_due().await;
        due.map_or(0, |due| due.div_euclid(1_000_000) - scene.machine_s())
    };
    let first = wait_s().await;
    assert!((20..=60).contains(&first), "{first} s");
    scene.pass_business(Duration::from_mins(40));
    scene.pass_machine(Duration::from_mins(2));
    scene.until("it looks more seldom", async || wait_s().await > 1_000).await;
}

#[tokio::test]
async fn what_a_kill_switch_held_up_is_compared_and_judged_again() {
    let (scene, proposal) = stopped_refund().await;
    let given_out = scene.given_out("2026-11-21").await;
    assert_eq!(given_out, 5_000, "it is reserved");
    let charge = scene.case_of(&proposal).await["about"]["id"].as_str().unwrap().to_owned();
    scene.stage.trigger("charge.refunded", serde_json::json!({"charge": charge, "amount": 1_000}));
    scene.engine().revive(&Actor::Engine, "all").await.unwrap();
    scene.live_until(&proposal, ProposalState::Void).await;
    assert!(scene.why(&proposal).await.contains("refundable changed"), "{}", scene.why(&proposal).await);
    assert_eq!(scene.execution(&proposal).await.unwrap().state, ExecutionState::NoEffect);
    assert!(scene.stage.our_writes().is_empty());
    assert_eq!(scene.given_out("2026-11-21").await, 0, "the budget is given back");
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_a_kill_switch_held_up_and_still_holds_goes_out_once_on_the_budget_of_its_day() {
    let (scene, proposal) = stopped_refund().await;
    scene.pass_business(Duration::from_hours(22));
    scene.pass_machine(Duration::from_mins(1));
    scene.quiet().await;
    assert!(scene.stage.our_writes().is_empty());
    scene.pass_business(Duration::from_mins(59));
    scene.engine().revive(&Actor::Engine, "all").await.unwrap();
    scene.live_until(&proposal, ProposalState::Done).await;
    assert_eq!(scene.stage.our_effects().len(), 1);
    assert_eq!(scene.given_out("2026-11-21").await, 5_000);
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_refund_that_is_refused_gives_back_exactly_what_was_reserved() {
    let rates = |text| [(Currency::EUR, Rate::parse(text, "2026-11-21", "test").unwrap())].into();
    let mut scene = Scene::new(Wish { rates: rates("1.1"), ..Wish::default() }).await;
    let made = scene
        .stage
        .trigger("payment_intent.succeeded", serde_json::json!({"amount": 64_000, "currency": "eur"}));
    let objects = made["objects"].as_array().unwrap();
    let charge = objects.iter().find(|object| object["object"] == "charge").unwrap();
    let asked = scene.ask(charge["id"].as_str().unwrap(), 30_000).await.unwrap();
    let carl = scene.who("Carl", &[Role::Controller]).await;
    // Another rate by the time that it is carried out.
    scene.wish.rates = rates("1.2");
    scene.restart().await;
    let answer = Harm::answer(400, r#"{"error": {"code": "parameter_invalid_integer"}}"#);
    scene.stage.gate.harm("POST", "/v1/refunds", 1, answer);
    scene.vote(&carl, &asked.approval.unwrap(), Choice::Approve).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Refused).await;
    assert_eq!(scene.stage.our_writes().len(), 1);
    assert_eq!(scene.given_out("2026-11-21").await, 0);
}
