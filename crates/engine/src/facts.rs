//! What policy may look at, built from what was read: which reads an action's facts need, and the facts themselves.

use std::time::Duration;

use bursar_domain::action::Action;
use bursar_domain::facts::{FactName, FactValue, Facts, Source};
use bursar_domain::known::{Answer, Known, Read};
use bursar_domain::time::BusinessTime;
use bursar_store::planted::{Bug, planted};
use bursar_stripe::currency::Currency;
use bursar_stripe::decline;
use bursar_stripe::id::PaymentMethodId;
use bursar_stripe::money::Money;
use bursar_stripe::object::{Charge, Customer, Invoice, Subscription};

use crate::home_money::HomeMoney;

const DAY: u64 = 86_400;
/// Disputes are decided within about three months of being opened, 120 days after the charge: an older one is over.
const DISPUTE_DAYS: u64 = 240;
/// `hours_to_next_attempt` when Stripe has none scheduled: a year.
const NO_ATTEMPT_HOURS: i64 = 8_760;

/// What must be known before the facts of an action can be built.
pub(crate) fn reads(action: &Action, known: &Known) -> Vec<Read> {
    match action {
        Action::RefundCharge { charge, .. } => {
            let mut reads = vec![Read::object("charge", charge.as_str())];
            let customer =
                known.object("charge", charge.as_str()).and_then(|value| Charge::from_value(value).ok());
            if let Some(customer) = customer.and_then(|charge| charge.customer) {
                reads.push(Read::list("charge", &[("customer", customer.as_str())]));
            }
            reads
        }
        Action::PayInvoice { invoice, .. } => invoice_reads(invoice.as_str(), known),
        Action::SendMail(mail) => {
            let customer = mail.customer.as_str();
            let mut reads =
                vec![Read::object("customer", customer), Read::Messages { customer: customer.to_owned() }];
            if let Some(invoice) = &mail.invoice {
                reads.push(Read::object("invoice", invoice.as_str()));
            }
            reads
        }
        Action::CreatePortalSession { customer } => vec![Read::object("customer", customer.as_str())],
        Action::CreateTask { .. } => Vec::new(),
    }
}

fn invoice_reads(invoice: &str, known: &Known) -> Vec<Read> {
    let mut reads = vec![Read::object("invoice", invoice)];
    let Some(invoice) = known.object("invoice", invoice).and_then(|value| Invoice::from_value(value).ok())
    else {
        return reads;
    };
    if let Some(customer) = &invoice.customer {
        reads.push(Read::object("customer", customer.as_str()));
        reads.push(Read::list("charge", &[("customer", customer.as_str())]));
    }
    if let Some(subscription) = &invoice.subscription {
        reads.push(Read::object("subscription", subscription.as_str()));
    }
    reads
}

/// Builds the facts of an action. What was not read, or cannot be understood, is no fact.
pub(crate) fn build(action: &Action, known: &Known, class: Option<&str>, home: &HomeMoney) -> Facts {
    let mut sheet = Sheet { facts: Facts::default(), home, now: known.now };
    if let Some(amount) = action.amount() {
        sheet.money(FactName::Amount, amount, Source::Derived, known.now);
    }
    if let Some(class) = class {
        sheet.text(FactName::CaseClass, class, Source::Derived, known.now);
    }
    match action {
        Action::RefundCharge { charge, reason, .. } => {
            sheet.text(FactName::RefundReason, reason.as_str(), Source::Claimed, known.now);
            sheet.charge(known, charge.as_str());
        }
        Action::PayInvoice { invoice, payment_method, .. } => {
            sheet.invoice(known, invoice.as_str(), payment_method.as_ref().map(PaymentMethodId::as_str));
        }
        Action::SendMail(mail) => {
            let template = mail.template.split('@').next().unwrap_or_default();
            sheet.text(FactName::Template, template, Source::Derived, known.now);
            sheet.messages(known, mail.customer.as_str());
            sheet.customer(known, mail.customer.as_str());
            if let Some(invoice) = &mail.invoice {
                sheet.invoice(known, invoice.as_str(), None);
            }
        }
        Action::CreatePortalSession { customer } => sheet.customer(known, customer.as_str()),
        Action::CreateTask { .. } => {}
    }
    sheet.facts
}

struct Sheet<'a> {
    facts: Facts,
    home: &'a HomeMoney,
    now: BusinessTime,
}

