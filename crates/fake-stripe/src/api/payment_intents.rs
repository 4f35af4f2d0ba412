//! `/v1/payment_intents`: one-off payments.

use serde_json::{Value, json};

use super::{customers, payment_methods};
use crate::billing::collect;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::amount::{self, Use};
use crate::payments::charge::Presence;
use crate::payments::intent::{self, Plan};
use crate::wire::{Args, Params, Route, list};
use crate::world::{Kind, Tx};

const SHAPE: &[&str] = &[
    "amount",
    "automatic_payment_methods",
    "capture_method",
    "confirm",
    "currency",
    "customer",
    "description",
    "error_on_requires_action",
    "metadata",
    "off_session",
    "payment_method",
    "payment_method_types",
    "receipt_email",
    "return_url",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
];

pub const ROUTES: &[Route] = &[
    Route::list("/v1/payment_intents", "payment_intents", &["customer"], all),
    Route::post("/v1/payment_intents", "payment_intents", &["amount", "currency"], SHAPE, create),
    Route::get("/v1/payment_intents/{id}", "payment_intents", retrieve).with(&["client_secret"]),
    Route::post("/v1/payment_intents/{id}", "payment_intents", &[], SHAPE, update),
    Route::post(
        "/v1/payment_intents/{id}/confirm",
        "payment_intents",
        &[],
        &[
            "error_on_requires_action",
            "off_session",
            "payment_method",
            "receipt_email",
            "return_url",
            "setup_future_usage",
        ],
        confirm,
    ),
    Route::post(
        "/v1/payment_intents/{id}/capture",
        "payment_intents",
        &[],
        &["amount_to_capture", "metadata"],
        capture,
    ),
    Route::post("/v1/payment_intents/{id}/cancel", "payment_intents", &[], &["cancellation_reason"], cancel),
];

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let amount = params.int_from("amount", 1)?.ok_or_else(|| ApiError::missing("amount"))?;
    let currency = currency(params)?;
    amount::legal(amount, &currency, Use::Charge, "amount")?;
    let customer = params.text("customer").map(str::to_owned);
    if let Some(customer) = &customer {
        customers::live(tx, customer, "customer")?;
    }
    let method = params.text("payment_method").map(|id| (id.to_owned(), "payment_method"));
    let method = method.map(|(id, param)| payment_methods::named(tx, &id, param)).transpose()?;
    belongs(method.as_ref(), customer.as_deref())?;
    let confirms = params.flag("confirm")?.unwrap_or(false);
    let presence = presence(params)?;
    let description = params.text("description").map(str::to_owned);
    let plan = Plan {
        amount,
        currency: &currency,
        customer: customer.as_deref(),
        description: description.as_deref(),
    };
    let mut draft = json!({"metadata": {}});
    shape(&mut draft, params)?;
    let intent = intent::create(tx, &plan, |intent| {
        merge(intent, draft);
        if let Some(method) = &method {
            intent["payment_method"] = method["id"].clone();
            intent["status"] = "requires_confirmation".into();
        }
    });
    match (confirms, method) {
        (true, Some(method)) => intent::confirm(tx, intent.text("id"), &method, presence),
        (true, None) => Err(no_method()),
        (false, _) => Ok(intent),
    }
}

fn merge(intent: &mut Value, draft: Value) {
    if let (Some(fields), Value::Object(draft)) = (intent.as_object_mut(), draft) {
        fields.extend(draft);
    }
}

/// A currency code that Stripe knows, in lower case.
pub fn currency(params: &Params) -> ApiResult<String> {
    let currency = params.need("currency")?.to_lowercase();
    if bursar_stripe::Currency::parse(&currency).is_err() {
        let message = format!("Invalid currency: {currency}. Stripe does not currently support it.");
        return Err(ApiError::invalid(message).param("currency"));
    }
    Ok(currency)
}

