//! `/v1/credit_notes`: taking back part of an invoice that stands.

use serde_json::{Value, json};

use super::customers::move_balance;
use crate::billing::{collect, lines};
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::amount::{self, Use};
use crate::payments::refund::{self, Wish};
use crate::wire::{Args, Params, Route, list};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::list("/v1/credit_notes", "credit_notes", &["customer", "invoice"], all),
    Route::post(
        "/v1/credit_notes",
        "credit_notes",
        &["invoice"],
        &[
            "amount",
            "credit_amount",
            "email_type",
            "memo",
            "metadata",
            "out_of_band_amount",
            "reason",
            "refund_amount",
        ],
        create,
    ),
    Route::get("/v1/credit_notes/{id}", "credit_notes", retrieve),
    Route::post("/v1/credit_notes/{id}", "credit_notes", &[], &["memo", "metadata"], update),
    Route::post("/v1/credit_notes/{id}/void", "credit_notes", &[], &[], void),
];

const REASONS: [&str; 4] = ["duplicate", "fraudulent", "order_change", "product_unsatisfactory"];

/// How a credit after payment is given back.
#[derive(Debug)]
struct Split {
    refund: i64,
    credit: i64,
    out_of_band: i64,
}

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let invoice = tx.find_param(Kind::Invoice, params.need("invoice")?, "invoice")?;
    let reason = params.one_of("reason", &REASONS)?.map(str::to_owned);
    let paid = match invoice.text("status") {
        "paid" => true,
        "open" | "uncollectible" => false,
        status => {
            let message = format!("A credit note needs a finalized invoice; this one is {status}.");
            return Err(ApiError::refused_by_state(message).param("invoice"));
        }
    };
    let part = |name: &str| -> ApiResult<i64> {
        let part = params.int_from(name, 0)?.unwrap_or(0);
        amount::legal(part, invoice.text("currency"), Use::Charge, name)?;
        Ok(part)
    };
    let split = Split {
        refund: part("refund_amount")?,
        credit: part("credit_amount")?,
        out_of_band: part("out_of_band_amount")?,
    };
    let parts = split.refund + split.credit + split.out_of_band;
    let amount = params.int_from("amount", 1)?.or((parts > 0).then_some(parts));
    let amount = amount.ok_or_else(|| ApiError::missing("amount"))?;
    amount::legal(amount, invoice.text("currency"), Use::Charge, "amount")?;
    let left = if paid { invoice.int("amount_paid") } else { invoice.int("amount_remaining") }
        - credited(tx, &invoice, paid);
    if amount > left {
        let message =
            format!("The credit note ({amount}) is more than what is left of the invoice ({left}).");
        return Err(ApiError::refused_by_state(message).param("amount"));
    }
    // Before payment there is nothing to give back: the credit only lowers what is due.
    if parts != if paid { amount } else { 0 } {
        let message = "The sum of credit amount, refund amount and out of band amount must equal the post payment amount.";
        return Err(ApiError::invalid(message).param("amount"));
    }
    let id = tx.id(Kind::CreditNote);
    let refunds = give_back(tx, &invoice, &split)?;
    let balance = credit(tx, &invoice, &split, &id);
    lower(tx, &invoice, amount, paid);
    write(tx, params, &invoice, &Entry { id, amount, reason, paid, split, refunds, balance })
}

/// What was already credited after payment; before payment the remaining amount tells.
fn credited(tx: &Tx<'_>, invoice: &Value, paid: bool) -> i64 {
    let notes = tx.owned_by(Kind::CreditNote, invoice.text("id"));
    let stands = notes.filter(|note| note.text("status") == "issued" && note.int("post_payment_amount") > 0);
    if paid { stands.map(|note| note.int("amount")).sum() } else { 0 }
}

fn give_back(tx: &mut Tx<'_>, invoice: &Value, split: &Split) -> ApiResult<Vec<Value>> {
    if split.refund == 0 {
        return Ok(Vec::new());
    }
    let intent = collect::default_intent(tx, invoice.text("id")).unwrap_or_default();
    let charge = tx.get(Kind::Charge, intent.text("latest_charge")).cloned().ok_or_else(|| {
        ApiError::refused_by_state("This invoice has no charge to refund.").param("refund_amount")
    })?;
    let wish = Wish { amount: Some(split.refund), ..Wish::default() };
    let refund = refund::make(tx, &charge, &wish)?;
    Ok(vec![json!({"amount_refunded": split.refund, "payment_record_refund": null,
        "refund": refund["id"], "type": "refund"})])
}