impl Sheet<'_> {
    fn money(&mut self, name: FactName, money: Money, source: Source, as_of: BusinessTime) {
        let home = self.home.of(money);
        self.facts.insert(name, FactValue::Money { money, home }, source, as_of);
    }

    fn text(&mut self, name: FactName, text: &str, source: Source, as_of: BusinessTime) {
        self.facts.insert(name, FactValue::Text(text.to_owned()), source, as_of);
    }

    fn count(&mut self, name: FactName, count: usize, as_of: BusinessTime) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.facts.insert(name, FactValue::Count(count), Source::Derived, as_of);
    }

    fn flag(&mut self, name: FactName, flag: bool, source: Source, as_of: BusinessTime) {
        self.facts.insert(name, FactValue::Flag(flag), source, as_of);
    }

    fn charge(&mut self, known: &Known, id: &str) {
        let Some((charge, as_of)) = object(known, "charge", id, Charge::from_value) else { return };
        let mut refundable = charge.refundable();
        if planted(Bug::PartialCaptureIgnored) {
            refundable.amount = charge.amount.amount - charge.amount_refunded.amount;
        }
        self.money(FactName::Refundable, refundable, Source::Stripe, as_of);
        self.flag(FactName::Disputed, charge.disputed, Source::Stripe, as_of);
        let age = self.now.since(BusinessTime::from_unix_s(charge.created_s));
        self.count(
            FactName::ChargeAgeDays,
            usize::try_from(age.as_secs() / DAY).unwrap_or(usize::MAX),
            self.now,
        );
        if let Some(customer) = &charge.customer {
            let method = charge.payment_method.as_ref().map(PaymentMethodId::as_str);
            self.charges(known, customer.as_str(), charge.currency, method);
        }
    }

    /// `method` is what would be charged: declines of another card say nothing about it.
    fn charges(&mut self, known: &Known, customer: &str, currency: Currency, method: Option<&str>) {
        let read = Read::list("charge", &[("customer", customer)]);
        let Some(Answer::List { items, complete, as_of }) = known.answer(&read) else { return };
        let charges: Vec<Charge> = items.iter().filter_map(|item| Charge::from_value(item).ok()).collect();
        let within = |charge: &Charge, days: u64| {
            self.now.since(BusinessTime::from_unix_s(charge.created_s)) <= Duration::from_secs(days * DAY)
        };
        let refunds =
            charges.iter().filter(|charge| !charge.amount_refunded.is_zero() && within(charge, 365)).count();
        let on_card: Vec<&Charge> = charges.iter().filter(|charge| is_on(charge, method, &charges)).collect();
        // What Stripe blocked never reached the network.
        let declined =
            on_card.iter().filter(|charge| is_network_decline(charge) && within(charge, 30)).count();
        let disputed = charges.iter().any(|charge| charge.disputed && within(charge, DISPUTE_DAYS));
        let mut paid = Money::zero(currency);
        for charge in charges.iter().filter(|charge| charge.paid && charge.currency == currency) {
            paid = paid.checked_add(charge.amount_captured).unwrap_or(paid);
        }
        self.count(FactName::RefundsTwelveMonths, refunds, *as_of);
        self.count(FactName::AttemptsThirtyDays, declined, *as_of);
        // A list that was cut short proves no absence.
        if disputed || *complete {
            self.flag(FactName::OpenDispute, disputed, Source::Derived, *as_of);
        }
        if *complete {
            self.money(FactName::CustomerPaid, paid, Source::Derived, *as_of);
        }
        if let Some(failed) = on_card.iter().find(|charge| !charge.paid) {
            let outcome = failed.outcome.as_ref();
            let class = decline::classify(
                outcome.and_then(|outcome| outcome.reason.as_deref()),
                failed.failure_code.as_deref(),
                outcome
                    .and_then(|outcome| outcome.advice_code.as_ref())
                    .map(bursar_stripe::object::AdviceCode::as_str),
            );
            self.text(FactName::DeclineClass, class.as_str(), Source::Derived, *as_of);
        }
    }

    fn invoice(&mut self, known: &Known, id: &str, method: Option<&str>) {
        let Some((invoice, as_of)) = object(known, "invoice", id, Invoice::from_value) else { return };
        self.text(FactName::InvoiceStatus, invoice.status.as_str(), Source::Stripe, as_of);
        self.money(FactName::AmountRemaining, invoice.amount_remaining, Source::Stripe, as_of);
        self.facts.insert(
            FactName::AttemptCount,
            FactValue::Count(invoice.attempt_count),
            Source::Stripe,
            as_of,
        );
        let next = BusinessTime::from_unix_s(invoice.next_payment_attempt_s.unwrap_or(0));
        self.facts.insert(FactName::NextPaymentAttempt, FactValue::Time(next), Source::Stripe, as_of);
        let overdue = self.now.since(next) > Duration::from_secs(DAY);
        let hours = match invoice.next_payment_attempt_s {
            // A day late it is not going to happen any more.
            Some(_) if !overdue => {
                i64::try_from(next.since(self.now).as_secs() / 3_600).unwrap_or(NO_ATTEMPT_HOURS)
            }
            _ => NO_ATTEMPT_HOURS,
        };
        self.facts.insert(FactName::HoursToNextAttempt, FactValue::Count(hours), Source::Derived, self.now);
        if let Some(customer) = &invoice.customer {
            let method = method.map(str::to_owned).or_else(|| default_method(known, &invoice));
            self.charges(known, customer.as_str(), invoice.currency, method.as_deref());
            self.customer(known, customer.as_str());
        }
        let subscription = invoice
            .subscription
            .as_ref()
            .and_then(|id| object(known, "subscription", id.as_str(), Subscription::from_value));
        let has_method = invoice.default_payment_method.is_some()
            || subscription
                .as_ref()
                .is_some_and(|(subscription, _)| subscription.default_payment_method.is_some())
            || invoice
                .customer
                .as_ref()
                .and_then(|id| object(known, "customer", id.as_str(), Customer::from_value))
                .is_some_and(|(customer, _)| {
                    customer.default_payment_method.is_some() || customer.default_source.is_some()
                });
        self.flag(FactName::HasPaymentMethod, has_method, Source::Derived, as_of);
        if let Some((subscription, as_of)) = subscription {
            self.text(FactName::SubscriptionStatus, subscription.status.as_str(), Source::Stripe, as_of);
            let ending = subscription.cancel_at_period_end || subscription.cancel_at_s.is_some();
            self.flag(FactName::PendingCancellation, ending, Source::Stripe, as_of);
        } else if invoice.subscription.is_none() {
            self.flag(FactName::PendingCancellation, false, Source::Derived, as_of);
        }
    }

    fn customer(&mut self, known: &Known, id: &str) {
        if known.is_gone("customer", id) {
            self.flag(FactName::CustomerDeleted, true, Source::Stripe, self.now);
        } else if let Some((customer, as_of)) = object(known, "customer", id, Customer::from_value) {
            self.flag(FactName::CustomerDeleted, customer.deleted, Source::Stripe, as_of);
        }
    }

    fn messages(&mut self, known: &Known, customer: &str) {
        let Some(sent) = known.messages(customer) else { return };
        let week = Duration::from_secs(7 * DAY);
        let recent = sent.iter().filter(|message| self.now.since(message.sent_at) <= week).count();
        self.count(FactName::MessagesSevenDays, recent, self.now);
    }
}

