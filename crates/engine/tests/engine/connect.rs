//! Getting to know a key: what it may do is asked without doing anything, a key made from the list is enough, and an
//! endpoint is registered once.

use std::collections::BTreeMap;
use std::time::Duration;

use bursar_domain::proposal::ProposalState;
use bursar_engine::connect::{self, Became};
use bursar_engine::{Endpoint, Error, Granted, Permission, Registers};
use secrecy::ExposeSecret as _;

use crate::scene::{self, Scene, Wish};
use crate::stage::Stage;

/// What the list says, as the simulated Stripe calls it: the strongest access to each resource.
fn grants(listed: &[Permission]) -> BTreeMap<&'static str, &'static str> {
    let mut grants = BTreeMap::new();
    for permission in listed {
        let access = grants.entry(at_stripe(permission.resource)).or_insert(permission.access);
        if permission.access == "write" {
            *access = "write";
        }
    }
    grants
}

fn at_stripe(resource: &'static str) -> &'static str {
    match resource {
        "billing_portal/sessions" => "billing_portal",
        "balance_transactions" => "balance",
        "invoice_payments" => "invoices",
        other => other,
    }
}

async fn listed(stage: &Stage) -> Vec<Permission> {
    let connection = scene::connection(stage, &Wish::default());
    connect::examine(&connection, Registers::Endpoints).await.unwrap().permissions
}

fn key_with(stage: &Stage, grants: &BTreeMap<&'static str, &'static str>) -> Wish {
    let grants: Vec<(&str, &str)> = grants.iter().map(|(resource, access)| (*resource, *access)).collect();
    Wish { key: Some(stage.stripe.restricted_key(&grants).unwrap()), polls: false, ..Wish::paying_alone() }
}

#[tokio::test]
async fn what_a_key_lacks_is_named_and_asking_changes_nothing() {
    let stage = Stage::new().await;
    stage.charge(9_000);
    let before = stage.stripe.ledger();
    let all = listed(&stage).await;
    assert!(all.iter().all(|permission| permission.granted == Granted::Yes), "{all:?}");
    for resource in grants(&all).into_keys() {
        let mut grants = grants(&all);
        grants.remove(resource);
        let connection = scene::connection(&stage, &key_with(&stage, &grants));
        let examined = connect::examine(&connection, Registers::Endpoints).await;
        if resource == "account" {
            let named =
                matches!(&examined, Err(Error::PermissionMissing { resource, .. }) if resource == "account");
            assert!(named, "{examined:?}");
            continue;
        }
        for permission in examined.unwrap().permissions {
            let lacks = at_stripe(permission.resource) == resource;
            let expected = if lacks { Granted::No } else { Granted::Yes };
            assert_eq!(permission.granted, expected, "without {resource}: {permission:?}");
        }
    }
    assert_eq!(stage.stripe.ledger(), before, "nothing came of asking");
    let bodies: Vec<String> = stage.gate.written().into_iter().map(|written| written.body).collect();
    assert!(!bodies.is_empty() && bodies.iter().all(String::is_empty), "{bodies:?}");
}

/// A failed payment whose customer has given a card that works, told when the mirror is too old to answer for anything.
async fn failed_with_card(scene: &Scene) -> String {
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.stage.give_working_card(&failed).await;
    scene.pass_business(Duration::from_mins(20));
    scene.deliver(&failed.event).await.unwrap();
    failed.invoice
}

#[tokio::test]
async fn a_key_with_exactly_what_is_listed_recovers_and_refunds() {
    let stage = Stage::new().await;
    let wish = key_with(&stage, &grants(&listed(&stage).await));
    let scene = Scene::on(stage, wish).await;
    let invoice = failed_with_card(&scene).await;
    let proposal = scene.proposed(&invoice, "invoice.pay").await;
    scene.live_until(&proposal, ProposalState::Done).await;
    let charge = scene.stage.charge(9_000);
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    scene.quiet().await;
    assert_eq!(scene.stage.gate.forbidden(), Vec::<String>::new());
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_read_that_is_not_permitted_waits_and_does_not_give_up() {
    let stage = Stage::new().await;
    let mut grants = grants(&listed(&stage).await);
    grants.remove("payment_methods");
    let wish = key_with(&stage, &grants);
    let scene = Scene::on(stage, wish).await;
    failed_with_card(&scene).await;
    scene.until("a read is refused", async || !scene.stage.gate.forbidden().is_empty()).await;
    scene.quiet().await;
    let forbidden = scene.stage.gate.forbidden();
    assert!(forbidden.iter().all(|path| path.starts_with("/v1/payment_methods/")), "{forbidden:?}");
    assert!(scene.stage.our_effects().is_empty());
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0);
}

#[tokio::test]
async fn an_endpoint_is_registered_once_and_brought_up_to_date() {
    let stage = Stage::new().await;
    let connection = scene::connection(&stage, &Wish::default());
    let (own, connected) =
        ("https://b.example.com/ingest/stripe", "https://b.example.com/ingest/stripe/connect");
    let first = connect::register_webhook(&connection, own, Endpoint::Account).await.unwrap();
    assert_eq!(first.became, Became::New);
    assert!(first.secret.is_some_and(|secret| secret.expose_secret().starts_with("whsec_")));
    let second = connect::register_webhook(&connection, connected, Endpoint::Connect).await.unwrap();
    assert_ne!(first.id, second.id);
    let asked = stage.gate.written().pop().unwrap().body;
    assert!(asked.contains("connect=true"), "{asked}");
    let again = connect::register_webhook(&connection, own, Endpoint::Account).await.unwrap();
    assert_eq!(
        (again.id.as_str(), again.became, again.secret.is_none()),
        (first.id.as_str(), Became::Kept, true)
    );
    let path = format!("/v1/webhook_endpoints/{}", first.id);
    stage.call("POST", &path, &[("enabled_events[]", "charge.refunded")]).await;
    let mended = connect::register_webhook(&connection, own, Endpoint::Account).await.unwrap();
    assert_eq!((mended.id.as_str(), mended.became), (first.id.as_str(), Became::Updated));
    let held = stage.call("GET", "/v1/webhook_endpoints", &[]).await;
    assert_eq!(held["data"].as_array().unwrap().len(), 2, "{held}");
    let sent = stage.call("GET", &path, &[]).await["enabled_events"].as_array().unwrap().len();
    assert_eq!(sent, connect::events_in_use().len());
}
