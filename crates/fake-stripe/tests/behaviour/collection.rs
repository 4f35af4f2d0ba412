//! What is collected of an invoice, and when: credit notes, credit balances, the draft hour, test clocks.

use axum::http::StatusCode;
use serde_json::json;

use crate::server::{Server, start};
use crate::webhooks::{SECRET, listen};

const MINUTE_S: u32 = 60;
const HOUR_S: u32 = 60 * MINUTE_S;

/// An open invoice of 50.00 US dollars, its customer and the intent that waits to pay it.
async fn open_invoice(server: &Server) -> (String, String, String) {
    let failed = server.stripe.trigger("invoice.payment_failed", json!({"amount": 5000})).unwrap();
    let invoice = &failed["event"]["data"]["object"];
    let text = |field: &str| invoice[field].as_str().unwrap().to_owned();
    let payments = server.get(&format!("/v1/invoice_payments?invoice={}", text("id"))).await.body;
    let intent = payments["data"][0]["payment"]["payment_intent"].as_str().unwrap().to_owned();
    (text("id"), text("customer"), intent)
}

#[tokio::test]
async fn a_credited_invoice_charges_only_what_remains() {
    let server = start().await;
    let (invoice, customer, intent) = open_invoice(&server).await;
    let gift = [("invoice", invoice.as_str()), ("amount", "2000"), ("credit_amount", "2000")];
    assert_eq!(
        server.post("/v1/credit_notes", &gift).await.status,
        400,
        "nothing was paid that could be given back"
    );
    let note = server.post("/v1/credit_notes", &[("invoice", &invoice), ("amount", "2000")]).await.id();
    let amount = async || server.get(&format!("/v1/payment_intents/{intent}")).await.body["amount"].clone();
    assert_eq!(amount().await, 3000);
    server.post(&format!("/v1/credit_notes/{note}/void"), &[]).await;
    assert_eq!(amount().await, 5000, "a voided note asks for the whole again");
    server.post("/v1/credit_notes", &[("invoice", &invoice), ("amount", "1500")]).await;
    let attach = [("customer", customer.as_str())];
    let better = server.post("/v1/payment_methods/pm_card_visa/attach", &attach).await.id();
    let paid = server.post(&format!("/v1/invoices/{invoice}/pay"), &[("payment_method", &better)]).await.body;
    assert_eq!((paid["status"].as_str(), paid["amount_paid"].as_i64()), (Some("paid"), Some(3500)));
    let charge = server.get(&format!("/v1/charges?payment_intent={intent}&limit=1")).await.body;
    assert_eq!(charge["data"][0]["amount"], 3500);
    let payments = server.get(&format!("/v1/invoice_payments?invoice={invoice}")).await.body;
    assert_eq!(payments["data"][0]["amount_paid"], 3500);
}

#[tokio::test]
async fn nobody_is_charged_for_an_invoice_that_is_credited_whole() {
    let server = start().await;
    let (invoice, _, intent) = open_invoice(&server).await;
    server.post("/v1/credit_notes", &[("invoice", &invoice), ("amount", "5000")]).await;
    let read = server.get(&format!("/v1/invoices/{invoice}?expand[]=payments")).await.body;
    assert_eq!((read["status"].as_str(), read["amount_paid"].as_i64()), (Some("paid"), Some(0)));
    assert_eq!(read["payments"]["data"][0]["status"], "canceled");
    let confirm = format!("/v1/payment_intents/{intent}/confirm");
    let late = server.post(&confirm, &[("payment_method", "pm_card_visa")]).await;
    assert_eq!((late.status, late.code()), (400, "payment_intent_unexpected_state"));
    assert_eq!(server.effects("charge.succeeded"), 0);
}

#[tokio::test]
async fn a_credit_note_names_its_entry_on_the_balance() {
    let server = start().await;
    let made = server.stripe.trigger("invoice.paid", json!({"amount": 5000})).unwrap();
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap().to_owned();
    let form = [("invoice", invoice.as_str()), ("amount", "900"), ("credit_amount", "900")];
    let note = server.post("/v1/credit_notes?expand[]=customer_balance_transaction", &form).await.body;
    let entry = note["customer_balance_transaction"].as_str().unwrap();
    let customer = note["customer"].as_str().unwrap();
    let path = format!("/v1/customers/{customer}/balance_transactions/{entry}");
    let entry = server.get(&path).await.body;
    assert_eq!((entry["amount"].as_i64(), &entry["credit_note"]), (Some(-900), &note["id"]));
}

