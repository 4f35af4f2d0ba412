//! Living through the months: signups and mishaps in order of time, with the real billing between them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::catalogue::Catalogue;
use super::draw::Draw;
use super::names::MARKETS;
use super::profile::{Fate, Profile};
use crate::api::customers;
use crate::api::payment_methods::{self, Face};
use crate::billing::collect;
use crate::billing::signup::{self, FirstPayment, Signup};
use crate::billing::{self, calendar, subscription};
use crate::doc::Doc as _;
use crate::error::{ApiResult, Error};
use crate::payments::cards;
use crate::payments::charge::Presence;
use crate::payments::dispute::{self, Opening};
use crate::payments::intent::{self, Plan};
use crate::payments::refund::{self, Wish};
use crate::wire::Params;
use crate::world::{Cause, Kind, Tx, World};

/// Something that happens to a customer, by their place in the list.
#[derive(Debug, Clone)]
pub enum Act {
    Join(usize),
    /// The issuer acts so from now on.
    Card(usize, String, Option<i64>),
    Leave(usize),
    LeaveAtPeriodEnd(usize),
    /// The latest payment is given back, in whole or in part percent.
    Refund(usize, i64),
    Dispute(usize, &'static str),
    GiveUpCollecting(usize),
    /// A single purchase of so many minor units.
    Purchase(usize, i64, &'static str),
}

/// The state of the story.
pub struct Life<'w> {
    world: &'w mut World,
    catalogue: Catalogue,
    profiles: Vec<Profile>,
    /// Customer ids by place, once they have joined.
    joined: Vec<String>,
    acts: BTreeMap<(i64, usize), Act>,
}

impl<'w> Life<'w> {
    pub fn new(world: &'w mut World, profiles: Vec<Profile>, begins: i64) -> Result<Self, Error> {
        let platform = world.platform.clone();
        let mut tx = world.begin(&platform, begins, Cause::default());
        let catalogue = Catalogue::write(&mut tx);
        tx.commit()?;
        let joined = vec![String::new(); profiles.len()];
        Ok(Self { world, catalogue, profiles, joined, acts: BTreeMap::new() })
    }

    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    pub fn plan(&mut self, at: i64, act: Act) {
        self.acts.insert((at, self.acts.len()), act);
    }

    /// Lives until `end`: acts and due billing work in order of time.
    pub fn live(&mut self, end: i64) -> Result<(), Error> {
        let platform = self.world.platform.clone();
        loop {
            let due = self.world.agenda.first_due(None, end);
            let act = self.acts.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= end);
            match (due, act) {
                (None, None) => return Ok(()),
                (Some((at, _, account, id)), act) if act.is_none_or(|act| at <= act) => {
                    let Some(work) = self.world.get(&account, Kind::Work, &id).cloned() else {
                        return Ok(());
                    };
                    let mut tx = self.world.begin(&account, at, Cause::default());
                    billing::run(&mut tx, &work);
                    tx.commit()?;
                }
                _ => {
                    let Some(((at, _), act)) = self.acts.pop_first() else { return Ok(()) };
                    self.play(&platform, at, &act)?;
                }
            }
        }
    }

    /// Plays one act; what the state of things forbids does not happen.
    fn play(&mut self, platform: &str, at: i64, act: &Act) -> Result<(), Error> {
        let mut tx = self.world.begin(platform, at, Cause::default());
        let done = match act {
            Act::Join(place) => join(&mut tx, &self.catalogue, &self.profiles[*place]).map(|customer| {
                self.joined[*place] = customer;
            }),
            Act::Card(place, acts, until) => {
                cards::instruct(&mut tx, &self.profiles[*place].fingerprint, acts, *until);
                Ok(())
            }
            Act::Leave(place) => {
                for id in subscriptions(&tx, &self.joined[*place]) {
                    subscription::cancel(&mut tx, &id, "cancellation_requested");
                }
                Ok(())
            }
            Act::LeaveAtPeriodEnd(place) => {
                leave_later(&mut tx, &self.joined[*place]);
                Ok(())
            }
            Act::Refund(place, percent) => refund(&mut tx, &self.joined[*place], *percent),
            Act::Dispute(place, reason) => {
                dispute(&mut tx, &self.joined[*place], reason);
                Ok(())
            }
            Act::GiveUpCollecting(place) => {
                give_up(&mut tx, &self.joined[*place]);
                Ok(())
            }
            Act::Purchase(place, amount, what) => {
                purchase(&mut tx, &self.joined[*place], *amount, what);
                Ok(())
            }
        };
        match done {
            Ok(()) => tx.commit(),
            Err(error) => {
                tracing::debug!(?act, message = error.error.text("message"), "did not happen");
                Ok(())
            }
        }
    }
}

fn join(tx: &mut Tx<'_>, catalogue: &Catalogue, profile: &Profile) -> ApiResult<String> {
    let market = &MARKETS[profile.firm.market];
    let segment = ["self-serve", "self-serve", "mid-market", "enterprise"][profile.plan];
    let customer = customers::make(
        tx,
        &Params::of(json!({
            "name": profile.firm.name, "email": profile.firm.email,
            "description": format!("Contact: {}", profile.firm.contact),
            "address": {"city": profile.firm.city, "country": market.country, "line1": null, "line2": null,
                "postal_code": profile.firm.postal_code, "state": null},
            "metadata": {"segment": segment},
        })),
    )?;
    let id = customer.text("id").to_owned();
    let method = match profile.fate {
        Fate::Paused => None,
        _ => Some(keep_card(tx, profile, &id)?),
    };
    let trial_end = match profile.fate {
        Fate::Trialing | Fate::Paused => Some(tx.now + 14 * 86_400),
        _ => None,
    };
    let mut fields = json!({"metadata": {"source": "web"}});
    if profile.fate == Fate::Paused {
        fields["trial_settings"] = json!({"end_behavior": {"missing_payment_method": "pause"}});
    }
    let price = catalogue.price(profile.plan, profile.currency(), profile.yearly);
    let signup = Signup {
        customer: tx.find(Kind::Customer, &id)?,
        items: vec![(price, profile.quantity)],
        trial_end,
        payment: FirstPayment::Try,
        collection_method: "charge_automatically".to_owned(),
        days_until_due: None,
        default_payment_method: method.filter(|_| profile.plan == 3),
        fields,
    };
    signup::begin(tx, &signup)?;
    Ok(id)
}

