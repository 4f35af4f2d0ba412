//! The gate before the fake Stripe: everything the engine says goes through it. It keeps what was written, closes when
//! Stripe is to be away, and harms answers in every way that a network or Stripe itself can.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use bursar_fake_stripe::FakeStripe;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

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
    /// Only so many bytes of Stripe's own answer.
    Truncate(usize),
}

impl Harm {
    pub fn answer(status: u16, body: &str) -> Harm {
        Harm::Answer { effect: false, status, headers: Vec::new(), body: body.to_owned() }
    }

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

struct Rule {
    method: &'static str,
    path: String,
    /// Requests that still pass unharmed.
    pass: usize,
    times: usize,
    harm: Harm,
}

struct Desk {
    stripe: FakeStripe,
    rules: Mutex<Vec<Rule>>,
    written: Mutex<Vec<Written>>,
    asked: Mutex<Vec<String>>,
    forbidden: Mutex<Vec<String>>,
    closed: AtomicBool,
}

pub struct Gate {
    address: SocketAddr,
    desk: Arc<Desk>,
    serving: Mutex<JoinHandle<()>>,
}

impl Gate {
    pub async fn open(stripe: FakeStripe) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk {
            stripe,
            rules: Mutex::default(),
            written: Mutex::default(),
            asked: Mutex::default(),
            forbidden: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let serving = Mutex::new(tokio::spawn(serve(listener, Arc::clone(&desk))));
        Gate { address, desk, serving }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on nobody answers.
    pub fn close(&self) {
        self.desk.closed.store(true, Ordering::SeqCst);
        self.serving.lock().unwrap().abort();
    }

    pub async fn reopen(&self) {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        self.desk.closed.store(false, Ordering::SeqCst);
        *self.serving.lock().unwrap() = tokio::spawn(serve(listener, Arc::clone(&self.desk)));
    }

    /// Harms the next `times` requests whose path begins so.
    pub fn harm(&self, method: &'static str, path: &str, times: usize, harm: Harm) {
        self.harm_after(method, path, 0, times, harm);
    }

    /// The same, after `pass` of them went well.
    pub fn harm_after(&self, method: &'static str, path: &str, pass: usize, times: usize, harm: Harm) {
        self.desk.rules.lock().unwrap().push(Rule { method, path: path.to_owned(), pass, times, harm });
    }

    pub fn heal(&self) {
        self.desk.rules.lock().unwrap().clear();
    }

    /// Everything that was written so far, in order.
    pub fn written(&self) -> Vec<Written> {
        self.desk.written.lock().unwrap().clone()
    }

    /// Paths of what the key was not permitted.
    pub fn forbidden(&self) -> Vec<String> {
        self.desk.forbidden.lock().unwrap().clone()
    }

    /// How often something was read.
    pub fn reads(&self) -> usize {
        self.desk.asked.lock().unwrap().len()
    }

    /// Everything that was read so far, with its query.
    pub fn asked(&self) -> Vec<String> {
        self.desk.asked.lock().unwrap().clone()
    }
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
    let cut = || io::Error::from(io::ErrorKind::ConnectionAborted);
    if desk.closed.load(Ordering::SeqCst) {
        return Err(cut());
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.map_err(|_| cut())?;
    if parts.method == "GET" {
        desk.asked.lock().unwrap().push(parts.uri.to_string());
    } else {
        desk.written.lock().unwrap().push(written(parts.uri.path(), &parts.headers, &body));
    }
    let harm = strike(desk, parts.method.as_str(), parts.uri.path());
    let path = parts.uri.path().to_owned();
    let router = desk.stripe.router();
    let request = Request::from_parts(parts, Body::from(body));
    match harm {
        None => {
            let answer = pass(router, request).await?;
            if answer.status() == StatusCode::FORBIDDEN {
                desk.forbidden.lock().unwrap().push(path);
            }
            Ok(answer)
        }
        Some(Harm::CutBefore) => Err(cut()),
        Some(Harm::CutAfter) => pass(router, request).await.and(Err(cut())),
        Some(Harm::HoldBefore) => hold().await,
        Some(Harm::HoldAfter) => {
            pass(router, request).await?;
            hold().await
        }
        Some(Harm::Answer { effect, status, headers, body }) => {
            if effect {
                pass(router, request).await?;
            }
            Ok(made(status, &headers, body))
        }
        Some(Harm::Change { pointer, to }) => {
            let (mut parts, body) = pass(router, request).await?.into_parts();
            parts.headers.remove(CONTENT_LENGTH);
            let mut body: Value = serde_json::from_slice(&to_bytes(body, 1 << 20).await.unwrap()).unwrap();
            *body.pointer_mut(pointer).unwrap() = to;
            Ok(Response::from_parts(parts, Body::from(body.to_string())))
        }
        Some(Harm::Truncate(bytes)) => {
            let (mut parts, body) = pass(router, request).await?.into_parts();
            parts.headers.remove(CONTENT_LENGTH);
            let body = to_bytes(body, 1 << 20).await.unwrap();
            Ok(Response::from_parts(parts, Body::from(body.slice(..bytes.min(body.len())))))
        }
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
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn strike(desk: &Desk, method: &str, path: &str) -> Option<Harm> {
    let mut rules = desk.rules.lock().unwrap();
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
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Written {
        path: path.to_owned(),
        key: header("idempotency-key").unwrap_or_default(),
        version: header("stripe-version").unwrap_or_default(),
        account: header("stripe-account"),
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}
