//! Amounts that a currency does not have are refused wherever money moves.

use serde_json::json;

use crate::server::{Answer, Server, start};

/// Pays so much with a card whose money is there at once; gives the answer to the call.
async fn pay(server: &Server, amount: &str, currency: &str) -> Answer {
    let form = [
        ("amount", amount),
        ("currency", currency),
        ("payment_method", "pm_card_bypassPending"),
        ("confirm", "true"),
    ];
    server.post("/v1/payment_intents", &form).await
}

fn assert_refused(answer: &Answer, param: &str, what: &str) {
    let error = &answer.body["error"];
    assert_eq!(answer.status, 400, "{what}: {}", answer.body);
    assert_eq!(
        (error["type"].as_str(), error["param"].as_str()),
        (Some("invalid_request_error"), Some(param)),
        "{what}"
    );
}

#[tokio::test]
async fn payments_and_refunds_are_whole_where_the_currency_is() {
    let server = start().await;
    for (currency, good, bad) in
        [("ugx", "500", "501"), ("isk", "500", "501"), ("kwd", "5120", "5124"), ("bhd", "10", "7")]
    {
        assert_refused(&pay(&server, bad, currency).await, "amount", currency);
        let charge = pay(&server, good, currency).await;
        assert_eq!(charge.status, 200, "{currency}: {}", charge.body);
        let charge = charge.body["latest_charge"].as_str().unwrap().to_owned();
        let refund =
            async |amount: &str| server.post("/v1/refunds", &[("charge", &charge), ("amount", amount)]).await;
        assert_refused(&refund("1").await, "amount", currency);
        let fits = if currency == "kwd" || currency == "bhd" { "10" } else { "100" };
        assert_eq!(refund(fits).await.status, 200, "{currency}");
    }
    assert_eq!(pay(&server, "12345", "huf").await.status, 200, "a charge may have any amount of forints");
    assert_eq!(server.effects("charge.succeeded"), 5);
    assert_eq!(server.effects("refund.create"), 4);
}

#[tokio::test]
async fn intents_cannot_be_changed_or_captured_to_a_broken_amount() {
    let server = start().await;
    let open = server.post("/v1/payment_intents", &[("amount", "5120"), ("currency", "kwd")]).await.id();
    let path = format!("/v1/payment_intents/{open}");
    assert_refused(&server.post(&path, &[("amount", "5124")]).await, "amount", "another amount");
    assert_refused(&server.post(&path, &[("currency", "ugx")]).await, "amount", "another currency");
    let dollars = server.post(&path, &[("amount", "5124"), ("currency", "usd")]).await;
    assert_eq!(
        (dollars.body["amount"].as_i64(), dollars.body["currency"].as_str()),
        (Some(5124), Some("usd"))
    );
    let form = [
        ("amount", "50000"),
        ("currency", "ugx"),
        ("payment_method", "pm_card_visa"),
        ("confirm", "true"),
        ("capture_method", "manual"),
    ];
    let held = server.post("/v1/payment_intents", &form).await;
    let charge = format!("/v1/charges/{}/capture", held.body["latest_charge"].as_str().unwrap());
    let intent = format!("/v1/payment_intents/{}/capture", held.id());
    assert_refused(&server.post(&charge, &[("amount", "40050")]).await, "amount", "charge");
    let part = server.post(&intent, &[("amount_to_capture", "40050")]).await;
    assert_refused(&part, "amount_to_capture", "intent");
    assert_eq!(server.post(&intent, &[("amount_to_capture", "40000")]).await.status, 200);
    assert_eq!(server.effects("charge.capture"), 1);
    let wish = json!({"amount": 501, "currency": "ugx"});
    assert_eq!(server.stripe.trigger("charge.succeeded", wish).unwrap_err()["error"]["param"], "amount");
}