#[tokio::test]
async fn voiding_gives_the_credit_back() {
    let server = start().await;
    let customer = server.post("/v1/customers", &[("name", "Ada")]).await.id();
    let customer_path = format!("/v1/customers/{customer}");
    let balance = format!("{customer_path}/balance_transactions");
    server.post(&balance, &[("amount", "-1500"), ("currency", "usd")]).await;
    let item = [("customer", customer.as_str()), ("amount", "4000"), ("currency", "usd")];
    server.post("/v1/invoiceitems", &item).await;
    let form = [("customer", customer.as_str()), ("pending_invoice_items_behavior", "include")];
    let invoice = server.post("/v1/invoices", &form).await.id();
    let open = server.post(&format!("/v1/invoices/{invoice}/finalize"), &[]).await.body;
    assert_eq!((open["amount_due"].as_i64(), open["ending_balance"].as_i64()), (Some(2500), Some(0)));
    assert_eq!(server.get(&customer_path).await.body["balance"], 0);
    server.post(&format!("/v1/invoices/{invoice}/void"), &[]).await;
    assert_eq!(server.get(&customer_path).await.body["balance"], -1500);
    let newest = server.get(&balance).await.body["data"][0].clone();
    assert_eq!(
        (newest["type"].as_str(), newest["amount"].as_i64(), newest["invoice"].as_str()),
        (Some("unapplied_from_invoice"), Some(-1500), Some(invoice.as_str()))
    );
}

/// A draft that advances by itself, and where it is read.
async fn draft(server: &Server) -> String {
    let customer = server.post("/v1/customers", &[("name", "Ada")]).await.id();
    let item = [("customer", customer.as_str()), ("amount", "4000"), ("currency", "usd")];
    server.post("/v1/invoiceitems", &item).await;
    let form = [
        ("customer", customer.as_str()),
        ("pending_invoice_items_behavior", "include"),
        ("auto_advance", "true"),
    ];
    format!("/v1/invoices/{}", server.post("/v1/invoices", &form).await.id())
}

#[tokio::test]
async fn the_draft_hour_begins_when_every_endpoint_has_heard() {
    let server = start().await;
    let (url, mut heard, ear) = listen(StatusCode::INTERNAL_SERVER_ERROR).await;
    server.stripe.add_webhook(&url, SECRET, &["invoice.created"]).unwrap();
    let invoice = draft(&server).await;
    let event = heard.recv().await.unwrap()["event"]["id"].as_str().unwrap().to_owned();
    ear.lock().unwrap().1 = StatusCode::OK;
    // The failure is noted before time moves on, or the next try would fall due later.
    while server.get("/v1/events?delivery_success=false").await.ids() != [event.clone()] {
        tokio::task::yield_now().await;
    }
    assert!(server.get(&invoice).await.body["webhooks_delivered_at"].is_null());
    let heard_at = loop {
        server.stripe.advance(5 * MINUTE_S).unwrap();
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        let read = server.get(&invoice).await.body;
        if let Some(heard_at) = read["webhooks_delivered_at"].as_i64() {
            assert_eq!(read["automatically_finalizes_at"], heard_at + i64::from(HOUR_S));
            break heard_at;
        }
    };
    assert_eq!(heard.recv().await.unwrap()["event"]["id"], event.as_str());
    assert!(heard_at > server.get(&invoice).await.body["created"].as_i64().unwrap());
    let until = heard_at + i64::from(HOUR_S);
    server.stripe.advance(u32::try_from(until - 1 - server.stripe.now_s()).unwrap()).unwrap();
    assert_eq!(server.get(&invoice).await.body["status"], "draft");
    server.stripe.advance(1).unwrap();
    assert_eq!(server.get(&invoice).await.body["status"], "open");
}

#[tokio::test]
async fn without_listeners_the_draft_hour_counts_from_the_start() {
    let server = start().await;
    let invoice = draft(&server).await;
    let read = server.get(&invoice).await.body;
    assert_eq!(read["webhooks_delivered_at"], read["created"]);
    server.stripe.advance(HOUR_S - 1).unwrap();
    assert_eq!(server.get(&invoice).await.body["status"], "draft");
    server.stripe.advance(1).unwrap();
    assert_eq!(server.get(&invoice).await.body["status"], "open");
}

