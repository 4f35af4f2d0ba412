//! `/_sim/*`: the strings behind the stage. Looking at the ledger, moving time, arming faults, disturbing the
//! webhooks, making things happen. No key is asked for: this Stripe listens where its owner puts it.

mod scenes;
mod trigger;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use serde_json::{Value, json};

pub use self::trigger::trigger;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::sim::FakeStripe;
use crate::wire::{Params, Rate};

pub fn router() -> Router<FakeStripe> {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/trigger", get(triggers).post(pull))
        .route("/clock", get(clock).post(advance))
        .route("/disorder", get(disorder).post(disturb))
        .route("/faults", get(faults).post(arm))
        .route("/faults/{id}", delete(disarm))
        .route("/keys", post(key))
        .route("/authenticate", post(authenticate))
}

fn shaped(result: ApiResult) -> Response {
    match result {
        Ok(body) => Json(body).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, Json(json!({"error": error.error}))).into_response()
        }
    }
}

fn failed(error: &crate::Error) -> ApiError {
    tracing::error!(%error, "the simulator could not keep a change");
    ApiError::api(500)
}

#[derive(serde::Deserialize)]
struct Since {
    since: Option<i64>,
    kind: Option<String>,
}

async fn ledger(State(stripe): State<FakeStripe>, Query(since): Query<Since>) -> Response {
    let mut entries = stripe.ledger();
    entries.retain(|entry| {
        since.since.is_none_or(|since| entry.int("at") >= since)
            && since.kind.as_deref().is_none_or(|kind| entry.text("kind") == kind)
    });
    shaped(Ok(json!({"data": entries})))
}

async fn triggers() -> Response {
    shaped(Ok(json!({"data": trigger::TYPES.as_slice()})))
}

async fn pull(State(stripe): State<FakeStripe>, Json(wish): Json<Value>) -> Response {
    let overrides = if wish["overrides"].is_object() { wish["overrides"].clone() } else { json!({}) };
    match stripe.trigger(wish.text("type"), overrides) {
        Ok(made) => shaped(Ok(made)),
        Err(error) => (StatusCode::BAD_REQUEST, Json(error)).into_response(),
    }
}

async fn clock(State(stripe): State<FakeStripe>) -> Response {
    shaped(Ok(json!({"now": stripe.now_s()})))
}

async fn advance(State(stripe): State<FakeStripe>, Json(wish): Json<Value>) -> Response {
    let seconds = Params::of(wish).int_from("advance_s", 0).and_then(|seconds| {
        let seconds = seconds.ok_or_else(|| ApiError::missing("advance_s"))?;
        u32::try_from(seconds).map_err(|_| ApiError::invalid("That is too far.").param("advance_s"))
    });
    let moved = tokio::task::spawn_blocking(move || {
        stripe.advance(seconds?).map_err(|error| failed(&error)).map(|now| json!({"now": now}))
    });
    shaped(moved.await.unwrap_or_else(|_| Err(ApiError::api(500))))
}

async fn disorder(State(stripe): State<FakeStripe>) -> Response {
    shaped(Ok(shown(&stripe)))
}

fn shown(stripe: &FakeStripe) -> Value {
    let state = stripe.state();
    json!({"duplicate_percent": state.disorder.duplicate_percent, "reorder_percent": state.disorder.reorder_percent,
        "rate_per_second": state.rate.limit()})
}

/// `{"duplicate_percent", "reorder_percent", "rate_per_second"}`: what is left out stays; a rate of 0 is none.
async fn disturb(State(stripe): State<FakeStripe>, Json(wish): Json<Value>) -> Response {
    let wish = Params::of(wish);
    shaped(set_disorder(&stripe, &wish).map(|()| shown(&stripe)))
}

fn set_disorder(stripe: &FakeStripe, wish: &Params) -> ApiResult<()> {
    let percent = |name: &str| -> ApiResult<Option<u8>> {
        let Some(wanted) = wish.int_from(name, 0)? else { return Ok(None) };
        let percent = u8::try_from(wanted).ok().filter(|percent| *percent <= 100);
        percent.map(Some).ok_or_else(|| ApiError::invalid("A percentage is 0 to 100.").param(name))
    };
    let (duplicate, reorder) = (percent("duplicate_percent")?, percent("reorder_percent")?);
    let rate = wish.int_from("rate_per_second", 0)?.map(|rate| u32::try_from(rate).unwrap_or(u32::MAX));
    let mut state = stripe.state();
    state.disorder.duplicate_percent = duplicate.unwrap_or(state.disorder.duplicate_percent);
    state.disorder.reorder_percent = reorder.unwrap_or(state.disorder.reorder_percent);
    if let Some(rate) = rate {
        state.rate = Rate::new((rate > 0).then_some(rate));
    }
    Ok(())
}

async fn faults(State(stripe): State<FakeStripe>) -> Response {
    shaped(Ok(stripe.state().faults.show()))
}

async fn arm(State(stripe): State<FakeStripe>, Json(wish): Json<Value>) -> Response {
    shaped(stripe.state().faults.arm(&Params::of(wish)))
}

async fn disarm(State(stripe): State<FakeStripe>, Path(id): Path<String>) -> Response {
    if stripe.disarm_fault(&id) {
        shaped(Ok(json!({"id": id, "deleted": true})))
    } else {
        let mut error = ApiError::invalid(format!("No such fault: '{id}'"));
        error.status = 404;
        shaped(Err(error))
    }
}

/// A restricted key: `{"permissions": {"refunds": "write"}}`.
async fn key(State(stripe): State<FakeStripe>, Json(wish): Json<Value>) -> Response {
    let granted: Vec<(String, String)> = wish["permissions"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(resource, grant)| (resource.clone(), grant.as_str().unwrap_or_default().to_owned()))
        .collect();
    let granted: Vec<(&str, &str)> =
        granted.iter().map(|(resource, grant)| (resource.as_str(), grant.as_str())).collect();
    shaped(stripe.restricted_key(&granted).map_err(|error| failed(&error)).map(|key| json!({"key": key})))
}

/// The customer passes, or fails, the challenge of a payment intent.
async fn authenticate(State(stripe): State<FakeStripe>, Json(wish): Json<Value>) -> Response {
    let platform = stripe.account_id();
    let params = Params::of(wish);
    shaped(stripe.attempt(&platform, |tx| scenes::authenticate(tx, &params)))
}
