//! An installation that answers from a table and keeps what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use super::Bench;

#[derive(Clone, Debug)]
pub struct Asked {
    pub line: String,
    pub authorization: String,
    pub has_key: bool,
    pub body: Value,
}

#[derive(Clone)]
pub struct Installation {
    /// By method and path; what is missing is answered 404.
    answers: Arc<Vec<(&'static str, u16, Value)>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    pub url: String,
}

impl Installation {
    pub fn answering(answers: Vec<(&'static str, u16, Value)>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let installation = Self { answers: Arc::new(answers), asked: Arc::default(), url };
        let router = Router::new().fallback(answer).with_state(installation.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        installation
    }

    pub fn bench(&self) -> Bench {
        Bench::new().with("BURSAR_API_URL", &self.url).with("BURSAR_TOKEN", "tok-test")
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State(installation): State<Installation>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let path_and_query = uri.path_and_query().map_or("", |whole| whole.as_str());
    let asked = Asked {
        line: format!("{method} {path_and_query}"),
        authorization: headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned(),
        has_key: headers.contains_key("idempotency-key"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    installation.asked.lock().unwrap().push(asked);
    let line = format!("{method} {}", uri.path().trim_start_matches("/api/v1"));
    let found = installation.answers.iter().find(|(known, _, _)| *known == line);
    let missing = json!({"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such thing."}});
    let (status, document) =
        found.map_or((404, missing), |(_, status, document)| (*status, document.clone()));
    (StatusCode::from_u16(status).unwrap(), document.to_string())
}
