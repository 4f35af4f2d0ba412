//! A gate before a simulated Stripe, for tests: everything that is said to it goes through here. It keeps what was written
//! and what was answered, closes when Stripe is to be away, and harms answers in every way that a network or Stripe can.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Frame;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::FakeStripe;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Harm {
    /// The connection ends before anything happens.
    CutBefore,
    /// It happens, and the connection ends without an answer.
    CutAfter,
    /// No answer ever comes, and nothing happens.
    HoldBefore,
    /// It happens, and no answer ever comes.
    HoldAfter,
    /// Another answer than Stripe's; with `effect` it happens all the same.
    Answer { effect: bool, status: u16, headers: Vec<(&'static str, &'static str)>, body: String },
    /// Stripe's own answer, with one field changed.
    Change { pointer: &'static str, to: Value },
    /// Only so many bytes of Stripe's own answer, which end as if they were all of it.
    Truncate(usize),
    /// The connection ends after so many bytes of Stripe's own answer, which promised more.
    Break(usize),
    /// The connection ends at once, and it happens when [`Gate::let_through`] is called: meanwhile its key is in use.
    Late,
    /// The same with this answer: people at Stripe are asked first.
    Park { status: u16, body: String },
}

impl Harm {
    /// This answer instead, and nothing happens.
    pub fn answer(status: u16, body: &str) -> Harm {
        Harm::Answer { effect: false, status, headers: Vec::new(), body: body.to_owned() }
    }

    /// This answer instead, and it happens.
    pub fn answer_after(status: u16, body: &str) -> Harm {
        Harm::Answer { effect: true, status, headers: Vec::new(), body: body.to_owned() }
    }
}

/// A write as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub path: String,
    pub key: String,
    pub version: String,
    pub account: Option<String>,
    pub body: String,
}

/// A write with what came of it at the gate.
#[derive(Clone, Debug)]
pub struct Seen {
    pub written: Written,
    /// Seconds of business time.
    pub at_s: i64,
    /// The status that was answered; nothing where no answer was.
    pub status: Option<u16>,
    /// The code in the answer, where it was an error with one.
    pub code: Option<String>,
}

#[derive(Debug)]
struct Rule {
    method: &'static str,
    path: String,
    /// Requests that still pass unharmed.
    pass: usize,
    times: usize,
    harm: Harm,
}

#[derive(Debug)]
struct Desk {
    stripe: FakeStripe,
    rules: Mutex<Vec<Rule>>,
    written: Mutex<Vec<Seen>>,
    late: Mutex<Vec<Request<Bytes>>>,
    asked: Mutex<Vec<String>>,
    forbidden: Mutex<Vec<String>>,
    closed: AtomicBool,
}

/// An open gate.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    desk: Arc<Desk>,
    serving: Mutex<JoinHandle<()>>,
}

