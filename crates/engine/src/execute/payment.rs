//! Was an invoice paid, or tried, by us? An event that carries our idempotency key says so for certain. Where none is
//! found, the invoice's own charges since the first send say it, less those that Stripe's own retries explain: they are
//! few however busy the account is.

use bursar_domain::execution::Receipt;
use bursar_domain::facts::FactName;
use bursar_domain::time::BusinessTime;
use bursar_store::events;
use bursar_store::executions::Execution;
use bursar_stripe::money::Money;
use bursar_stripe::object::{
    Charge, ChargeStatus, Invoice, InvoicePayment, InvoiceStatus, ObjectError, PaymentIntent,
    PaymentIntentStatus,
};
use serde_json::{Value, json};

use super::lookup::{Found, LOOK_MAX, SLACK_S};
use super::{Task, receipt};
use crate::lanes::Open;
use crate::start::Engine;
use crate::stripe_api::Class;
use crate::{Error, Result};

/// Each attempt to pay an invoice makes at least one of these: the one list need not hold every event of the account.
const TELLING: [&str; 4] = [
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "payment_intent.processing",
];
/// A key lives a day: what it caused happened within one of the first send.
const WITHIN_S: i64 = 24 * 3_600;

/// What the events say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Ours,
    /// Somebody else's call paid the invoice.
    Others,
    Nothing,
    /// There were too many to read.
    Cut,
}

impl Engine {
    pub(super) async fn look_for_payment(
        &self,
        task: &Task<'_>,
        open: &Open,
        execution: &Execution,
        invoice: &str,
    ) -> Result<Found> {
        let Some(current) = open.client.object("invoice", invoice, Class::Action).await? else {
            return Ok(Found::Failed { code: "resource_missing".to_owned() });
        };
        let Some(attempts) = Attempts::read(open, invoice, current).await? else { return Ok(Found::Cut) };
        let intent = &execution.intent;
        let mut db = self.inner.store.read().await?;
        let heard = events::caused_by(&mut db, &intent.lane, &intent.idempotency_key).await?.is_some();
        drop(db);
        // Stripe answered that it has taken the payment on: it is ours, whatever the events say.
        let accepted = execution.waiting_for.as_deref() == Some(invoice);
        if heard || accepted {
            let known_by = if heard { "found by event" } else { "answer, settled later" };
            return Ok(attempts.found(task, attempts.of_ours(), known_by));
        }
        let sent_s = execution.first_sent_at.map_or(0, BusinessTime::unix_s);
        let tried = attempts.since(sent_s);
        if tried.is_empty() {
            return Ok(Found::Nothing);
        }
        let said = ask_events(open, execution, invoice, sent_s).await?;
        let then = task.proposal.content.facts.count(FactName::AttemptCount);
        let approved = task.proposal.content.action.amount();
        Ok(match said {
            Said::Ours => attempts.found(task, attempts.of_ours(), "found by event"),
            Said::Others => Found::Nothing,
            Said::Nothing | Said::Cut => {
                match attempts.by_charges(&tried, attempts.retries_since(then), approved) {
                    Came::NotOurs if said == Said::Cut => Found::Cut,
                    came => attempts.found(task, came, "found by charge"),
                }
            }
        })
    }
}

async fn ask_events(open: &Open, execution: &Execution, invoice: &str, sent_s: i64) -> Result<Said> {
    let (from, to) = ((sent_s - SLACK_S).to_string(), (sent_s + WITHIN_S).to_string());
    let mut filter = vec![("created[gte]", from.as_str()), ("created[lte]", to.as_str())];
    filter.extend(TELLING.map(|kind| ("types[]", kind)));
    let listed = open.client.list("event", &filter, LOOK_MAX, Class::Action).await?;
    let key = execution.intent.idempotency_key.as_str();
    let of_key = |event: &Value| text(event, "/request/idempotency_key") == Some(key);
    // Stripe's own doings have no request: those are counted, not believed.
    let of_others = |event: &Value| {
        text(event, "/type") == Some("invoice.paid")
            && text(event, "/data/object/id") == Some(invoice)
            && text(event, "/request/id").is_some()
    };
    Ok(if listed.items.iter().any(of_key) {
        Said::Ours
    } else if listed.items.iter().any(of_others) {
        Said::Others
    } else if listed.complete {
        Said::Nothing
    } else {
        Said::Cut
    })
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Paid,
    /// Taken on and neither paid nor failed.
    Waiting,
    Failed(String),
    NotOurs,
    /// Two attempts, one of them Stripe's own, and no telling which is which.
    Unclear,
}

