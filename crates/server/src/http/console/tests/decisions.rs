//! From a question to an effect at Stripe, and every way in which there is none.

use axum::http::StatusCode;
use bursar_domain::id::ApprovalId;
use serde_json::json;

use super::desk::{Answer, Browser, Desk};

async fn approve(desk: &Desk, browser: &mut Browser, id: &ApprovalId) -> Answer {
    let digest = desk.approval(id).await["digest"].as_str().unwrap().to_owned();
    browser.submit(&format!("/approvals/{id}/approve"), &[("digest", &digest)]).await
}

#[tokio::test]
async fn a_controller_approves_and_stripe_refunds_once() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let mut carl = desk.signed_in("carl").await;
    let card = carl.get(&format!("/approvals/{id}")).await.text;
    for wanted in
        ["six hundred forty US dollars", "refunds.over_limit", "640.00 USD", "100.00 USD", "Not sam"]
    {
        assert!(card.contains(wanted), "{wanted}");
    }
    assert_eq!(approve(&desk, &mut carl, &id).await.status, StatusCode::SEE_OTHER);
    desk.until(&id, "executed").await;
    let receipt = carl.get(&format!("/approvals/{id}")).await.text;
    assert!(
        receipt.contains("Everything happened as predicted")
            && receipt.contains("Approved. What becomes of it")
    );
    assert!(
        !carl.get(&format!("/approvals/{id}")).await.text.contains("Approved. What becomes of it"),
        "said twice"
    );
    assert_eq!(desk.refunds(), 1);

    let mut cora = desk.signed_in("cora").await;
    let late = approve(&desk, &mut cora, &id).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.text.contains("Somebody has already decided"));
    assert_eq!(desk.refunds(), 1);
}

#[tokio::test]
async fn nobody_decides_on_what_they_asked_for() {
    let desk = Desk::open().await;
    let charge = desk.charge(64_000, "Lumen Labs");
    let id = desk.ask("cora", &charge, "ordered twice").await.approval.unwrap();
    let mut cora = desk.signed_in("cora").await;
    let page = cora.get(&format!("/approvals/{id}")).await.text;
    assert!(page.contains("carl can decide"), "{page}");
    let answer = approve(&desk, &mut cora, &id).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.text.contains("You asked for this yourself"));
    assert_eq!(desk.approval(&id).await["status"], "pending");
}

#[tokio::test]
async fn who_is_not_asked_and_what_has_expired_moves_nothing() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let mut olivia = desk.signed_in("olivia").await;
    assert_eq!(approve(&desk, &mut olivia, &id).await.status, StatusCode::FORBIDDEN);
    desk.stripe.advance(25 * 3_600).unwrap();
    let mut carl = desk.signed_in("carl").await;
    let answer = approve(&desk, &mut carl, &id).await;
    assert_eq!(answer.status, StatusCode::GONE, "{}", answer.text);
    assert!(answer.text.contains("This approval has expired"));
    assert_eq!(desk.refunds(), 0);
}

#[tokio::test]
async fn a_vote_on_another_digest_is_not_counted() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let mut carl = desk.signed_in("carl").await;
    let other = "0".repeat(64);
    let answer = carl.submit(&format!("/approvals/{id}/approve"), &[("digest", &other)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("The card has changed since you read it"));
    assert_eq!(desk.approval(&id).await["status"], "pending");
}

