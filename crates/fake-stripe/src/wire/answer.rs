//! One call from its bytes to its answer.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::fault::{Faults, Harm};
use super::idempotency::Key;
use super::rate::Rate;
use super::{Args, Params, Route, auth, decode, expand};
use crate::api;
use crate::error::{ApiError, ApiResult, Fate};
use crate::webhooks;
use crate::world::{Cause, World};

/// A call as it came in.
#[derive(Debug)]
pub struct Call<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// The id this call gets.
    pub request: String,
    /// Business time.
    pub now_s: i64,
    pub machine_now_s: i64,
}

/// What the caller gets.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    pub request: String,
    pub idempotency_key: Option<String>,
    pub replayed: bool,
    pub account: Option<String>,
}

/// An answer, or what a fault makes of it.
#[derive(Debug)]
pub enum Outcome {
    Answer(Answer),
    Close,
    Reset,
    /// Never answered; the key is in use until this is dropped.
    Hang(Option<InUse>),
}

/// The keys of calls that are still running.
pub type KeysInUse = Arc<Mutex<HashSet<(String, String)>>>;

/// A key marked as in use.
#[derive(Debug)]
pub struct InUse {
    keys: KeysInUse,
    key: (String, String),
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// What one call is judged and carried out with.
#[derive(Debug)]
pub struct Desk<'a> {
    pub world: &'a mut World,
    pub faults: &'a mut Faults,
    pub rate: &'a mut Rate,
    pub in_use: &'a KeysInUse,
}

/// Carries a call out.
pub fn answer(mut desk: Desk<'_>, call: &Call<'_>) -> Outcome {
    let key = call.headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let account = call.headers.get("stripe-account").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let shape = |status, body: String, replayed| {
        Outcome::Answer(Answer {
            status,
            body,
            request: call.request.clone(),
            idempotency_key: key.clone(),
            replayed,
            account: account.clone(),
        })
    };
    match respond(&mut desk, call, key.as_deref()) {
        Ok(Reply::Fresh(body)) => shape(200, pretty(&body), false),
        Ok(Reply::Stored(status, body)) => shape(status, body, true),
        Ok(Reply::Harmed(outcome)) => outcome,
        Err(error) => shape(error.status, pretty(&envelope(error.error, &call.request)), false),
    }
}

enum Reply {
    Fresh(Value),
    Stored(u16, String),
    Harmed(Outcome),
}

fn respond(desk: &mut Desk<'_>, call: &Call<'_>, key: Option<&str>) -> ApiResult<Reply> {
    let caller = auth::caller(desk.world, call.headers)?;
    desk.rate.admit(&caller.account, call.machine_now_s)?;
    let (route, ids) = api::route(call.method, call.path)
        .ok_or_else(|| ApiError::unrecognized_url(call.method, call.path))?;
    caller.may(route)?;
    let args = Args { ids, params: params(call)? };
    route.check(&args.params)?;
    let cause = Cause { request: Some(call.request.clone()), idempotency_key: key.map(str::to_owned) };
    let key = match key.filter(|key| call.method == "POST" && !key.is_empty()) {
        Some(key) => Some(Key::new(key, call.method, call.path, &args.params)?),
        None => None,
    };
    let in_use = key.as_ref().map(|key| mark_in_use(desk.in_use, &caller.account, &key.key)).transpose()?;
    let harm = desk.faults.strike(call.method, call.path);
    match harm {
        Some(Harm::TimeoutBefore) => return Ok(Reply::Harmed(Outcome::Close)),
        Some(Harm::Drop) => return Ok(Reply::Harmed(Outcome::Reset)),
        Some(Harm::Hang) => return Ok(Reply::Harmed(Outcome::Hang(in_use))),
        Some(Harm::Status { status, effect: false }) => {
            return Err(broken(desk.world, &caller.account, call.now_s, key.as_ref(), status, call));
        }
        Some(Harm::TimeoutAfter | Harm::Status { .. }) | None => {}
    }
    if let Some((status, body)) =
        key.as_ref().map(|key| key.stored(desk.world, &caller.account)).transpose()?.flatten()
    {
        let lost = harm == Some(Harm::TimeoutAfter);
        return Ok(if lost { Reply::Harmed(Outcome::Close) } else { Reply::Stored(status, body) });
    }
    let lie = match harm {
        Some(Harm::Status { status, .. }) => Some(status),
        _ => None,
    };
    let done = carry_out(desk.world, &caller.account, call, route, &args, cause, key.as_ref(), lie);
    match harm {
        Some(Harm::TimeoutAfter) => Ok(Reply::Harmed(Outcome::Close)),
        _ => done.map(Reply::Fresh),
    }
}

