//! What a day has left: in each currency, at home, in the installation's own zone, and however many ask at once.

use std::time::Duration;

use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::Rate;
use bursar_policy::PolicyFile;
use bursar_stripe::currency::Currency;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::scene::{Scene, Wish};
use bursar_fake_stripe::gate::Harm;

/// Refunds go by themselves while this holds.
fn refunds_when(condition: &str) -> Wish {
    let mut wish = Wish::default();
    wish.policies.retain(|file| !file.path.ends_with("refunds.cedar"));
    let text = format!(
        "@id(\"test.refunds\") permit (principal, action == Bursar::Action::\"refund.create\", resource) when {{ {condition} }};"
    );
    wish.policies.push(PolicyFile::new("test/refunds.cedar", text));
    wish
}

const IN_CURRENCY: &str = "context has amount && context has currency && context has spent_today && \
     context.spent_today.currency == context.currency && context.spent_today.amount + context.amount <= 20000";

fn charge_in(scene: &Scene, currency: &str, amount: i64) -> String {
    let made =
        scene.stage.trigger("payment_intent.succeeded", json!({"amount": amount, "currency": currency}));
    let objects = made["objects"].as_array().unwrap();
    let charge = objects.iter().find(|object| object["object"] == "charge").unwrap();
    assert_eq!(charge["currency"], currency);
    charge["id"].as_str().unwrap().to_owned()
}

fn sent(scene: &Scene) -> i64 {
    scene.stage.effects("refund.create").iter().filter_map(|effect| effect["amount"].as_i64()).sum()
}

#[tokio::test]
async fn a_currency_without_a_rate_has_its_limit_however_many_ask_at_once() {
    let scene = Scene::new(refunds_when(IN_CURRENCY)).await;
    let sam = scene.who("Sam", &[Role::Support]).await;
    let charges: Vec<String> = (0..9).map(|_| charge_in(&scene, "eur", 5_000)).collect();
    let asks = charges.iter().map(|charge| scene.ask_as(&sam, charge, Some(5_000)));
    for asked in futures_util::future::join_all(asks).await {
        asked.unwrap();
    }
    scene.quiet().await;
    assert_eq!(sent(&scene), 20_000, "to the last cent and not one further");
    // Another currency has a day of its own.
    let dollars = scene.stage.charge(5_000);
    let asked = scene.ask(&dollars, 5_000).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_has_a_rate_counts_in_its_currency_and_at_home_and_comes_back_from_both() {
    let mut wish = Wish::default();
    wish.rates.insert(Currency::EUR, Rate::parse("1.0850", "2026-11-20", "test").unwrap());
    let scene = Scene::new(wish).await;
    let charge = charge_in(&scene, "eur", 9_000);
    let asked = scene.ask(&charge, 4_000).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    let spent = async || {
        let eur = scene.spent("lane:money_out_by_currency", "eur").await;
        (eur, scene.spent("lane:money_out", "usd").await, scene.spent("lane:money_out", "eur").await)
    };
    assert_eq!(spent().await, (4_000, 4_340, 0));
    let declined = r#"{"error": {"type": "card_error", "code": "card_declined"}}"#;
    scene.stage.gate.harm("POST", "/v1/refunds", 1, Harm::answer(402, declined));
    let refused = scene.ask(&charge, 1_000).await.unwrap();
    scene.live_until(&refused.proposal, ProposalState::Refused).await;
    assert_eq!(spent().await, (4_000, 4_340, 0), "what did not happen was given back");
}

#[tokio::test]
async fn a_day_ends_at_midnight_where_the_installation_is() {
    let cap = "context has amount_home && context has spent_today.amount_home && \
         context.spent_today.amount_home + context.amount_home <= 10000";
    let zone = TimeZone::get("America/New_York").unwrap();
    let scene = Scene::new(Wish { zone, ..refunds_when(cap) }).await;
    // The evening of the 20th in New York; in Greenwich the 21st has just begun.
    let first = scene.ask(&scene.stage.charge(9_000), 9_000).await.unwrap();
    scene.live_until(&first.proposal, ProposalState::Done).await;
    let second = scene.stage.charge(9_000);
    assert_eq!(scene.ask(&second, 9_000).await.unwrap().state, ProposalState::Denied);
    scene.pass_business(Duration::from_hours(4));
    assert_eq!(scene.ask(&second, 9_000).await.unwrap().state, ProposalState::Denied, "23:00, the same day");
    scene.pass_business(Duration::from_hours(2));
    let next_day = scene.ask(&second, 9_000).await.unwrap();
    scene.live_until(&next_day.proposal, ProposalState::Done).await;
    assert_eq!(sent(&scene), 18_000);
}
