//! Who gets in, and how hard guessing is.

use axum::http::{StatusCode, header};

use super::desk::{Desk, PASSWORD};

const CARL: &str = "carl@northwind.example";

#[tokio::test]
async fn a_password_opens_a_session_and_leaving_ends_it() {
    let desk = Desk::open().await;
    let mut carl = desk.browser();
    let before = carl.get("/cases/case_x?a=b").await;
    assert_eq!(
        (before.status, before.leads_to()),
        (StatusCode::SEE_OTHER, "/login?next=/cases/case_x%3Fa%3Db")
    );

    let entered = carl.post("/login", &[("email", CARL), ("password", PASSWORD), ("next", "/health")]).await;
    assert_eq!((entered.status, entered.leads_to()), (StatusCode::SEE_OTHER, "/health"));
    let cookie = entered.headers[header::SET_COOKIE].to_str().unwrap();
    for wanted in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(wanted), "{cookie}");
    }
    assert_eq!(carl.get("/health").await.status, StatusCode::OK);

    let stolen = carl.clone();
    assert_eq!(carl.submit("/logout", &[]).await.leads_to(), "/login");
    for mut browser in [carl, stolen] {
        assert_eq!(browser.get("/health").await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn every_sign_in_has_an_id_of_its_own() {
    let desk = Desk::open().await;
    let mut carl = desk.browser();
    carl.cookies.insert("bursar".to_owned(), "fixed-by-somebody".to_owned());
    carl.post("/login", &[("email", CARL), ("password", PASSWORD)]).await;
    let first = carl.cookies["bursar"].clone();
    assert_eq!(first.len(), 64);
    assert_ne!(first, "fixed-by-somebody");
    let other = desk.signed_in("carl").await;
    assert_ne!(other.cookies["bursar"], first);
}

#[tokio::test]
async fn strangers_and_wrong_passwords_get_the_same_words() {
    let desk = Desk::open().await;
    let mut browser = desk.browser();
    let wrong = browser.post("/login", &[("email", CARL), ("password", "no")]).await;
    let unknown = browser.post("/login", &[("email", "x@y.example"), ("password", "no")]).await;
    let demo = browser.post("/login", &[("sign_in_as", "carl")]).await;
    for answer in [&wrong, &unknown, &demo] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.text.contains("do not match"));
    }
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn guessing_becomes_slow_even_for_the_right_password() {
    let desk = Desk::open().await;
    let mut browser = desk.browser();
    for _ in 0..5 {
        browser.post("/login", &[("email", CARL), ("password", "guess")]).await;
    }
    let answer = browser.post("/login", &[("email", CARL), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    let other =
        browser.post("/login", &[("email", "olivia@northwind.example"), ("password", PASSWORD)]).await;
    assert_eq!(other.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn signing_in_leads_nowhere_else() {
    let desk = Desk::open().await;
    for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let answer = desk
            .browser()
            .post("/login", &[("email", CARL), ("password", PASSWORD), ("next", elsewhere)])
            .await;
        assert_eq!(answer.leads_to(), "/inbox", "{elsewhere}");
    }
}

#[tokio::test]
async fn no_other_site_signs_anybody_in() {
    let desk = Desk::open().await;
    let mut browser = desk.browser();
    for from in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
        let answer = browser.post_from("/login", &[("email", CARL), ("password", PASSWORD)], &[from]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert!(browser.cookies.is_empty());
}
