//! What every page carries, and what no text from outside can do to one.

use axum::http::{StatusCode, header};

use super::desk::Desk;

const HOSTILE: &str = "\u{202E}\"'><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\u{200B}";

#[tokio::test]
async fn every_page_carries_the_headers_that_keep_it_to_itself() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let mut carl = desk.signed_in("carl").await;
    let own = format!("/approvals/{id}");
    for path in [
        "/login",
        "/inbox",
        "/inbox?view=all",
        "/audit",
        "/health",
        "/mailbox",
        "/nothing",
        "/help/errors/forbidden",
        &own,
    ] {
        let answer = carl.get(path).await;
        let header =
            |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
    }
}

#[tokio::test]
async fn hostile_names_and_claims_are_text() {
    let desk = Desk::open().await;
    let charge = desk.charge(64_000, HOSTILE);
    let submitted = desk.ask("sam", &charge, HOSTILE).await;
    let mut carl = desk.signed_in("carl").await;
    let approval = submitted.approval.expect("a refund over the limit asks");
    for path in [
        "/inbox".to_owned(),
        "/inbox?view=all".to_owned(),
        format!("/inbox?selected={approval}"),
        format!("/approvals/{approval}"),
        format!("/cases/{}", submitted.case),
        format!("/audit?object={approval}"),
    ] {
        let answer = carl.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        for bad in ["<img src=x", "<script>alert", "\u{202E}", "\u{200B}", ">49<"] {
            assert!(!answer.text.contains(bad), "{path} holds {bad:?}");
        }
    }
    let page = carl.get(&format!("/approvals/{approval}")).await.text;
    assert!(page.contains("U+202E") && page.contains("Quoted, not checked"));
}

#[tokio::test]
async fn hostile_addresses_are_text_or_nothing() {
    let desk = Desk::open().await;
    let mut carl = desk.signed_in("carl").await;
    for path in [
        "/audit?actor=%22%3E%3Cimg%20src%3Dx%3E&object=%3Cscript%3E",
        "/inbox?view=%3Cscript%3E&selected=%3Cscript%3E&after=%3Cscript%3E",
        "/help/errors/%3Cscript%3E",
        "/cases/%3Cscript%3E",
        "/login?next=%22%3E%3Cscript%3E",
    ] {
        let text = carl.get(path).await.text;
        assert!(!text.contains("<img src") && !text.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn everybody_sees_the_same_and_only_those_asked_get_buttons() {
    let desk = Desk::open().await;
    let id = desk.question().await;
    let button = format!("/approvals/{id}/approve\"");
    for (name, decides) in [("carl", true), ("cora", true), ("olivia", false), ("sam", false)] {
        let mut browser = desk.signed_in(name).await;
        let page = browser.get(&format!("/approvals/{id}")).await;
        assert!(page.text.contains("640.00") && page.text.contains("Lumen Labs"), "{name}");
        assert_eq!(page.text.contains(&button), decides, "{name}");
        let inbox = browser.get("/inbox").await;
        assert_eq!(inbox.text.contains("Nothing waits for you"), !decides, "{name}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_page_for_people_and_a_document_for_scripts() {
    let desk = Desk::open().await;
    let mut carl = desk.signed_in("carl").await;
    for path in ["/nothing", "/cases/case_00000000000000000000000000", "/approvals/x", "/mailbox"] {
        let answer = carl.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.text.contains("There is nothing here"), "{path}");
    }
    let script = carl.get("/api/v1/nothing").await;
    assert_eq!(script.status, StatusCode::NOT_FOUND);
    assert!(script.headers[header::CONTENT_TYPE].to_str().unwrap().contains("json"));
}

#[tokio::test]
async fn the_audit_is_checked_when_somebody_asks_for_it() {
    let desk = Desk::open().await;
    let mut carl = desk.signed_in("carl").await;
    assert!(carl.get("/audit").await.text.contains("Not checked since the start"));
    assert_eq!(carl.submit("/audit/verify", &[]).await.leads_to(), "/audit");
    let page = carl.get("/audit").await.text;
    assert!(page.contains("Chain holds"), "{page}");
    assert!(carl.get("/audit?actor=carl").await.text.contains("session.started"));
    assert!(carl.get("/audit?actor=nobody").await.text.contains("Nothing matches"));
    let mut sam = desk.signed_in("sam").await;
    assert_eq!(sam.submit("/audit/verify", &[]).await.status, StatusCode::FORBIDDEN);
}
