use serde_json::json;

use super::*;

fn common() -> Value {
    json!({
        "id": "in_A", "object": "invoice", "number": "F-0042", "status": "open", "currency": "usd",
        "amount_due": 64_000, "amount_paid": 0, "amount_remaining": 64_000, "total": 64_000,
        "attempt_count": 1, "attempted": true, "auto_advance": true,
        "collection_method": "charge_automatically", "billing_reason": "subscription_cycle",
        "next_payment_attempt": 1_790_259_200, "customer": "cus_A", "customer_email": "ada@example.com",
        "customer_name": "Ada", "hosted_invoice_url": "https://invoice.stripe.com/i/A",
        "created": 1_790_000_000, "livemode": true, "metadata": {},
    })
}

fn acacia() -> Value {
    let mut value = common();
    value["subscription"] = json!("sub_A");
    value["payment_intent"] = json!("pi_A");
    value["charge"] = json!("ch_A");
    value["paid"] = json!(false);
    value
}

fn basil() -> Value {
    let mut value = common();
    value["parent"] = json!({"type": "subscription_details", "quote_details": null,
        "subscription_details": {"subscription": "sub_A", "metadata": {}}});
    let payment = |id: &str, intent: &str, status: &str, default: bool| {
        json!({"id": id, "object": "invoice_payment", "invoice": "in_A", "status": status,
            "currency": "usd", "amount_requested": 64_000, "amount_paid": null, "is_default": default,
            "payment": {"type": "payment_intent", "payment_intent": intent}, "created": 1_790_000_000})
    };
    value["payments"] = json!({"object": "list", "has_more": false,
        "data": [payment("inpay_B", "pi_B", "canceled", false), payment("inpay_A", "pi_A", "open", true)]});
    value
}

fn intent_of(invoice: &Invoice) -> Option<&str> {
    invoice.payment_intent.as_ref().map(|intent| intent.id().as_str())
}

#[test]
fn both_shapes_lead_to_the_same_links() {
    for value in [acacia(), basil()] {
        let invoice = Invoice::from_value(&value).expect("reads");
        assert_eq!(invoice.subscription.as_ref().map(SubscriptionId::as_str), Some("sub_A"));
        assert_eq!(intent_of(&invoice), Some("pi_A"));
        assert_eq!(invoice.amount_remaining, Money::new(64_000, Currency::USD));
        assert_eq!(invoice.status, InvoiceStatus::Open);
        assert!(!invoice.is_settled());
    }
}

#[test]
fn a_cancelled_payment_is_not_the_payment() {
    let mut value = basil();
    value["payments"]["data"][1]["is_default"] = json!(false);
    assert_eq!(intent_of(&Invoice::from_value(&value).expect("reads")), Some("pi_A"));
    value["payments"]["data"].as_array_mut().expect("a list").truncate(1);
    assert_eq!(intent_of(&Invoice::from_value(&value).expect("reads")), None);
}

#[test]
fn links_may_be_expanded() {
    let mut value = acacia();
    value["subscription"] = json!({"id": "sub_A", "object": "subscription"});
    value["payment_intent"] = json!({"id": "pi_A", "object": "payment_intent", "amount": 64_000,
        "currency": "usd", "status": "requires_action", "created": 1});
    let invoice = Invoice::from_value(&value).expect("reads");
    assert_eq!(invoice.subscription.as_ref().map(SubscriptionId::as_str), Some("sub_A"));
    let intent = invoice.payment_intent.as_ref().and_then(Expandable::object).expect("expanded");
    assert_eq!(intent.status.as_str(), "requires_action");
}

#[test]
fn new_values_are_kept_and_missing_ones_named() {
    let mut value = common();
    value["status"] = json!("paused");
    value["subscription"] = json!(null);
    let invoice = Invoice::from_value(&value).expect("reads");
    assert_eq!(invoice.status, InvoiceStatus::Unknown("paused".into()));
    assert_eq!(invoice.subscription, None);

    let missing = |field| ObjectError::Missing { kind: "invoice", field };
    for field in ["id", "currency", "amount_due", "amount_remaining", "created"] {
        let mut value = common();
        value[field] = json!(null);
        assert_eq!(Invoice::from_value(&value), Err(missing(field)));
    }
}

#[test]
fn a_deleted_draft_is_no_invoice() {
    let value = json!({"id": "in_A", "object": "invoice", "deleted": true});
    assert_eq!(Invoice::from_value(&value), Err(ObjectError::Deleted { kind: "invoice" }));
}
