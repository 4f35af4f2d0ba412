//! What changes something is a POST from a page of ours, in the session it was made for.

use axum::http::StatusCode;

use super::desk::{Browser, Desk};

const OURS: [(&str, &str); 2] = [("origin", "http://127.0.0.1:7171"), ("sec-fetch-site", "same-origin")];

async fn refused(browser: &mut Browser, path: &str, fields: &[(&str, &str)], from: &[(&str, &str)]) {
    let answer = browser.post_from(path, fields, from).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{fields:?} from {from:?}: {}", answer.text);
}

#[tokio::test]
async fn a_vote_needs_the_token_of_its_own_session_and_our_own_origin() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let digest = desk.approval(&id).await["digest"].as_str().unwrap().to_owned();
    let path = format!("/approvals/{id}/approve");
    let (mut carl, mut cora) = (desk.signed_in("carl").await, desk.signed_in("cora").await);
    let (own, other) = (carl.csrf().await, cora.csrf().await);
    let digest = ("digest", digest.as_str());

    refused(&mut carl, &path, &[digest], &OURS).await;
    refused(&mut carl, &path, &[digest, ("csrf", "")], &OURS).await;
    refused(&mut carl, &path, &[digest, ("csrf", &other)], &OURS).await;
    refused(&mut carl, &path, &[digest, ("csrf", &own)], &[("origin", "http://evil.example")]).await;
    refused(&mut carl, &path, &[digest, ("csrf", &own)], &[("origin", "null")]).await;
    refused(&mut carl, &path, &[digest, ("csrf", &own)], &[("sec-fetch-site", "cross-site")]).await;
    refused(&mut carl, &path, &[digest, ("csrf", &own)], &[("sec-fetch-site", "same-site")]).await;
    assert_eq!(desk.approval(&id).await["status"], "pending");

    let answer = carl.post(&path, &[digest, ("csrf", &own)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
}

#[tokio::test]
async fn nothing_that_changes_something_answers_a_get() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let mut carl = desk.signed_in("carl").await;
    for path in [
        format!("/approvals/{id}/approve"),
        format!("/approvals/{id}/reject"),
        "/cases/case_1/refund".to_owned(),
        "/cases/case_1/tasks/task_1/done".to_owned(),
        "/cases/case_1/proposals/prop_1/look_again".to_owned(),
        "/cases/case_1/proposals/prop_1/settle".to_owned(),
        "/health/dead_letters/job_1/retry".to_owned(),
        "/audit/verify".to_owned(),
        "/logout".to_owned(),
    ] {
        assert_eq!(carl.get(&path).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(desk.approval(&id).await["status"], "pending");
    assert_eq!(carl.get("/health").await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_session_a_form_only_leads_to_the_sign_in() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let answer =
        desk.browser().post(&format!("/approvals/{id}/approve"), &[("digest", "x"), ("csrf", "x")]).await;
    assert_eq!((answer.status, answer.leads_to()), (StatusCode::SEE_OTHER, "/login"));
    assert_eq!(desk.approval(&id).await["status"], "pending");
}

#[tokio::test]
async fn a_form_leads_back_to_this_console_only() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let digest = desk.approval(&id).await["digest"].as_str().unwrap().to_owned();
    let mut carl = desk.signed_in("carl").await;
    let fields = [("digest", digest.as_str()), ("return_to", "//evil.example/inbox")];
    let answer = carl.submit(&format!("/approvals/{id}/approve"), &fields).await;
    assert_eq!(answer.leads_to(), format!("/approvals/{id}"));
}

#[tokio::test]
async fn only_those_who_run_the_installation_retry_what_gave_up() {
    let desk = Desk::open().await;
    let mut carl = desk.signed_in("carl").await;
    let path = "/health/dead_letters/job_1/retry";
    assert_eq!(carl.submit(path, &[]).await.status, StatusCode::FORBIDDEN);
    let mut olivia = desk.signed_in("olivia").await;
    assert_eq!(olivia.submit(path, &[]).await.status, StatusCode::NOT_FOUND);
}
