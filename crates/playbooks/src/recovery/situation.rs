//! Everything that was read about one unpaid invoice, understood once.

use bursar_domain::known::{Answer, Known, PastMessage, PastProposal, Read};
use bursar_domain::time::BusinessTime;
use bursar_stripe::object::{CollectionMethod, Customer, Invoice, InvoiceStatus, Subscription, is_deleted};
use serde_json::Value;

use super::attempts::{Attempts, Decline};
use super::history::History;
use super::method::Method;
use super::{method, reads, risk};

/// Why the invoice itself cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Stripe does not have it.
    Gone,
    /// What is missing or cannot be understood, in words.
    Unknown(String),
}

/// Who owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Party {
    Known(Box<Customer>),
    Deleted,
    /// The invoice names nobody we can read.
    Nobody,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Situation<'a> {
    pub(super) now: BusinessTime,
    pub(super) signal: &'a str,
    pub(super) invoice: Invoice,
    pub(super) invoice_as_of: BusinessTime,
    pub(super) party: Party,
    pub(super) subscription: Option<Subscription>,
    /// The merchant paused collection, or the subscription cannot be found any more.
    pub(super) collection: Collection,
    pub(super) attempts: Attempts,
    pub(super) method: Method,
    /// Ids of disputes, or of charges in dispute, that nobody decided yet.
    pub(super) open_disputes: Vec<String>,
    pub(super) history: History<'a>,
    pub(super) messages: &'a [PastMessage],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collection {
    Running,
    Paused,
    /// The subscription is linked and Stripe does not have it.
    SubscriptionGone,
}

const NO_PROPOSALS: &[PastProposal] = &[];
const NO_MESSAGES: &[PastMessage] = &[];

impl<'a> Situation<'a> {
    pub(super) fn of(known: &'a Known) -> Result<Situation<'a>, Gap> {
        let (invoice, invoice_as_of) = invoice(known)?;
        let subscription = reads::subscription(known, &invoice).transpose().map_err(Gap::Unknown)?;
        let party = party(known, &invoice)?;
        let charges = reads::charges(known, &invoice);
        let open_disputes = risk::open_disputes(known, &charges.items);
        let method = Method::on_file(known, &invoice);
        let attempts = Attempts::of(known, &invoice, charges);
        let messages = invoice.customer.as_ref().and_then(|id| known.messages(id.as_str()));
        Ok(Situation {
            now: known.now,
            signal: &known.signal,
            collection: collection(known, &invoice),
            invoice,
            invoice_as_of,
            party,
            subscription,
            attempts,
            method,
            open_disputes,
            history: History(known.history().unwrap_or(NO_PROPOSALS)),
            messages: messages.unwrap_or(NO_MESSAGES),
        })
    }

    /// The refusal that explains why the invoice is unpaid: of the method on file where that was tried, else the latest.
    pub(super) fn decline(&self) -> Option<&Decline> {
        self.attempts.explains(self.method.id())
    }

    /// Whether a method is on file that this invoice was not yet tried with, or whose details changed since.
    pub(super) fn has_fresh_method(&self) -> bool {
        self.decline().is_some_and(|decline| method::is_fresh(&self.method, decline, &self.attempts))
    }

    pub(super) fn is_charged_automatically(&self) -> bool {
        self.invoice.collection_method == CollectionMethod::ChargeAutomatically
    }

    pub(super) fn next_attempt(&self) -> Option<BusinessTime> {
        self.invoice.next_payment_attempt_s.map(BusinessTime::from_unix_s)
    }

    pub(super) fn customer(&self) -> Option<&Customer> {
        match &self.party {
            Party::Known(customer) => Some(customer),
            Party::Deleted | Party::Nobody => None,
        }
    }

    /// How it ended, if nothing is left to recover.
    pub(super) fn end(&self) -> Option<End> {
        match self.invoice.status {
            InvoiceStatus::Paid => Some(End::Recovered),
            InvoiceStatus::Void => Some(End::Voided),
            InvoiceStatus::Uncollectible => Some(End::Uncollectible),
            _ if self.invoice.amount_remaining.amount <= 0 => Some(End::NothingDue),
            _ if self.subscription.as_ref().is_some_and(Subscription::is_over) => {
                Some(End::SubscriptionEnded)
            }
            _ if self.collection == Collection::SubscriptionGone => Some(End::SubscriptionEnded),
            _ => None,
        }
    }
}

/// Every way a case closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Recovered,
    Voided,
    Uncollectible,
    NothingDue,
    SubscriptionEnded,
    InvoiceGone,
}

impl End {
    /// The outcome of the case.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            End::Recovered => "recovered",
            End::Voided => "voided",
            End::Uncollectible => "uncollectible",
            End::NothingDue => "nothing_due",
            End::SubscriptionEnded => "subscription_ended",
            End::InvoiceGone => "invoice_gone",
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            End::Recovered => "the invoice is paid",
            End::Voided => "the invoice was voided",
            End::Uncollectible => "the invoice was marked uncollectible",
            End::NothingDue => "nothing remains due on the invoice",
            End::SubscriptionEnded => "the subscription has ended",
            End::InvoiceGone => "Stripe does not have the invoice",
        }
    }
}

fn invoice(known: &Known) -> Result<(Invoice, BusinessTime), Gap> {
    let id = &known.key.object_id;
    match known.answer(&Read::object("invoice", id)) {
        Some(Answer::Gone { .. }) => Err(Gap::Gone),
        Some(Answer::Object { value, .. }) if is_deleted(value) => Err(Gap::Gone),
        Some(Answer::Object { value, as_of }) => match Invoice::from_value(value) {
            Ok(invoice) if invoice.id.as_str() == id => Ok((invoice, *as_of)),
            Ok(other) => Err(Gap::Unknown(format!("invoice {id}: the answer was about {}", other.id))),
            Err(error) => Err(Gap::Unknown(format!("invoice {id}: {error}"))),
        },
        _ => Err(Gap::Unknown(format!("invoice {id} was not read"))),
    }
}

fn party(known: &Known, invoice: &Invoice) -> Result<Party, Gap> {
    let Some(id) = &invoice.customer else {
        return Ok(Party::Nobody);
    };
    match reads::customer(known, invoice) {
        Some(Ok(customer)) if customer.deleted => Ok(Party::Deleted),
        Some(Ok(customer)) => Ok(Party::Known(Box::new(customer))),
        Some(Err(problem)) => Err(Gap::Unknown(problem)),
        None if known.is_gone("customer", id.as_str()) => Ok(Party::Deleted),
        None => Ok(Party::Nobody),
    }
}

fn collection(known: &Known, invoice: &Invoice) -> Collection {
    let Some(id) = &invoice.subscription else {
        return Collection::Running;
    };
    let value = known.object("subscription", id.as_str());
    let paused = value.and_then(|value| value.get("pause_collection")).is_some_and(Value::is_object);
    match () {
        () if known.is_gone("subscription", id.as_str()) => Collection::SubscriptionGone,
        () if paused => Collection::Paused,
        () => Collection::Running,
    }
}
