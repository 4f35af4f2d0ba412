//! The company that fills a new Stripe.

use std::collections::BTreeSet;

use bursar_fake_stripe::{FakeStripe, Size};
use serde_json::Value;

use crate::server::{NOW_S, Server, options, serve};

async fn company() -> Server {
    let stripe = FakeStripe::open(options()).unwrap();
    stripe.populate(Size::Small).unwrap();
    serve(stripe).await
}

async fn page(server: &Server, path: &str) -> Vec<Value> {
    server.get(path).await.body["data"].as_array().unwrap().clone()
}

fn values(objects: &[Value], pointer: &str) -> BTreeSet<String> {
    let found = objects.iter().filter_map(|object| object.pointer(pointer)?.as_str());
    found.map(str::to_owned).collect()
}

#[tokio::test]
async fn it_has_every_status_and_several_currencies() {
    let server = company().await;
    let subscriptions = page(&server, "/v1/subscriptions?status=all&limit=100").await;
    let statuses = values(&subscriptions, "/status");
    let all = [
        "active",
        "canceled",
        "incomplete",
        "incomplete_expired",
        "past_due",
        "paused",
        "trialing",
        "unpaid",
    ];
    assert_eq!(statuses.iter().map(String::as_str).collect::<Vec<_>>(), all);
    assert_eq!(values(&subscriptions, "/currency").len(), 4);
    assert!(server.stripe.ledger().is_empty(), "the ledger begins with the demonstration");
}

#[tokio::test]
async fn it_has_payments_worth_refunding_among_the_latest() {
    let server = company().await;
    let charges = page(&server, "/v1/charges?limit=100").await;
    let free = |charge: &&Value| {
        charge["paid"] == true
            && charge["amount_refunded"] == 0
            && charge["disputed"] == false
            && charge["currency"] == "usd"
    };
    let amounts: Vec<i64> =
        charges.iter().filter(free).filter_map(|charge| charge["amount"].as_i64()).collect();
    assert!(amounts.iter().filter(|amount| **amount > 50_000).count() >= 10, "{amounts:?}");
    assert!(amounts.iter().filter(|amount| **amount < 10_000).count() >= 3, "{amounts:?}");
}

#[tokio::test]
async fn it_has_invoices_failing_now_in_many_ways() {
    let server = company().await;
    let open = page(&server, "/v1/invoices?status=open&limit=100").await;
    let retried =
        open.iter().filter(|invoice| invoice["next_payment_attempt"].as_i64() > Some(NOW_S)).count();
    assert!(retried >= 8, "{retried}");
    let failed = page(&server, "/v1/charges?limit=100").await;
    let reasons = values(&failed, "/outcome/reason");
    assert!(reasons.len() >= 8, "{reasons:?}");
}

#[tokio::test]
async fn its_sums_agree() {
    let server = company().await;
    for invoice in page(&server, "/v1/invoices?limit=100&expand[]=data.payments").await {
        let lines: i64 = invoice["lines"]["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["amount"].as_i64().unwrap())
            .sum();
        assert_eq!(invoice["total"], lines, "{}", invoice["id"]);
        let paid: i64 = invoice["payments"]["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|payment| payment["amount_paid"].as_i64())
            .sum();
        assert_eq!(invoice["amount_paid"], paid, "{}", invoice["id"]);
    }
    for charge in page(&server, "/v1/charges?limit=100&expand[]=data.balance_transaction").await {
        let booked = &charge["balance_transaction"];
        if charge["status"] == "succeeded" {
            assert_eq!(booked["amount"], charge["amount"]);
            assert_eq!(booked["net"].as_i64().unwrap() + booked["fee"].as_i64().unwrap(), booked["amount"]);
        } else {
            assert!(booked.is_null());
        }
    }
}

#[tokio::test]
async fn it_goes_on_living_and_two_of_a_seed_live_the_same() {
    let (one, two) = (company().await, company().await);
    for server in [&one, &two] {
        server.stripe.advance(12 * 3600).unwrap();
    }
    let (first, second) =
        (one.get("/v1/events?limit=100").await.body, two.get("/v1/events?limit=100").await.body);
    assert_eq!(first, second);
    let kinds = one.stripe.ledger();
    assert!(kinds.iter().filter(|entry| entry["kind"] == "charge.fail").count() >= 3, "{kinds:?}");
}
