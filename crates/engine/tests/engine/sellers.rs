//! A platform's sellers: what is done on one account carries its name, lands there and nowhere else, and a seller that
//! must wait holds up nobody.

use std::time::Duration;

use bursar_domain::approval::Choice;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use serde_json::json;

use crate::scene::{Scene, Wish};
use crate::stage::Stage;
use bursar_fake_stripe::gate::Harm;

/// A platform with two sellers.
pub(crate) async fn platform(wish: Wish) -> (Scene, String, String) {
    let stage = Stage::new().await;
    let mut sellers = Vec::new();
    for _ in 0..2 {
        let made = stage.call("POST", "/v1/accounts", &[("type", "standard")]).await;
        sellers.push(made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned());
    }
    let connected = sellers.iter().map(|seller| seller.parse().unwrap()).collect();
    let scene = Scene::on(stage, Wish { connected, ..wish }).await;
    let [one, other] = <[String; 2]>::try_from(sellers).unwrap();
    (scene, one, other)
}

/// Everything we did was done on this account, whatever others have, and so was every request.
fn assert_only_on(scene: &Scene, account: Option<&str>, kind: &str) {
    let effects = scene.stage.our_effects();
    let platform = scene.stage.stripe.account_id();
    let landed: Vec<(&str, &str)> = effects
        .iter()
        .map(|effect| (effect["kind"].as_str().unwrap(), effect["account"].as_str().unwrap()))
        .collect();
    assert_eq!(landed, [(kind, account.unwrap_or(&platform))]);
    let named: Vec<Option<String>> =
        scene.stage.our_writes().into_iter().map(|written| written.account).collect();
    assert_eq!(named, [account.map(str::to_owned)]);
}

#[tokio::test]
async fn a_refund_of_a_sellers_charge_lands_on_the_seller_only() {
    let (scene, seller, other) = platform(Wish::default()).await;
    for account in [None, Some(other.as_str())] {
        scene.stage.charge_on(account, 9_000);
    }
    let charge = scene.stage.charge_on(Some(&seller), 9_000);
    let asked = scene.ask(&charge, 5_000).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    assert_only_on(&scene, Some(&seller), "refund.create");
    let intent = scene.execution(&asked.proposal).await.unwrap().intent;
    assert_eq!((intent.account, intent.lane), (Some(seller.clone()), format!("{seller}/test")));
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_refund_of_the_platforms_own_charge_names_no_seller() {
    let (scene, seller, _) = platform(Wish::default()).await;
    scene.stage.charge_on(Some(&seller), 9_000);
    let asked = scene.ask(&scene.stage.charge(9_000), 5_000).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    assert_only_on(&scene, None, "refund.create");
}

#[tokio::test]
async fn a_sellers_invoice_is_paid_and_looked_up_on_the_seller_only() {
    for harm in [None, Some(Harm::CutAfter)] {
        let (scene, seller, other) = platform(Wish::paying_alone()).await;
        let others = [
            scene.stage.failed_invoice("insufficient_funds"),
            scene.stage.failed_invoice_on(Some(&other), "insufficient_funds"),
        ];
        let failed = scene.stage.failed_invoice_on(Some(&seller), "insufficient_funds");
        scene.until("a case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
        scene.pass_business(Duration::from_mins(1));
        let lost = harm.is_some();
        if let Some(harm) = harm {
            scene.stage.gate.harm("POST", &format!("/v1/invoices/{}/pay", failed.invoice), 1, harm);
        }
        scene.stage.give_working_card(&failed).await;
        let proposal = scene.proposed(&failed.invoice, "invoice.pay").await;
        scene.live_until(&proposal, ProposalState::Done).await;
        assert_only_on(&scene, Some(&seller), "invoice.pay");
        for failed in &others {
            let on = failed.account.as_deref();
            let held = scene.stage.call_on(on, "GET", &format!("/v1/invoices/{}", failed.invoice), &[]).await;
            assert_eq!(held["status"], "open", "lost: {lost}");
        }
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn a_seller_that_stripe_slows_down_holds_up_nobody_else() {
    let (scene, seller, other) = platform(Wish::default()).await;
    let carl = scene.who("Carl", &[Role::Controller]).await;
    // As many as there are workers, and one more.
    let mut slowed = Vec::new();
    for _ in 0..5 {
        let charge = scene.stage.charge_on(Some(&seller), 64_000);
        slowed.push(scene.ask(&charge, 30_000).await.unwrap());
    }
    let limited = Harm::Answer {
        effect: false,
        status: 429,
        headers: vec![("retry-after", "3600")],
        body: json!({"error": {"code": "rate_limit"}}).to_string(),
    };
    scene.stage.gate.harm("POST", "/v1/refunds", 1, limited);
    scene.vote(&carl, slowed[0].approval.as_ref().unwrap(), Choice::Approve).await.unwrap();
    scene.until("it was sent", async || scene.stage.our_writes().len() == 1).await;
    scene.quiet().await;
    for asked in &slowed[1..] {
        scene.vote(&carl, asked.approval.as_ref().unwrap(), Choice::Approve).await.unwrap();
    }
    for account in [None, Some(other.as_str())] {
        let charge = scene.stage.charge_on(account, 9_000);
        let asked = scene.ask(&charge, 5_000).await.unwrap();
        scene.live_until(&asked.proposal, ProposalState::Done).await;
    }
    for asked in &slowed {
        assert_eq!(scene.state(&asked.proposal).await, ProposalState::Approved, "it waits");
    }
    let sent_by = |account: &str| {
        scene.stage.our_writes().iter().filter(|written| written.account.as_deref() == Some(account)).count()
    };
    assert_eq!((sent_by(&seller), sent_by(&other)), (1, 1));
    scene.assert_audit().await;
}
