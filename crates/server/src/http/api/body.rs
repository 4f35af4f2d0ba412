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

pub const BYTES_MAX: usize = 64 * 1024;

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, Problem> {
        let bytes = axum::body::to_bytes(request.into_body(), BYTES_MAX).await.map_err(|_| {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large")
        })?;
        let empty: &[u8] = b"{}";
        let source: &[u8] = if bytes.is_empty() { empty } else { &bytes };
        let mut reader = serde_json::Deserializer::from_slice(source);
        let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let (path, inner) = (error.path().to_string(), error.inner());
            if inner.is_data() { misfit(&path, &inner.to_string()) } else { not_json(inner) }
        })?;
        reader.end().map_err(|_| Problem::bad_request("body", "something follows the JSON document"))?;
        // serde also takes a list for an object: its fields in order, without their names.
        if !source.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::unprocessable("body", "the body must be a JSON object"));
        }
        Ok(Self { value, bytes: bytes.to_vec() })
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::bad_request("body", format!("the body is not JSON: {error}"))
}

/// What does not fit, by the field that its sender knows; not one of our types is named.
fn misfit(path: &str, told: &str) -> Problem {
    // `… at line 1 column 55` is about bytes that programs wrote.
    let told = told.rsplit_once(" at line ").map_or(told, |(what, _)| what);
    let (first, rest) = told.split_once('`').unwrap_or((told, ""));
    let (named, after) = rest.split_once('`').unwrap_or((rest, ""));
    let (field, message) = match first {
        "missing field " => (named, format!("{named} is missing")),
        "duplicate field " => (named, format!("{named} stands twice")),
        "unknown field " => {
            let known: Vec<&str> = after.split('`').skip(1).step_by(2).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            (named, format!("unknown field {named}; known here: {known}"))
        }
        _ => (path, expected(path, told)),
    };
    let mut problem = Problem::unprocessable("body", message);
    if field != "." {
        problem.field = Some(field.chars().take(60).collect());
    }
    problem
}

/// `invalid type: string "10", expected i64` -> `amount must be a whole number, not the text "10"`.
fn expected(path: &str, told: &str) -> String {
    let what = if path == "." { "the body" } else { path };
    let Some((got, wanted)) = told.rsplit_once(", expected ") else { return format!("{what}: {told}") };
    let wanted = match wanted {
        "i64" | "u64" | "i32" | "u32" => "a whole number",
        "a string" | "a borrowed string" => "text",
        "a boolean" => "true or false",
        object if object.starts_with("struct ") => return format!("{what} must be a JSON object"),
        other => other,
    };
    let got = got.split_once(": ").map_or(got, |(_, got)| got);
    let got = match (got, got.split_once(' ')) {
        ("sequence", _) => "a list".to_owned(),
        ("map", _) => "an object".to_owned(),
        (_, Some(("string", text))) => format!("the text {text}"),
        (_, Some((_, value))) => {
            value.trim_start_matches("point ").trim_start_matches("variant ").replace('`', "")
        }
        (word, None) => word.to_owned(),
    };
    let shown: String = got.chars().take(60).collect();
    format!("{what} must be {wanted}, not {shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, message: &str) -> (String, String) {
        let problem = misfit(path, message);
        (problem.document()["error"]["param"].as_str().unwrap().to_owned(), problem.message)
    }

    #[test]
    fn a_misfit_is_named_by_its_field_and_without_our_types() {
        for (path, message, param, words) in [
            (
                "amount",
                "invalid type: string \"10\", expected i64 at line 1 column 55",
                "amount",
                "amount must be a whole number, not the text \"10\"",
            ),
            (
                "amount",
                "invalid type: floating point `10.5`, expected i64 at line 1 column 9",
                "amount",
                "amount must be a whole number, not 10.5",
            ),
            (
                "reason",
                "invalid type: sequence, expected a string at line 1 column 9",
                "reason",
                "reason must be text, not a list",
            ),
            (".", "missing field `reason` at line 1 column 20", "reason", "reason is missing"),
            (
                "state",
                "unknown field `state`, expected `charge` or `amount` at line 1 column 9",
                "state",
                "unknown field state; known here: charge, amount",
            ),
            (".", "duplicate field `charge` at line 1 column 9", "charge", "charge stands twice"),
            (
                ".",
                "invalid length 0, expected struct RefundBody with 5 elements at line 1 column 2",
                "body",
                "the body must be a JSON object",
            ),
        ] {
            assert_eq!(told(path, message), (param.to_owned(), words.to_owned()), "{message}");
        }
    }
}
