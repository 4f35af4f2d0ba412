//! What was asked for and decided on a world that has changed since: it is asked for again with what holds now, once.

use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_domain::approval::Choice;
use bursar_domain::id::{ProposalId, TokenId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_engine::{FailPoint, RefundRequest, Submitted};
use bursar_store::request_keys::RequestKey;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::scene::{Scene, Wish};
use bursar_fake_stripe::gate::Harm;

/// Asked for at once, all decided before the first is sent; then the process dies and another one goes on.
async fn asked_at_once(scene: &mut Scene, charge: &str, amounts: &[i64]) -> Vec<Submitted> {
    let reached = scene.engine().stand_still_at(FailPoint::Intended);
    let sam = scene.who("Sam", &[Role::Support]).await;
    let asks = join_all(amounts.iter().map(|amount| scene.ask_as(&sam, charge, Some(*amount)))).await;
    reached.await.unwrap();
    let asked: Vec<Submitted> = asks.into_iter().map(Result::unwrap).collect();
    assert!(asked.iter().all(|asked| asked.state == ProposalState::Approved));
    scene.restart().await;
    asked
}

/// The proposals of a charge of which nothing more comes, each with the one it began as.
async fn ends(scene: &Scene, charge: &str) -> Vec<Value> {
    let all = scene.proposals(charge, "refund.create").await;
    for proposal in &all {
        let Some(next) = proposal["superseded_by"].as_str() else { continue };
        let next = all.iter().find(|other| other["id"] == next).unwrap();
        assert_eq!(next["supersedes"], proposal["id"], "both ways");
        assert_eq!(proposal["state"], "void");
        assert_ne!(next["digest"], proposal["digest"]);
        assert_eq!(
            (&next["claimed"], &next["requested_by"]),
            (&proposal["claimed"], &proposal["requested_by"])
        );
    }
    all.into_iter().filter(|proposal| proposal["superseded_by"].is_null()).collect()
}

fn amounts(effects: &[Value]) -> Vec<i64> {
    let mut amounts: Vec<i64> = effects.iter().filter_map(|effect| effect["amount"].as_i64()).collect();
    amounts.sort_unstable();
    amounts
}

#[tokio::test]
async fn refunds_of_one_charge_do_not_void_each_other() {
    let mut scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(30_000);
    let asked = asked_at_once(&mut scene, &charge, &[2_000, 3_000, 4_000]).await;
    let all_sent = async || {
        scene.pass_machine(Duration::from_secs(2));
        scene.stage.our_effects().len() == 3
    };
    scene.until("three refunds", all_sent).await;
    scene.quiet().await;
    assert_eq!(amounts(&scene.stage.our_effects()), [2_000, 3_000, 4_000]);
    let last = ends(&scene, &charge).await;
    assert!(last.len() == 3 && last.iter().all(|end| end["state"] == "done"), "{last:#?}");
    assert_eq!(
        scene.proposals(&charge, "refund.create").await.len(),
        5,
        "one of three held, two again, once each"
    );
    let case = &scene.cases(&charge).await[0];
    assert_eq!(case["state"], "closed");
    let told = case["timeline"].to_string();
    assert!(told.contains("refundable changed after it was decided: was 300.00 USD, is "), "{told}");
    assert!(!told.contains(r#"{\"amount\""#), "amounts are told in words: {told}");
    for asked in &asked {
        let state = scene.state(&asked.proposal).await;
        assert!(matches!(state, ProposalState::Done | ProposalState::Void), "{state:?}");
    }
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_no_longer_fits_is_denied_and_says_so() {
    let mut scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(30_000);
    let wanted: Vec<i64> = (9_000..9_008).collect();
    asked_at_once(&mut scene, &charge, &wanted).await;
    let settled = async || {
        scene.pass_machine(Duration::from_secs(2));
        scene.cases(&charge).await[0]["state"] == "closed"
    };
    scene.until("nothing is left to do", settled).await;
    scene.quiet().await;
    assert_eq!(scene.stage.our_effects().len(), 3);
    let last = ends(&scene, &charge).await;
    let denied: Vec<&Value> = last.iter().filter(|end| end["state"] == "denied").collect();
    assert_eq!((last.len(), denied.len()), (8, 5));
    for denied in denied {
        assert_eq!(denied["verdict"]["policies"][0]["id"], "refunds.over_refundable");
        assert!(denied["reason"].as_str().unwrap().contains("refundable changed"), "{denied}");
        assert!(denied["evidence"].to_string().contains("refundable now 29"), "{denied}");
    }
    let timeline = scene.cases(&charge).await[0]["timeline"].clone();
    let told = timeline.as_array().unwrap().iter();
    assert_eq!(told.filter(|line| line["data"]["ruling"] == "deny").count(), 5);
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_passes_the_limit_of_a_day_is_asked_of_people() {
    let scene = Scene::new(Wish::default()).await;
    let sam = scene.who("Sam", &[Role::Support]).await;
    let charges: Vec<String> = (0..26).map(|_| scene.stage.charge(10_000)).collect();
    let asks = charges.iter().map(|charge| scene.ask_as(&sam, charge, Some(10_000)));
    let asked = join_all(asks).await;
    scene.quiet().await;
    assert_eq!(scene.stage.our_effects().len(), 20);
    let pending = scene.engine().approvals(Some("pending"), None, 30, None).await.unwrap().items;
    assert_eq!(pending.len(), 6, "nothing that was asked for is lost");
    let carl = scene.who("Carl", &[Role::Controller]).await;
    for approval in &pending {
        let proposal: ProposalId = approval["proposal"].as_str().unwrap().parse().unwrap();
        assert_eq!(scene.case_of(&proposal).await["state"], "needs_person");
        let id = approval["id"].as_str().unwrap().parse().unwrap();
        scene.vote(&carl, &id, Choice::Approve).await.unwrap();
        scene.live_until(&proposal, ProposalState::Done).await;
    }
    assert_eq!((asked.len(), scene.stage.our_effects().len()), (26, 26));
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_world_that_keeps_changing_is_left_to_a_person() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(64_000);
    let mut asked = scene.ask(&charge, 30_000).await.unwrap();
    let carl = scene.who("Carl", &[Role::Controller]).await;
    for round in 0..=8 {
        scene.stage.trigger("charge.refunded", json!({"charge": charge, "amount": 1_000}));
        let approval = asked.approval.clone().unwrap();
        scene.vote(&carl, &approval, Choice::Approve).await.unwrap();
        scene.live_until(&asked.proposal, ProposalState::Void).await;
        let document = scene.engine().approval(&approval, None).await.unwrap();
        let next = &document["superseded_by"];
        if round == 8 {
            assert!(next.is_null(), "{next}");
            break;
        }
        assert_eq!((document["status"].as_str(), next["state"].as_str()), (Some("void"), Some("asking")));
        asked.proposal = next["proposal"].as_str().unwrap().parse().unwrap();
        asked.approval = Some(next["approval"].as_str().unwrap().parse().unwrap());
    }
    assert!(scene.why(&asked.proposal).await.contains("not asked for again by itself"));
    assert_eq!(scene.cases(&charge).await[0]["state"], "needs_person");
    assert!(scene.stage.our_effects().is_empty());
    scene.assert_audit().await;
}

#[tokio::test]
async fn whoever_may_no_longer_ask_asks_for_nothing_again() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(64_000);
    let gone = Actor::ApiKey {
        id: TokenId::from_entropy([7; 16]),
        name: "helpdesk".to_owned(),
        owner: scene.who("Sam", &[Role::Support]).await.id,
    };
    let request = RefundRequest {
        charge: charge.clone(),
        amount: Some(30_000),
        currency: None,
        reason: "duplicate".to_owned(),
        lane: None,
    };
    let asked = scene.engine().request_refund(gone, vec![Role::Support], request).await.unwrap();
    let carl = scene.who("Carl", &[Role::Controller]).await;
    scene.stage.trigger("charge.refunded", json!({"charge": charge, "amount": 1_000}));
    scene.vote(&carl, &asked.approval.unwrap(), Choice::Approve).await.unwrap();
    scene.live_until(&asked.proposal, ProposalState::Void).await;
    assert!(scene.why(&asked.proposal).await.contains("may no longer ask"));
    assert_eq!(scene.proposals(&charge, "refund.create").await.len(), 1);
    assert_eq!(scene.cases(&charge).await[0]["state"], "needs_person");
}

#[tokio::test]
async fn whoever_asks_again_under_their_key_is_told_of_what_took_its_place() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(64_000);
    let sam = scene.who("Sam", &[Role::Support]).await;
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let ask = async || {
        let key = RequestKey {
            actor: sam.actor().key(),
            key: "ticket-4711".to_owned(),
            request_hash: "0".repeat(64),
        };
        let request = RefundRequest {
            charge: charge.clone(),
            amount: Some(30_000),
            currency: None,
            reason: "duplicate".to_owned(),
            lane: None,
        };
        scene.engine().request_refund_once(sam.actor(), sam.roles.clone(), key, request).await.unwrap()
    };
    let first = ask().await;
    scene.stage.trigger("charge.refunded", json!({"charge": charge, "amount": 1_000}));
    scene.vote(&carl, &first.approval.unwrap(), Choice::Approve).await.unwrap();
    scene.live_until(&first.proposal, ProposalState::Void).await;
    let again = ask().await;
    assert!(again.repeated && again.proposal != first.proposal, "{again:?}");
    assert_eq!(again.state, ProposalState::Asking);
    assert_eq!(scene.proposals(&charge, "refund.create").await.len(), 2);
}

async fn waiting_lines(scene: &Scene, charge: &str) -> Vec<String> {
    let case = scene.cases(charge).await.remove(0);
    let lines = case["timeline"].as_array().unwrap().iter().filter(|line| line["kind"] == "waits");
    lines.map(|line| line["data"]["why"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_case_of_an_approved_refund_says_what_it_waits_for() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(64_000);
    let asked = scene.ask(&charge, 30_000).await.unwrap();
    let carl = scene.who("Carl", &[Role::Controller]).await;
    let approval = asked.approval.unwrap();
    assert_eq!(scene.cases(&charge).await[0]["state"], "needs_person");
    scene.stage.gate.harm("POST", "/v1/refunds", usize::MAX, Harm::answer(503, ""));
    scene.vote(&carl, &approval, Choice::Approve).await.unwrap();
    let words = "the refund waits for Stripe, which answers 503; tried again by itself";
    let says = async || {
        let case = scene.cases(&charge).await.remove(0);
        case["state"] == "blocked" && case["blocked_on"] == words
    };
    scene.until("the case says it", says).await;
    for _ in 0..5 {
        scene.pass_machine(Duration::from_mins(1));
        scene.quiet().await;
    }
    assert!(scene.execution(&asked.proposal).await.unwrap().sends > 1, "it was tried again");
    assert_eq!(waiting_lines(&scene, &charge).await, [words], "told once");
    let document = scene.engine().approval(&approval, None).await.unwrap();
    assert_eq!(document["execution"]["waits"], words);
    scene.stage.gate.heal();
    scene.live_until(&asked.proposal, ProposalState::Done).await;
    let case = scene.cases(&charge).await.remove(0);
    assert_eq!((case["state"].as_str(), &case["blocked_on"]), (Some("closed"), &Value::Null));
}

#[tokio::test]
async fn an_approved_refund_that_stripe_lets_nobody_look_at_waits_in_words_too() {
    let scene = Scene::new(Wish::default()).await;
    let charge = scene.stage.charge(64_000);
    let first = scene.ask(&charge, 30_000).await.unwrap();
    let second = scene.ask(&charge, 20_000).await.unwrap();
    let carl = scene.who("Carl", &[Role::Controller]).await;
    scene.stage.gate.harm("GET", "/v1/charges/", usize::MAX, Harm::answer(503, ""));
    scene.vote(&carl, &first.approval.unwrap(), Choice::Approve).await.unwrap();
    scene.quiet().await;
    assert_eq!(scene.cases(&charge).await[0]["state"], "needs_person", "the other one still asks");
    scene.vote(&carl, &second.approval.unwrap(), Choice::Reject).await.unwrap();
    assert_ne!(scene.cases(&charge).await[0]["state"], "needs_person", "everything is decided");
    let says = async || {
        scene.pass_machine(Duration::from_mins(1));
        let case = scene.cases(&charge).await.remove(0);
        let on = case["blocked_on"].as_str().unwrap_or_default();
        on.starts_with("the refund waits: Stripe") && on.contains("503")
    };
    scene.until("the case says it", says).await;
    assert_eq!(waiting_lines(&scene, &charge).await.len(), 1, "told once");
    scene.stage.gate.heal();
    scene.live_until(&first.proposal, ProposalState::Done).await;
    assert_eq!(scene.cases(&charge).await[0]["state"], "closed");
}