/// An invoice with everything that was tried to pay it.
struct Attempts {
    invoice: Invoice,
    /// As Stripe shows it, its payments with it.
    shown: Value,
    /// Of the payment that takes what remains due.
    intent: Option<PaymentIntent>,
    charges: Vec<Charge>,
}

impl Attempts {
    /// Reads the invoice's payments and their charges to the end; nothing where that is too much.
    async fn read(open: &Open, invoice: &str, mut shown: Value) -> Result<Option<Attempts>> {
        let client = &open.client;
        let payments =
            client.list("invoice_payment", &[("invoice", invoice)], LOOK_MAX, Class::Action).await?;
        if !payments.complete {
            return Ok(None);
        }
        let (mut intent, mut charges) = (None, Vec::new());
        for payment in &payments.items {
            let payment = InvoicePayment::from_value(payment).map_err(|error| unreadable(&error))?;
            if let Some(charge) = &payment.charge
                && let Some(charge) = client.object("charge", charge.id().as_str(), Class::Action).await?
            {
                charges.push(Charge::from_value(&charge).map_err(|error| unreadable(&error))?);
            }
            let Some(id) = payment.payment_intent.as_ref().map(|intent| intent.id().as_str()) else {
                continue;
            };
            let filter = [("payment_intent", id)];
            let listed = client.list("charge", &filter, LOOK_MAX, Class::Action).await?;
            if !listed.complete {
                return Ok(None);
            }
            for charge in &listed.items {
                charges.push(Charge::from_value(charge).map_err(|error| unreadable(&error))?);
            }
            if payment.is_default
                && let Some(held) = client.object("payment_intent", id, Class::Action).await?
            {
                intent = Some(PaymentIntent::from_value(&held).map_err(|error| unreadable(&error))?);
            }
        }
        shown["payments"] = json!({"object": "list", "data": payments.items, "has_more": false});
        let invoice = Invoice::from_value(&shown).map_err(|error| unreadable(&error))?;
        Ok(Some(Attempts { invoice, shown, intent, charges }))
    }

    /// Charges since the first send. Clocks differ, so that money that moved a little before counts too; an attempt that
    /// failed before it is most likely the one that brought us here.
    fn since(&self, sent_s: i64) -> Vec<&Charge> {
        let counts = |charge: &&Charge| {
            let slack_s = if charge.status == ChargeStatus::Failed { 0 } else { SLACK_S };
            charge.created_s >= sent_s - slack_s
        };
        self.charges.iter().filter(counts).collect()
    }

    /// Attempts that Stripe made by itself since the count was `then`. Any attempt counts as the first one; after it only
    /// Stripe's own do.
    fn retries_since(&self, then: Option<i64>) -> usize {
        let now = self.invoice.attempt_count;
        usize::try_from(now - then.unwrap_or(now).max(1)).unwrap_or(0)
    }

    fn is_paid(&self) -> bool {
        self.invoice.status == InvoiceStatus::Paid
    }

    fn is_on_its_way(&self, charges: &[&Charge]) -> bool {
        let processing = |intent: &PaymentIntent| intent.status == PaymentIntentStatus::Processing;
        self.intent.as_ref().is_some_and(processing)
            || charges.iter().any(|charge| charge.status == ChargeStatus::Pending)
    }

    /// What came of an attempt that is known to be ours. Only a definite failure is one.
    fn of_ours(&self) -> Came {
        use PaymentIntentStatus::{Canceled, RequiresAction, RequiresPaymentMethod};
        if self.is_paid() {
            return Came::Paid;
        }
        let all: Vec<&Charge> = self.charges.iter().collect();
        match self.intent.as_ref().map(|intent| &intent.status) {
            _ if self.is_on_its_way(&all) => Came::Waiting,
            Some(RequiresPaymentMethod | RequiresAction | Canceled) => Came::Failed(self.failure_code()),
            _ => Came::Waiting,
        }
    }

