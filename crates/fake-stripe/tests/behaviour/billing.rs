//! Subscriptions, invoices and collection as business time passes.

use serde_json::json;

use crate::server::{Server, start};

const HOUR_S: u32 = 3600;
const DAY_S: u32 = 24 * HOUR_S;

struct Subscriber {
    customer: String,
    subscription: String,
    invoice: String,
}

/// A customer with a monthly plan of 49.00 US dollars on this test card.
async fn subscribe(server: &Server, card: &str) -> Subscriber {
    let customer = server.post("/v1/customers", &[("name", "Ada"), ("email", "ada@example.com")]).await.id();
    let method =
        server.post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", &customer)]).await.id();
    let default = [("invoice_settings[default_payment_method]", method.as_str())];
    server.post(&format!("/v1/customers/{customer}"), &default).await;
    let product = server.post("/v1/products", &[("name", "Plan")]).await.id();
    let price = [
        ("product", product.as_str()),
        ("currency", "usd"),
        ("unit_amount", "4900"),
        ("recurring[interval]", "month"),
    ];
    let price = server.post("/v1/prices", &price).await.id();
    let form = [("customer", customer.as_str()), ("items[0][price]", price.as_str())];
    let answer = server.post("/v1/subscriptions", &form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let invoice = answer.body["latest_invoice"].as_str().unwrap().to_owned();
    Subscriber { customer, subscription: answer.id(), invoice }
}

async fn status(server: &Server, subscriber: &Subscriber) -> String {
    let path = format!("/v1/subscriptions/{}", subscriber.subscription);
    server.get(&path).await.body["status"].as_str().unwrap().to_owned()
}

/// Puts a new default card on the customer.
async fn change_card(server: &Server, subscriber: &Subscriber, card: &str) {
    let attach = format!("/v1/payment_methods/{card}/attach");
    let method = server.post(&attach, &[("customer", &subscriber.customer)]).await.id();
    let default = [("invoice_settings[default_payment_method]", method.as_str())];
    server.post(&format!("/v1/customers/{}", subscriber.customer), &default).await;
}

#[tokio::test]
async fn a_subscription_starts_paid_and_renews_after_the_draft_hour() {
    let server = start().await;
    let subscriber = subscribe(&server, "pm_card_visa").await;
    assert_eq!(status(&server, &subscriber).await, "active");
    let first = server.get(&format!("/v1/invoices/{}?expand[]=payments", subscriber.invoice)).await.body;
    assert_eq!((first["status"].as_str(), first["amount_paid"].as_i64()), (Some("paid"), Some(4900)));
    assert_eq!(first["payments"]["data"][0]["status"], "paid");
    server.stripe.advance(30 * DAY_S).unwrap();
    let path = format!("/v1/invoices?customer={}", subscriber.customer);
    let renewal = server.get(&path).await.body["data"][0].clone();
    assert_eq!(
        (renewal["status"].as_str(), renewal["billing_reason"].as_str()),
        (Some("draft"), Some("subscription_cycle"))
    );
    server.stripe.advance(HOUR_S).unwrap();
    assert_eq!(server.get(&path).await.body["data"][0]["status"], "paid");
    assert_eq!(server.effects("invoice.pay"), 2);
}

#[tokio::test]
async fn a_first_payment_that_fails_leaves_it_incomplete_for_23_hours() {
    let server = start().await;
    let subscriber = subscribe(&server, "pm_card_chargeCustomerFail").await;
    assert_eq!(status(&server, &subscriber).await, "incomplete");
    server.stripe.advance(23 * HOUR_S + 1).unwrap();
    assert_eq!(status(&server, &subscriber).await, "incomplete_expired");
    let invoice = server.get(&format!("/v1/invoices/{}", subscriber.invoice)).await;
    assert_eq!(invoice.body["status"], "void");
}

#[tokio::test]
async fn a_failed_renewal_is_retried_until_the_subscription_ends() {
    let server = start().await;
    let subscriber = subscribe(&server, "pm_card_visa").await;
    change_card(&server, &subscriber, "pm_card_chargeCustomerFail").await;
    server.stripe.advance(30 * DAY_S + HOUR_S).unwrap();
    assert_eq!(status(&server, &subscriber).await, "past_due");
    let path = format!("/v1/invoices?customer={}&limit=1", subscriber.customer);
    let failing = server.get(&path).await.body["data"][0].clone();
    assert_eq!(failing["attempt_count"], 1);
    assert_eq!(failing["next_payment_attempt"].as_i64(), Some(server.stripe.now_s() + 3 * i64::from(DAY_S)));
    server.stripe.advance(3 * DAY_S).unwrap();
    assert_eq!(server.get(&path).await.body["data"][0]["attempt_count"], 2);
    server.stripe.advance(14 * DAY_S).unwrap();
    assert_eq!(status(&server, &subscriber).await, "canceled");
    assert_eq!(server.effects("charge.fail"), 9, "one attempt and eight retries");
}

#[tokio::test]
async fn paying_with_another_card_brings_it_back_without_counting_as_a_retry() {
    let server = start().await;
    let subscriber = subscribe(&server, "pm_card_visa").await;
    change_card(&server, &subscriber, "pm_card_chargeCustomerFail").await;
    server.stripe.advance(30 * DAY_S + HOUR_S).unwrap();
    let path = format!("/v1/invoices?customer={}&limit=1", subscriber.customer);
    let invoice = server.get(&path).await.ids().remove(0);
    let pay = format!("/v1/invoices/{invoice}/pay");
    let declined = server.post(&pay, &[]).await;
    assert_eq!((declined.status, declined.code()), (402, "card_declined"));
    change_card(&server, &subscriber, "pm_card_mastercard").await;
    let paid = server.post(&pay, &[]).await;
    assert_eq!((paid.status, paid.body["status"].as_str()), (200, Some("paid")));
    assert_eq!(paid.body["attempt_count"], 1);
    assert_eq!(status(&server, &subscriber).await, "active");
    assert_eq!(server.post(&pay, &[]).await.status, 400, "already paid");
    server.stripe.advance(4 * DAY_S).unwrap();
    assert_eq!(server.effects("invoice.pay"), 2, "the planned retry is gone");
}

#[tokio::test]
async fn a_challenge_waits_for_the_customer() {
    let server = start().await;
    let made = server.stripe.trigger("invoice.payment_action_required", json!({"amount": 900})).unwrap();
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap().to_owned();
    let answer = server.post(&format!("/v1/invoices/{invoice}/pay"), &[("off_session", "false")]).await;
    assert_eq!((answer.status, answer.code()), (402, "invoice_payment_intent_requires_action"));
    let payments = server.get(&format!("/v1/invoice_payments?invoice={invoice}")).await;
    let intent = payments.body["data"][0]["payment"]["payment_intent"].clone();
    let pass = json!({"payment_intent": intent, "outcome": "pass"});
    server.send(server.request("POST", "/_sim/authenticate").json(&pass)).await.unwrap();
    assert_eq!(server.get(&format!("/v1/invoices/{invoice}")).await.body["status"], "paid");
}

#[tokio::test]
async fn after_a_hard_decline_retries_count_but_do_not_charge() {
    let server = start().await;
    server.stripe.trigger("invoice.payment_failed", json!({"decline_code": "stolen_card"})).unwrap();
    server.stripe.advance(6 * DAY_S).unwrap();
    let invoice = server.get("/v1/invoices?limit=1").await.body["data"][0].clone();
    assert_eq!(invoice["attempt_count"], 3);
    assert_eq!(server.effects("charge.fail"), 1);
}

#[tokio::test]
async fn a_test_clock_moves_its_own_customers_only() {
    let server = start().await;
    let now = server.stripe.now_s();
    let frozen = now.to_string();
    let clock = server.post("/v1/test_helpers/test_clocks", &[("frozen_time", &frozen)]).await.id();
    let customer = server
        .post("/v1/customers", &[("test_clock", &clock), ("payment_method", "pm_card_visa")])
        .await
        .id();
    let methods = server.get(&format!("/v1/customers/{customer}/payment_methods")).await.ids();
    let product = server.post("/v1/products", &[("name", "Plan")]).await.id();
    let form = [
        ("customer", customer.as_str()),
        ("default_payment_method", methods[0].as_str()),
        ("items[0][price_data][currency]", "usd"),
        ("items[0][price_data][product]", product.as_str()),
        ("items[0][price_data][unit_amount]", "1000"),
        ("items[0][price_data][recurring][interval]", "month"),
    ];
    assert_eq!(server.post("/v1/subscriptions", &form).await.status, 200);
    let bystander = subscribe(&server, "pm_card_visa").await;
    let until = (now + 32 * i64::from(DAY_S)).to_string();
    let advanced = server
        .post(&format!("/v1/test_helpers/test_clocks/{clock}/advance"), &[("frozen_time", &until)])
        .await;
    assert_eq!(advanced.body["status"], "advancing");
    let clock = server.get(&format!("/v1/test_helpers/test_clocks/{clock}")).await.body;
    assert_eq!(
        (clock["status"].as_str(), clock["frozen_time"].as_i64()),
        (Some("ready"), Some(now + 32 * i64::from(DAY_S)))
    );
    let count = async |customer: &str| {
        server.get(&format!("/v1/invoices?customer={customer}&status=paid")).await.ids().len()
    };
    assert_eq!(count(&customer).await, 2);
    assert_eq!(count(&bystander.customer).await, 1);
}

#[tokio::test]
async fn refunds_settle_fail_and_respect_what_is_left() {
    let server = start().await;
    let pay = async |card: &str| {
        let form = [("amount", "5000"), ("currency", "usd"), ("payment_method", card), ("confirm", "true")];
        server.post("/v1/payment_intents", &form).await.body["latest_charge"].as_str().unwrap().to_owned()
    };
    let pending = pay("pm_card_pendingRefund").await;
    let refund = server.post("/v1/refunds", &[("charge", &pending)]).await;
    assert_eq!(refund.body["status"], "pending");
    let failing = pay("pm_card_refundFail").await;
    let doomed = server.post("/v1/refunds", &[("charge", &failing), ("amount", "1200")]).await;
    assert_eq!(doomed.body["status"], "succeeded");
    server.stripe.advance(2 * HOUR_S).unwrap();
    assert_eq!(server.get(&format!("/v1/refunds/{}", refund.id())).await.body["status"], "succeeded");
    let failed =
        server.get(&format!("/v1/refunds/{}?expand[]=failure_balance_transaction", doomed.id())).await.body;
    assert_eq!(
        (failed["status"].as_str(), failed["failure_balance_transaction"]["amount"].as_i64()),
        (Some("failed"), Some(1200))
    );
    assert_eq!(server.get(&format!("/v1/charges/{failing}")).await.body["amount_refunded"], 0);
    let too_much = server.post("/v1/refunds", &[("charge", &failing), ("amount", "5001")]).await;
    assert_eq!((too_much.status, too_much.body["error"]["param"].as_str()), (400, Some("amount")));
    let done = server.post("/v1/refunds", &[("charge", &pending)]).await;
    assert_eq!(done.code(), "charge_already_refunded");
    let disputed = pay("pm_card_createDispute").await;
    assert_eq!(server.post("/v1/refunds", &[("charge", &disputed)]).await.code(), "charge_disputed");
    assert!(server.event_types().await.contains(&"refund.failed".to_owned()));
}

#[tokio::test]
async fn declines_keep_the_attempt_and_say_why() {
    let server = start().await;
    let form = [
        ("amount", "5000"),
        ("currency", "usd"),
        ("payment_method", "pm_card_visa_chargeDeclinedInsufficientFunds"),
        ("confirm", "true"),
    ];
    let declined = server.post("/v1/payment_intents", &form).await;
    let error = &declined.body["error"];
    assert_eq!((declined.status, declined.code()), (402, "card_declined"));
    assert_eq!(
        (error["decline_code"].as_str(), error["advice_code"].as_str()),
        (Some("insufficient_funds"), Some("try_again_later"))
    );
    assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
    let charge = server.get(&format!("/v1/charges/{}", error["charge"].as_str().unwrap())).await.body;
    assert_eq!(
        (charge["status"].as_str(), charge["outcome"]["network_decline_code"].as_str()),
        (Some("failed"), Some("51"))
    );
}

#[tokio::test]
async fn proration_lines_are_rounded_each_by_itself() {
    let server = start().await;
    let subscriber = subscribe(&server, "pm_card_visa").await;
    server.stripe.advance(10 * DAY_S).unwrap();
    let items =
        server.get(&format!("/v1/subscription_items?subscription={}", subscriber.subscription)).await.ids();
    let form = [("items[0][id]", items[0].as_str()), ("items[0][quantity]", "3")];
    server.post(&format!("/v1/subscriptions/{}", subscriber.subscription), &form).await;
    let waiting =
        server.get(&format!("/v1/invoiceitems?customer={}&pending=true", subscriber.customer)).await.body;
    let amounts: Vec<i64> =
        waiting["data"].as_array().unwrap().iter().map(|item| item["amount"].as_i64().unwrap()).collect();
    assert_eq!(amounts, [9800, -3267], "two thirds of a month, newest first");
}

#[tokio::test]
async fn events_name_the_call_that_caused_them() {
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    server.post_keyed("/v1/refunds", &[("charge", &charge)], "act-1").await;
    let refunded = server.get("/v1/events?type=charge.refunded").await.body["data"][0].clone();
    assert_eq!(refunded["request"]["idempotency_key"], "act-1");
    assert!(refunded["request"]["id"].as_str().unwrap().starts_with("req_"));
    assert_eq!(refunded["data"]["previous_attributes"], json!({"amount_refunded": 0, "refunded": false}));
    assert_eq!(refunded["api_version"], "2026-10-28.endive");
    server.stripe.advance(31 * DAY_S).unwrap();
    assert_eq!(server.get("/v1/events").await.ids().len(), 0, "events live thirty days");
}

#[tokio::test]
async fn credit_notes_lower_open_invoices_and_refund_paid_ones() {
    let server = start().await;
    let failed = server.stripe.trigger("invoice.payment_failed", json!({"amount": 5000})).unwrap();
    let open = failed["event"]["data"]["object"]["id"].as_str().unwrap().to_owned();
    let note = server.post("/v1/credit_notes", &[("invoice", &open), ("amount", "2000")]).await;
    assert_eq!(note.body["type"], "pre_payment", "{}", note.body);
    assert_eq!(server.get(&format!("/v1/invoices/{open}")).await.body["amount_remaining"], 3000);
    let subscriber = subscribe(&server, "pm_card_visa").await;
    let form = [("invoice", subscriber.invoice.as_str()), ("amount", "900"), ("refund_amount", "900")];
    let note = server.post("/v1/credit_notes", &form).await;
    assert_eq!((note.status, note.body["type"].as_str()), (200, Some("post_payment")));
    assert_eq!(server.effects("refund.create"), 1);
}

#[tokio::test]
async fn a_portal_session_is_made_for_a_customer() {
    let server = start().await;
    let (_, customer) = server.charge(500);
    let form = [("customer", customer.as_str()), ("flow_data[type]", "payment_method_update")];
    let session = server.post("/v1/billing_portal/sessions", &form).await;
    assert_eq!(session.body["flow"]["type"], "payment_method_update");
    assert!(session.body["url"].as_str().unwrap().starts_with("https://billing.stripe.com/p/session/test_"));
    assert_eq!(server.effects("portal_session.create"), 1);
}