/// Adds the credited part to the customer's balance and gives the entry's id, or null.
fn credit(tx: &mut Tx<'_>, invoice: &Value, split: &Split, note: &str) -> Value {
    if split.credit == 0 {
        return Value::Null;
    }
    let (customer, currency) = (invoice.text("customer"), invoice.text("currency"));
    let invoice = Some(invoice.text("id"));
    let mut entry = move_balance(tx, customer, -split.credit, currency, "credit_note", invoice);
    entry["credit_note"] = note.into();
    let id = entry["id"].clone();
    tx.put(Kind::CustomerBalanceTransaction, entry);
    id
}

/// The invoice notes the credit; before payment less of it remains to be paid.
fn lower(tx: &mut Tx<'_>, invoice: &Value, amount: i64, paid: bool) {
    let field = if paid { "post_payment_credit_notes_amount" } else { "pre_payment_credit_notes_amount" };
    let after = tx.change_and_tell(Kind::Invoice, invoice.text("id"), "invoice.updated", |invoice| {
        invoice[field] = (invoice.int(field) + amount).into();
        if !paid {
            lines::add_up(invoice);
        }
    });
    if !paid {
        collect::ask_for_remaining(tx, &after);
    }
}

struct Entry {
    id: String,
    amount: i64,
    reason: Option<String>,
    paid: bool,
    split: Split,
    refunds: Vec<Value>,
    /// The entry on the customer's balance, or null.
    balance: Value,
}

fn write(tx: &mut Tx<'_>, params: &Params, invoice: &Value, entry: &Entry) -> ApiResult {
    let id = entry.id.as_str();
    let number = tx.owned_by(Kind::CreditNote, invoice.text("id")).count() + 1;
    let amount = entry.amount;
    let mut note = json!({
        "id": id, "object": "credit_note", "amount": amount, "amount_shipping": 0, "created": tx.now,
        "currency": invoice["currency"], "customer": invoice["customer"], "customer_account": null,
        "customer_balance_transaction": entry.balance, "discount_amount": 0, "discount_amounts": [], "effective_at": tx.now,
        "invoice": invoice["id"],
        "lines": crate::doc::list(&format!("/v1/credit_notes/{id}/lines"), Vec::<Value>::new()),
        "livemode": tx.livemode(), "memo": null, "metadata": {},
        "number": format!("{}-CN-{number:02}", invoice.text("number")),
        "out_of_band_amount": if entry.split.out_of_band > 0 { json!(entry.split.out_of_band) } else { Value::Null },
        "pdf": format!("https://pay.stripe.com/credit_notes/{id}/pdf"),
        "post_payment_amount": if entry.paid { amount } else { 0 },
        "pre_payment_amount": if entry.paid { 0 } else { amount },
        "pretax_credit_amounts": [], "reason": entry.reason, "refunds": entry.refunds, "shipping_cost": null,
        "status": "issued", "subtotal": amount, "subtotal_excluding_tax": amount, "total": amount,
        "total_excluding_tax": amount, "total_taxes": [],
        "type": if entry.paid { "post_payment" } else { "pre_payment" }, "voided_at": null,
    });
    params.copy(&mut note, &["memo"]);
    params.merge_metadata(&mut note)?;
    tx.put(Kind::CreditNote, note.clone());
    tx.emit("credit_note.created", &note);
    tx.effect("credit_note.create", &note);
    Ok(note)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::CreditNote, args.id())
}

fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut note = tx.find(Kind::CreditNote, args.id())?;
    args.params.copy(&mut note, &["memo"]);
    args.params.merge_metadata(&mut note)?;
    Ok(tx.change_and_tell(Kind::CreditNote, args.id(), "credit_note.updated", |kept| *kept = note))
}

fn void(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let note = tx.find(Kind::CreditNote, args.id())?;
    let invoice = tx.find(Kind::Invoice, note.text("invoice"))?;
    if note.text("status") == "void"
        || note.int("post_payment_amount") > 0
        || invoice.text("status") != "open"
    {
        let message = "Only a credit note on an open invoice can be voided.";
        return Err(ApiError::refused_by_state(message));
    }
    let amount = note.int("amount");
    let invoice = tx.change_and_tell(Kind::Invoice, invoice.text("id"), "invoice.updated", |invoice| {
        let field = "pre_payment_credit_notes_amount";
        invoice[field] = (invoice.int(field) - amount).into();
        lines::add_up(invoice);
    });
    collect::ask_for_remaining(tx, &invoice);
    let now = tx.now;
    let note = tx.change_and_tell(Kind::CreditNote, args.id(), "credit_note.voided", |note| {
        note["status"] = "void".into();
        note["voided_at"] = now.into();
    });
    tx.effect("credit_note.void", &note);
    Ok(note)
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let keep =
        |note: &Value| params.text("customer").is_none_or(|customer| note.text("customer") == customer);
    list::page(tx, Kind::CreditNote, "/v1/credit_notes", params, params.text("invoice"), keep)
}
