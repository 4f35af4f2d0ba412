//! `/v1/payment_methods`: cards, by documented test number or by `pm_card_…`.

use serde_json::{Value, json};

use super::customers;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::cards::{self, Behaviour, TestCard};
use crate::payments::declines::{Decline, decline};
use crate::wire::{Args, Params, Route, list};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::list("/v1/payment_methods", "payment_methods", &["customer", "type"], all),
    Route::post(
        "/v1/payment_methods",
        "payment_methods",
        &["type"],
        &["allow_redisplay", "billing_details", "card", "customer", "metadata", "payment_method"],
        create,
    ),
    Route::get("/v1/payment_methods/{id}", "payment_methods", retrieve),
    Route::post(
        "/v1/payment_methods/{id}",
        "payment_methods",
        &[],
        &["allow_redisplay", "billing_details", "card", "metadata"],
        update,
    ),
    Route::post("/v1/payment_methods/{id}/attach", "payment_methods", &["customer"], &[], attach),
    Route::post("/v1/payment_methods/{id}/detach", "payment_methods", &[], &[], detach),
];

/// What a card looks like, apart from how its issuer behaves.
#[derive(Debug, Clone, Copy)]
pub struct Face<'a> {
    pub brand: &'a str,
    pub last4: &'a str,
    pub exp_month: i64,
    pub exp_year: i64,
    pub country: &'a str,
    pub fingerprint: &'a str,
}

/// A card payment method with this face.
pub fn document(tx: &Tx<'_>, id: &str, face: &Face<'_>) -> Value {
    json!({
        "id": id, "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": {"address": {"city": null, "country": null, "line1": null, "line2": null,
            "postal_code": null, "state": null}, "email": null, "name": null, "phone": null, "tax_id": null},
        "card": {
            "brand": face.brand, "checks": {"address_line1_check": null, "address_postal_code_check": null,
                "cvc_check": "pass"},
            "country": face.country, "display_brand": face.brand, "exp_month": face.exp_month,
            "exp_year": face.exp_year, "fingerprint": face.fingerprint, "funding": "credit",
            "generated_from": null, "last4": face.last4,
            "networks": {"available": [face.brand], "preferred": null}, "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": true}, "wallet": null,
        },
        "created": tx.now, "customer": null, "customer_account": null, "livemode": tx.livemode(), "metadata": {},
        "type": "card",
    })
}

/// A payment method of a documented test card.
pub fn of_test_card(tx: &mut Tx<'_>, card: &TestCard) -> Value {
    let id = tx.id(Kind::PaymentMethod);
    let fingerprint = cards::fingerprint(card.number);
    if card.acts != "approve" {
        cards::instruct(tx, &fingerprint, card.acts, None);
    }
    let year = 1971 + tx.now / 31_556_952;
    let last4 = card.number.get(card.number.len().saturating_sub(4)..).unwrap_or("4242");
    let face = Face {
        brand: card.brand,
        last4,
        exp_month: 8,
        exp_year: year,
        country: "US",
        fingerprint: &fingerprint,
    };
    let method = document(tx, &id, &face);
    tx.put(Kind::PaymentMethod, method.clone());
    method
}

/// The payment method an id means; a `pm_card_…` makes a new one each time.
pub fn named(tx: &mut Tx<'_>, id: &str, param: &str) -> ApiResult {
    match cards::named(id) {
        Some(card) => Ok(of_test_card(tx, card)),
        None => tx.find_param(Kind::PaymentMethod, id, param),
    }
}

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let kind = params.need("type")?;
    if kind != "card" {
        return Err(ApiError::invalid(format!("Payment method type {kind} is not simulated.")).param("type"));
    }
    let card = params.part("card").ok_or_else(|| ApiError::missing("card"))?;
    let mut method = if let Some(token) = card.text("token") {
        let card = cards::named(token)
            .ok_or_else(|| ApiError::invalid(format!("No such token: '{token}'")).code("resource_missing"))?;
        of_test_card(tx, card)
    } else {
        typed(tx, &card)?
    };
    annotate(&mut method, params)?;
    tx.put(Kind::PaymentMethod, method.clone());
    Ok(method)
}

