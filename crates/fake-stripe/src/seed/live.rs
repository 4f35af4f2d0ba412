//! The stream of a living company: every little while of business time something happens by itself.
//!
//! It is planned work like any other, so it moves with the clock and is the same for the same seed.

use serde_json::{Value, json};

use super::draw::Draw;
use super::life::{priced, purchase};
use super::names::Firm;
use crate::api::customers;
use crate::billing::collect;
use crate::billing::invoice::{self, NewInvoice};
use crate::billing::items::{self, NewItem};
use crate::doc::Doc as _;
use crate::error::{ApiResult, Error};
use crate::payments::cards;
use crate::wire::Params;
use crate::world::{Cause, Kind, Tx, World};

/// Seconds of business time between two things that happen: ten minutes to fifty.
const BETWEEN_S: (i64, i64) = (600, 3000);

/// Begins the stream.
pub fn begin(world: &mut World, now: i64) -> Result<(), Error> {
    let platform = world.platform.clone();
    let mut tx = world.begin(&platform, now, Cause::default());
    tx.plan(now + BETWEEN_S.0, "life.next", "life", None);
    tx.commit()
}

/// Lets one thing happen, and plans the next.
pub fn next(tx: &mut Tx<'_>) {
    let mut draw = Draw::new(tx.world.ids.below(u64::MAX));
    let next = tx.now + draw.between(BETWEEN_S.0, BETWEEN_S.1);
    tx.plan(next, "life.next", "life", None);
    let done = match draw.below(100) {
        0..40 => extra_charge(tx, &mut draw, true),
        40..55 => extra_charge(tx, &mut draw, false),
        55..85 => {
            buy(tx, &mut draw);
            Ok(())
        }
        _ => visit(tx, &mut draw),
    };
    if let Err(error) = done {
        tracing::debug!(message = error.error.text("message"), "did not happen");
    }
}

/// A customer who pays by card and is not in trouble already.
fn somebody(tx: &Tx<'_>, draw: &mut Draw) -> Option<Value> {
    let count = tx.all(Kind::Customer).count();
    let well = |customer: &&Value| {
        !customer.flag("delinquent")
            && !customer.flag("deleted")
            && customer["test_clock"].is_null()
            && customer["invoice_settings"]["default_payment_method"].is_string()
    };
    let start = draw.below(count);
    tx.all(Kind::Customer).skip(start).chain(tx.all(Kind::Customer).take(start)).find(well).cloned()
}

/// An invoice for use beyond the plan, collected at once; sometimes the card has just run into trouble.
fn extra_charge(tx: &mut Tx<'_>, draw: &mut Draw, fails: bool) -> ApiResult<()> {
    let Some(customer) = somebody(tx, draw) else { return Ok(()) };
    let currency = customer.maybe_text("currency").unwrap_or("usd").to_owned();
    if fails {
        let method = tx.get(Kind::PaymentMethod, customer.text("invoice_settings.default_payment_method"));
        let fingerprint = method.map(|method| method.text("card.fingerprint").to_owned()).unwrap_or_default();
        let until = tx.now + draw.between(1, 7) * 86_400;
        let acts = *draw.of(&super::TROUBLES);
        cards::instruct(tx, &fingerprint, acts, draw.percent(60).then_some(until));
    }
    let amount =
        if draw.percent(25) { priced(draw, 520, 2900, &currency) } else { priced(draw, 19, 240, &currency) };
    let what = *draw.of(&["Usage beyond plan", "Additional seats", "Overage: API calls", "Extra storage"]);
    let item = NewItem {
        customer: customer.text("id"),
        amount,
        currency: &currency,
        description: Some(what),
        quantity: 1,
        subscription: None,
        price: None,
        period: (tx.now, tx.now),
        proration: false,
    };
    items::make(tx, &item);
    let new = NewInvoice {
        customer: &customer,
        currency: &currency,
        reason: "manual",
        subscription: None,
        period: (tx.now, tx.now),
        auto_advance: true,
        collection_method: "charge_automatically",
        days_until_due: None,
    };
    let drawn = invoice::draft(tx, &new, Vec::new(), true);
    let id = drawn.text("id").to_owned();
    invoice::finalize(tx, &id)?;
    collect::first(tx, &id);
    Ok(())
}

fn buy(tx: &mut Tx<'_>, draw: &mut Draw) {
    let Some(customer) = somebody(tx, draw) else { return };
    let currency = customer.maybe_text("currency").unwrap_or("usd").to_owned();
    let (amount, what) = if draw.percent(40) {
        (priced(draw, 510, 3900, &currency), "Training day")
    } else {
        (priced(draw, 9, 95, &currency), "SMS credits")
    };
    purchase(tx, customer.text("id"), amount, what);
}

/// Somebody new looks around.
fn visit(tx: &mut Tx<'_>, draw: &mut Draw) -> ApiResult<()> {
    let firm = Firm::draw(draw, tx.all(Kind::Customer).count());
    let wish =
        json!({"name": firm.name, "email": firm.email, "description": format!("Contact: {}", firm.contact)});
    customers::make(tx, &Params::of(wish)).map(drop)
}
