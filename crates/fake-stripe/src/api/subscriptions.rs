//! `/v1/subscriptions`: begin, change, pause, cancel.

use serde_json::{Value, json};

use super::{customers, prices};
use crate::billing::signup::{self, FirstPayment, Signup};
use crate::billing::{collect, prorate, subscription};
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::wire::{Args, Params, Route, list};
use crate::world::{Kind, Tx};

const SHARED: &[&str] = &[
    "add_invoice_items",
    "automatic_tax",
    "billing_cycle_anchor",
    "cancel_at",
    "cancel_at_period_end",
    "cancellation_details",
    "collection_method",
    "currency",
    "customer",
    "days_until_due",
    "default_payment_method",
    "description",
    "items",
    "metadata",
    "off_session",
    "pause_collection",
    "payment_behavior",
    "payment_settings",
    "proration_behavior",
    "proration_date",
    "trial_end",
    "trial_period_days",
    "trial_settings",
    "trial_from_plan",
];

pub const ROUTES: &[Route] = &[
    Route::list(
        "/v1/subscriptions",
        "subscriptions",
        &["collection_method", "customer", "price", "status", "test_clock"],
        all,
    ),
    Route::post("/v1/subscriptions", "subscriptions", &["customer"], SHARED, create),
    Route::get("/v1/subscriptions/{id}", "subscriptions", retrieve),
    Route::post("/v1/subscriptions/{id}", "subscriptions", &[], SHARED, update),
    Route::delete("/v1/subscriptions/{id}", "subscriptions", cancel).with(&[
        "cancellation_details",
        "invoice_now",
        "prorate",
    ]),
    Route::post(
        "/v1/subscriptions/{id}/resume",
        "subscriptions",
        &[],
        &["billing_cycle_anchor", "proration_behavior"],
        resume,
    ),
    Route::list("/v1/subscription_items", "subscriptions", &["subscription"], items),
    Route::get("/v1/subscription_items/{id}", "subscriptions", item),
    Route::post(
        "/v1/subscription_items/{id}",
        "subscriptions",
        &[],
        &["metadata", "price", "proration_behavior", "quantity"],
        update_item,
    ),
];

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let customer = customers::live(tx, params.need("customer")?, "customer")?;
    tx.enter_time_of(&customer);
    let items = priced_items(tx, params)?;
    if items.is_empty() {
        return Err(ApiError::missing("items"));
    }
    if let Some((price, _)) = items.iter().find(|(price, _)| price.text("type") != "recurring") {
        let message = format!("The price specified ({}) is not recurring.", price.text("id"));
        return Err(ApiError::invalid(message).param("items[0][price]"));
    }
    let trial_days = params.int_from("trial_period_days", 0)?.map(|days| tx.now + days * 86_400);
    let trial_end = match params.text("trial_end") {
        Some("now") | None => trial_days,
        Some(_) => params.int("trial_end")?,
    };
    let behaviors =
        ["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"];
    let payment = match params.one_of("payment_behavior", &behaviors)? {
        Some("default_incomplete") => FirstPayment::Leave,
        Some("error_if_incomplete") => FirstPayment::Insist,
        _ => FirstPayment::Try,
    };
    let method = collection_method(params)?.unwrap_or("charge_automatically").to_owned();
    let mut fields = json!({"metadata": {}});
    shape(tx, &mut fields, params, customer.text("id"))?;
    let signup = Signup {
        default_payment_method: fields.maybe_text("default_payment_method").map(str::to_owned),
        customer,
        items,
        trial_end,
        payment,
        days_until_due: params.int("days_until_due")?,
        collection_method: method,
        fields,
    };
    signup::begin(tx, &signup)
}

fn collection_method(params: &Params) -> ApiResult<Option<&str>> {
    let method = params.one_of("collection_method", &["charge_automatically", "send_invoice"])?;
    if method == Some("send_invoice") && params.int("days_until_due")?.is_none() {
        let message = "You must specify `days_until_due` when `collection_method` is `send_invoice`.";
        return Err(ApiError::invalid(message).code("parameter_missing").param("days_until_due"));
    }
    Ok(method)
}

/// Prices with quantities, from `items[]`.
fn priced_items(tx: &mut Tx<'_>, params: &Params) -> ApiResult<Vec<(Value, i64)>> {
    let mut items = Vec::new();
    for part in params.parts("items") {
        let price = price_of(tx, &part)?;
        items.push((price, part.int_from("quantity", 0)?.unwrap_or(1)));
    }
    Ok(items)
}

