//! The scenes behind the triggers. Each uses the same steps as real calls do.

use serde_json::{Value, json};

use crate::api::payment_methods::{self, Face};
use crate::api::{customers, prices};
use crate::billing::collect::{self, Asked};
use crate::billing::signup::{self, FirstPayment, Signup};
use crate::billing::{calendar, invoice, subscription};
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::amount::{self, Use};
use crate::payments::charge::Presence;
use crate::payments::dispute::{self, Opening};
use crate::payments::intent::{self, Plan};
use crate::payments::refund::{self, Wish};
use crate::payments::{cards, declines};
use crate::wire::Params;
use crate::world::{Kind, Tx};

/// The objects that took part, in order of appearance.
#[derive(Debug, Default)]
pub struct Cast(Vec<(Kind, String)>);

impl Cast {
    fn enter(&mut self, kind: Kind, id: &str) {
        if !id.is_empty() && !self.0.iter().any(|(_, seen)| seen == id) {
            self.0.push((kind, id.to_owned()));
        }
    }

    /// As they stand at the end.
    pub fn objects(&self, tx: &Tx<'_>) -> Vec<Value> {
        self.0.iter().filter_map(|(kind, id)| tx.get(*kind, id).cloned()).collect()
    }
}

fn amount(wish: &Params, usual: i64) -> ApiResult<i64> {
    let amount = wish.int_from("amount", 1)?.unwrap_or(usual);
    amount::legal(amount, &currency(wish), Use::Charge, "amount")?;
    Ok(amount)
}

fn currency(wish: &Params) -> String {
    wish.text("currency").unwrap_or("usd").to_lowercase()
}

/// The customer the wish names, or a new one with a card that acts so.
fn player(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast, acts: &str) -> ApiResult<(Value, Value)> {
    let customer = if let Some(id) = wish.text("customer") {
        customers::live(tx, id, "customer")?
    } else {
        let email = wish.text("email").unwrap_or("jenny.rosen@example.com");
        let name = wish.text("name").unwrap_or("Jenny Rosen");
        customers::make(
            tx,
            &Params::of(json!({"email": email, "name": name,
                "description": "(created by a trigger)"})),
        )?
    };
    let id = customer.text("id").to_owned();
    let method = card(tx, acts);
    let method = payment_methods::attach_to(tx, method.text("id"), &id)?;
    tx.change_and_tell(Kind::Customer, &id, "customer.updated", |customer| {
        customer["invoice_settings"]["default_payment_method"] = method["id"].clone();
    });
    cast.enter(Kind::Customer, &id);
    cast.enter(Kind::PaymentMethod, method.text("id"));
    Ok((tx.find(Kind::Customer, &id)?, method))
}

/// A card of its own, whose issuer acts so.
fn card(tx: &mut Tx<'_>, acts: &str) -> Value {
    let id = tx.id(Kind::PaymentMethod);
    let fingerprint = tx.world.ids.text(16);
    let last4 = format!("{:04}", tx.world.ids.below(10_000));
    let year = calendar::civil(tx.now.div_euclid(86_400)).0 + 3;
    let face = Face {
        brand: "visa",
        last4: &last4,
        exp_month: 8,
        exp_year: year,
        country: "US",
        fingerprint: &fingerprint,
    };
    let method = payment_methods::document(tx, &id, &face);
    tx.put(Kind::PaymentMethod, method.clone());
    if acts != "approve" {
        cards::instruct(tx, &fingerprint, acts, None);
    }
    method
}

/// How a failing card fails: by the wished decline code.
fn failing(wish: &Params, usual: &str) -> ApiResult<String> {
    let code = wish.text("decline_code").unwrap_or(usual);
    match declines::decline(code) {
        Some(_) => Ok(format!("decline:{code}")),
        None => Err(ApiError::invalid(format!("Unknown decline code: {code}")).param("decline_code")),
    }
}

