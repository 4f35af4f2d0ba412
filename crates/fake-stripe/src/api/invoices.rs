//! `/v1/invoices`, `/v1/invoiceitems`, `/v1/invoice_payments`: bills and what pays them.

use serde_json::{Value, json};

use super::{customers, payment_intents, payment_methods};
use crate::billing::collect::{self, Asked};
use crate::billing::invoice::{self, NewInvoice};
use crate::billing::items::{self, NewItem};
use crate::billing::lines;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::amount::{self, Use};
use crate::payments::charge::Presence;
use crate::wire::{Args, Params, Route, list};
use crate::world::{Kind, Tx};

const DRAFT: &[&str] = &[
    "auto_advance",
    "collection_method",
    "currency",
    "customer",
    "days_until_due",
    "default_payment_method",
    "description",
    "due_date",
    "footer",
    "metadata",
    "pending_invoice_items_behavior",
    "statement_descriptor",
    "subscription",
];

pub const ROUTES: &[Route] = &[
    Route::list(
        "/v1/invoices",
        "invoices",
        &["collection_method", "customer", "due_date", "status", "subscription"],
        all,
    ),
    Route::post("/v1/invoices", "invoices", &["customer"], DRAFT, create),
    Route::get("/v1/invoices/{id}", "invoices", retrieve),
    Route::post("/v1/invoices/{id}", "invoices", &[], DRAFT, update),
    Route::delete("/v1/invoices/{id}", "invoices", delete),
    Route::list("/v1/invoices/{id}/lines", "invoices", &[], invoice_lines),
    Route::post("/v1/invoices/{id}/finalize", "invoices", &[], &["auto_advance"], finalize),
    Route::post(
        "/v1/invoices/{id}/pay",
        "invoices",
        &[],
        &["forgive", "mandate", "off_session", "paid_out_of_band", "payment_method", "source"],
        pay,
    ),
    Route::post("/v1/invoices/{id}/void", "invoices", &[], &[], void),
    Route::post("/v1/invoices/{id}/mark_uncollectible", "invoices", &[], &[], uncollectible),
    Route::post("/v1/invoices/{id}/send", "invoices", &[], &[], send),
    Route::list("/v1/invoiceitems", "invoices", &["customer", "invoice", "pending"], all_items),
    Route::post(
        "/v1/invoiceitems",
        "invoices",
        &["customer"],
        &[
            "amount",
            "currency",
            "description",
            "invoice",
            "metadata",
            "period",
            "price",
            "pricing",
            "quantity",
            "subscription",
        ],
        create_item,
    ),
    Route::get("/v1/invoiceitems/{id}", "invoices", item),
    Route::delete("/v1/invoiceitems/{id}", "invoices", delete_item),
    Route::list("/v1/invoice_payments", "invoices", &["invoice", "payment", "status"], payments),
    Route::get("/v1/invoice_payments/{id}", "invoices", payment),
];

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let customer = customers::live(tx, params.need("customer")?, "customer")?;
    tx.enter_time_of(&customer);
    let currency = if params.has("currency") {
        payment_intents::currency(params)?
    } else {
        customer.maybe_text("currency").unwrap_or("usd").to_owned()
    };
    let method = params.one_of("collection_method", &["charge_automatically", "send_invoice"])?;
    let days = params.int("days_until_due")?;
    if method == Some("send_invoice") && days.is_none() && params.int("due_date")?.is_none() {
        let message = "If invoice is being sent, you must specify `days_until_due` or `due_date`.";
        return Err(ApiError::invalid(message).param("days_until_due"));
    }
    let subscription = match params.text("subscription") {
        Some(id) => Some(tx.find_param(Kind::Subscription, id, "subscription")?),
        None => None,
    };
    let takes_waiting = match params.one_of("pending_invoice_items_behavior", &["exclude", "include"])? {
        Some(behavior) => behavior == "include",
        None => subscription.is_some(),
    };
    let auto_advance = params.flag("auto_advance")?.unwrap_or(false);
    let new = NewInvoice {
        customer: &customer,
        currency: &currency,
        reason: "manual",
        subscription: subscription.as_ref(),
        period: (tx.now, tx.now),
        auto_advance,
        collection_method: method.unwrap_or("charge_automatically"),
        days_until_due: days,
    };
    let mut invoice = invoice::draft(tx, &new, Vec::new(), takes_waiting);
    shape(tx, &mut invoice, params)?;
    tx.put(Kind::Invoice, invoice.clone());
    if auto_advance {
        let due = tx.now + invoice::DRAFT_S;
        tx.plan(due, "invoice.finalize", invoice.text("id"), customer.maybe_text("test_clock"));
    }
    Ok(invoice)
}