fn price_of(tx: &mut Tx<'_>, part: &Params) -> ApiResult {
    match (part.text("price"), part.part("price_data")) {
        (Some(id), _) => tx.find_param(Kind::Price, id, &part.named("price")),
        (None, Some(data)) => {
            let product = data.need("product")?.to_owned();
            tx.find_param(Kind::Product, &product, &data.named("product"))?;
            prices::make_price(tx, &data, &product)
        }
        (None, None) => Err(ApiError::missing(&part.named("price"))),
    }
}

/// Fields that are simply set.
fn shape(tx: &Tx<'_>, fields: &mut Value, params: &Params, customer: &str) -> ApiResult<()> {
    params.copy(fields, &["description"]);
    if let Some(value) = params.value("default_payment_method") {
        if let Some(id) = value.as_str() {
            let method = tx.find_param(Kind::PaymentMethod, id, "default_payment_method")?;
            if method.text("customer") != customer {
                let message = "The customer does not have a payment method with that ID.";
                return Err(ApiError::invalid(message)
                    .code("resource_missing")
                    .param("default_payment_method"));
            }
        }
        fields["default_payment_method"] = value;
    }
    if let Some(flag) = params.flag("cancel_at_period_end")? {
        fields["cancel_at_period_end"] = flag.into();
        fields["canceled_at"] = if flag { tx.now.into() } else { Value::Null };
    }
    if params.has("cancel_at") {
        fields["cancel_at"] = params.int("cancel_at")?.into();
        fields["canceled_at"] = if fields["cancel_at"].is_null() { Value::Null } else { tx.now.into() };
    }
    if let Some(details) = params.part("cancellation_details") {
        let mut kept = json!({"comment": null, "feedback": null, "reason": null});
        details.copy(&mut kept, &["comment", "feedback"]);
        fields["cancellation_details"] = kept;
    }
    if let Some(settings) = params.part("trial_settings").and_then(|part| part.part("end_behavior")) {
        let choice = settings.one_of("missing_payment_method", &["cancel", "create_invoice", "pause"])?;
        fields["trial_settings"] = json!({"end_behavior": {"missing_payment_method": choice}});
    }
    match params.part("pause_collection") {
        Some(pause) => {
            let behavior = pause.one_of("behavior", &["keep_as_draft", "mark_uncollectible", "void"])?;
            fields["pause_collection"] =
                json!({"behavior": behavior, "resumes_at": pause.int("resumes_at")?});
        }
        None if params.has("pause_collection") => fields["pause_collection"] = Value::Null,
        None => {}
    }
    params.merge_metadata(fields)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Subscription, args.id())
}

fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let before = tx.find(Kind::Subscription, args.id())?;
    if params.names().any(|name| !matches!(name, "cancellation_details" | "metadata" | "expand")) {
        refuse_ended(&before)?;
    }
    let customer = tx.find(Kind::Customer, before.text("customer"))?;
    tx.enter_time_of(&customer);
    if before.text("status") == "incomplete"
        && params.names().any(|name| !matches!(name, "metadata" | "expand"))
    {
        let message = "A subscription that is incomplete can only have its metadata updated.";
        return Err(ApiError::refused_by_state(message));
    }
    let mut after = before.clone();
    shape(tx, &mut after, params, customer.text("id"))?;
    if let Some(method) = collection_method(params)? {
        after["collection_method"] = method.into();
        after["days_until_due"] = params.int("days_until_due")?.into();
    }
    let now = tx.now;
    let clock = customer.maybe_text("test_clock");
    if params.has("cancel_at") {
        tx.unplan("subscription.cancel_at", args.id());
        if let Some(at) = after.maybe_int("cancel_at") {
            tx.plan(at, "subscription.cancel_at", args.id(), clock);
        }
    }
    if let Some(at) = after.maybe_int("pause_collection.resumes_at") {
        tx.plan(at, "subscription.resume_collection", args.id(), clock);
    }
    tx.put(Kind::Subscription, after.clone());
    change_items(tx, &mut after, params)?;
    if params.has("trial_end") {
        let end = if params.text("trial_end") == Some("now") {
            now
        } else {
            params.int("trial_end")?.unwrap_or(now)
        };
        move_trial(tx, &mut after, end);
    }
    let after = tx.find(Kind::Subscription, args.id())?;
    if before != after {
        tx.emit_update("customer.subscription.updated", &before, &after);
        tx.effect("subscription.update", &after);
    }
    if params.text("proration_behavior") == Some("always_invoice") {
        prorate::invoice_now(tx, &after)?;
    }
    tx.find(Kind::Subscription, args.id())
}