fn keep_card(tx: &mut Tx<'_>, profile: &Profile, customer: &str) -> ApiResult<String> {
    let id = tx.id(Kind::PaymentMethod);
    let year = calendar::civil(tx.now.div_euclid(86_400)).0 + 2;
    let face = Face {
        brand: profile.brand,
        last4: &profile.last4,
        exp_month: 1 + tx.now.rem_euclid(12),
        exp_year: year,
        country: MARKETS[profile.firm.market].country,
        fingerprint: &profile.fingerprint,
    };
    let mut method = payment_methods::document(tx, &id, &face);
    method["billing_details"]["name"] = profile.firm.contact.as_str().into();
    method["billing_details"]["email"] = profile.firm.email.as_str().into();
    tx.put(Kind::PaymentMethod, method);
    payment_methods::attach_to(tx, &id, customer)?;
    tx.change_and_tell(Kind::Customer, customer, "customer.updated", |customer| {
        customer["invoice_settings"]["default_payment_method"] = id.as_str().into();
    });
    Ok(id)
}

fn subscriptions(tx: &Tx<'_>, customer: &str) -> Vec<String> {
    tx.owned_by(Kind::Subscription, customer).map(|subscription| subscription.text("id").to_owned()).collect()
}

fn leave_later(tx: &mut Tx<'_>, customer: &str) {
    let now = tx.now;
    for id in subscriptions(tx, customer) {
        tx.change_and_tell(Kind::Subscription, &id, "customer.subscription.updated", |subscription| {
            let (_, end) = subscription::period(subscription);
            subscription["cancel_at_period_end"] = true.into();
            subscription["canceled_at"] = now.into();
            subscription["cancel_at"] = end.into();
            subscription["cancellation_details"]["feedback"] = "too_expensive".into();
            subscription["cancellation_details"]["reason"] = "cancellation_requested".into();
        });
    }
}

/// The customer's latest payment that nobody has touched.
fn latest_charge(tx: &Tx<'_>, customer: &str) -> Option<Value> {
    let untouched = |charge: &&Value| {
        charge.text("status") == "succeeded" && !charge.flag("disputed") && charge.int("amount_refunded") == 0
    };
    tx.owned_by(Kind::Charge, customer).rev().find(untouched).cloned()
}

fn refund(tx: &mut Tx<'_>, customer: &str, percent: i64) -> ApiResult<()> {
    let Some(charge) = latest_charge(tx, customer) else { return Ok(()) };
    let part = (percent < 100).then(|| (charge.int("amount") * percent / 100).max(1));
    let wish = Wish { amount: part, reason: Some("requested_by_customer".to_owned()), metadata: json!({}) };
    refund::make(tx, &charge, &wish).map(drop)
}

fn dispute(tx: &mut Tx<'_>, customer: &str, reason: &'static str) {
    if let Some(charge) = latest_charge(tx, customer) {
        let opening = Opening { reason, inquiry: reason == "general", amount: charge.int("amount") };
        dispute::open(tx, charge.text("id"), &opening);
    }
}

/// Stops collecting but leaves the subscription, as an account may choose to.
fn give_up(tx: &mut Tx<'_>, customer: &str) {
    for id in subscriptions(tx, customer) {
        let latest = tx.get(Kind::Subscription, &id).map(|kept| kept.text("latest_invoice").to_owned());
        if let Some(invoice) = latest {
            tx.unplan("invoice.retry", &invoice);
            tx.change_and_tell(Kind::Invoice, &invoice, "invoice.updated", |invoice| {
                invoice["next_payment_attempt"] = Value::Null;
            });
        }
        tx.change_and_tell(Kind::Subscription, &id, "customer.subscription.updated", |subscription| {
            if subscription.text("status") == "past_due" {
                subscription["status"] = "unpaid".into();
            }
        });
    }
}

/// A single payment with the customer's card.
pub fn purchase(tx: &mut Tx<'_>, customer: &str, amount: i64, what: &str) {
    let Some(kept) = tx.get(Kind::Customer, customer).cloned() else { return };
    let invoice = json!({"customer": customer});
    let Some(method) = collect::method(tx, &invoice) else { return };
    let currency = kept.maybe_text("currency").unwrap_or("usd");
    let plan = Plan { amount, currency, customer: Some(customer), description: Some(what) };
    let intent = intent::create(tx, &plan, |intent| intent["receipt_email"] = kept["email"].clone());
    // A card that refuses leaves a failed payment behind; that is part of the story.
    let _ = intent::confirm(tx, intent.text("id"), &method, Presence::OffSession);
}

/// An amount of a purchase in the customer's currency: yen have no minor unit.
pub fn priced(draw: &mut Draw, least: i64, bound: i64, currency: &str) -> i64 {
    let amount = draw.between(least, bound);
    if currency == "jpy" { amount * 3 / 2 } else { amount * 100 }
}
