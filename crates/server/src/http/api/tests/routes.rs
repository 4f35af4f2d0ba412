//! Rows 62, 80, 81 and 83, and T8, for every route there is: a new one is tested from the moment it stands on the page.

use axum::body::Body;
use axum::http::{Method, Request};

use super::{Answer, Stage};

const ROUTES: &str = include_str!("../mod.rs");
const METHODS: [(&str, Method); 3] =
    [("get(", Method::GET), ("post(", Method::POST), ("delete(", Method::DELETE)];

/// Every route with its methods, an id where one belongs.
fn routes() -> Vec<(String, Vec<Method>)> {
    let table = ROUTES
        .split("Router::new()")
        .nth(1)
        .and_then(|rest| rest.split(".method_not_allowed").next())
        .unwrap();
    let routes: Vec<_> = table
        .split(".route(\"")
        .skip(1)
        .map(|route| {
            let (path, handlers) = route.split_once('"').unwrap();
            let filled: Vec<&str> =
                path.split('/').map(|part| if part.starts_with('{') { "x_1" } else { part }).collect();
            let methods =
                METHODS.iter().filter(|(word, _)| handlers.contains(word)).map(|(_, method)| method.clone());
            (format!("/api/v1{}", filled.join("/")), methods.collect())
        })
        .collect();
    assert_eq!(routes.len(), ROUTES.matches(".route(").count());
    routes
}

async fn call(stage: &Stage, method: &Method, path: &str, authorization: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method.clone()).uri(path);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    stage.send(request.body(Body::from("{}")).unwrap()).await
}

#[tokio::test]
async fn nobody_comes_in_without_a_token() {
    let stage = Stage::open().await;
    let agents = stage.token("sam", "agent", None).await;
    assert!(agents.starts_with("bursar_agent_"));
    for (path, methods) in routes() {
        assert!(!methods.is_empty(), "{path}");
        for method in methods {
            for authorization in [None, Some("Basic c2FtOng="), Some("Bearer bursar_user_unknown"), Some("")]
            {
                let answer = call(&stage, &method, &path, authorization).await;
                let what = format!("62: {method} {path} {authorization:?}");
                assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()), "{what}");
                assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
                assert_eq!(answer.header("x-frame-options"), "DENY", "{what}");
                assert!(
                    answer.header("content-security-policy").contains("frame-ancestors 'none'"),
                    "{what}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_cookie_changes_nothing_here() {
    let stage = Stage::open().await;
    let person = stage.engine.person_by_email("carl@northwind.example").await.unwrap().unwrap();
    let now = stage.engine.clocks().machine().micros();
    let session = bursar_store::people::Session {
        hash: crate::http::auth::hash_of("a-session"),
        person: person.id,
        csrf: "x".to_owned(),
        seen_at: now,
        expires_at: now + 3_600_000_000,
    };
    stage.engine.add_session(&bursar_domain::actor::Actor::Engine, session).await.unwrap();
    for (path, methods) in routes() {
        for method in methods {
            let request =
                Request::builder().method(method.clone()).uri(&path).header("cookie", "bursar=a-session");
            // The stream answers for ever, and only its head matters.
            let request = request.header("host", super::stage::HOST).body(Body::from("{}")).unwrap();
            let answered = tower::ServiceExt::oneshot(stage.router.clone(), request).await.unwrap();
            let status = answered.status().as_u16();
            assert_eq!(status == 401, method != Method::GET, "82: {method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn a_path_says_which_methods_it_takes() {
    let stage = Stage::open().await;
    let bearer = stage.bearer("priya");
    for (path, methods) in routes() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if methods.contains(&method) {
                continue;
            }
            let answer = call(&stage, &method, &path, Some(&bearer)).await;
            assert_eq!(answer.refusal(), (405, "method_not_allowed".to_owned()), "83: {method} {path}");
            let allowed = answer.header("allow");
            assert!(methods.iter().all(|method| allowed.contains(method.as_str())), "83: {path}: {allowed}");
        }
    }
}

#[tokio::test]
async fn a_method_stands_in_the_request_line_only() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    let path = format!("/api/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    for header in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let request =
            Request::get(&path).header("authorization", stage.bearer("carl")).header(header, "POST");
        let answer = stage.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 405, "81: {header}");
    }
    let form = Request::post("/api/v1/approvals").header("authorization", stage.bearer("carl"));
    let answer = stage.send(form.body(Body::from("_method=DELETE")).unwrap()).await;
    assert_eq!(answer.status, 405, "81: in a body");
    let shown = stage.get("carl", path.strip_suffix("/approve").unwrap()).await.json();
    assert_eq!((&shown["status"], &shown["votes"]), (&"pending".into(), &serde_json::json!([])));
}

#[tokio::test]
async fn a_parameter_stands_once_or_the_request_is_refused() {
    let stage = Stage::open().await;
    let bearer = stage.bearer("priya");
    for (path, methods) in routes() {
        for method in methods {
            for query in ["limit=5&limit=5", "limit=5&%6cimit=6", "lim=1", "starting%5Fafter=%ff", "a&a"] {
                let answer = call(&stage, &method, &format!("{path}?{query}"), Some(&bearer)).await;
                assert_eq!(
                    answer.refusal(),
                    (400, "parameter_invalid".to_owned()),
                    "80: {method} {path}?{query}"
                );
            }
        }
    }
}

#[tokio::test]
async fn paths_that_are_not_there_are_all_alike() {
    let stage = Stage::open().await;
    let mut heard = Vec::new();
    for path in
        ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/cases/x/y", "/api/v1/STATUS", "/api/v1/cases/"]
    {
        let answer = call(&stage, &Method::GET, path, Some(&stage.bearer("priya"))).await;
        assert_eq!(answer.refusal(), (404, "resource_missing".to_owned()), "{path}");
        heard.push(answer.text);
    }
    heard.dedup();
    assert_eq!(heard.len(), 1, "{heard:#?}");
}

#[tokio::test]
async fn an_id_that_climbs_leads_nowhere() {
    let stage = Stage::open().await;
    for path in [
        "/api/v1/cases/../status",
        "/api/v1/cases/%2e%2e",
        "/api/v1/cases/%2e%2e%2fstatus",
        "/api/v1/cases/..%2f..%2fetc%2fpasswd",
        "/api/v1/approvals/%2e%2e%2fstatus",
        "/api/v1/events/..%5c..%5c",
        "/api/v1/events/%00",
        "/api/v1/cases/%ff%fe",
        "/api/v1/cases/case_%0a",
        "/api/v1/events/evt_%27%20OR%201=1",
    ] {
        let answer = call(&stage, &Method::GET, path, Some(&stage.bearer("priya"))).await;
        assert_eq!(answer.refusal(), (404, "resource_missing".to_owned()), "79: {path}");
    }
}