fn refuse_ended(subscription: &Value) -> ApiResult<()> {
    if matches!(subscription.text("status"), "canceled" | "incomplete_expired") {
        let message = "A canceled subscription can only update its cancellation_details and metadata.";
        return Err(ApiError::refused_by_state(message));
    }
    Ok(())
}

fn move_trial(tx: &mut Tx<'_>, subscription: &mut Value, end: i64) {
    let id = subscription.text("id").to_owned();
    subscription["trial_end"] = end.into();
    if end > tx.now {
        subscription["status"] = "trialing".into();
    }
    let mut items = subscription::items(tx, &id);
    for item in &mut items {
        item["current_period_end"] = end.max(tx.now).into();
    }
    subscription::put_items(tx, subscription, &items);
    subscription::plan_renewal(tx, &id);
}

fn change_items(tx: &mut Tx<'_>, subscription: &mut Value, params: &Params) -> ApiResult<()> {
    let changes = params.parts("items");
    if changes.is_empty() {
        return Ok(());
    }
    let prorates = params.text("proration_behavior") != Some("none");
    for part in changes {
        let price =
            if part.has("price") || part.has("price_data") { Some(price_of(tx, &part)?) } else { None };
        let change = prorate::Change {
            item: part.text("id").map(str::to_owned),
            price,
            quantity: part.int_from("quantity", 0)?,
            deleted: part.flag("deleted")?.unwrap_or(false),
        };
        prorate::apply(tx, subscription, &change, prorates)?;
    }
    Ok(())
}

fn cancel(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let kept = tx.find(Kind::Subscription, args.id())?;
    if matches!(kept.text("status"), "canceled" | "incomplete_expired") {
        return Err(ApiError::no_such(Kind::Subscription, args.id()));
    }
    let mut fields = kept;
    let customer = fields.text("customer").to_owned();
    shape(tx, &mut fields, &args.params, &customer)?;
    tx.put(Kind::Subscription, fields);
    subscription::cancel(tx, args.id(), "cancellation_requested");
    tx.find(Kind::Subscription, args.id())
}

fn resume(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let kept = tx.find(Kind::Subscription, args.id())?;
    if kept.text("status") != "paused" {
        return Err(ApiError::refused_by_state("Only a paused subscription can be resumed."));
    }
    let invoice = json!({"parent": {"subscription_details": {"subscription": args.id()}}, "customer": kept["customer"]});
    collect::method(tx, &invoice).ok_or_else(collect::no_method)?;
    subscription::resume(tx, args.id());
    tx.find(Kind::Subscription, args.id())
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let statuses = [
        "active",
        "all",
        "canceled",
        "ended",
        "incomplete",
        "incomplete_expired",
        "past_due",
        "paused",
        "trialing",
        "unpaid",
    ];
    let wanted = params.one_of("status", &statuses)?;
    let keep = |subscription: &Value| {
        let status = subscription.text("status");
        let fits = match wanted {
            None => status != "canceled",
            Some("all") => true,
            Some("ended") => matches!(status, "canceled" | "incomplete_expired"),
            Some(wanted) => status == wanted,
        };
        fits && params.text("price").is_none_or(|price| {
            subscription.elements("items").iter().any(|item| item.text("price.id") == price)
        }) && ["collection_method", "test_clock"]
            .iter()
            .all(|field| params.text(field).is_none_or(|wanted| subscription.text(field) == wanted))
    };
    list::page(tx, Kind::Subscription, "/v1/subscriptions", params, params.text("customer"), keep)
}

fn items(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let subscription = args.params.need("subscription")?;
    let url = "/v1/subscription_items";
    list::page(tx, Kind::SubscriptionItem, url, &args.params, Some(subscription), |_| true)
}

fn item(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::SubscriptionItem, args.id())
}

fn update_item(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let item = tx.find(Kind::SubscriptionItem, args.id())?;
    let before = tx.find(Kind::Subscription, item.text("subscription"))?;
    refuse_ended(&before)?;
    let mut after = before.clone();
    let price = if args.params.has("price") { Some(price_of(tx, &args.params)?) } else { None };
    let change = prorate::Change {
        item: Some(args.id().to_owned()),
        price,
        quantity: args.params.int_from("quantity", 0)?,
        deleted: false,
    };
    prorate::apply(tx, &mut after, &change, args.params.text("proration_behavior") != Some("none"))?;
    tx.emit_update("customer.subscription.updated", &before, &after);
    tx.find(Kind::SubscriptionItem, args.id())
}
