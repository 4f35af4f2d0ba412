//! What a case is about, in money: read from the mirror alone, so that looking at a case costs Stripe nothing. Whoever
//! acts on it reads Stripe again first.

use bursar_store::cases::Case;
use bursar_store::objects;
use bursar_store::seal::Keyring;
use bursar_store::{Db, Result};
use bursar_stripe::money::Money;
use bursar_stripe::object::{Charge, Invoice, InvoiceStatus, PaymentIntent};
use serde::Serialize;
use serde_json::Value;

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Subject {
    /// From the whole to what is left; the last line is the one the others lead to.
    pub(crate) money: Vec<Line>,
    /// The charge of which something can be given back.
    pub(crate) refundable: Option<Refundable>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    label: &'static str,
    #[serde(flatten)]
    amount: Money,
    total: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Refundable {
    charge: String,
    #[serde(flatten)]
    amount: Money,
}

fn line(label: &'static str, amount: Money) -> Line {
    Line { label, amount, total: false }
}

fn total(label: &'static str, amount: Money) -> Line {
    Line { label, amount, total: true }
}

/// Nothing is said of what the mirror does not hold.
pub(crate) async fn of_case(db: &mut Db, keyring: &Keyring, case: &Case) -> Result<Subject> {
    let mut look = Look { db, keyring, lane: &case.lane };
    match case.key.object_kind.as_str() {
        "charge" => Ok(look.charge(&case.key.object_id).await?.map(|charge| of_charge(&charge)).unwrap_or_default()),
        "invoice" => {
            let Some(invoice) = look.read("invoice", &case.key.object_id, Invoice::from_value).await? else {
                return Ok(Subject::default());
            };
            let charge = if invoice.status == InvoiceStatus::Paid { look.charge_of(&invoice).await? } else { None };
            Ok(Subject {
                money: of_invoice(&invoice),
                refundable: charge.as_ref().and_then(refundable),
            })
        }
        _ => Ok(Subject::default()),
    }
}

fn of_charge(charge: &Charge) -> Subject {
    let mut money = vec![line("Paid", charge.amount_captured)];
    if !charge.amount_refunded.is_zero() {
        let back = Money::new(charge.amount_refunded.amount.saturating_neg(), charge.currency);
        money.push(line("Refunded", back));
    }
    money.push(total("Can be refunded", charge.refundable()));
    Subject { money, refundable: refundable(charge) }
}

fn refundable(charge: &Charge) -> Option<Refundable> {
    let left = charge.refundable();
    (left.amount > 0 && !charge.disputed)
        .then(|| Refundable { charge: charge.id.as_str().to_owned(), amount: left })
}

fn of_invoice(invoice: &Invoice) -> Vec<Line> {
    let mut money = Vec::new();
    if let Some(whole) = invoice.total.filter(|whole| *whole != invoice.amount_due) {
        money.push(line("Invoice total", whole));
    }
    money.push(line("Due", invoice.amount_due));
    if !invoice.amount_paid.is_zero() {
        money.push(line("Paid", Money::new(invoice.amount_paid.amount.saturating_neg(), invoice.currency)));
    }
    money.push(total("Still due", invoice.amount_remaining));
    money
}

struct Look<'a> {
    db: &'a mut Db,
    keyring: &'a Keyring,
    lane: &'a str,
}

impl Look<'_> {
    async fn read<T, E>(&mut self, kind: &str, id: &str, parse: fn(&Value) -> std::result::Result<T, E>) -> Result<Option<T>> {
        let held = objects::get(self.db, self.keyring, self.lane, kind, id).await?;
        // What cannot be understood is not shown; decisions say so where it matters.
        Ok(held.filter(|held| !held.deleted).and_then(|held| parse(&held.body).ok()))
    }

    async fn charge(&mut self, id: &str) -> Result<Option<Charge>> {
        self.read("charge", id, Charge::from_value).await
    }

    /// The charge that paid an invoice, in the shapes of both before and since basil.
    async fn charge_of(&mut self, invoice: &Invoice) -> Result<Option<Charge>> {
        let payment = invoice.payments.iter().find(|payment| payment.amount_paid.is_some());
        let direct = invoice.charge.as_ref().or_else(|| payment?.charge.as_ref()).map(|charge| charge.id().clone());
        let intent = invoice.payment_intent.as_ref().or_else(|| payment?.payment_intent.as_ref());
        let id = match (direct, intent) {
            (Some(id), _) => Some(id),
            (None, Some(intent)) => {
                let read = self.read("payment_intent", intent.id().as_str(), PaymentIntent::from_value).await?;
                let known = read.or_else(|| intent.object().cloned());
                known.and_then(|intent| intent.latest_charge.map(|charge| charge.id().clone()))
            }
            (None, None) => None,
        };
        match id {
            Some(id) => self.charge(id.as_str()).await,
            None => Ok(None),
        }
    }
}