/// A card from its number, month and year as somebody typed them.
fn typed(tx: &mut Tx<'_>, card: &Params) -> ApiResult {
    let number: String = card.need("number")?.chars().filter(char::is_ascii_digit).collect();
    let month = card.int("exp_month")?.ok_or_else(|| ApiError::missing("card[exp_month]"))?;
    let year = card.int("exp_year")?.ok_or_else(|| ApiError::missing("card[exp_year]"))?;
    let this_year = 1970 + tx.now / 31_556_952;
    let year = if year < 100 { 2000 + year } else { year };
    let invalid = |code: &str, message: &str, param: &str| {
        let mut error = ApiError::declined(code, message).param(param);
        error.fate = crate::error::Fate::Failed;
        Err(error)
    };
    if !(1..=12).contains(&month) {
        return invalid("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month");
    }
    if year < this_year || year > this_year + 50 {
        return invalid("invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year");
    }
    if card.text("cvc").is_some_and(|cvc| cvc.len() < 3) {
        return invalid("invalid_cvc", "Your card's security code is invalid.", "cvc");
    }
    let Some(known) = cards::numbered(&number) else {
        let message = "Your card was declined. Your request was in test mode, but used a non test card.";
        return invalid("card_declined", message, "number");
    };
    if known.acts == "decline:incorrect_number" {
        return invalid("incorrect_number", "Your card number is incorrect.", "number");
    }
    let mut method = of_test_card(tx, known);
    method["card"]["exp_month"] = month.into();
    method["card"]["exp_year"] = year.into();
    Ok(method)
}

fn annotate(method: &mut Value, params: &Params) -> ApiResult<()> {
    params.copy(method, &["allow_redisplay"]);
    if let Some(details) = params.part("billing_details") {
        details.copy(&mut method["billing_details"], &["email", "name", "phone", "tax_id"]);
        if let Some(address) = details.part("address") {
            let fields = ["city", "country", "line1", "line2", "postal_code", "state"];
            address.copy(&mut method["billing_details"]["address"], &fields);
        }
    }
    params.merge_metadata(method)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::PaymentMethod, args.id())
}

fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut method = tx.find(Kind::PaymentMethod, args.id())?;
    if method["customer"].is_null() {
        let message = "You must save this PaymentMethod to a customer before you can update it.";
        return Err(ApiError::refused_by_state(message));
    }
    annotate(&mut method, &args.params)?;
    if let Some(card) = args.params.part("card") {
        for field in ["exp_month", "exp_year"] {
            if let Some(value) = card.int_from(field, 1)? {
                method["card"][field] = value.into();
            }
        }
    }
    Ok(tx.change_and_tell(Kind::PaymentMethod, args.id(), "payment_method.updated", |kept| *kept = method))
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let wanted = params.text("type");
    let keep = |method: &Value| {
        wanted.is_none_or(|wanted| method.text("type") == wanted) && method["customer"].is_string()
    };
    list::page(tx, Kind::PaymentMethod, "/v1/payment_methods", params, params.text("customer"), keep)
}

fn attach(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let customer = args.params.need("customer")?.to_owned();
    attach_to(tx, args.id(), &customer)
}

/// Keeps a payment method for a customer; a card that refuses at once is not kept.
pub fn attach_to(tx: &mut Tx<'_>, id: &str, customer: &str) -> ApiResult {
    let method = named(tx, id, "payment_method")?;
    customers::live(tx, customer, "customer")?;
    match method.maybe_text("customer") {
        Some(owner) if owner == customer => return Ok(method),
        Some(_) => {
            let message = "The payment method you provided has already been attached to a customer.";
            return Err(ApiError::refused_by_state(message).code("payment_method_unexpected_state"));
        }
        None => {}
    }
    if let Some(decline) = refuses_to_be_kept(&method) {
        let error = ApiError::declined(decline.code, decline.message);
        return Err(error.with("decline_code", decline.decline_code).with("payment_method", method));
    }
    let id = method.text("id").to_owned();
    tx.change(Kind::PaymentMethod, &id, |method| method["customer"] = customer.into());
    let method = tx.find(Kind::PaymentMethod, &id)?;
    tx.emit("payment_method.attached", &method);
    Ok(method)
}

fn refuses_to_be_kept(method: &Value) -> Option<Decline> {
    let known = cards::TEST_CARDS
        .iter()
        .find(|card| !card.keeps && cards::fingerprint(card.number) == method.text("card.fingerprint"))?;
    match cards::behaviour(known.acts) {
        Behaviour::Declines(refusal) => Some(refusal),
        _ => decline("generic_decline"),
    }
}

fn detach(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let method = tx.find(Kind::PaymentMethod, args.id())?;
    let Some(customer) = method.maybe_text("customer").map(str::to_owned) else {
        let message =
            "The payment method you provided is not attached to a customer so detachment is impossible.";
        return Err(ApiError::refused_by_state(message).code("payment_method_unexpected_state"));
    };
    let is_default = |customer: &Value| customer.text("invoice_settings.default_payment_method") == args.id();
    if tx.get(Kind::Customer, &customer).is_some_and(is_default) {
        tx.change_and_tell(Kind::Customer, &customer, "customer.updated", |customer| {
            customer["invoice_settings"]["default_payment_method"] = Value::Null;
        });
    }
    Ok(tx.change_and_tell(Kind::PaymentMethod, args.id(), "payment_method.detached", |method| {
        method["customer"] = Value::Null;
    }))
}