/// Whether a charge was tried on the card in question: by payment method, or by the card's fingerprint.
fn is_on(charge: &Charge, method: Option<&str>, all: &[Charge]) -> bool {
    let Some(method) = method else { return true };
    let is_method =
        |charge: &Charge| charge.payment_method.as_ref().map(PaymentMethodId::as_str) == Some(method);
    if is_method(charge) {
        return true;
    }
    let fingerprint = |charge: &Charge| charge.card.as_ref().and_then(|card| card.fingerprint.clone());
    let same = all.iter().filter(|other| is_method(other)).find_map(fingerprint);
    same.is_some() && fingerprint(charge) == same
}

fn is_network_decline(charge: &Charge) -> bool {
    let blocked = charge.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref());
    !charge.paid && blocked.is_none_or(|kind| kind.as_str() != "blocked")
}

/// What Stripe charges when nothing else is said: the invoice's, the subscription's, then the customer's default.
fn default_method(known: &Known, invoice: &Invoice) -> Option<String> {
    let text = |id: &Option<PaymentMethodId>| id.as_ref().map(|id| id.as_str().to_owned());
    let subscription = || {
        let id = invoice.subscription.as_ref()?;
        let (subscription, _) = object(known, "subscription", id.as_str(), Subscription::from_value)?;
        text(&subscription.default_payment_method).or_else(|| text(&subscription.default_source))
    };
    let customer = || {
        let id = invoice.customer.as_ref()?;
        let (customer, _) = object(known, "customer", id.as_str(), Customer::from_value)?;
        text(&customer.default_payment_method).or_else(|| text(&customer.default_source))
    };
    text(&invoice.default_payment_method)
        .or_else(|| text(&invoice.default_source))
        .or_else(subscription)
        .or_else(customer)
}

fn object<T, E>(
    known: &Known,
    kind: &str,
    id: &str,
    read: impl Fn(&serde_json::Value) -> Result<T, E>,
) -> Option<(T, BusinessTime)> {
    match known.answer(&Read::object(kind, id))? {
        Answer::Object { value, as_of } => read(value).ok().map(|object| (object, *as_of)),
        _ => None,
    }
}
