//! Errors over HTTP: Stripe's envelope, our stable codes, and always what did not happen. A caller's mistake is explained;
//! a failure of ours is logged whole and told in general words.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bursar_domain::approval::VoteError;
use bursar_engine::Error;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub param: Option<&'static str>,
    /// The same where only the request itself says what it is called.
    pub field: Option<String>,
    pub retry_after_s: Option<u64>,
    /// More for whoever handles it: the verdict of a denial.
    pub details: Option<Value>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            param: None,
            field: None,
            retry_after_s: None,
            details: None,
        }
    }

    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub fn bad_request(param: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(param), ..Self::new(StatusCode::BAD_REQUEST, "parameter_invalid", message) }
    }

    pub fn unprocessable(param: &'static str, message: impl Into<String>) -> Self {
        Self {
            param: Some(param),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "parameter_invalid", message)
        }
    }

    /// It may work later: when, is said.
    fn not_now(code: &'static str, after_s: u64, message: impl Into<String>) -> Self {
        Self { retry_after_s: Some(after_s), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "resource_missing", format!("no such {what}"))
    }

    /// The same where it was a query parameter that could not be meant.
    pub fn in_query(error: Error) -> Self {
        let mut problem = Self::from(error);
        if problem.status == StatusCode::UNPROCESSABLE_ENTITY {
            problem.status = StatusCode::BAD_REQUEST;
        }
        problem
    }

    /// What goes out as the body.
    pub fn document(&self) -> Value {
        let mut error = json!({"type": self.kind(), "code": self.code, "message": self.message,
            "doc_url": format!("/help/errors/{}", self.code)});
        if let Some(param) = self.field.as_deref().or(self.param) {
            error["param"] = param.into();
        }
        if let Some(details) = &self.details {
            error["details"] = details.clone();
        }
        json!({"error": error})
    }

    fn kind(&self) -> &'static str {
        match self.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            409 | 410 => "conflict_error",
            429 => "rate_limit_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NotFound { what, .. } => Self::not_found(what),
            Error::Invalid { param, .. } => Self::unprocessable(param, message),
            Error::Forbidden(_) => Self::forbidden(message),
            Error::Conflict { code, .. } => Self::new(StatusCode::CONFLICT, code, message),
            Error::Denied { policies, .. } => Self {
                details: Some(json!({"policies": policies})),
                ..Self::new(StatusCode::FORBIDDEN, "blocked_by_policy", message)
            },
            Error::Vote(vote) => from_vote(vote, message),
            Error::Store(bursar_store::Error::Conflict(_)) => {
                Self::new(StatusCode::CONFLICT, "conflict", "somebody else was faster; look again")
            }
            Error::Unavailable { on, after, .. } => {
                let code = if on == "Stripe" { "stripe_unavailable" } else { "unavailable" };
                Self::not_now(code, after.as_secs().max(1), format!("{message}; nothing was changed"))
            }
            Error::Clock(_) => Self::not_now("clock_wrong", 60, format!("{message}; nothing was counted")),
            Error::Restored => Self::not_now("restored_copy", 60, message),
            Error::Stopping
            | Error::Store(
                bursar_store::Error::Busy(_) | bursar_store::Error::Full(_) | bursar_store::Error::Closing,
            ) => Self::not_now("unavailable", 1, "not now: nothing was kept, please come again"),
            Error::PermissionMissing { .. } => Self::new(
                StatusCode::BAD_GATEWAY,
                "stripe_permission_missing",
                format!("{message}; nothing was changed"),
            ),
            // Stripe's words about a key hold part of it.
            Error::StripeRefused { status: 401 | 403, code, .. } => Self::new(
                StatusCode::BAD_GATEWAY,
                "stripe_key_refused",
                format!("Stripe does not let the configured key read this ({code}); nothing was changed"),
            ),
            Error::StripeRefused { message: said, .. } => Self::new(
                StatusCode::BAD_GATEWAY,
                "stripe_refused",
                format!("{message}: {said}; nothing was changed"),
            ),
            Error::Broken(_) | Error::Store(_) => {
                tracing::error!(%message, "a request failed inside");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "something is broken here; nothing was sent",
                )
            }
        }
    }
}

fn from_vote(error: VoteError, message: String) -> Problem {
    let status = match error {
        VoteError::Expired => StatusCode::GONE,
        VoteError::Decided | VoteError::AlreadyVoted | VoteError::DigestChanged => StatusCode::CONFLICT,
        VoteError::Maker | VoteError::NotAsked => StatusCode::FORBIDDEN,
        VoteError::ReasonMissing => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::new(status, error.code(), message)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.document())).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The same words for every path that does not exist.
pub async fn no_such_page() -> Problem {
    Problem::not_found("page")
}

/// A path that exists, spoken to in another way. Which ways there are stands in `Allow`.
pub async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path takes another method; nothing was done",
    )
}
