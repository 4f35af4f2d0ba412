//! The HTTP side: sockets, headers, and connections that break when a fault says so.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use crate::API_VERSION;
use crate::control;
use crate::error::Error;
use crate::sim::FakeStripe;
use crate::webhooks;
use crate::wire::{Answer, Outcome};

/// The largest body that is read.
const BODY_MAX: usize = 4 << 20;

/// What a fault does to the connection instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    Close,
    Reset,
}

impl FakeStripe {
    /// Everything as a router. Faults that break connections need [`Self::serve`]; here they answer 500.
    pub fn router(&self) -> Router {
        Router::new().nest("/_sim", control::router()).fallback(stripe).with_state(self.clone())
    }

    /// Serves until `shutdown` is done, sending webhooks meanwhile.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        let sending = self.clone();
        let sender = tokio::spawn(async move {
            if let Err(error) = webhooks::run(sending).await {
                tracing::error!(%error, "webhooks are no longer sent");
            }
        });
        self.0.bell.notify_one();
        let router = self.router();
        let graceful = GracefulShutdown::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => greet(&graceful, stream, router.clone()),
                    Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
                },
                () = &mut shutdown => break,
            }
        }
        sender.abort();
        let patience = tokio::time::sleep(std::time::Duration::from_millis(500));
        tokio::select! {
            () = graceful.shutdown() => {}
            () = patience => {}
        }
        Ok(())
    }
}

/// Serves one connection.
fn greet(graceful: &GracefulShutdown, stream: TcpStream, router: Router) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no-delay could not be set");
    }
    let resets = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Breakable { stream, resets: Arc::clone(&resets) });
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (router, resets) = (router.clone(), Arc::clone(&resets));
        async move {
            let response = match router.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            match response.extensions().get::<Break>() {
                None => Ok(response),
                Some(harm) => {
                    resets.store(*harm == Break::Reset, Ordering::SeqCst);
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
                }
            }
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new());
    let connection = graceful.watch(builder.serve_connection(io, service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}

/// Any call that is not ours to control.
async fn stripe(State(stripe): State<FakeStripe>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else { return plain(StatusCode::PAYLOAD_TOO_LARGE) };
    let query = parts.uri.query().unwrap_or_default();
    match stripe.call(parts.method.as_str(), parts.uri.path(), query, &parts.headers, &body) {
        Outcome::Answer(answer) => shaped(answer),
        Outcome::Close => broken(Break::Close),
        Outcome::Reset => broken(Break::Reset),
        Outcome::Hang(key) => {
            let _in_use = key;
            std::future::pending::<Infallible>().await;
            plain(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn broken(harm: Break) -> Response {
    let mut response = plain(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(harm);
    response
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn shaped(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("stripe-version", HeaderValue::from_static(API_VERSION));
    let mut set = |name: &'static str, value: Option<&str>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    };
    set("request-id", Some(&answer.request));
    set("idempotency-key", answer.idempotency_key.as_deref());
    set("stripe-account", answer.account.as_deref());
    set("idempotent-replayed", answer.replayed.then_some("true"));
    set("stripe-should-retry", should_retry(answer.status));
    response
}

/// Stripe's advice to its own libraries.
fn should_retry(status: u16) -> Option<&'static str> {
    match status {
        409 | 503 => Some("true"),
        500 => Some("false"),
        _ => None,
    }
}

/// A connection that can be reset instead of closed.
struct Breakable {
    stream: TcpStream,
    resets: Arc<AtomicBool>,
}

impl Drop for Breakable {
    fn drop(&mut self) {
        if self.resets.load(Ordering::SeqCst)
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::debug!(%error, "the connection closes instead of resetting");
        }
    }
}

impl AsyncRead for Breakable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Breakable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.resets.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