fn shape(intent: &mut Value, params: &Params) -> ApiResult<()> {
    params.one_of("capture_method", &["automatic", "automatic_async", "manual"])?;
    params
        .copy(intent, &["capture_method", "description", "receipt_email", "setup_future_usage", "shipping"]);
    params.copy(intent, &["statement_descriptor", "statement_descriptor_suffix", "transfer_group"]);
    if params.has("payment_method_types") {
        intent["payment_method_types"] = params.texts("payment_method_types").into();
    }
    if let Some(automatic) = params.part("automatic_payment_methods") {
        intent["automatic_payment_methods"] = json!({
            "allow_redirects": automatic.text("allow_redirects").unwrap_or("always"),
            "enabled": automatic.flag("enabled")?.unwrap_or(false),
        });
    }
    params.merge_metadata(intent)
}

fn presence(params: &Params) -> ApiResult<Presence> {
    let off = matches!(params.text("off_session"), Some("one_off" | "recurring"))
        || params.flag("off_session")?.unwrap_or(false);
    Ok(if off { Presence::OffSession } else { Presence::OnSession })
}

/// A method kept for one customer cannot pay for another.
fn belongs(method: Option<&Value>, customer: Option<&str>) -> ApiResult<()> {
    let owner = method.and_then(|method| method.maybe_text("customer"));
    match owner {
        Some(owner) if Some(owner) != customer => {
            let message = "The provided PaymentMethod belongs to a Customer; pass that customer too.";
            Err(ApiError::invalid(message).param("payment_method"))
        }
        _ => Ok(()),
    }
}

fn no_method() -> ApiError {
    let message = "You cannot confirm this PaymentIntent because it's missing a payment method.";
    ApiError::refused_by_state(message).code("payment_intent_unexpected_state")
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::PaymentIntent, args.id())
}

fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    const OPEN: [&str; 3] = ["requires_payment_method", "requires_confirmation", "requires_action"];
    let mut intent = tx.find(Kind::PaymentIntent, args.id())?;
    let moves_money = args.params.has("amount") || args.params.has("currency");
    if moves_money && !OPEN.contains(&intent.text("status")) {
        return Err(intent::unexpected_state(&intent, "updated", &OPEN));
    }
    if let Some(amount) = args.params.int_from("amount", 1)? {
        intent["amount"] = amount.into();
    }
    if args.params.has("currency") {
        intent["currency"] = currency(&args.params)?.into();
    }
    amount::legal(intent.int("amount"), intent.text("currency"), Use::Charge, "amount")?;
    if let Some(id) = args.params.text("payment_method") {
        let method = payment_methods::named(tx, id, "payment_method")?;
        belongs(Some(&method), intent.maybe_text("customer"))?;
        intent["payment_method"] = method["id"].clone();
        intent["status"] = "requires_confirmation".into();
    }
    shape(&mut intent, &args.params)?;
    tx.change(Kind::PaymentIntent, args.id(), |kept| *kept = intent);
    tx.find(Kind::PaymentIntent, args.id())
}

fn confirm(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    const READY: [&str; 3] = ["requires_payment_method", "requires_confirmation", "requires_action"];
    let intent = tx.find(Kind::PaymentIntent, args.id())?;
    if !READY.contains(&intent.text("status")) {
        return Err(intent::unexpected_state(&intent, "confirmed", &READY));
    }
    let id = args.params.text("payment_method").or_else(|| intent.maybe_text("payment_method"));
    let method = payment_methods::named(tx, id.ok_or_else(no_method)?, "payment_method")?;
    belongs(Some(&method), intent.maybe_text("customer"))?;
    let intent = intent::confirm(tx, args.id(), &method, presence(&args.params)?)?;
    if intent.text("status") == "succeeded" {
        collect::intent_settled(tx, &intent);
    }
    Ok(intent)
}

fn capture(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let wanted = args.params.int_from("amount_to_capture", 1)?;
    if let Some(wanted) = wanted {
        let intent = tx.find(Kind::PaymentIntent, args.id())?;
        amount::legal(wanted, intent.text("currency"), Use::Charge, "amount_to_capture")?;
    }
    intent::capture(tx, args.id(), wanted)
}

fn cancel(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    const REASONS: [&str; 4] = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];
    let reason = args.params.one_of("cancellation_reason", &REASONS)?;
    intent::cancel(tx, args.id(), reason)
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    list::page(tx, Kind::PaymentIntent, "/v1/payment_intents", params, params.text("customer"), |_| true)
}
