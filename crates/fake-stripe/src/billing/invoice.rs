//! Invoices: draft, open, paid, void, uncollectible, and the steps between.

use serde_json::{Value, json};

use super::{collect, items, lines};
use crate::api::customers::move_balance;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::intent::{self, Plan};
use crate::webhooks;
use crate::world::{Kind, Tx, ids};

/// How long an automatic invoice stays a draft, in seconds.
pub const DRAFT_S: i64 = 3600;
/// Finalised by then even if an endpoint has not heard of it.
const UNHEARD_MAX_S: i64 = 72 * 3600;

/// What a new invoice is for.
#[derive(Debug)]
pub struct NewInvoice<'a> {
    pub customer: &'a Value,
    pub currency: &'a str,
    pub reason: &'a str,
    pub subscription: Option<&'a Value>,
    pub period: (i64, i64),
    pub auto_advance: bool,
    pub collection_method: &'a str,
    pub days_until_due: Option<i64>,
}

/// Makes a draft with these lines and the customer's waiting items.
pub fn draft(
    tx: &mut Tx<'_>,
    new: &NewInvoice<'_>,
    mut invoice_lines: Vec<Value>,
    take_waiting: bool,
) -> Value {
    let id = tx.id(Kind::Invoice);
    let mut invoice = document(tx, &id, new);
    if take_waiting {
        let subscription = new.subscription.map(|subscription| subscription.text("id").to_owned());
        for item in items::waiting(tx, new.customer.text("id"), new.currency, subscription.as_deref()) {
            items::bill(tx, item.text("id"), &id);
            invoice_lines.push(lines::of_invoice_item(tx, &item));
        }
    }
    invoice["starting_balance"] = new.customer["balance"].clone();
    if !webhooks::somebody_wants(tx, "invoice.created") {
        invoice["webhooks_delivered_at"] = tx.now.into();
    }
    lines::set(&mut invoice, invoice_lines);
    tx.put(Kind::Invoice, invoice.clone());
    tx.emit("invoice.created", &invoice);
    invoice
}

fn document(tx: &Tx<'_>, id: &str, new: &NewInvoice<'_>) -> Value {
    let customer = new.customer;
    let parent = new.subscription.map(|subscription| {
        json!({"type": "subscription_details", "quote_details": null, "subscription_details":
            {"metadata": subscription["metadata"], "subscription": subscription["id"]}})
    });
    json!({
        "id": id, "object": "invoice", "account_country": "US", "account_name": "Northwind SaaS",
        "account_tax_ids": null, "amount_due": 0, "amount_overpaid": 0, "amount_paid": 0, "amount_remaining": 0,
        "amount_shipping": 0, "application": null, "attempt_count": 0, "attempted": false,
        "auto_advance": new.auto_advance,
        "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null},
        "automatically_finalizes_at": if new.auto_advance { json!(tx.now + DRAFT_S) } else { Value::Null },
        "billing_reason": new.reason, "collection_method": new.collection_method, "created": tx.now,
        "currency": new.currency, "custom_fields": null, "customer": customer["id"], "customer_account": null,
        "customer_address": customer["address"], "customer_email": customer["email"],
        "customer_name": customer["name"], "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"], "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [], "default_payment_method": null, "default_source": null,
        "default_tax_rates": [], "description": null, "discounts": [],
        "due_date": new.days_until_due.map(|days| tx.now + days * 86_400), "effective_at": null,
        "ending_balance": null, "footer": null, "from_invoice": null, "hosted_invoice_url": null,
        "invoice_pdf": null, "issuer": {"type": "self"}, "last_finalization_error": null, "latest_revision": null,
        "lines": {"object": "list", "data": [], "has_more": false, "url": format!("/v1/invoices/{id}/lines")},
        "livemode": tx.livemode(), "metadata": {}, "next_payment_attempt": null, "number": null,
        "on_behalf_of": null, "parent": parent,
        "payment_settings": {"default_mandate": null, "payment_method_options": null, "payment_method_types": null},
        "period_end": new.period.1, "period_start": new.period.0, "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0, "receipt_number": null, "rendering": null, "shipping_cost": null,
        "shipping_details": null, "starting_balance": 0, "statement_descriptor": null, "status": "draft",
        "status_details": null,
        "status_transitions": {"finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null},
        "subtotal": 0, "subtotal_excluding_tax": 0, "test_clock": customer["test_clock"], "total": 0,
        "total_discount_amounts": [], "total_excluding_tax": 0, "total_pretax_credit_amounts": [],
        "total_taxes": [], "webhooks_delivered_at": null,
    })
}

