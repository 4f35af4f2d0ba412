use super::*;
use crate::still::{CUSTOMER, Still};

fn charge() -> Value {
    json!({"id": "ch_A", "object": "charge", "customer": CUSTOMER, "amount": 4_900, "currency": "usd"})
}

fn dispute() -> Value {
    json!({"id": "dp_A", "object": "dispute", "charge": "ch_A", "amount": 4_900, "currency": "usd"})
}

/// The invoices whose cases are to be decided on.
async fn decided_on(still: &Still) -> Vec<String> {
    let claimed = still.claim().await;
    assert!(claimed.iter().all(|job| job.kind == "decide"), "{claimed:?}");
    claimed.iter().map(|job| job.payload["key"]["object_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_dispute_finds_its_customer_in_the_charge_that_came_with_it() {
    let still = Still::open().await;
    still.add_case("in_A").await;
    still.receive("charge.dispute.created", dispute()).await;
    still.receive("charge.succeeded", charge()).await;
    let jobs = still.claim().await;
    assert_eq!(jobs.len(), 2);
    assert!(still.engine.take_events(jobs).await.is_empty(), "both went together");
    assert_eq!(decided_on(&still).await, ["in_A"]);
}

#[tokio::test]
async fn a_dispute_finds_its_customer_in_the_mirror() {
    let still = Still::open().await;
    still.add_case("in_A").await;
    still.receive("charge.succeeded", charge()).await;
    assert!(still.engine.take_events(still.claim().await).await.is_empty());
    still.receive("charge.dispute.created", dispute()).await;
    assert!(still.engine.take_events(still.claim().await).await.is_empty());
    assert_eq!(decided_on(&still).await, ["in_A"]);
}

#[tokio::test]
async fn a_case_that_was_opened_while_an_event_was_looked_at_hears_of_it() {
    let still = Still::open().await;
    let card = json!({"id": "pm_A", "object": "payment_method", "customer": CUSTOMER});
    still.receive("payment_method.attached", card).await;
    let (batch, alone) = still.engine.open_together(&still.claim().await).await.unwrap();
    assert_eq!((batch.len(), alone.len()), (1, 0));
    let taken = still.engine.look_at(&batch[0], &batch).await.unwrap();
    still.add_case("in_A").await;
    still.engine.keep_taken(vec![taken]).await.unwrap();
    assert_eq!(decided_on(&still).await, ["in_A"]);
}