impl Gate {
    /// Opens before a Stripe, at a port of its own.
    pub async fn open(stripe: FakeStripe) -> io::Result<Gate> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk {
            stripe,
            rules: Mutex::default(),
            written: Mutex::default(),
            late: Mutex::default(),
            asked: Mutex::default(),
            forbidden: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let serving = Mutex::new(tokio::spawn(serve(listener, Arc::clone(&desk))));
        Ok(Gate { address, desk, serving })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on nobody answers.
    pub fn close(&self) {
        self.desk.closed.store(true, Ordering::SeqCst);
        held(&self.serving).abort();
    }

    /// From now on somebody does again.
    pub async fn reopen(&self) {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        self.desk.closed.store(false, Ordering::SeqCst);
        *held(&self.serving) = tokio::spawn(serve(listener, Arc::clone(&self.desk)));
    }

    /// Harms the next `times` requests whose path begins so.
    pub fn harm(&self, method: &'static str, path: &str, times: usize, harm: Harm) {
        self.harm_after(method, path, 0, times, harm);
    }

    /// The same, after `pass` of them went well.
    pub fn harm_after(&self, method: &'static str, path: &str, pass: usize, times: usize, harm: Harm) {
        held(&self.desk.rules).push(Rule { method, path: path.to_owned(), pass, times, harm });
    }

    /// Nothing is harmed any more.
    pub fn heal(&self) {
        held(&self.desk.rules).clear();
    }

    /// Harms that nobody has met yet.
    pub fn unmet(&self) -> usize {
        held(&self.desk.rules).len()
    }

    /// What was late happens now. Answers how many requests that was.
    pub async fn let_through(&self) -> usize {
        let late = std::mem::take(&mut *held(&self.desk.late));
        let count = late.len();
        for request in late {
            let _ = pass(self.desk.stripe.router(), request.map(Body::from)).await;
        }
        count
    }

    /// Everything that was written so far, in order.
    pub fn written(&self) -> Vec<Written> {
        held(&self.desk.written).iter().map(|seen| seen.written.clone()).collect()
    }

    /// The same with what came of it.
    pub fn seen(&self) -> Vec<Seen> {
        held(&self.desk.written).clone()
    }

    /// Paths of what the key was not permitted.
    pub fn forbidden(&self) -> Vec<String> {
        held(&self.desk.forbidden).clone()
    }

    /// How often something was read.
    pub fn reads(&self) -> usize {
        held(&self.desk.asked).len()
    }

    /// Everything that was read so far, with its query.
    pub fn asked(&self) -> Vec<String> {
        held(&self.desk.asked).clone()
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, Arc::clone(&desk)));
        }
    }
}

async fn converse(stream: TcpStream, desk: Arc<Desk>) {
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let desk = Arc::clone(&desk);
        async move { answer(&desk, request.map(Body::new)).await }
    });
    // A connection that is cut ends in an error: that is what it is for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(desk: &Desk, request: Request<Body>) -> io::Result<Response<Body>> {
    if desk.closed.load(Ordering::SeqCst) {
        return Err(cut());
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_MAX).await.map_err(|_| cut())?;
    let (is_read, path) = (parts.method == "GET", parts.uri.path().to_owned());
    let place = if is_read {
        held(&desk.asked).push(parts.uri.to_string());
        None
    } else {
        let mut kept = held(&desk.written);
        let written = written(&path, &parts.headers, &body);
        kept.push(Seen { written, at_s: desk.stripe.now_s(), status: None, code: None });
        Some(kept.len() - 1)
    };
    let harm = strike(desk, parts.method.as_str(), &path);
    let in_use = parts.headers.get("idempotency-key").is_some_and(|key| is_late(desk, key));
    let request = Request::from_parts(parts, body);
    let answer = match harm {
        Some(harm) => suffer(desk, request, harm).await?,
        None if in_use => made(409, &[], IN_USE.to_owned()),
        None => pass(desk.stripe.router(), request.map(Body::from)).await?,
    };
    if answer.status() == StatusCode::FORBIDDEN {
        held(&desk.forbidden).push(path);
    }
    let Some(place) = place else { return Ok(answer) };
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, BODY_MAX).await.map_err(|_| cut())?;
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = told.pointer("/error/code").and_then(Value::as_str).map(str::to_owned);
    let seen = &mut held(&desk.written)[place];
    (seen.status, seen.code) = (Some(parts.status.as_u16()), code);
    let body = match parts.extensions.get::<Breaks>() {
        Some(Breaks(bytes)) => Body::new(Broken::after(body.slice(..body.len().min(*bytes)))),
        None => Body::from(body),
    };
    Ok(Response::from_parts(parts, body))
}

/// Large enough for every answer there is.
const BODY_MAX: usize = 4 << 20;
const IN_USE: &str = r#"{"error": {"type": "idempotency_error", "code": "idempotency_key_in_use",
    "message": "There is currently another in-progress request using this Idempotency Key."}}"#;

fn cut() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionAborted)
}

fn is_late(desk: &Desk, key: &HeaderValue) -> bool {
    held(&desk.late).iter().any(|late| late.headers().get("idempotency-key") == Some(key))
}

