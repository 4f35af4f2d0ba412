//! JSON bodies, strictly: bounded, no unknown field, and an error that names what is wrong.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::http::problem::Problem;
use crate::http::state::AppState;

/// The parsed body and its bytes, which say whether a repeated request is the same.
pub struct Body<T> {
    pub value: T,
    pub bytes: Vec<u8>,
}

const BYTES_MAX: usize = 64 * 1024;

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let arriving = axum::body::to_bytes(request.into_body(), BYTES_MAX);
        let bytes = tokio::time::timeout(state.deadlines.body, arriving)
            .await
            .map_err(|_| {
                Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body did not arrive")
            })?
            .map_err(|_| {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large")
            })?;
        let empty: &[u8] = b"{}";
        let source: &[u8] = if bytes.is_empty() { empty } else { &bytes };
        let mut reader = serde_json::Deserializer::from_slice(source);
        let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let (path, inner) = (error.path().to_string(), error.inner());
            if inner.is_data() {
                let message = if path == "." { inner.to_string() } else { format!("{path}: {inner}") };
                Problem::unprocessable("body", message)
            } else {
                Problem::bad_request("body", format!("the body is not JSON: {inner}"))
            }
        })?;
        reader.end().map_err(|_| Problem::bad_request("body", "something follows the JSON document"))?;
        Ok(Self { value, bytes: bytes.to_vec() })
    }
}
