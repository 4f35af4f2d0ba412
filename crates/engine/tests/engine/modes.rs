//! How far a playbook may go: observe records, assist asks, automate follows policy. A poison event parks itself.

use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_domain::approval::Choice;
use bursar_domain::mode::Mode;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::SetMode;
use serde_json::json;

use crate::scene::{Scene, Wish};

fn in_mode(mode: Mode) -> Wish {
    Wish { mode, ..Wish::paying_alone() }
}

/// An invoice that failed, with a card on file that works now: the playbook wants to pay.
async fn wanting_to_pay(scene: &Scene) -> String {
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.until("a case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
    scene.pass_business(Duration::from_mins(1));
    scene.stage.give_working_card(&failed).await;
    failed.invoice
}

#[tokio::test]
async fn observe_records_what_would_happen() {
    let scene = Scene::new(in_mode(Mode::Observe)).await;
    let invoice = wanting_to_pay(&scene).await;
    let proposal = scene.proposed(&invoice, "invoice.pay").await;
    assert_eq!(scene.state(&proposal).await, ProposalState::Observed);
    scene.quiet().await;
    assert!(scene.stage.our_effects().is_empty());
}

#[tokio::test]
async fn assist_asks_the_assist_role_and_nobody_else() {
    let scene = Scene::new(in_mode(Mode::Assist)).await;
    let invoice = wanting_to_pay(&scene).await;
    let proposal = scene.proposed(&invoice, "invoice.pay").await;
    assert_eq!(scene.state(&proposal).await, ProposalState::Asking);
    let approval =
        scene.proposals(&invoice, "invoice.pay").await[0]["approval"].as_str().unwrap().parse().unwrap();
    let carl = scene.who("Carl", &[Role::Controller]).await;
    scene.vote(&carl, &approval, Choice::Approve).await.unwrap_err();
    let olivia = scene.who("Olivia", &[Role::Operator]).await;
    scene.vote(&olivia, &approval, Choice::Approve).await.unwrap();
    scene.live_until(&proposal, ProposalState::Done).await;
    assert_eq!(scene.stage.our_effects().len(), 1);
}

#[tokio::test]
async fn automate_follows_policy_and_a_changed_mode_counts_from_then_on() {
    let scene = Scene::new(in_mode(Mode::Observe)).await;
    let wish = SetMode { playbook: "recovery".to_owned(), lane: None, mode: Mode::Automate };
    scene.engine().set_mode(&Actor::Engine, wish).await.unwrap();
    let invoice = wanting_to_pay(&scene).await;
    let proposal = scene.proposed(&invoice, "invoice.pay").await;
    scene.live_until(&proposal, ProposalState::Done).await;
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_mode_clamps_playbooks_and_not_people() {
    let scene = Scene::new(in_mode(Mode::Observe)).await;
    let charge = scene.stage.charge(9_000);
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
}

#[tokio::test]
async fn a_playbook_that_was_stopped_does_nothing_and_others_go_on() {
    let scene = Scene::new(in_mode(Mode::Automate)).await;
    scene.engine().kill(&Actor::Engine, "playbook:recovery", "drill").await.unwrap();
    let invoice = wanting_to_pay(&scene).await;
    let proposal = scene.proposed(&invoice, "invoice.pay").await;
    assert_eq!(scene.state(&proposal).await, ProposalState::Denied);
    let charge = scene.stage.charge(9_000);
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
}

#[tokio::test]
async fn a_poison_event_parks_itself_and_everything_else_flows() {
    let scene = Scene::new(Wish::default()).await;
    let poison = scene.stage.failed_invoice("insufficient_funds");
    let healthy = scene.stage.failed_invoice("insufficient_funds");
    // Stripe refuses to show this one invoice, whatever is asked: not an outage, an answer.
    let path = format!("/v1/invoices/{}", poison.invoice);
    let body = json!({"error": {"type": "invalid_request_error", "code": "parameter_invalid"}}).to_string();
    scene.stage.gate.harm("GET", &path, usize::MAX, bursar_fake_stripe::gate::Harm::answer(400, &body));
    scene.pass_business(Duration::from_mins(20));
    scene.deliver(&poison.event).await.unwrap();
    scene.deliver(&healthy.event).await.unwrap();
    scene.until("the healthy one's case", async || !scene.cases(&healthy.invoice).await.is_empty()).await;
    let parked = async || {
        scene.pass_machine(Duration::from_secs(2));
        scene.engine().dead_letter_count().await.unwrap() == 1
    };
    scene.until("one dead letter", parked).await;
    let letters = scene.engine().dead_letters(9).await.unwrap().items;
    assert!(letters[0].to_string().contains(&poison.invoice), "{letters:?}");
    let another = scene.stage.failed_invoice("insufficient_funds");
    scene.deliver(&another.event).await.unwrap();
    scene.until("and the next one's", async || !scene.cases(&another.invoice).await.is_empty()).await;
    scene.stage.gate.heal();
    let id = letters[0]["id"].as_str().unwrap();
    scene.engine().retry_dead_letter(&Actor::Engine, id).await.unwrap();
    scene.until("a person's retry", async || !scene.cases(&poison.invoice).await.is_empty()).await;
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0);
}
