//! Query parameters, strictly: an unknown or repeated one is an error rather than a filter that silently does nothing.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Request};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use percent_encoding::percent_decode_str;

use crate::http::problem::Problem;

#[derive(Debug, Default)]
pub struct Query(BTreeMap<String, String>);

pub const LIMIT_MAX: i64 = 100;
const LIMIT_DEFAULT: i64 = 10;

impl Query {
    /// Fails on any parameter that is not in `known`.
    pub fn only(&self, known: &[&str]) -> Result<&Self, Problem> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(self),
            Some(other) => {
                let shown: String = other.chars().take(40).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(Problem::bad_request(
                    "query",
                    format!("unknown parameter `{shown}`; known here: {known}"),
                ))
            }
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `limit`, 1 to 100.
    pub fn limit(&self) -> Result<i64, Problem> {
        let Some(text) = self.get("limit") else { return Ok(LIMIT_DEFAULT) };
        text.parse()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| Problem::bad_request("limit", "limit is a whole number from 1 to 100"))
    }

    /// A cursor that must be an id.
    pub fn cursor<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem> {
        self.get("starting_after").map(|text| text.parse().map_err(|_| not_a_cursor())).transpose()
    }
}

/// A cursor that no list of ours gave out.
pub fn not_a_cursor() -> Problem {
    Problem::bad_request("starting_after", "starting_after is the id of the last row you saw")
}

fn decode(text: &str) -> Result<String, Problem> {
    let plus = text.replace('+', " ");
    percent_decode_str(&plus)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Problem::bad_request("query", "the query is not UTF-8"))
}

fn parse(query: &str) -> Result<Query, Problem> {
    let mut found = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name)?;
        if found.insert(name.clone(), decode(value)?).is_some() {
            let shown: String = name.chars().take(40).collect();
            return Err(Problem::bad_request("query", format!("`{shown}` stands twice")));
        }
    }
    Ok(Query(found))
}

/// Wraps every request: nothing stands twice, and what changes something says it in its body.
pub async fn clear(request: Request, next: Next) -> Result<Response, Problem> {
    let query = parse(request.uri().query().unwrap_or_default())?;
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        query.only(&[])?;
    }
    Ok(next.run(request).await)
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse(parts.uri.query().unwrap_or_default())
    }
}