#[tokio::test]
async fn payouts_of_forints_and_taiwan_dollars_are_whole() {
    let server = start().await;
    for currency in ["huf", "twd"] {
        assert_eq!(pay(&server, "100000", currency).await.status, 200);
        let pay_out = async |amount: &str| {
            server.post("/v1/payouts", &[("amount", amount), ("currency", currency)]).await
        };
        assert_refused(&pay_out("12345").await, "amount", currency);
        let payout = pay_out("12300").await;
        assert_eq!(payout.status, 200, "{}", payout.body);
        let read =
            server.get(&format!("/v1/payouts/{}?expand[]=balance_transaction", payout.id())).await.body;
        assert_eq!(read["balance_transaction"]["amount"], -12_300);
        assert_eq!((read["status"].as_str(), read["automatic"].as_bool()), (Some("pending"), Some(false)));
        let arrival = read["arrival_date"].as_i64().unwrap();
        let until = server.get(&format!("/v1/payouts?arrival_date[lt]={arrival}")).await;
        assert_eq!(until.ids().len(), 0);
        let list = server.get("/v1/payouts?status=pending").await.ids();
        assert_eq!(list.first(), Some(&payout.id()));
    }
    assert_eq!(server.effects("payout.create"), 2);
}

#[tokio::test]
async fn invoice_items_and_credit_notes_are_whole_too() {
    let server = start().await;
    let (_, customer) = server.charge(500);
    let add = async |amount: &str, currency: &str| {
        let form = [("customer", customer.as_str()), ("amount", amount), ("currency", currency)];
        server.post("/v1/invoiceitems", &form).await
    };
    assert_refused(&add("501", "ugx").await, "amount", "shillings");
    assert_refused(&add("-5124", "kwd").await, "amount", "dinars taken off");
    assert_eq!(add("500", "ugx").await.status, 200);
    let wish = json!({"amount": 50_000, "currency": "ugx"});
    let failed = server.stripe.trigger("invoice.payment_failed", wish).unwrap();
    let open = failed["event"]["data"]["object"]["id"].as_str().unwrap().to_owned();
    let note =
        async |amount: &str| server.post("/v1/credit_notes", &[("invoice", &open), ("amount", amount)]).await;
    assert_refused(&note("150").await, "amount", "credit note");
    assert_eq!(note("100").await.status, 200);
}

#[tokio::test]
async fn the_remainder_of_an_invoice_goes_to_the_balance() {
    let server = start().await;
    let customer = server.post("/v1/customers", &[("name", "Ada")]).await.id();
    let product = server.post("/v1/products", &[("name", "Plan")]).await.id();
    let method = [("customer", customer.as_str())];
    let method = server.post("/v1/payment_methods/pm_card_visa/attach", &method).await.id();
    let form = [
        ("customer", customer.as_str()),
        ("default_payment_method", method.as_str()),
        ("items[0][price_data][currency]", "ugx"),
        ("items[0][price_data][product]", product.as_str()),
        ("items[0][price_data][unit_amount]", "4900000"),
        ("items[0][price_data][recurring][interval]", "month"),
    ];
    let subscription = server.post("/v1/subscriptions", &form).await;
    let path = format!("/v1/subscriptions/{}", subscription.id());
    let item = subscription.body["items"]["data"][0]["id"].as_str().unwrap().to_owned();
    server.stripe.advance(11 * 86_400).unwrap();
    let form = [
        ("items[0][id]", item.as_str()),
        ("items[0][quantity]", "2"),
        ("proration_behavior", "always_invoice"),
    ];
    let changed = server.post(&path, &form).await;
    let invoice = changed.body["latest_invoice"].as_str().unwrap().to_owned();
    let invoice = server.get(&format!("/v1/invoices/{invoice}")).await.body;
    let (total, due) = (invoice["total"].as_i64().unwrap(), invoice["amount_due"].as_i64().unwrap());
    assert_ne!(total % 100, 0, "the lines are rounded each by itself");
    assert_eq!(due % 100, 0);
    assert!((total - due).abs() <= 50);
    assert_eq!((invoice["status"].as_str(), invoice["amount_paid"].as_i64()), (Some("paid"), Some(due)));
    let customer = server.get(&format!("/v1/customers/{customer}")).await.body;
    assert_eq!(customer["balance"], total - due);
    assert_eq!(invoice["ending_balance"], total - due);
}
