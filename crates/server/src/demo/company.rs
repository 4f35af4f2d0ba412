//! The people of the demo and what they have on their desks when it opens.

use std::collections::BTreeMap;

use bursar_domain::actor::Actor;
use bursar_domain::role::Role;
use bursar_engine::{Engine, NewPerson, PlaybookSettings, RefundRequest};
use bursar_fake_stripe::FakeStripe;
use bursar_store::people::Token;
use serde_json::{Value, json};

use super::state::Saved;
use crate::http::auth::{hash_of, new_token};
use crate::http::state::DemoPerson;
use crate::service;

pub fn people() -> Vec<DemoPerson> {
    [
        ("Olivia Marsh", "olivia@northwind.example", Role::Operator),
        ("Carl Brandt", "carl@northwind.example", Role::Controller),
        ("Sam Okafor", "sam@northwind.example", Role::Support),
        ("Priya Nair", "priya@northwind.example", Role::Platform),
    ]
    .map(|(name, email, role)| DemoPerson { name: name.to_owned(), email: email.to_owned(), role })
    .to_vec()
}

/// The defaults, in the company's own name.
pub fn playbook_settings() -> anyhow::Result<BTreeMap<String, PlaybookSettings>> {
    let mut settings = service::default_playbook_settings()?;
    if let Some(recovery) = settings.get_mut("recovery") {
        recovery.body["company"] = "Northwind SaaS".into();
        recovery.body["support_address"] = "billing@northwind.example".into();
    }
    Ok(settings)
}

/// Creates people and tokens where they are missing; answers the tokens by role.
pub async fn settle(engine: &Engine, saved: &mut Saved) -> anyhow::Result<Value> {
    for person in people() {
        if engine.person_by_email(&person.email).await?.is_none() {
            let new = NewPerson {
                email: person.email.clone(),
                name: person.name.clone(),
                roles: vec![person.role],
                password_hash: None,
            };
            engine.save_person(&Actor::Engine, new).await?;
        }
        let role = person.role.as_str().to_owned();
        let token = saved.tokens.entry(role).or_insert_with(|| new_token(engine, "user_test")).clone();
        let hash = hash_of(&token);
        if engine.token_by_hash(&hash).await?.is_none() {
            let owner = engine.person_by_email(&person.email).await?;
            let owner = owner.ok_or_else(|| anyhow::anyhow!("{} was not kept", person.email))?;
            let row = Token {
                id: engine.new_token_id(),
                person: owner.id,
                name: "demo".to_owned(),
                kind: "user".to_owned(),
                roles: vec![person.role],
                expires_at: None,
                revoked: false,
            };
            engine.add_token(&Actor::Engine, row, hash).await?;
        }
    }
    Ok(json!(saved.tokens))
}

/// A refund that somebody in support asked for before lunch.
struct Asked {
    least: i64,
    most: i64,
    currency: &'static str,
    reason: &'static str,
}

/// Most need a controller, one nobody: it is done before anybody looks.
const ASKED: [Asked; 6] = [
    Asked {
        least: 50_001,
        most: i64::MAX,
        currency: "usd",
        reason: "double subscription, cancelled the same day",
    },
    Asked {
        least: 20_000,
        most: 50_000,
        currency: "usd",
        reason: "was charged after cancelling on the phone",
    },
    Asked { least: 20_000, most: i64::MAX, currency: "eur", reason: "Dienst war zwei Tage nicht erreichbar" },
    Asked {
        least: 10_001,
        most: 20_000,
        currency: "usd",
        reason: "wrong plan booked, downgrade agreed with sales",
    },
    Asked { least: 5_000, most: i64::MAX, currency: "gbp", reason: "duplicate" },
    Asked { least: 1_000, most: 9_000, currency: "usd", reason: "duplicate" },
];

/// Files them for charges that fit, each charge once; true once done.
pub async fn ask_for_refunds(engine: &Engine, stripe: &FakeStripe) -> anyhow::Result<bool> {
    let Some(sam) = engine.person_by_email("sam@northwind.example").await? else { return Ok(false) };
    let actor = Actor::Person { id: sam.id, name: sam.name };
    let mut charges = stripe.charges();
    for asked in &ASKED {
        let Some(place) = charges.iter().position(|charge| fits(charge, asked)) else { continue };
        let charge = charges.remove(place);
        let request = RefundRequest {
            charge: charge["id"].as_str().unwrap_or_default().to_owned(),
            amount: None,
            currency: None,
            reason: asked.reason.to_owned(),
            lane: None,
        };
        if let Err(error) = engine.request_refund(actor.clone(), vec![Role::Support], request).await {
            tracing::warn!(%error, "a refund of the demo could not be asked for");
        }
    }
    Ok(true)
}

fn fits(charge: &Value, asked: &Asked) -> bool {
    let amount = charge["amount"].as_i64().unwrap_or(0);
    (asked.least..=asked.most).contains(&amount)
        && charge["currency"] == asked.currency
        && charge["paid"] == true
        && charge["disputed"] == false
        && charge["amount_refunded"] == 0
}