/// Tries a payment with a card that acts so; gives the intent, whatever came of it.
fn pay(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast, acts: &str, capture: &str) -> ApiResult {
    let (customer, method) = player(tx, wish, cast, acts)?;
    let currency = currency(wish);
    let description = wish.text("description").unwrap_or("(created by a trigger)").to_owned();
    let plan = Plan {
        amount: amount(wish, 2000)?,
        currency: &currency,
        customer: customer.maybe_text("id"),
        description: Some(&description),
    };
    let mut annotated = json!({"metadata": {}});
    wish.merge_metadata(&mut annotated)?;
    let intent = intent::create(tx, &plan, |intent| {
        intent["capture_method"] = capture.into();
        intent["metadata"] = annotated["metadata"].take();
    });
    let id = intent.text("id").to_owned();
    // A refusal is part of some scenes; the intent tells.
    let _ = intent::confirm(tx, &id, &method, Presence::OnSession);
    let intent = tx.find(Kind::PaymentIntent, &id)?;
    cast.enter(Kind::PaymentIntent, &id);
    cast.enter(Kind::Charge, intent.text("latest_charge"));
    Ok(intent)
}

pub fn payment(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    pay(tx, wish, cast, "approve", "automatic").map(drop)
}

pub fn failed_payment(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let acts = failing(wish, "generic_decline")?;
    pay(tx, wish, cast, &acts, "automatic").map(drop)
}

pub fn challenged_payment(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    pay(tx, wish, cast, "authenticate", "automatic").map(drop)
}

pub fn held_payment(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let intent = pay(tx, wish, cast, "approve", "manual")?;
    intent::capture(tx, intent.text("id"), None).map(drop)
}

pub fn canceled_payment(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let intent = pay(tx, wish, cast, "approve", "manual")?;
    intent::cancel(tx, intent.text("id"), Some("requested_by_customer")).map(drop)
}

fn paid_charge(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast, acts: &str) -> ApiResult {
    if let Some(id) = wish.text("charge") {
        cast.enter(Kind::Charge, id);
        return tx.find_param(Kind::Charge, id, "charge");
    }
    let intent = pay(tx, wish, cast, acts, "automatic")?;
    tx.find(Kind::Charge, intent.text("latest_charge"))
}

pub fn refund(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let charge = paid_charge(tx, wish, cast, "approve")?;
    let part = if wish.has("charge") { wish.int("amount")? } else { wish.int("refund_amount")? };
    let refund = refund::make(tx, &charge, &Wish { amount: part, ..Wish::default() })?;
    cast.enter(Kind::Refund, refund.text("id"));
    Ok(())
}

pub fn failed_refund(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let id = if let Some(id) = wish.text("refund") {
        tx.find_param(Kind::Refund, id, "refund")?.text("id").to_owned()
    } else {
        let charge = paid_charge(tx, wish, cast, "approve")?;
        refund::make(tx, &charge, &Wish::default())?.text("id").to_owned()
    };
    cast.enter(Kind::Refund, &id);
    refund::fail(tx, &id, wish.text("failure_reason").unwrap_or("expired_or_canceled_card"));
    Ok(())
}

pub fn dispute(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    open_dispute(tx, wish, cast).map(drop)
}

