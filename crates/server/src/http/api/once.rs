//! `Idempotency-Key`: the same request again gets the same answer, also after a restart; another request under the key
//! is refused; two at once are told apart.

use std::sync::PoisonError;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bursar_domain::canonical::hash_hex;
use bursar_store::request_keys::Kept;
use serde_json::Value;

use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

const KEY_MAX: usize = 255;

/// A key while its request is being answered.
struct Turn<'a> {
    state: &'a AppState,
    name: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.state.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bad = || {
        Problem::bad_request(
            "Idempotency-Key",
            "an idempotency key is 1 to 255 visible characters, sent once",
        )
    };
    let text = value.to_str().map_err(|_| bad())?;
    let fits =
        !text.is_empty() && text.len() <= KEY_MAX && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !fits || values.next().is_some() {
        return Err(bad());
    }
    Ok(Some(text.to_owned()))
}

/// Answers a request at most once a key.
pub async fn once(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    request: (&str, &[u8]),
    answer: impl Future<Output = Result<(StatusCode, Value), Problem>>,
) -> Result<Response, Problem> {
    let Some(key) = key_of(headers)? else {
        let (status, body) = answer.await?;
        return Ok((status, Json(body)).into_response());
    };
    let actor = caller.actor.key();
    let turn = take_turn(state, format!("{actor}\n{key}"))?;
    let request_hash = hash_hex(&[request.0.as_bytes(), b"\n", request.1].concat());
    if let Some(kept) = state.engine.kept_answer(&actor, &key).await? {
        return replay(&kept, &request_hash);
    }
    let (status, body) = answer.await?;
    let kept = Kept { request_hash, status: i64::from(status.as_u16()), answer: body.to_string() };
    state.engine.keep_answer(&actor, &key, kept).await?;
    drop(turn);
    Ok((status, Json(body)).into_response())
}

fn take_turn(state: &AppState, name: String) -> Result<Turn<'_>, Problem> {
    let free = state.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
    if !free {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "idempotency_key_in_use",
            "a request with this key is being answered; come again in a moment",
        ));
    }
    Ok(Turn { state, name })
}

fn replay(kept: &Kept, request_hash: &str) -> Result<Response, Problem> {
    if kept.request_hash != request_hash {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "idempotency_error",
            "this key was first used with a different request; nothing was done",
        ));
    }
    let status = u16::try_from(kept.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let body: Value = serde_json::from_str(&kept.answer).unwrap_or(Value::Null);
    let mut response = (status.unwrap_or(StatusCode::OK), Json(body)).into_response();
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    Ok(response)
}