/// Runs the route and commits its changes with the stored answer.
#[expect(
    clippy::too_many_arguments,
    reason = "private; each is a different thing the one call site has at hand"
)]
fn carry_out(
    world: &mut World,
    account: &str,
    call: &Call<'_>,
    route: &Route,
    args: &Args,
    cause: Cause,
    key: Option<&Key>,
    lie: Option<u16>,
) -> ApiResult {
    let paths = args.params.texts("expand");
    let mut tx = world.begin(account, call.now_s, cause.clone());
    let mut result = (route.run)(&mut tx, args);
    if let Ok(body) = result.as_mut() {
        expand::expand(&tx, body, &paths)?;
    }
    if let Some(status) = lie {
        result = result.and(Err(ApiError { fate: Fate::Declined, ..ApiError::api(status) }));
    }
    let (status, body) = match &result {
        Ok(body) => (200, body.clone()),
        Err(error) => (error.status, envelope(error.error.clone(), &call.request)),
    };
    match result.as_ref().map_err(|error| error.fate) {
        Err(Fate::Refused) => return result,
        Err(Fate::Failed) => {
            drop(tx);
            tx = world.begin(account, call.now_s, cause);
        }
        Ok(_) | Err(Fate::Declined) => {}
    }
    if let Some(key) = key {
        key.store(&mut tx, status, &pretty(&body));
    }
    webhooks::address(&mut tx);
    tx.commit().map_err(|error| {
        tracing::error!(%error, "a commit failed; nothing of the call stands");
        ApiError::api(500)
    })?;
    result
}

/// The failure a fault asked for, without the effect; a 500 is stored as Stripe stores it.
fn broken(
    world: &mut World,
    account: &str,
    now_s: i64,
    key: Option<&Key>,
    status: u16,
    call: &Call<'_>,
) -> ApiError {
    let error = match status {
        429 => ApiError::too_many(),
        status => ApiError::api(status),
    };
    let stored = key.filter(|key| status == 500 && matches!(key.stored(world, account), Ok(None)));
    if let Some(key) = stored {
        let mut tx = world.begin(account, now_s, Cause::default());
        key.store(&mut tx, status, &pretty(&envelope(error.error.clone(), &call.request)));
        if let Err(error) = tx.commit() {
            tracing::error!(%error, "a stored failure could not be kept");
        }
    }
    error
}

fn mark_in_use(keys: &KeysInUse, account: &str, key: &str) -> ApiResult<InUse> {
    let entry = (account.to_owned(), key.to_owned());
    if keys.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.clone()) {
        Ok(InUse { keys: Arc::clone(keys), key: entry })
    } else {
        Err(ApiError::key_in_use(key))
    }
}

fn params(call: &Call<'_>) -> ApiResult<Params> {
    let body =
        std::str::from_utf8(call.body).map_err(|_| ApiError::invalid("Invalid UTF-8 in the request."))?;
    let is_json = call.path.starts_with("/v2/") && call.method == "POST";
    if is_json {
        let fields = serde_json::from_str(if body.is_empty() { "{}" } else { body });
        return fields.map(Params::new).map_err(|error| ApiError::invalid(format!("Invalid JSON: {error}")));
    }
    decode(if call.method == "POST" { body } else { call.query })
}

fn envelope(mut error: Value, request: &str) -> Value {
    error["request_log_url"] = format!("https://dashboard.stripe.com/test/logs/{request}").into();
    json!({"error": error})
}

fn pretty(body: &Value) -> String {
    serde_json::to_string_pretty(body).unwrap_or_else(|_| body.to_string())
}