async fn suffer(desk: &Desk, request: Request<Bytes>, harm: Harm) -> io::Result<Response<Body>> {
    let done = |request: Request<Bytes>| pass(desk.stripe.router(), request.map(Body::from));
    match harm {
        Harm::CutBefore => Err(cut()),
        Harm::CutAfter => done(request).await.and(Err(cut())),
        Harm::Late => {
            held(&desk.late).push(request);
            Err(cut())
        }
        Harm::Park { status, body } => {
            held(&desk.late).push(request);
            Ok(made(status, &[], body))
        }
        Harm::HoldBefore => hold().await,
        Harm::HoldAfter => {
            done(request).await?;
            hold().await
        }
        Harm::Answer { effect, status, headers, body } => {
            if effect {
                done(request).await?;
            }
            Ok(made(status, &headers, body))
        }
        Harm::Change { pointer, to } => {
            let (mut parts, body) = done(request).await?.into_parts();
            parts.headers.remove(CONTENT_LENGTH);
            let body = to_bytes(body, BODY_MAX).await.map_err(|_| cut())?;
            let mut body: Value = serde_json::from_slice(&body)?;
            let field = body.pointer_mut(pointer);
            *field.ok_or_else(|| io::Error::other(format!("no {pointer} in the answer")))? = to;
            Ok(Response::from_parts(parts, Body::from(body.to_string())))
        }
        Harm::Truncate(bytes) => {
            let (mut parts, body) = done(request).await?.into_parts();
            parts.headers.remove(CONTENT_LENGTH);
            let body = to_bytes(body, BODY_MAX).await.map_err(|_| cut())?;
            Ok(Response::from_parts(parts, Body::from(body.slice(..bytes.min(body.len())))))
        }
        Harm::Break(bytes) => {
            let (mut parts, body) = done(request).await?.into_parts();
            let body = to_bytes(body, BODY_MAX).await.map_err(|_| cut())?;
            parts.headers.insert(CONTENT_LENGTH, body.len().into());
            parts.extensions.insert(Breaks(bytes));
            Ok(Response::from_parts(parts, Body::from(body)))
        }
    }
}

/// How much of an answer leaves before its connection ends.
#[derive(Clone, Copy, Debug)]
struct Breaks(usize);

/// The beginning of an answer; then, once that has left, nothing but an error.
#[derive(Debug)]
struct Broken {
    beginning: Option<Bytes>,
    has_left: bool,
}

impl Broken {
    fn after(beginning: Bytes) -> Self {
        Self { beginning: Some(beginning), has_left: false }
    }
}

impl hyper::body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(beginning) = self.beginning.take() {
            return Poll::Ready(Some(Ok(Frame::data(beginning))));
        }
        if !self.has_left {
            // Whoever is told to wait sends what there is.
            self.has_left = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(cut())))
    }
}

async fn pass(router: Router, request: Request<Body>) -> io::Result<Response<Body>> {
    match router.oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

async fn hold() -> io::Result<Response<Body>> {
    match std::future::pending::<Infallible>().await {}
}

fn made(status: u16, headers: &[(&'static str, &'static str)], body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn strike(desk: &Desk, method: &str, path: &str) -> Option<Harm> {
    let mut rules = held(&desk.rules);
    let place = rules.iter().position(|rule| rule.method == method && path.starts_with(&rule.path))?;
    if rules[place].pass > 0 {
        rules[place].pass -= 1;
        return None;
    }
    let harm = rules[place].harm.clone();
    rules[place].times -= 1;
    if rules[place].times == 0 {
        rules.remove(place);
    }
    Some(harm)
}

fn written(path: &str, headers: &HeaderMap, body: &Bytes) -> Written {
    let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    Written {
        path: path.to_owned(),
        key: header("idempotency-key").unwrap_or_default(),
        version: header("stripe-version").unwrap_or_default(),
        account: header("stripe-account"),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}
