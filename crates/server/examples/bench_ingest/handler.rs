//! The handler to compare with: axum on hyper like the server, and of all the work only the signature.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bursar_stripe::signature;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::process::Process;

/// The word that makes this binary the handler.
pub const VERIFY_ONLY: &str = "verify-only";

/// Starts it as a process of its own; its first line is its address.
pub fn start() -> anyhow::Result<Process> {
    Process::start(&std::env::current_exe()?, &[VERIFY_ONLY])
}

/// Serves until killed; the first line it prints is its address.
#[expect(clippy::print_stdout, reason = "the address is what the parent waits for")]
pub async fn serve(secret: String) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let router = Router::new().route("/ingest/stripe", post(verify)).with_state(Arc::new(secret));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn verify(State(secret): State<Arc<String>>, headers: HeaderMap, body: Bytes) -> Response {
    let given = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now_s = bursar_engine::Clocks::system().machine().unix_s();
    match signature::verify(given, &body, &[&secret], now_s) {
        Ok(()) => {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (StatusCode::OK, kind, r#"{"received":true}"#).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
