//! `/v1/customers`: customers, their payment methods and their credit balance.

use serde_json::{Value, json};

use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::wire::{Args, Params, Route, list};
use crate::world::{Kind, Tx};

const FIELDS: &[&str] = &[
    "address",
    "balance",
    "description",
    "email",
    "invoice_prefix",
    "invoice_settings",
    "metadata",
    "name",
    "payment_method",
    "phone",
    "preferred_locales",
    "shipping",
    "source",
    "tax_exempt",
    "test_clock",
];

pub const ROUTES: &[Route] = &[
    Route::list("/v1/customers", "customers", &["email", "test_clock"], all),
    Route::post("/v1/customers", "customers", &[], FIELDS, create),
    Route::get("/v1/customers/{id}", "customers", retrieve),
    Route::post("/v1/customers/{id}", "customers", &[], FIELDS, update),
    Route::delete("/v1/customers/{id}", "customers", delete),
    Route::list("/v1/customers/{id}/payment_methods", "customers", &["type"], payment_methods),
    Route::get("/v1/customers/{id}/payment_methods/{id}", "customers", payment_method),
    Route::list("/v1/customers/{id}/balance_transactions", "customers", &[], balance_transactions),
    Route::post(
        "/v1/customers/{id}/balance_transactions",
        "customers",
        &["amount", "currency"],
        &["description", "metadata"],
        adjust_balance,
    ),
    Route::get("/v1/customers/{id}/balance_transactions/{id}", "customers", balance_transaction),
];

/// A customer with nothing set.
pub fn document(tx: &mut Tx<'_>) -> Value {
    let id = tx.id(Kind::Customer);
    let prefix = tx.world.ids.text(8).to_uppercase();
    json!({
        "id": id, "object": "customer", "address": null, "balance": 0, "business_name": null, "created": tx.now,
        "currency": null, "customer_account": null, "default_source": null, "delinquent": false, "description": null,
        "discount": null, "email": null, "individual_name": null, "invoice_prefix": prefix,
        "invoice_settings": {"custom_fields": null, "default_payment_method": null, "footer": null,
            "rendering_options": null},
        "livemode": tx.livemode(), "metadata": {}, "name": null, "next_invoice_sequence": 1, "phone": null,
        "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
    })
}

/// Makes a customer from parameters.
pub fn make(tx: &mut Tx<'_>, params: &Params) -> ApiResult {
    if let Some(clock) = params.text("test_clock") {
        tx.find_param(Kind::TestClock, clock, "test_clock")?;
        tx.enter_time_of(&json!({"test_clock": clock}));
    }
    let mut customer = document(tx);
    params.copy(&mut customer, &["test_clock"]);
    let id = customer.text("id").to_owned();
    let method = params.text("payment_method").or_else(|| params.text("source")).map(str::to_owned);
    tx.put(Kind::Customer, customer.clone());
    apply(tx, &mut customer, params)?;
    tx.put(Kind::Customer, customer);
    if let Some(method) = method {
        super::payment_methods::attach_to(tx, &method, &id)?;
    }
    let customer = tx.find(Kind::Customer, &id)?;
    tx.emit("customer.created", &customer);
    Ok(customer)
}

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    make(tx, &args.params)
}

fn apply(tx: &Tx<'_>, customer: &mut Value, params: &Params) -> ApiResult<()> {
    params.copy(customer, &["address", "description", "email", "name", "phone", "shipping", "tax_exempt"]);
    if params.has("preferred_locales") {
        customer["preferred_locales"] = params.texts("preferred_locales").into();
    }
    if let Some(balance) = params.int("balance")? {
        customer["balance"] = balance.into();
    }
    if let Some(settings) = params.part("invoice_settings") {
        settings.copy(&mut customer["invoice_settings"], &["footer"]);
        if let Some(method) = settings.value("default_payment_method") {
            if let Some(id) = method.as_str() {
                let kept =
                    tx.find_param(Kind::PaymentMethod, id, "invoice_settings[default_payment_method]")?;
                if kept.text("customer") != customer.text("id") {
                    let message = "The customer does not have a payment method with that ID.";
                    return Err(ApiError::invalid(message)
                        .code("resource_missing")
                        .param("invoice_settings[default_payment_method]"));
                }
            }
            customer["invoice_settings"]["default_payment_method"] = method;
        }
    }
    params.merge_metadata(customer)
}