#[tokio::test]
async fn a_rejection_needs_a_reason_and_sends_nothing() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let digest = desk.approval(&id).await["digest"].as_str().unwrap().to_owned();
    let mut carl = desk.signed_in("carl").await;
    let path = format!("/approvals/{id}/reject");
    let empty = carl.submit(&path, &[("digest", &digest), ("reason", "  ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let done = carl.submit(&path, &[("digest", &digest), ("reason", "used for three weeks")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let page = carl.get(&format!("/approvals/{id}")).await.text;
    assert!(page.contains("Nothing was sent to Stripe") && page.contains("used for three weeks"));
    assert_eq!(desk.refunds(), 0);
}

#[tokio::test]
async fn a_refund_is_asked_for_from_its_case() {
    let desk = Desk::open().await;
    let charge = desk.charge(64_000, "Lumen Labs");
    let first = desk.ask("sam", &charge, "ordered twice").await;
    let mut sam = desk.signed_in("sam").await;
    let case = format!("/cases/{}", first.case);
    assert!(sam.get(&case).await.text.contains(&format!("{case}/refund")));
    let path = format!("{case}/refund");
    let ask = async |sam: &mut Browser, amount: &str| {
        sam.submit(&path, &[("charge", &charge), ("amount", amount), ("reason", "late")]).await
    };

    let small = ask(&mut sam, "40.00").await;
    assert_eq!(small.leads_to(), case, "{}", small.text);
    let large = ask(&mut sam, "300").await;
    assert!(large.leads_to().starts_with("/approvals/"), "{}", large.text);
    let again = ask(&mut sam, "300.00").await;
    assert_eq!(again.leads_to(), large.leads_to());
    for (amount, status) in [
        ("12.345", StatusCode::UNPROCESSABLE_ENTITY),
        ("0", StatusCode::UNPROCESSABLE_ENTITY),
        ("twelve", StatusCode::UNPROCESSABLE_ENTITY),
        ("700.00", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(ask(&mut sam, amount).await.status, status, "{amount}");
    }
    let other = sam.submit(&path, &[("charge", "ch_other"), ("reason", "late")]).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_changed_meanwhile_leads_to_the_question_in_its_place() {
    let desk = Desk::open().await;
    let charge = desk.charge(64_000, "Lumen Labs");
    let id = desk.ask_for("sam", &charge, Some(30_000), "ordered twice").await.approval.unwrap();
    let mut carl = desk.signed_in("carl").await;
    desk.stripe.trigger("charge.refunded", json!({"charge": charge, "amount": 1_000})).unwrap();
    approve(&desk, &mut carl, &id).await;
    desk.until(&id, "void").await;
    let next = desk.approval(&id).await["superseded_by"]["approval"].as_str().unwrap().to_owned();
    let page = carl.get(&format!("/approvals/{id}")).await.text;
    assert!(page.contains("was 640.00 USD, is 630.00 USD"), "{page}");
    assert!(page.contains(&format!("<a href=\"/approvals/{next}\">Asked again</a>")), "{page}");
    let case = desk.approval(&id).await["case"].as_str().unwrap().to_owned();
    let case = carl.get(&format!("/cases/{case}")).await.text;
    assert!(case.contains("asked for, again with what holds now"), "{case}");
    approve(&desk, &mut carl, &next.parse().unwrap()).await;
    desk.until(&next.parse().unwrap(), "executed").await;
}

#[tokio::test]
async fn an_approved_refund_says_on_every_page_that_it_waits_for_stripe() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let mut carl = desk.signed_in("carl").await;
    let down = json!({"route": "POST /v1/refunds", "kind": "status", "status": 503, "effect": false, "times": 1_000});
    desk.stripe.arm_fault(down).unwrap();
    approve(&desk, &mut carl, &id).await;
    let waits = async {
        while desk.approval(&id).await["execution"]["waits"].is_null() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waits).await.unwrap();
    let words = "The refund waits for Stripe, which answers 503; tried again by itself.";
    let page = carl.get(&format!("/approvals/{id}")).await.text;
    assert!(page.contains(words), "{page}");
    let case = desk.approval(&id).await["case"].as_str().unwrap().to_owned();
    let case = carl.get(&format!("/cases/{case}")).await.text;
    assert!(case.contains(words) && case.contains("waits: Refund 640.00 USD"), "{case}");
    assert!(!case.contains("Waits for a decision"), "{case}");
}