    /// What the charges of an attempt say that no event of ours tells of.
    fn by_charges(&self, tried: &[&Charge], retries: usize, approved: Option<Money>) -> Came {
        if tried.len() <= retries {
            return Came::NotOurs;
        }
        let all_are = |status: ChargeStatus| tried.iter().all(|charge| charge.status == status);
        let took =
            |charge: &&Charge| charge.status == ChargeStatus::Succeeded && Some(charge.amount) == approved;
        if all_are(ChargeStatus::Failed) {
            Came::Failed(self.failure_code())
        } else if self.is_paid() && (retries == 0 || all_are(ChargeStatus::Succeeded)) {
            Came::Paid
        } else if self.is_paid() {
            Came::Unclear
        } else if self.is_on_its_way(tried) || tried.iter().any(took) {
            Came::Waiting
        } else {
            Came::NotOurs
        }
    }

    fn failure_code(&self) -> String {
        let of_intent =
            self.intent.as_ref().and_then(|intent| intent.last_payment_error.as_ref()?.code.clone());
        let of_charge = || {
            let failed = self.charges.iter().filter(|charge| charge.status == ChargeStatus::Failed);
            failed.max_by_key(|charge| charge.created_s)?.failure_code.clone()
        };
        of_intent.or_else(of_charge).unwrap_or_else(|| "payment_failed".to_owned())
    }

    fn found(&self, task: &Task<'_>, came: Came, known_by: &str) -> Found {
        match came {
            Came::Paid => match receipt::mismatch(&task.proposal.content.action, &self.shown) {
                Some(why) => Found::Wrong { why },
                None => Found::Effect(self.receipt(task, known_by)),
            },
            Came::Waiting => Found::Parked { object: self.invoice.id.as_str().to_owned() },
            Came::Failed(code) => Found::Failed { code },
            Came::NotOurs => Found::Nothing,
            Came::Unclear => Found::Unknowable {
                why: "the invoice was paid, by us or by Stripe's own retry: its charges do not tell which"
                    .to_owned(),
            },
        }
    }

    fn receipt(&self, task: &Task<'_>, known_by: &str) -> Receipt {
        receipt::of_found(task, &self.shown, known_by)
    }
}

fn unreadable(error: &ObjectError) -> Error {
    Error::Broken(format!("what pays an invoice cannot be read, so nothing is sent: {error}"))
}

#[cfg(test)]
mod tests {
    use bursar_stripe::currency::Currency;

    use super::*;

    const SENT_S: i64 = 1_795_219_200;

    fn charge(status: &str, created_s: i64) -> Charge {
        let paid = status == "succeeded";
        Charge::from_value(&json!({"id": "ch_1", "object": "charge", "amount": 4_900, "amount_refunded": 0,
            "amount_captured": if paid { 4_900 } else { 0 }, "captured": paid, "currency": "usd",
            "status": status, "paid": paid, "refunded": false, "disputed": false, "created": created_s,
            "livemode": false, "metadata": {},
            "failure_code": if status == "failed" { json!("card_declined") } else { Value::Null }}))
        .unwrap()
    }

    fn attempts(invoice: &str, intent: &str, attempt_count: i64, charges: Vec<Charge>) -> Attempts {
        let left = if invoice == "paid" { 0 } else { 4_900 };
        let shown = json!({"id": "in_1", "object": "invoice", "status": invoice, "currency": "usd",
            "amount_due": 4_900, "amount_paid": 4_900 - left, "amount_remaining": left,
            "attempt_count": attempt_count, "attempted": true, "auto_advance": true, "created": 1,
            "collection_method": "charge_automatically", "livemode": false, "metadata": {}});
        let intent = json!({"id": "pi_1", "object": "payment_intent", "amount": 4_900, "currency": "usd",
            "status": intent, "created": 1, "livemode": false, "metadata": {}});
        Attempts {
            invoice: Invoice::from_value(&shown).unwrap(),
            shown,
            intent: Some(PaymentIntent::from_value(&intent).unwrap()),
            charges,
        }
    }

