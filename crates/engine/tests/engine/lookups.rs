//! Looking whether it happened: on an account too busy to be read to its end, without an event that names us, and while a
//! payment is still on its way. Money that moved is never called no effect, and money that did not is never called moved.

use std::time::Duration;

use bursar_domain::execution::ExecutionState;
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use serde_json::{Value, json};

use crate::answers::{Verb, under_way};
use crate::scene::{Scene, Wish};
use crate::stage::Failed;
use bursar_fake_stripe::gate::Harm;

/// A list that never ends.
fn endless() -> Harm {
    let items: Vec<Value> = (0..100).map(|n| json!({"id": format!("x_{n}"), "object": "x"})).collect();
    Harm::answer(200, &json!({"object": "list", "data": items, "has_more": true}).to_string())
}

/// An invoice that is being paid while nobody polls, so that nothing is heard of it but by looking.
async fn paying_unheard(harm: Harm) -> (Scene, Failed, ProposalId) {
    let scene = Scene::new(Wish { polls: false, ..Wish::paying_alone() }).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.deliver(&failed.event).await.unwrap();
    scene.until("a case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
    scene.pass_business(Duration::from_mins(1));
    scene.stage.gate.harm("POST", &format!("/v1/invoices/{}/pay", failed.invoice), 1, harm);
    scene.stage.give_working_card(&failed).await;
    scene.deliver(&scene.stage.newest_event("invoice.updated").await).await.unwrap();
    // On PostgreSQL it may have locked itself out with the letter that it withdraws, and then comes again a second later.
    let proposed = async || {
        scene.pass_machine(Duration::from_millis(100));
        !scene.proposals(&failed.invoice, "invoice.pay").await.is_empty()
    };
    scene.until("it is proposed", proposed).await;
    let proposal = scene.proposed(&failed.invoice, "invoice.pay").await;
    scene.until("it was sent", async || scene.stage.our_writes().len() == 1).await;
    scene.quiet().await;
    (scene, failed, proposal)
}

async fn known_by(scene: &Scene, proposal: &ProposalId) -> String {
    scene.execution(proposal).await.unwrap().receipt.unwrap().known_by
}

#[tokio::test]
async fn a_look_that_cannot_be_finished_is_tried_three_times_and_then_a_person_is_called() {
    let scene = Scene::new(Wish::default()).await;
    scene.stage.gate.harm("GET", "/v1/refunds", usize::MAX, endless());
    let proposal = under_way(&scene, Verb::Refund, Some((Harm::CutAfter, 1))).await;
    scene.until("it was sent", async || scene.stage.our_writes().len() == 1).await;
    for looks in 0..3 {
        scene.quiet().await;
        assert_eq!(scene.state(&proposal).await, ProposalState::Approved, "after {looks} looks");
        scene.pass_machine(Duration::from_mins(5));
    }
    scene.quiet().await;
    assert_eq!(scene.state(&proposal).await, ProposalState::InDoubt);
    let execution = scene.execution(&proposal).await.unwrap();
    assert_eq!(execution.outcome_code.as_deref(), Some("look_up_incomplete"));
    let case = scene.case_of(&proposal).await;
    assert_eq!(case["state"], "needs_person");
    assert!(case["timeline"].to_string().contains("whether it happened is not known"), "{case}");
    assert_eq!(scene.stage.our_writes().len(), 1, "it is never sent again");
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_busy_account_is_asked_for_the_few_events_that_tell_and_no_others() {
    let (scene, _, proposal) = paying_unheard(Harm::CutAfter).await;
    for _ in 0..400 {
        scene.stage.trigger("customer.updated", json!({}));
    }
    scene.live_until(&proposal, ProposalState::Done).await;
    assert_eq!(known_by(&scene, &proposal).await, "found by event");
    let sent_s = scene.execution(&proposal).await.unwrap().first_sent_at.unwrap().unix_s();
    let asked = scene.stage.gate.asked();
    let until = format!("created[lte]={}", sent_s + 24 * 3_600);
    let bounded = |asked: &String| asked.contains("types[]=invoice.paid") && asked.contains(&until);
    assert!(asked.iter().any(bounded), "{asked:?}");
    assert_eq!(scene.stage.our_effects().len(), 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn where_no_event_can_be_found_the_charge_that_nobody_else_explains_is_ours() {
    let nothing = Harm::answer(200, r#"{"object": "list", "data": [], "has_more": false}"#);
    for (events, name) in [(endless(), "too many events"), (nothing, "no event")] {
        let (scene, _, proposal) = paying_unheard(Harm::CutAfter).await;
        scene.stage.gate.harm("GET", "/v1/events", usize::MAX, events);
        // Longer than a key lives: only the look can tell.
        scene.pass_business(Duration::from_hours(25));
        scene.live_until(&proposal, ProposalState::Done).await;
        assert_eq!(known_by(&scene, &proposal).await, "found by charge", "{name}");
        assert_eq!(scene.stage.our_writes().len(), 1, "{name}");
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn what_somebody_else_paid_is_not_called_ours() {
    let stored = Harm::answer(500, r#"{"error": {"type": "api_error"}}"#);
    let (scene, failed, proposal) = paying_unheard(stored).await;
    let paid = scene.stage.call("POST", &format!("/v1/invoices/{}/pay", failed.invoice), &[]).await;
    assert_eq!(paid["status"], "paid", "{paid}");
    scene.live_until(&proposal, ProposalState::NoEffect).await;
    assert!(scene.stage.our_effects().is_empty());
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_decline_whose_answer_was_lost_is_found_to_be_one() {
    let (scene, _, proposal) = {
        let scene = Scene::new(Wish::paying_alone()).await;
        let failed = scene.stage.failed_invoice("insufficient_funds");
        scene.until("a case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
        scene.pass_business(Duration::from_mins(1));
        let pay = format!("/v1/invoices/{}/pay", failed.invoice);
        scene.stage.gate.harm("POST", &pay, 1, Harm::CutAfter);
        scene.stage.give_card(&failed, "pm_card_chargeCustomerFail").await;
        let proposal = scene.proposed(&failed.invoice, "invoice.pay").await;
        (scene, failed, proposal)
    };
    scene.live_until(&proposal, ProposalState::Refused).await;
    let execution = scene.execution(&proposal).await.unwrap();
    assert_eq!(execution.outcome_code.as_deref(), Some("card_declined"));
    assert_eq!(scene.stage.our_writes().len(), 1);
    assert!(scene.stage.our_effects().is_empty());
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_payment_that_is_on_its_way_is_neither_done_nor_refused() {
    let accepted = Harm::Change { pointer: "/status", to: json!("open") };
    for (harm, name) in [(accepted, "accepted"), (Harm::CutAfter, "the answer was lost")] {
        let (scene, failed, proposal) = paying_unheard(harm).await;
        let unpaid = Harm::Change { pointer: "/status", to: json!("open") };
        let processing = Harm::Change { pointer: "/status", to: json!("processing") };
        scene.stage.gate.harm("GET", &format!("/v1/invoices/{}", failed.invoice), usize::MAX, unpaid);
        scene.stage.gate.harm("GET", "/v1/payment_intents/", usize::MAX, processing);
        for _ in 0..5 {
            scene.pass_machine(Duration::from_hours(1));
            scene.quiet().await;
            assert_eq!(scene.state(&proposal).await, ProposalState::Approved, "{name}");
        }
        let execution = scene.execution(&proposal).await.unwrap();
        assert_eq!(execution.state, ExecutionState::WaitingAtStripe, "{name}");
        assert_eq!(execution.waiting_for.as_deref(), Some(failed.invoice.as_str()), "{name}");
        scene.stage.gate.heal();
        scene.live_until(&proposal, ProposalState::Done).await;
        assert_eq!(scene.stage.our_writes().len(), 1, "{name}: never sent again");
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn a_payment_that_was_accepted_and_failed_afterwards_is_refused() {
    let scene = Scene::new(Wish::paying_alone()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.until("a case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
    scene.pass_business(Duration::from_mins(1));
    let open = scene.stage.call("GET", &format!("/v1/invoices/{}", failed.invoice), &[]).await;
    let accepted = Harm::answer(200, &open.to_string());
    scene.stage.gate.harm("POST", &format!("/v1/invoices/{}/pay", failed.invoice), 1, accepted);
    scene.stage.give_working_card(&failed).await;
    let proposal = scene.proposed(&failed.invoice, "invoice.pay").await;
    scene.live_until(&proposal, ProposalState::Refused).await;
    assert_eq!(scene.stage.our_writes().len(), 1);
    assert!(scene.stage.our_effects().is_empty());
    scene.assert_audit().await;
}
