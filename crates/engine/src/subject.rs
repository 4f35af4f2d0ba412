//! What a case is about, in money: from the mirror; an object that is known to be out of date is read again first, as
//! long as Stripe answers at once. Whoever acts on it reads Stripe again in any case.

use std::time::Duration;

use bursar_store::cases::Case;
use bursar_store::objects::{self, Mirrored};
use bursar_stripe::money::Money;
use bursar_stripe::object::{Charge, Invoice, InvoiceStatus, PaymentIntent};
use futures_util::FutureExt as _;
use serde::Serialize;
use serde_json::Value;

use crate::Result;
use crate::mirror::Gathered;
use crate::start::{Engine, store_error};
use crate::stripe_api::Class;

/// Somebody is looking at a page: longer than this they do not wait for Stripe.
const PATIENCE: Duration = Duration::from_millis(1_500);

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

impl Engine {
    /// Nothing is said of what the mirror does not hold.
    pub(crate) async fn subject_of(&self, case: &Case) -> Result<Subject> {
        let look = Look { engine: self, lane: &case.lane };
        match case.key.object_kind.as_str() {
            "charge" => Ok(look
                .charge(&case.key.object_id)
                .await?
                .map(|charge| of_charge(&charge))
                .unwrap_or_default()),
            "invoice" => {
                let Some(invoice) = look.read("invoice", &case.key.object_id, Invoice::from_value).await?
                else {
                    return Ok(Subject::default());
                };
                let charge = if invoice.status == InvoiceStatus::Paid {
                    look.charge_of(&invoice).await?
                } else {
                    None
                };
                Ok(Subject { money: of_invoice(&invoice), refundable: charge.as_ref().and_then(refundable) })
            }
            _ => Ok(Subject::default()),
        }
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
    if invoice.amount_due != invoice.amount_remaining {
        money.push(line("Due", invoice.amount_due));
    }
    if !invoice.amount_paid.is_zero() {
        money.push(line("Paid", Money::new(invoice.amount_paid.amount.saturating_neg(), invoice.currency)));
    }
    money.push(total("Still due", invoice.amount_remaining));
    money
}

struct Look<'a> {
    engine: &'a Engine,
    lane: &'a str,
}

impl Look<'_> {
    async fn read<T, E>(
        &self,
        kind: &str,
        id: &str,
        parse: fn(&Value) -> std::result::Result<T, E>,
    ) -> Result<Option<T>> {
        let Some(held) = self.held(kind, id).await? else { return Ok(None) };
        let held = if held.stale { self.again(kind, id, held).await? } else { held };
        // What cannot be understood is not shown; decisions say so where it matters.
        Ok(if held.deleted { None } else { parse(&held.body).ok() })
    }

    async fn held(&self, kind: &str, id: &str) -> Result<Option<Mirrored>> {
        let store = &self.engine.inner.store;
        Ok(objects::get(&mut store.read().await?, store.keyring(), self.lane, kind, id).await?)
    }

    /// The same from Stripe, kept for the next one who looks; else what we have.
    async fn again(&self, kind: &str, id: &str, held: Mirrored) -> Result<Mirrored> {
        let Some(open) = self.engine.inner.lanes.get(self.lane) else { return Ok(held) };
        let now = self.engine.inner.clocks.business();
        let read = tokio::time::timeout(PATIENCE, open.client.object(kind, id, Class::Interactive)).await;
        let Ok(Ok(Some(body))) = read else { return Ok(held) };
        let mut gathered = Gathered::default();
        gathered.keep(self.lane, kind, &body, now, Some(held.version_at));
        let (store, at) = (&self.engine.inner.store, self.engine.inner.clocks.machine().micros());
        let keyring = store.keyring().clone();
        let kept = store.write(move |tx| async move { gathered.save(tx, &keyring, at).await }.boxed()).await;
        kept.map_err(store_error)?;
        Ok(self.held(kind, id).await?.unwrap_or(held))
    }

    async fn charge(&self, id: &str) -> Result<Option<Charge>> {
        self.read("charge", id, Charge::from_value).await
    }

    /// The charge that paid an invoice, in the shapes of both before and since basil.
    async fn charge_of(&self, invoice: &Invoice) -> Result<Option<Charge>> {
        let payment = invoice.payments.iter().find(|payment| payment.amount_paid.is_some());
        let direct =
            invoice.charge.as_ref().or_else(|| payment?.charge.as_ref()).map(|charge| charge.id().clone());
        let intent = invoice.payment_intent.as_ref().or_else(|| payment?.payment_intent.as_ref());
        let id = match (direct, intent) {
            (Some(id), _) => Some(id),
            (None, Some(intent)) => {
                let read =
                    self.read("payment_intent", intent.id().as_str(), PaymentIntent::from_value).await?;
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
