//! What must be known, in rounds: the invoice, then what it names, then what those name. Also says where each answer
//! lies, so that nothing is read that is not used.

use bursar_domain::known::{Answer, Known, Read};
use bursar_stripe::id::{ChargeId, PaymentIntentId, PaymentMethodId};
use bursar_stripe::object::{
    Charge, Customer, Expandable, Invoice, InvoicePayment, PaymentIntent, Subscription,
};
use serde_json::Value;

use super::{method, risk};

pub(super) fn reads(known: &Known) -> Vec<Read> {
    let mut wanted = vec![Read::object("invoice", &known.key.object_id), Read::CaseHistory];
    if let Some(invoice) = invoice(known).filter(|invoice| !invoice.is_settled()) {
        wanted.extend(around(known, &invoice));
    }
    known.missing(wanted)
}

fn around(known: &Known, invoice: &Invoice) -> Vec<Read> {
    let mut wanted = Vec::new();
    if let Some(customer) = &invoice.customer {
        wanted.push(Read::object("customer", customer.as_str()));
        wanted.push(Read::Messages { customer: customer.to_string() });
    }
    if let Some(subscription) = &invoice.subscription {
        wanted.push(Read::object("subscription", subscription.as_str()));
    }
    wanted.extend(payments_of(invoice));
    wanted.extend(intent_id(known, invoice).map(|id| Read::object("payment_intent", id.as_str())));
    wanted.extend(charges_around(known, invoice));
    wanted.extend(latest_charge_elsewhere(known, invoice).map(|id| Read::object("charge", id.as_str())));
    if let Some(id) = method::on_file(known, invoice).filter(method::can_be_read) {
        wanted.push(Read::object("payment_method", id.as_str()));
    }
    wanted.extend(
        risk::disputed_charges(&charges(known, invoice).items).map(|charge| risk::disputes_of(&charge.id)),
    );
    wanted
}

/// The invoice, if it was read and is one.
fn invoice(known: &Known) -> Option<Invoice> {
    Invoice::from_value(known.object("invoice", &known.key.object_id)?).ok()
}

/// Since basil the payments of an invoice are objects of their own; asked for unless the invoice brought them.
fn payments_of(invoice: &Invoice) -> Option<Read> {
    let brought = invoice.payment_intent.is_some() || invoice.charge.is_some();
    (!brought).then(|| Read::list("invoice_payment", &[("invoice", invoice.id.as_str())]))
}

/// The payments of the invoice, from wherever they came. The default one first.
pub(super) fn payments(known: &Known, invoice: &Invoice) -> Vec<InvoicePayment> {
    let listed = known.list("invoice_payment", &[("invoice", invoice.id.as_str())]).unwrap_or_default();
    let mut payments = invoice.payments.clone();
    payments.extend(listed.iter().filter_map(|payment| InvoicePayment::from_value(payment).ok()));
    payments.sort_by_key(|payment| !payment.is_default);
    payments
}

/// The payment intent that the next attempt would use.
pub(super) fn intent_id(known: &Known, invoice: &Invoice) -> Option<PaymentIntentId> {
    let own = invoice.payment_intent.as_ref().map(|intent| intent.id().clone());
    own.or_else(|| {
        payments(known, invoice).into_iter().find_map(|payment| Some(payment.payment_intent?.id().clone()))
    })
}

pub(super) fn intent(known: &Known, invoice: &Invoice) -> Option<PaymentIntent> {
    let id = intent_id(known, invoice)?;
    PaymentIntent::from_value(known.object("payment_intent", id.as_str())?).ok()
}

/// Charges of the customer, since limits count over all invoices; without a customer, those of the invoice.
pub(super) fn charges_around(known: &Known, invoice: &Invoice) -> Option<Read> {
    match &invoice.customer {
        Some(customer) => Some(Read::list("charge", &[("customer", customer.as_str())])),
        None => intent_id(known, invoice).map(|id| Read::list("charge", &[("payment_intent", id.as_str())])),
    }
}

/// The charges that were read, newest first, and whether that is all of them.
pub(super) struct Charges {
    pub(super) items: Vec<Charge>,
    pub(super) complete: bool,
}

pub(super) fn charges(known: &Known, invoice: &Invoice) -> Charges {
    let answer = charges_around(known, invoice).and_then(|read| known.answer(&read));
    let (values, complete): (&[Value], bool) = match answer {
        Some(Answer::List { items, complete, .. }) => (items, *complete),
        _ => (&[], false),
    };
    let mut items: Vec<Charge> = values.iter().filter_map(|charge| Charge::from_value(charge).ok()).collect();
    let complete = complete && items.len() == values.len();
    let elsewhere = latest_charge_id(known, invoice)
        .filter(|id| items.iter().all(|charge| charge.id != *id))
        .and_then(|id| Charge::from_value(known.object("charge", id.as_str())?).ok());
    items.extend(elsewhere);
    // Stable: of two in the same second the one that Stripe listed first is the newer.
    items.sort_by_key(|charge| std::cmp::Reverse(charge.created_s));
    Charges { items, complete }
}

fn latest_charge_id(known: &Known, invoice: &Invoice) -> Option<ChargeId> {
    let from_intent =
        intent(known, invoice).and_then(|intent| intent.latest_charge.map(|charge| charge.id().clone()));
    from_intent.or_else(|| invoice.charge.as_ref().map(|charge| Expandable::id(charge).clone()))
}

/// The newest charge of the invoice where the list that was read does not hold it.
fn latest_charge_elsewhere(known: &Known, invoice: &Invoice) -> Option<ChargeId> {
    let list = known.answer(&charges_around(known, invoice)?)?;
    let id = latest_charge_id(known, invoice)?;
    let listed = match list {
        Answer::List { items, .. } => {
            items.iter().any(|charge| charge.get("id").and_then(Value::as_str) == Some(id.as_str()))
        }
        _ => false,
    };
    (!listed).then_some(id)
}

/// The customer, if it was read. `Err` names why it cannot be used.
pub(super) fn customer(known: &Known, invoice: &Invoice) -> Option<Result<Customer, String>> {
    let id = invoice.customer.as_ref()?;
    let value = known.object("customer", id.as_str())?;
    Some(Customer::from_value(value).map_err(|error| format!("customer {id}: {error}")))
}

pub(super) fn subscription(known: &Known, invoice: &Invoice) -> Option<Result<Subscription, String>> {
    let id = invoice.subscription.as_ref()?;
    let value = known.object("subscription", id.as_str())?;
    Some(Subscription::from_value(value).map_err(|error| format!("subscription {id}: {error}")))
}

/// The methods an attempt would use, in the order Stripe documents, each if it is set.
pub(super) fn method_order(
    invoice: &Invoice,
    subscription: Option<&Subscription>,
    customer: Option<&Customer>,
) -> Option<PaymentMethodId> {
    let of_invoice = [&invoice.default_payment_method, &invoice.default_source];
    let of_subscription = subscription.map(|s| [&s.default_payment_method, &s.default_source]);
    let of_customer = customer.map(|c| [&c.default_payment_method, &c.default_source]);
    let order = of_invoice.into_iter().chain(of_subscription.into_iter().flatten());
    order.chain(of_customer.into_iter().flatten()).find_map(Clone::clone)
}