/// Every endpoint has heard that the invoice was created: from now on its draft hour counts.
pub fn heard(tx: &mut Tx<'_>, account: &str, id: &str) {
    let Some(mut invoice) = tx.world.get(account, Kind::Invoice, id).cloned() else { return };
    let clock = invoice.maybe_text("test_clock");
    let clock = clock.and_then(|clock| tx.world.get(account, Kind::TestClock, clock));
    let now = clock.map_or(tx.now, |clock| clock.int("frozen_time"));
    invoice["webhooks_delivered_at"] = now.into();
    if invoice["automatically_finalizes_at"].is_number() {
        invoice["automatically_finalizes_at"] = (now + DRAFT_S).into();
    }
    tx.put_on(account, Kind::Invoice, invoice);
}

/// Finalises an automatic draft an hour after every endpoint has heard that it was created; without that, once every
/// try has failed or three days are over.
pub fn finalize_when_heard(tx: &mut Tx<'_>, id: &str) {
    let Some(invoice) = tx.get(Kind::Invoice, id).cloned() else { return };
    if invoice.text("status") != "draft" || !invoice.flag("auto_advance") {
        return;
    }
    let ready = match invoice.maybe_int("webhooks_delivered_at") {
        Some(heard_at) => heard_at + DRAFT_S,
        None if webhooks::waits(tx, "invoice.created", id) => tx.now + DRAFT_S,
        None => tx.now,
    };
    let ready = ready.min(invoice.int("created") + UNHEARD_MAX_S);
    if tx.now < ready {
        tx.plan(ready, "invoice.finalize", id, invoice.maybe_text("test_clock"));
        return;
    }
    if finalize(tx, id).is_ok() && invoice.text("collection_method") == "charge_automatically" {
        collect::first(tx, id);
    }
}

/// Draft becomes open: numbered, with its payment intent, or paid if nothing is due.
pub fn finalize(tx: &mut Tx<'_>, id: &str) -> ApiResult {
    let mut invoice = tx.find(Kind::Invoice, id)?;
    if invoice.text("status") != "draft" {
        let message = "This invoice is already finalized, you can't re-finalize a non-draft invoice.";
        return Err(ApiError::refused_by_state(message).code("invoice_not_editable"));
    }
    tx.unplan("invoice.finalize", id);
    let before = invoice.clone();
    let customer = tx.find(Kind::Customer, invoice.text("customer"))?;
    let sequence = customer.int("next_invoice_sequence").max(1);
    tx.change(Kind::Customer, customer.text("id"), |customer| {
        customer["next_invoice_sequence"] = (sequence + 1).into();
    });
    invoice["number"] = format!("{}-{sequence:04}", customer.text("invoice_prefix")).into();
    invoice["status"] = "open".into();
    invoice["status_transitions"]["finalized_at"] = tx.now.into();
    invoice["effective_at"] = tx.now.into();
    invoice["automatically_finalizes_at"] = Value::Null;
    let secret = ids::letters(tx.world.ids.counter, 3, 24);
    let account = tx.account.clone();
    invoice["hosted_invoice_url"] = format!("https://invoice.stripe.com/i/{account}/test_{secret}").into();
    invoice["invoice_pdf"] = format!("https://pay.stripe.com/invoice/{account}/test_{secret}/pdf").into();
    take_up_balance(tx, &mut invoice, &customer);
    tx.put(Kind::Invoice, invoice.clone());
    if invoice.int("amount_due") > 0 {
        open_payment(tx, &invoice);
    }
    tx.emit_update("invoice.finalized", &before, &invoice);
    tx.emit_update("invoice.updated", &before, &invoice);
    if let Some(due) = invoice.maybe_int("due_date") {
        tx.plan(due, "invoice.overdue", id, invoice.maybe_text("test_clock"));
    }
    if invoice.int("amount_due") == 0 {
        collect::settle(tx, id, &collect::Settlement::NothingDue);
    }
    tx.find(Kind::Invoice, id)
}

/// Uses the customer's credit, or adds what the customer owes. What is not due now goes to the balance: a negative
/// total, and the remainder of an amount that the currency does not have (Stripe says so of UGX; the others that have
/// such amounts are taken to be alike).
fn take_up_balance(tx: &mut Tx<'_>, invoice: &mut Value, customer: &Value) {
    let (total, balance) = (invoice.int("total"), customer.int("balance"));
    invoice["starting_balance"] = balance.into();
    lines::add_up(invoice);
    let moved = total - invoice.int("amount_due");
    if moved != 0 {
        let currency = invoice.text("currency").to_owned();
        let id = invoice.text("id").to_owned();
        move_balance(tx, customer.text("id"), moved, &currency, "applied_to_invoice", Some(&id));
    }
    invoice["ending_balance"] = (balance + moved).into();
}

