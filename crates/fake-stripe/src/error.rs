//! Stripe's error envelope, and what an error means for the call that met it.

use serde_json::{Value, json};

use crate::world::Kind;

/// What went wrong with the simulator itself, as opposed to a call to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal cannot be read or written; nothing was answered that is not in it.
    #[error("journal {path}: {source}")]
    Journal { path: std::path::PathBuf, source: std::io::Error },
    /// A line of the journal that is not its last cannot be understood.
    #[error("journal {path}, line {line}: not a journal line")]
    Corrupt { path: std::path::PathBuf, line: usize },
    /// What was begun in one mode is not gone on with in the other: test and live never mix.
    #[error("a Stripe in {kept} mode is kept here: start it in that, or choose another data directory")]
    OtherMode { kept: &'static str },
    /// The HTTP client for webhooks could not be made, or the listener failed.
    #[error("network: {0}")]
    Network(String),
}

/// What becomes of a failed call's changes and of its idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Refused before it was carried out: nothing changes and no key is stored.
    Refused,
    /// Carried out as far as finding that it cannot be: nothing changes, the answer is stored.
    Failed,
    /// Carried out, and the card said no: the attempt stays, and the answer is stored.
    Declined,
}

/// An answer in Stripe's error envelope.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: u16,
    pub fate: Fate,
    pub error: Value,
}

pub type ApiResult<T = Value> = Result<T, ApiError>;

impl ApiError {
    fn new(status: u16, fate: Fate, kind: &str, message: &str) -> Self {
        Self { status, fate, error: json!({"type": kind, "message": message}) }
    }

    /// 400, found before anything was carried out.
    pub fn invalid(message: impl AsRef<str>) -> Self {
        Self::new(400, Fate::Refused, "invalid_request_error", message.as_ref())
    }

    /// 400, because of the state of the objects concerned.
    pub fn refused_by_state(message: impl AsRef<str>) -> Self {
        Self::new(400, Fate::Failed, "invalid_request_error", message.as_ref())
    }

    pub fn missing(param: &str) -> Self {
        Self::invalid(format!("Missing required param: {param}.")).code("parameter_missing").param(param)
    }

    pub fn unknown(param: &str) -> Self {
        Self::invalid(format!("Received unknown parameter: {param}")).code("parameter_unknown").param(param)
    }

    /// 404 for an id in the path.
    pub fn no_such(kind: Kind, id: &str) -> Self {
        let mut error =
            Self::invalid(format!("No such {}: '{id}'", kind.name())).code("resource_missing").param("id");
        error.status = 404;
        error
    }

    /// 400 for an id in a parameter.
    pub fn no_such_param(kind: Kind, id: &str, param: &str) -> Self {
        Self::invalid(format!("No such {}: '{id}'", kind.name())).code("resource_missing").param(param)
    }

    pub fn unrecognized_url(method: &str, path: &str) -> Self {
        let mut error = Self::invalid(format!("Unrecognized request URL ({method}: {path})."));
        error.status = 404;
        error
    }

    pub fn unauthorized(message: &str) -> Self {
        Self::new(401, Fate::Refused, "invalid_request_error", message)
    }

    pub fn forbidden(message: impl AsRef<str>) -> Self {
        Self::new(403, Fate::Refused, "invalid_request_error", message.as_ref())
    }

    pub fn too_many() -> Self {
        let message = "Request rate limit exceeded. Slow down and try again with the same idempotency key.";
        Self::new(429, Fate::Refused, "invalid_request_error", message).code("rate_limit")
    }

    pub fn key_in_use(key: &str) -> Self {
        let message =
            format!("There is currently another in-progress request using this Stripe-Idempotent-Key: {key}");
        Self::new(409, Fate::Refused, "idempotency_error", &message).code("idempotency_key_in_use")
    }

    pub fn key_reused() -> Self {
        let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
        Self::new(400, Fate::Refused, "idempotency_error", message)
    }

    /// A fault that was asked for.
    pub fn api(status: u16) -> Self {
        let kind = if status >= 500 { "api_error" } else { "invalid_request_error" };
        Self::new(status, Fate::Failed, kind, "An unknown error occurred")
    }

    /// 402: the attempt took place and the card said no.
    pub fn declined(code: &str, message: &str) -> Self {
        Self::new(402, Fate::Declined, "card_error", message).code(code)
    }

    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        self.error["code"] = code.into();
        self.error["doc_url"] =
            format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")).into();
        self
    }

    #[must_use]
    pub fn param(mut self, param: &str) -> Self {
        self.error["param"] = param.into();
        self
    }

    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.error[field] = value.into();
        self
    }
}
