//! A failed payment's way: noticed, followed, paid with another card, closed; and withdrawn when somebody is faster.

use std::time::Duration;

use bursar_domain::mode::Mode;
use bursar_domain::proposal::ProposalState;
use serde_json::json;

use crate::scene::{Scene, Wish};

#[tokio::test]
async fn an_invoice_is_paid_with_the_card_that_works_and_its_case_closes() {
    let scene = Scene::new(Wish::paying_alone()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.until("a case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
    scene.pass_business(Duration::from_mins(1));
    scene.stage.give_working_card(&failed).await;
    let proposal = scene.proposed(&failed.invoice, "invoice.pay").await;
    scene.live_until(&proposal, ProposalState::Done).await;
    let closed = async || scene.cases(&failed.invoice).await[0]["state"] == "closed";
    scene.until("the case closes", closed).await;
    let case = scene.cases(&failed.invoice).await.remove(0);
    assert_eq!(case["outcome"], "recovered");
    assert_eq!(scene.stage.effects("invoice.pay").len(), 1);
    let paid = scene.stage.call("GET", &format!("/v1/invoices/{}", failed.invoice), &[]).await;
    assert_eq!(paid["status"], "paid");
    scene.quiet().await;
    assert_eq!(scene.cases(&failed.invoice).await.len(), 1, "our own effect opens nothing");
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_customer_who_pays_first_closes_the_case_and_takes_back_what_was_asked() {
    let scene = Scene::new(Wish { mode: Mode::Assist, ..Wish::paying_alone() }).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.until("a case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
    scene.pass_business(Duration::from_mins(1));
    let card = scene.stage.give_working_card(&failed).await;
    let proposal = scene.proposed(&failed.invoice, "invoice.pay").await;
    assert_eq!(scene.state(&proposal).await, ProposalState::Asking);
    let path = format!("/v1/invoices/{}/pay", failed.invoice);
    let paid = scene.stage.call("POST", &path, &[("payment_method", &card)]).await;
    assert_eq!(paid["status"], "paid", "{paid}");
    scene.live_until(&proposal, ProposalState::Void).await;
    scene.until("it closes", async || scene.cases(&failed.invoice).await[0]["state"] == "closed").await;
    let pending = scene.engine().approvals(Some("pending"), None, 9, None).await.unwrap().items;
    assert!(pending.is_empty(), "{pending:?}");
    assert!(scene.stage.our_effects().is_empty());
    scene.assert_audit().await;
}

#[tokio::test]
async fn events_in_any_order_end_in_the_same_place() {
    let scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.pass_business(Duration::from_mins(20));
    let card = scene.stage.give_working_card(&failed).await;
    scene
        .stage
        .call("POST", &format!("/v1/invoices/{}/pay", failed.invoice), &[("payment_method", &card)])
        .await;
    // The end comes first, then the beginning.
    let paid = scene.stage.newest_event("invoice.paid").await;
    scene.deliver(&paid).await.unwrap();
    scene.quiet().await;
    assert!(scene.cases(&failed.invoice).await.is_empty(), "an end opens nothing");
    scene.deliver(&failed.event).await.unwrap();
    scene.quiet().await;
    let cases = scene.cases(&failed.invoice).await;
    assert!(cases.iter().all(|case| case["state"] == "closed"), "{cases:?}");
    assert!(scene.stage.our_effects().is_empty());
}

#[tokio::test]
async fn a_hard_decline_is_never_tried_again_by_us() {
    let scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
    let failed = scene.stage.failed_invoice("stolen_card");
    scene.until("a case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
    for _ in 0..4 {
        scene.pass_business(Duration::from_hours(30));
        scene.quiet().await;
    }
    assert!(scene.proposals(&failed.invoice, "invoice.pay").await.is_empty());
    assert_eq!(scene.cases(&failed.invoice).await[0]["class"], json!("hard_decline"));
    assert!(scene.stage.our_effects().is_empty());
}