fn shape(tx: &Tx<'_>, invoice: &mut Value, params: &Params) -> ApiResult<()> {
    params.copy(invoice, &["description", "footer", "statement_descriptor"]);
    if let Some(method) = params.text("default_payment_method") {
        tx.find_param(Kind::PaymentMethod, method, "default_payment_method")?;
        invoice["default_payment_method"] = method.into();
    }
    if let Some(due) = params.int("due_date")? {
        invoice["due_date"] = due.into();
    }
    params.merge_metadata(invoice)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Invoice, args.id())
}

fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut invoice = tx.find(Kind::Invoice, args.id())?;
    let open_fields =
        ["auto_advance", "default_payment_method", "description", "footer", "metadata", "expand"];
    let draft_only = args.params.names().find(|name| !open_fields.contains(name));
    if let (Some(field), true) = (draft_only, invoice.text("status") != "draft") {
        let message = format!("Finalized invoices can't be updated in this way ({field}).");
        return Err(ApiError::refused_by_state(message).code("invoice_not_editable").param(field));
    }
    shape(tx, &mut invoice, &args.params)?;
    if let Some(advance) = args.params.flag("auto_advance")? {
        invoice["auto_advance"] = advance.into();
        tx.unplan("invoice.finalize", args.id());
        if advance && invoice.text("status") == "draft" {
            let due = tx.now + invoice::DRAFT_S;
            invoice["automatically_finalizes_at"] = due.into();
            tx.plan(due, "invoice.finalize", args.id(), invoice.maybe_text("test_clock"));
        }
        if !advance {
            tx.unplan("invoice.retry", args.id());
            invoice["next_payment_attempt"] = Value::Null;
        }
    }
    Ok(tx.change_and_tell(Kind::Invoice, args.id(), "invoice.updated", |kept| *kept = invoice))
}

fn delete(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let invoice = tx.find(Kind::Invoice, args.id())?;
    if invoice.text("status") != "draft" {
        let message =
            "You can only delete draft invoices. To cancel an invoice that is no longer a draft, void it.";
        return Err(ApiError::refused_by_state(message).code("invoice_not_editable"));
    }
    tx.unplan("invoice.finalize", args.id());
    tx.remove(Kind::Invoice, args.id());
    tx.emit("invoice.deleted", &invoice);
    Ok(json!({"id": args.id(), "object": "invoice", "deleted": true}))
}

/// Lines read in the order of the invoice; the cursor names the line before the page.
fn invoice_lines(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let invoice = tx.find(Kind::Invoice, args.id())?;
    let lines = invoice.elements("lines");
    let count = u64::try_from(lines.len()).unwrap_or_default();
    let place = |id: &str| lines.iter().position(|line| line.text("id") == id);
    let cut = list::Cut::read(&args.params, |id| {
        let place = place(id).and_then(|place| u64::try_from(place).ok());
        let missing = || ApiError::invalid(format!("No such line item: '{id}'")).code("resource_missing");
        place.map(|place| count - place).ok_or_else(missing)
    })?;
    // Counted from the end, the first line stands highest and so counts as the newest.
    let placed: Vec<(u64, &Value)> = (1..=count).zip(lines.iter().rev()).collect();
    let spanned = placed.into_iter().filter(|(place, _)| cut.spans(*place));
    let page = cut.take(spanned.map(|(_, line)| line.clone()));
    Ok(cut.list(&format!("/v1/invoices/{}/lines", args.id()), page))
}

fn finalize(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    if let Some(advance) = args.params.flag("auto_advance")? {
        tx.change(Kind::Invoice, args.id(), |invoice| invoice["auto_advance"] = advance.into());
    }
    let finalized = invoice::finalize(tx, args.id())?;
    // Whoever finalises it, an invoice that advances by itself is collected by Stripe.
    if finalized.text("status") == "open"
        && finalized.flag("auto_advance")
        && finalized.text("collection_method") == "charge_automatically"
    {
        collect::first(tx, args.id());
    }
    tx.find(Kind::Invoice, args.id())
}

fn pay(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let method = match params.text("payment_method").or_else(|| params.text("source")) {
        Some(id) => Some(payment_methods::named(tx, id, "payment_method")?),
        None => None,
    };
    let present = params.flag("off_session")? == Some(false);
    let asked = Asked {
        method,
        presence: if present { Presence::OnSession } else { Presence::OffSession },
        out_of_band: params.flag("paid_out_of_band")?.unwrap_or(false),
    };
    collect::pay(tx, args.id(), &asked)
}

fn void(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    invoice::void(tx, args.id())
}

fn uncollectible(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    invoice::mark_uncollectible(tx, args.id(), "user_forgiven")
}