/// The payment that follows what remains to be paid.
fn open_payment(tx: &mut Tx<'_>, invoice: &Value) {
    let amount = invoice.int("amount_due");
    let description = match invoice["parent"].is_null() {
        true => format!("Payment for Invoice {}", invoice.text("number")),
        false if invoice.text("billing_reason") == "subscription_create" => {
            "Subscription creation".to_owned()
        }
        false => "Subscription update".to_owned(),
    };
    let plan = Plan {
        amount,
        currency: invoice.text("currency"),
        customer: invoice.maybe_text("customer"),
        description: Some(&description),
    };
    let intent = intent::create(tx, &plan, |intent| {
        intent["setup_future_usage"] =
            if invoice["parent"].is_null() { Value::Null } else { "off_session".into() };
        intent["payment_details"] = json!({"order_reference": invoice["id"], "customer_reference": null});
    });
    let id = tx.id(Kind::InvoicePayment);
    let payment = json!({
        "id": id, "object": "invoice_payment", "amount_paid": null, "amount_requested": amount,
        "created": tx.now, "currency": invoice["currency"], "invoice": invoice["id"], "is_default": true,
        "livemode": tx.livemode(), "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
        "status": "open", "status_transitions": {"canceled_at": null, "paid_at": null},
    });
    tx.put(Kind::InvoicePayment, payment);
}

/// Gives an invoice up for good.
pub fn void(tx: &mut Tx<'_>, id: &str) -> ApiResult {
    leave_open(tx, id, "void", "voided_at", "invoice.voided", "voided")
}

/// Gives an invoice up for now: it can still be paid or voided.
pub fn mark_uncollectible(tx: &mut Tx<'_>, id: &str, reason: &str) -> ApiResult {
    leave_open(
        tx,
        id,
        "uncollectible",
        "marked_uncollectible_at",
        "invoice.marked_uncollectible",
        "marked as uncollectible",
    )?;
    let edit = |invoice: &mut Value| invoice["status_details"] = json!({"uncollectible": {"reason": reason}});
    tx.change(Kind::Invoice, id, edit);
    tx.find(Kind::Invoice, id)
}

fn leave_open(tx: &mut Tx<'_>, id: &str, status: &str, stamp: &str, event: &str, verb: &str) -> ApiResult {
    let invoice = tx.find(Kind::Invoice, id)?;
    let from = invoice.text("status");
    let may = from == "open" || (from == "uncollectible" && status == "void");
    if !may {
        let message =
            format!("You can only pass in open invoices. This invoice isn't open, so it can't be {verb}.");
        return Err(ApiError::refused_by_state(message).code("invoice_not_open"));
    }
    tx.unplan("invoice.retry", id);
    let now = tx.now;
    if status == "void" {
        cancel_payments(tx, id);
    }
    let edit = |invoice: &mut Value| {
        invoice["status"] = status.into();
        invoice["status_transitions"][stamp] = now.into();
        invoice["next_payment_attempt"] = Value::Null;
        invoice["auto_advance"] = false.into();
    };
    let (before, after) = tx.change(Kind::Invoice, id, edit).unwrap_or_default();
    if status == "void" {
        return_balance(tx, &after);
    }
    tx.emit_update(event, &before, &after);
    tx.emit_update("invoice.updated", &before, &after);
    tx.effect(if status == "void" { "invoice.void" } else { "invoice.mark_uncollectible" }, &after);
    Ok(after)
}

/// A voided invoice gives back what it took of the customer's balance, or takes back what it added.
fn return_balance(tx: &mut Tx<'_>, invoice: &Value) {
    let moved = invoice.int("ending_balance") - invoice.int("starting_balance");
    if moved != 0 {
        let (customer, currency) = (invoice.text("customer"), invoice.text("currency"));
        let id = Some(invoice.text("id"));
        move_balance(tx, customer, -moved, currency, "unapplied_from_invoice", id);
    }
}

fn cancel_payments(tx: &mut Tx<'_>, invoice: &str) {
    let open: Vec<Value> = tx
        .owned_by(Kind::InvoicePayment, invoice)
        .filter(|payment| payment.text("status") == "open")
        .cloned()
        .collect();
    let now = tx.now;
    for payment in open {
        tx.change(Kind::InvoicePayment, payment.text("id"), |payment| {
            payment["status"] = "canceled".into();
            payment["status_transitions"]["canceled_at"] = now.into();
        });
        // An intent that is already settled stays as it is.
        let _ = intent::cancel(tx, payment.text("payment.payment_intent"), Some("void_invoice"));
    }
}

/// The due date of a sent invoice has passed.
pub fn overdue(tx: &mut Tx<'_>, id: &str) {
    if let Some(invoice) =
        tx.get(Kind::Invoice, id).filter(|invoice| invoice.text("status") == "open").cloned()
    {
        tx.emit("invoice.overdue", &invoice);
        if let Some(subscription) = subscription_id(&invoice) {
            super::subscription::payment_failed(tx, subscription);
        }
    }
}

/// The subscription that an invoice is for.
pub fn subscription_id(invoice: &Value) -> Option<&str> {
    invoice.maybe_text("parent.subscription_details.subscription")
}