    fn declined() -> Came {
        Came::Failed("card_declined".to_owned())
    }

    #[test]
    fn only_a_definite_failure_of_ours_is_called_one() {
        let rows = [
            ("paid", "succeeded", "succeeded", Came::Paid),
            ("open", "processing", "pending", Came::Waiting),
            // The failed attempt of before must not speak for the one that is on its way.
            ("open", "processing", "failed", Came::Waiting),
            ("open", "requires_payment_method", "pending", Came::Waiting),
            ("open", "succeeded", "succeeded", Came::Waiting),
            ("open", "requires_confirmation", "failed", Came::Waiting),
            ("open", "something_new", "failed", Came::Waiting),
            ("open", "requires_payment_method", "failed", declined()),
            ("open", "requires_action", "failed", declined()),
            ("void", "canceled", "failed", declined()),
        ];
        for (invoice, intent, status, expected) in rows {
            let seen = attempts(invoice, intent, 1, vec![charge(status, SENT_S)]);
            assert_eq!(seen.of_ours(), expected, "{invoice}, {intent}, {status}");
        }
    }

    #[test]
    fn charges_that_stripes_own_retries_do_not_explain_are_ours() {
        let (yes, no, soon) = ("succeeded", "failed", "pending");
        let rows: [(&str, &str, &[&str], i64, Came); 9] = [
            ("paid", "succeeded", &[yes], 1, Came::Paid),
            ("paid", "succeeded", &[yes], 2, Came::NotOurs),
            ("paid", "succeeded", &[yes, no], 3, Came::NotOurs),
            ("paid", "succeeded", &[yes, no], 2, Came::Unclear),
            ("paid", "succeeded", &[yes, no], 1, Came::Paid),
            ("open", "requires_payment_method", &[no], 1, declined()),
            ("open", "requires_payment_method", &[no], 2, Came::NotOurs),
            ("open", "processing", &[soon], 1, Came::Waiting),
            ("open", "succeeded", &[yes], 1, Came::Waiting),
        ];
        let approved = Some(Money::new(4_900, Currency::USD));
        for (invoice, intent, statuses, attempt_count, expected) in rows {
            let charges = statuses.iter().map(|status| charge(status, SENT_S + 60)).collect();
            let seen = attempts(invoice, intent, attempt_count, charges);
            let came = seen.by_charges(&seen.since(SENT_S), seen.retries_since(Some(1)), approved);
            assert_eq!(came, expected, "{invoice}, {statuses:?}, {attempt_count} attempts");
        }
        let part = attempts("open", "requires_payment_method", 1, vec![charge(yes, SENT_S)]);
        let other = Some(Money::new(1_000, Currency::USD));
        assert_eq!(part.by_charges(&part.since(SENT_S), 0, other), Came::NotOurs, "a part somebody paid");
    }

    #[test]
    fn clocks_may_differ_for_money_and_not_for_declines_of_before() {
        let rows = [
            ("succeeded", -SLACK_S, 1),
            ("pending", -SLACK_S, 1),
            ("succeeded", -SLACK_S - 1, 0),
            ("failed", -1, 0),
            ("failed", 0, 1),
        ];
        for (status, offset_s, expected) in rows {
            let seen = attempts("open", "processing", 1, vec![charge(status, SENT_S + offset_s)]);
            assert_eq!(seen.since(SENT_S).len(), expected, "{status} at {offset_s}");
        }
    }

    #[test]
    fn the_first_attempt_of_all_is_no_retry() {
        for (then, now, expected) in
            [(Some(0), 1, 0), (Some(1), 1, 0), (Some(1), 3, 2), (Some(0), 2, 1), (None, 4, 0)]
        {
            let seen = attempts("open", "processing", now, Vec::new());
            assert_eq!(seen.retries_since(then), expected, "{then:?} to {now}");
        }
    }
}
