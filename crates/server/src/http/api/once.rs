//! `Idempotency-Key`: the same request again gets the same answer, also after a restart; another request under the key
//! is refused; two at once are told apart.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bursar_domain::canonical::hash_hex;
use bursar_store::request_keys::{Answer, RequestKey};
use serde_json::Value;
use tracing::Instrument as _;

use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

const KEY_MAX: usize = 255;
const REPLAYED: &str = "idempotent-replayed";

/// A key while its request is being answered.
struct Turn {
    in_flight: Arc<Mutex<HashSet<String>>>,
    name: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
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

/// Answers a request at most once a key. `answer` is told the key, so that what it files can be bound to it in the same
/// commit; it is carried to its end also where the caller goes away meanwhile.
pub async fn once<A>(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    request: (&str, &[u8]),
    answer: impl FnOnce(Option<RequestKey>) -> A,
) -> Result<Response, Problem>
where
    A: Future<Output = Result<(StatusCode, Value), Problem>> + Send + 'static,
{
    let Some(key) = key_of(headers)? else {
        let (status, body) = to_its_end(answer(None)).await?;
        return Ok((status, Json(body)).into_response());
    };
    let request_hash = hash_hex(&[request.0.as_bytes(), b"\n", request.1].concat());
    let key = RequestKey { actor: caller.actor.key(), key, request_hash };
    let turn = take_turn(state, format!("{}\n{}", key.actor, key.key))?;
    let kept = state.engine.kept_answer(&key).await?;
    if let Some(kept) = &kept {
        if kept.request_hash != key.request_hash {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "idempotency_error",
                "this key was first used with a different request; nothing was done",
            ));
        }
        if let Some(answer) = &kept.answer {
            return Ok(replay(answer));
        }
    }
    let (engine, answering) = (state.engine.clone(), answer(Some(key.clone())));
    let (status, body) = to_its_end(async move {
        let _turn = turn;
        let (status, body) = answering.await?;
        let answer = Answer { status: i64::from(status.as_u16()), body: body.to_string() };
        // What was filed is bound to the key already: whoever asks again is told of it.
        if let Err(error) = engine.keep_answer(key, answer).await {
            tracing::warn!(
                error = error.for_keeping(),
                "an answer could not be kept under its idempotency key"
            );
        }
        Ok((status, body))
    })
    .await?;
    let mut response = (status, Json(body)).into_response();
    if kept.is_some() {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Hyper drops a handler whose client hangs up, at whatever it waits for; a task of its own is not dropped.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request failed inside");
        Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something is broken here; ask again under the same key to learn what was done",
        ))
    })
}

fn take_turn(state: &AppState, name: String) -> Result<Turn, Problem> {
    let free = state.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
    if !free {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "idempotency_key_in_use",
            "a request with this key is being answered; come again in a moment",
        ));
    }
    Ok(Turn { in_flight: Arc::clone(&state.in_flight), name })
}

fn replay(answer: &Answer) -> Response {
    let status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let body: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    let mut response = (status.unwrap_or(StatusCode::OK), Json(body)).into_response();
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