/// A customer that is still there.
pub fn live(tx: &Tx<'_>, id: &str, param: &str) -> ApiResult {
    let customer = tx.find_param(Kind::Customer, id, param)?;
    if customer.flag("deleted") {
        return Err(ApiError::no_such_param(Kind::Customer, id, param));
    }
    Ok(customer)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Customer, args.id())
}

fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut customer = tx.find(Kind::Customer, args.id())?;
    if customer.flag("deleted") {
        return Err(ApiError::no_such(Kind::Customer, args.id()));
    }
    apply(tx, &mut customer, &args.params)?;
    Ok(tx.change_and_tell(Kind::Customer, args.id(), "customer.updated", |kept| *kept = customer))
}

fn delete(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let customer = tx.find(Kind::Customer, args.id())?;
    let live: Vec<String> = tx
        .owned_by(Kind::Subscription, args.id())
        .filter(|subscription| !matches!(subscription.text("status"), "canceled" | "incomplete_expired"))
        .map(|subscription| subscription.text("id").to_owned())
        .collect();
    for id in live {
        crate::billing::subscription::cancel(tx, &id, "cancellation_requested");
    }
    let stub =
        json!({"id": args.id(), "object": "customer", "deleted": true, "created": customer["created"]});
    tx.put(Kind::Customer, stub);
    tx.emit("customer.deleted", &customer);
    tx.effect("customer.delete", &customer);
    Ok(json!({"id": args.id(), "object": "customer", "deleted": true}))
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let keep = |customer: &Value| {
        !customer.flag("deleted")
            && params.text("email").is_none_or(|email| customer.text("email") == email)
            && params.text("test_clock").is_none_or(|clock| customer.text("test_clock") == clock)
    };
    list::page(tx, Kind::Customer, "/v1/customers", params, None, keep)
}

fn payment_methods(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Customer, args.id())?;
    let url = format!("/v1/customers/{}/payment_methods", args.id());
    let wanted = args.params.text("type");
    let keep = |method: &Value| wanted.is_none_or(|wanted| method.text("type") == wanted);
    list::page(tx, Kind::PaymentMethod, &url, &args.params, Some(args.id()), keep)
}

fn payment_method(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let wanted = args.ids.get(1).map_or("", String::as_str);
    let method = tx.find(Kind::PaymentMethod, wanted)?;
    if method.text("customer") == args.id() {
        return Ok(method);
    }
    Err(ApiError::no_such(Kind::PaymentMethod, wanted))
}

fn balance_transactions(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Customer, args.id())?;
    let url = format!("/v1/customers/{}/balance_transactions", args.id());
    list::page(tx, Kind::CustomerBalanceTransaction, &url, &args.params, Some(args.id()), |_| true)
}

fn balance_transaction(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let wanted = args.ids.get(1).map_or("", String::as_str);
    let found = tx.find(Kind::CustomerBalanceTransaction, wanted)?;
    if found.text("customer") == args.id() {
        return Ok(found);
    }
    Err(ApiError::no_such(Kind::CustomerBalanceTransaction, wanted))
}

fn adjust_balance(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    live(tx, args.id(), "customer")?;
    let amount = params.int("amount")?.ok_or_else(|| ApiError::missing("amount"))?;
    let currency = params.need("currency")?.to_owned();
    let mut entry = move_balance(tx, args.id(), amount, &currency, "adjustment", None);
    params.copy(&mut entry, &["description"]);
    params.merge_metadata(&mut entry)?;
    tx.put(Kind::CustomerBalanceTransaction, entry.clone());
    tx.effect("customer_balance.adjust", &entry);
    Ok(entry)
}

/// Adds to what a customer owes (or, below zero, is owed) and gives the entry.
pub fn move_balance(
    tx: &mut Tx<'_>,
    customer: &str,
    amount: i64,
    currency: &str,
    kind: &str,
    invoice: Option<&str>,
) -> Value {
    let id = tx.id(Kind::CustomerBalanceTransaction);
    let after = tx.change_and_tell(Kind::Customer, customer, "customer.updated", |customer| {
        customer["balance"] = (customer.int("balance") + amount).into();
        if customer["currency"].is_null() {
            customer["currency"] = currency.into();
        }
    });
    let entry = json!({
        "id": id, "object": "customer_balance_transaction", "amount": amount, "checkout_session": null,
        "created": tx.now, "credit_note": null, "currency": currency, "customer": customer,
        "customer_account": null, "description": null, "ending_balance": after.int("balance"), "invoice": invoice,
        "livemode": tx.livemode(), "metadata": {}, "type": kind,
    });
    tx.put(Kind::CustomerBalanceTransaction, entry.clone());
    entry
}