#[tokio::test]
async fn an_advancing_invoice_is_collected_whoever_finalises_it() {
    let server = start().await;
    let invoice = draft(&server).await;
    let customer = server.get(&invoice).await.body["customer"].as_str().unwrap().to_owned();
    let attach = [("customer", customer.as_str())];
    let card = server.post("/v1/payment_methods/pm_card_visa/attach", &attach).await.id();
    server.post(&invoice, &[("default_payment_method", &card)]).await;
    let finalized = server.post(&format!("{invoice}/finalize"), &[]).await.body;
    assert_eq!((finalized["status"].as_str(), finalized["amount_paid"].as_i64()), (Some("paid"), Some(4000)));
}

#[tokio::test]
async fn a_test_clock_moves_two_periods_at_once_and_no_further() {
    let server = start().await;
    let now = server.stripe.now_s();
    let day = 86_400;
    let clock = server.post("/v1/test_helpers/test_clocks", &[("frozen_time", &now.to_string())]).await.id();
    let advance = async |days: i64| {
        let until = (now + days * day).to_string();
        let path = format!("/v1/test_helpers/test_clocks/{clock}/advance");
        server.post(&path, &[("frozen_time", &until)]).await
    };
    assert_eq!(advance(732).await.status, 400, "two years and a day without a subscription");
    let form = [("test_clock", clock.as_str()), ("payment_method", "pm_card_visa")];
    let customer = server.post("/v1/customers", &form).await.id();
    let method = server.get(&format!("/v1/customers/{customer}/payment_methods")).await.ids().remove(0);
    let product = server.post("/v1/products", &[("name", "Plan")]).await.id();
    for interval in ["year", "week"] {
        let form = [
            ("customer", customer.as_str()),
            ("default_payment_method", method.as_str()),
            ("items[0][price_data][currency]", "usd"),
            ("items[0][price_data][product]", product.as_str()),
            ("items[0][price_data][unit_amount]", "1000"),
            ("items[0][price_data][recurring][interval]", interval),
        ];
        assert_eq!(server.post("/v1/subscriptions", &form).await.status, 200);
    }
    let too_far = advance(15).await;
    assert_eq!((too_far.status, too_far.body["error"]["param"].as_str()), (400, Some("frozen_time")));
    assert_eq!(advance(14).await.status, 200, "two weeks of the weekly one");
}

#[tokio::test]
async fn a_new_card_on_the_subscription_is_what_the_next_retry_takes() {
    let server = start().await;
    let (invoice, customer, _) = open_invoice(&server).await;
    let read = server.get(&format!("/v1/invoices/{invoice}")).await.body;
    assert!(read["default_payment_method"].is_null(), "the invoice has none of its own");
    let subscription = read["parent"]["subscription_details"]["subscription"].as_str().unwrap().to_owned();
    let path = format!("/v1/subscriptions/{subscription}");
    let attach = async |card: &str| {
        let form = [("customer", customer.as_str())];
        server.post(&format!("/v1/payment_methods/{card}/attach"), &form).await.id()
    };
    for card in ["pm_card_chargeCustomerFail", "pm_card_visa"] {
        let card = attach(card).await;
        assert_eq!(server.post(&path, &[("default_payment_method", &card)]).await.status, 200);
    }
    server.stripe.advance(72 * HOUR_S).unwrap();
    assert_eq!(server.get(&format!("/v1/invoices/{invoice}")).await.body["status"], "paid");
}

#[tokio::test]
async fn a_canceled_subscription_keeps_its_notes_open_and_nothing_else() {
    let server = start().await;
    let made = server.stripe.trigger("customer.subscription.deleted", json!({})).unwrap();
    let path = format!("/v1/subscriptions/{}", made["event"]["data"]["object"]["id"].as_str().unwrap());
    let noted = server.post(&path, &[("metadata[case]", "7")]).await;
    assert_eq!((noted.status, noted.body["metadata"]["case"].as_str()), (200, Some("7")));
    assert_eq!(server.post(&path, &[("cancel_at_period_end", "true")]).await.status, 400);
}