fn open_dispute(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<String> {
    let wanted = wish.text("reason").unwrap_or("fraudulent");
    let reason = cards::REASONS.iter().copied().find(|reason| *reason == wanted);
    let reason =
        reason.ok_or_else(|| ApiError::invalid(format!("Unknown reason: {wanted}")).param("reason"))?;
    let charge = paid_charge(tx, wish, cast, "approve")?;
    let inquiry = wish.flag("inquiry")?.unwrap_or(false);
    let opening = Opening { reason, inquiry, amount: charge.int("amount") };
    let dispute = dispute::open(tx, charge.text("id"), &opening);
    cast.enter(Kind::Dispute, dispute.text("id"));
    Ok(dispute.text("id").to_owned())
}

pub fn closed_dispute(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let id = open_dispute(tx, wish, cast)?;
    dispute::submit(tx, &id);
    let dispute = tx.find(Kind::Dispute, &id)?;
    tx.emit("charge.dispute.updated", &dispute);
    dispute::close(tx, &id, wish.text("status") == Some("won"));
    Ok(())
}

pub fn fraud_warning(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let charge = paid_charge(tx, wish, cast, "warn")?;
    let warnings = tx.owned_by(Kind::EarlyFraudWarning, charge.text("id"));
    let ids: Vec<String> = warnings.map(|warning| warning.text("id").to_owned()).collect();
    for id in &ids {
        cast.enter(Kind::EarlyFraudWarning, id);
    }
    Ok(())
}

pub fn customer(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    player(tx, wish, cast, "approve").map(drop)
}

pub fn updated_customer(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let (customer, _) = player(tx, wish, cast, "approve")?;
    let description = wish.text("description").unwrap_or("(updated by a trigger)").to_owned();
    tx.change_and_tell(Kind::Customer, customer.text("id"), "customer.updated", |customer| {
        customer["description"] = description.into();
    });
    Ok(())
}

pub fn deleted_customer(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let (customer, _) = player(tx, wish, cast, "approve")?;
    let stub =
        json!({"id": customer["id"], "object": "customer", "deleted": true, "created": customer["created"]});
    tx.put(Kind::Customer, stub);
    tx.emit("customer.deleted", &customer);
    Ok(())
}

/// A subscription to a price of its own, with a card that acts so.
fn signup(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast, acts: &str) -> ApiResult<Signup> {
    let (customer, method) = player(tx, wish, cast, acts)?;
    let product = prices::product_document(tx, wish.text("product").unwrap_or("Growth plan"));
    tx.put(Kind::Product, product.clone());
    tx.emit("product.created", &product);
    let currency = currency(wish);
    let new = prices::NewPrice {
        product: product.text("id"),
        unit_amount: amount(wish, 4900)?,
        currency: &currency,
        every: Some(("month", 1)),
    };
    let price = prices::price_document(tx, &new);
    tx.put(Kind::Price, price.clone());
    tx.emit("price.created", &price);
    cast.enter(Kind::Product, product.text("id"));
    cast.enter(Kind::Price, price.text("id"));
    let mut fields = json!({"metadata": {}});
    wish.merge_metadata(&mut fields)?;
    Ok(Signup {
        customer,
        items: vec![(price, 1)],
        trial_end: None,
        payment: FirstPayment::Try,
        collection_method: "charge_automatically".to_owned(),
        days_until_due: None,
        default_payment_method: method.maybe_text("id").map(str::to_owned),
        fields,
    })
}

fn subscribed(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult {
    let signup = signup(tx, wish, cast, "approve")?;
    let subscription = signup::begin(tx, &signup)?;
    cast.enter(Kind::Subscription, subscription.text("id"));
    cast.enter(Kind::Invoice, subscription.text("latest_invoice"));
    Ok(subscription)
}

pub fn subscription(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    subscribed(tx, wish, cast).map(drop)
}

pub fn updated_subscription(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let subscription = subscribed(tx, wish, cast)?;
    tx.change_and_tell(
        Kind::Subscription,
        subscription.text("id"),
        "customer.subscription.updated",
        |subscription| {
            subscription["metadata"]["note"] = "updated by a trigger".into();
        },
    );
    Ok(())
}

pub fn canceled_subscription(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let subscription = subscribed(tx, wish, cast)?;
    subscription::cancel(tx, subscription.text("id"), "cancellation_requested");
    Ok(())
}

pub fn ending_trial(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let mut signup = signup(tx, wish, cast, "approve")?;
    signup.trial_end = Some(tx.now + 3 * 86_400);
    let subscription = signup::begin(tx, &signup)?;
    cast.enter(Kind::Subscription, subscription.text("id"));
    subscription::trial_will_end(tx, subscription.text("id"));
    Ok(())
}

/// A subscription whose month is over: its renewal is drawn up and still a draft.
fn renewed(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast, acts: &str) -> ApiResult<String> {
    let signup = signup(tx, wish, cast, acts)?;
    let month = calendar::Interval { unit: "month", count: 1 };
    let begun = calendar::after(tx.now, month, -1);
    let written = signup::write(tx, &signup, "active", begun);
    let id = written.text("id").to_owned();
    tx.emit("customer.subscription.created", &written);
    subscription::renew(tx, &id);
    let subscription = tx.find(Kind::Subscription, &id)?;
    cast.enter(Kind::Subscription, &id);
    cast.enter(Kind::Invoice, subscription.text("latest_invoice"));
    Ok(subscription.text("latest_invoice").to_owned())
}

pub fn draft_invoice(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    renewed(tx, wish, cast, "approve").map(drop)
}

/// A renewal that is finalised and tried at once, with a card that acts so.
fn collected(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast, acts: &str) -> ApiResult<String> {
    let id = renewed(tx, wish, cast, acts)?;
    invoice::finalize(tx, &id)?;
    collect::first(tx, &id);
    let payments = tx.owned_by(Kind::InvoicePayment, &id);
    let payments: Vec<String> = payments.map(|payment| payment.text("id").to_owned()).collect();
    for payment in &payments {
        cast.enter(Kind::InvoicePayment, payment);
    }
    let intent = collect::default_intent(tx, &id).unwrap_or_default();
    cast.enter(Kind::PaymentIntent, intent.text("id"));
    cast.enter(Kind::Charge, intent.text("latest_charge"));
    Ok(id)
}

pub fn paid_invoice(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    collected(tx, wish, cast, "approve").map(drop)
}

pub fn failed_invoice(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let acts = failing(wish, "generic_decline")?;
    collected(tx, wish, cast, &acts).map(drop)
}

pub fn challenged_invoice(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    collected(tx, wish, cast, "authenticate").map(drop)
}

pub fn voided_invoice(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let id = collected(tx, wish, cast, "decline:generic_decline")?;
    invoice::void(tx, &id).map(drop)
}

pub fn uncollectible_invoice(tx: &mut Tx<'_>, wish: &Params, cast: &mut Cast) -> ApiResult<()> {
    let id = collected(tx, wish, cast, "decline:generic_decline")?;
    invoice::mark_uncollectible(tx, &id, "user_forgiven").map(drop)
}

/// The customer answers the challenge of an intent: `{"payment_intent", "outcome": "pass" | "fail"}`.
pub fn authenticate(tx: &mut Tx<'_>, params: &Params) -> ApiResult {
    let id = params.need("payment_intent")?.to_owned();
    let intent = tx.find_param(Kind::PaymentIntent, &id, "payment_intent")?;
    if intent.text("status") != "requires_action" {
        return Err(intent::unexpected_state(&intent, "authenticated", &["requires_action"]));
    }
    if params.one_of("outcome", &["fail", "pass"])? == Some("fail") {
        let failure = json!({"type": "card_error", "code": "payment_intent_authentication_failure",
            "message": "We are unable to authenticate your payment method."});
        tx.change(Kind::PaymentIntent, &id, |intent| {
            intent["status"] = "requires_payment_method".into();
            intent["next_action"] = Value::Null;
            intent["last_payment_error"] = failure;
        });
        let intent = tx.find(Kind::PaymentIntent, &id)?;
        tx.emit("payment_intent.payment_failed", &intent);
        return Ok(intent);
    }
    let payment = tx.all(Kind::InvoicePayment).find(|payment| payment.text("payment.payment_intent") == id);
    let invoice = payment.map(|payment| payment.text("invoice").to_owned());
    let kept =
        intent.maybe_text("payment_method").and_then(|method| tx.get(Kind::PaymentMethod, method)).cloned();
    if let Some(invoice) = invoice {
        let asked = Asked { method: kept, presence: Presence::Authenticated, out_of_band: false };
        // A refusal after the challenge is told by the intent.
        let _ = collect::pay(tx, &invoice, &asked);
    } else if let Some(method) = kept {
        let _ = intent::confirm(tx, &id, &method, Presence::Authenticated);
    }
    tx.find(Kind::PaymentIntent, &id)
}
