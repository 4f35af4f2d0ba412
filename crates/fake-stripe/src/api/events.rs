//! `/v1/events`: what happened in the last thirty days.

use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::wire::list::Cut;
use crate::wire::{Args, Route};
use crate::world::{EventRow, Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::list("/v1/events", "events", &["delivery_success", "type", "types"], all),
    Route::get("/v1/events/{id}", "events", retrieve),
];

/// How long an event can be retrieved, in seconds.
pub const KEPT_S: i64 = 30 * 86_400;

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let wanted: Vec<&str> = params.text("type").into_iter().chain(params.texts("types")).collect();
    let delivered = params.flag("delivery_success")?;
    let created = params.range("created")?;
    let Some(lane) = tx.world.lane(&tx.account) else {
        return Err(ApiError::no_such(Kind::Account, &tx.account));
    };
    let cut = Cut::read(params, |id| {
        lane.events.position(id).ok_or_else(|| ApiError::no_such_param(Kind::Event, id, "starting_after"))
    })?;
    let oldest = tx.now - KEPT_S;
    let keep = |row: &EventRow| {
        row.created >= oldest
            && (wanted.is_empty() || wanted.iter().any(|pattern| matches(pattern, &row.kind)))
            && created.holds(row.created)
            && delivered.is_none_or(|delivered| delivered == (waiting(tx, &row.id) == 0))
    };
    let rows = lane.events.rows().filter(|(position, row)| cut.spans(*position) && keep(row));
    let found = cut.take(rows.map(|(_, row)| show(tx, row)));
    Ok(cut.list("/v1/events", found))
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let lane = tx.world.lane(&tx.account);
    let row = lane.and_then(|lane| lane.events.get(args.id())).filter(|row| row.created >= tx.now - KEPT_S);
    row.map(|row| show(tx, row)).ok_or_else(|| ApiError::no_such(Kind::Event, args.id()))
}

/// The event as it now reads: only the count of waiting webhooks moves.
pub fn show(tx: &Tx<'_>, row: &EventRow) -> Value {
    let mut event = row.document();
    event["pending_webhooks"] = waiting(tx, &row.id).into();
    event
}

fn waiting(tx: &Tx<'_>, event: &str) -> usize {
    let deliveries = tx.world.table(&tx.world.platform, Kind::Delivery);
    deliveries.map_or(0, |table| table.owned_by(event).count())
}

/// Whether an event type fits a name, a `prefix.*`, or `*`.
pub fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => pattern == kind,
    }
}

/// Where objects of this kind are read.
pub fn path_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "account" => "/v1/accounts",
        "charge" => "/v1/charges",
        "credit_note" => "/v1/credit_notes",
        "customer" => "/v1/customers",
        "dispute" => "/v1/disputes",
        "invoice" => "/v1/invoices",
        "invoice_payment" => "/v1/invoice_payments",
        "invoiceitem" => "/v1/invoiceitems",
        "payment_intent" => "/v1/payment_intents",
        "payment_method" => "/v1/payment_methods",
        "payout" => "/v1/payouts",
        "price" => "/v1/prices",
        "product" => "/v1/products",
        "radar.early_fraud_warning" => "/v1/radar/early_fraud_warnings",
        "refund" => "/v1/refunds",
        "subscription" => "/v1/subscriptions",
        "test_helpers.test_clock" => "/v1/test_helpers/test_clocks",
        _ => return None,
    })
}