fn send(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut invoice = tx.find(Kind::Invoice, args.id())?;
    if invoice.text("status") == "draft" {
        invoice = invoice::finalize(tx, args.id())?;
    }
    tx.emit("invoice.sent", &invoice);
    tx.effect("invoice.send", &invoice);
    Ok(invoice)
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let status = params.one_of("status", &["draft", "open", "paid", "uncollectible", "void"])?;
    let due = params.range("due_date")?;
    let keep = |invoice: &Value| {
        status.is_none_or(|status| invoice.text("status") == status)
            && params
                .text("collection_method")
                .is_none_or(|method| invoice.text("collection_method") == method)
            && params
                .text("subscription")
                .is_none_or(|subscription| invoice::subscription_id(invoice) == Some(subscription))
            && (!params.has("due_date") || due.holds(invoice.int("due_date")))
    };
    list::page(tx, Kind::Invoice, "/v1/invoices", params, params.text("customer"), keep)
}

fn create_item(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let customer = customers::live(tx, params.need("customer")?, "customer")?;
    tx.enter_time_of(&customer);
    let price = params.part("pricing").and_then(|part| part.text("price").map(str::to_owned));
    let price = price.or_else(|| params.text("price").map(str::to_owned));
    let price = price.map(|id| tx.find_param(Kind::Price, &id, "pricing[price]")).transpose()?;
    let quantity = params.int_from("quantity", 0)?.unwrap_or(1);
    let priced = price.as_ref().map(|price| price.int("unit_amount") * quantity);
    let amount = params.int("amount")?.or(priced).ok_or_else(|| ApiError::missing("amount"))?;
    let currency = match (&price, params.has("currency")) {
        (Some(price), _) => price.text("currency").to_owned(),
        (None, true) => payment_intents::currency(params)?,
        (None, false) => customer.maybe_text("currency").unwrap_or("usd").to_owned(),
    };
    let param = if params.has("amount") { "amount" } else { "pricing[price]" };
    amount::legal(amount, &currency, Use::Charge, param)?;
    let new = NewItem {
        customer: customer.text("id"),
        amount,
        currency: &currency,
        description: params.text("description"),
        quantity,
        subscription: params.text("subscription"),
        price: price.as_ref(),
        period: (tx.now, tx.now),
        proration: false,
    };
    let mut item = items::make(tx, &new);
    params.merge_metadata(&mut item)?;
    tx.put(Kind::InvoiceItem, item.clone());
    if let Some(id) = params.text("invoice") {
        add_to_draft(tx, &item, id)?;
    }
    tx.find(Kind::InvoiceItem, item.text("id"))
}

fn add_to_draft(tx: &mut Tx<'_>, item: &Value, invoice: &str) -> ApiResult<()> {
    let mut draft = tx.find_param(Kind::Invoice, invoice, "invoice")?;
    if draft.text("status") != "draft" {
        let message = "This invoice is no longer editable.";
        return Err(ApiError::refused_by_state(message).code("invoice_not_editable").param("invoice"));
    }
    items::bill(tx, item.text("id"), invoice);
    let mut all = draft.elements("lines").to_vec();
    all.push(lines::of_invoice_item(tx, item));
    lines::set(&mut draft, all);
    tx.change_and_tell(Kind::Invoice, invoice, "invoice.updated", |kept| *kept = draft);
    Ok(())
}

fn item(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::InvoiceItem, args.id())
}

fn delete_item(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let item = tx.find(Kind::InvoiceItem, args.id())?;
    if item["invoice"].is_string() {
        let message = "This invoice item is on an invoice and can no longer be deleted.";
        return Err(ApiError::refused_by_state(message).code("invoice_not_editable"));
    }
    tx.remove(Kind::InvoiceItem, args.id());
    tx.emit("invoiceitem.deleted", &item);
    Ok(json!({"id": args.id(), "object": "invoiceitem", "deleted": true}))
}

fn all_items(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let pending = params.flag("pending")?;
    let keep = |item: &Value| {
        params.text("invoice").is_none_or(|invoice| item.text("invoice") == invoice)
            && pending.is_none_or(|pending| item["invoice"].is_null() == pending)
    };
    list::page(tx, Kind::InvoiceItem, "/v1/invoiceitems", params, params.text("customer"), keep)
}

fn payments(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let status = params.one_of("status", &["canceled", "open", "paid"])?;
    let by = params.part("payment");
    let intent = by.as_ref().and_then(|part| part.text("payment_intent"));
    let keep = |payment: &Value| {
        status.is_none_or(|status| payment.text("status") == status)
            && intent.is_none_or(|intent| payment.text("payment.payment_intent") == intent)
            && by
                .as_ref()
                .and_then(|part| part.text("type"))
                .is_none_or(|kind| payment.text("payment.type") == kind)
    };
    list::page(tx, Kind::InvoicePayment, "/v1/invoice_payments", params, params.text("invoice"), keep)
}

fn payment(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::InvoicePayment, args.id())
}
