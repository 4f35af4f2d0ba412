//! Who calls: the key, the account it acts on, and what a restricted key may do.

use axum::http::HeaderMap;
use base64::Engine as _;
use serde_json::Value;

use super::Route;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::world::{Kind, World};

/// A key that was accepted, and the account the call is about.
#[derive(Debug)]
pub struct Caller {
    pub account: String,
    /// Nothing for a secret key, which may do anything.
    permissions: Option<Value>,
    shown_key: String,
}

/// Checks key and account of a call.
pub fn caller(world: &World, headers: &HeaderMap) -> ApiResult<Caller> {
    let key = bearer(headers).ok_or_else(|| {
        ApiError::unauthorized(
            "You did not provide an API key. Provide it in the Authorization header, using Bearer auth.",
        )
    })?;
    let shown_key = masked(&key);
    let Some(known) = world.get(&world.platform, Kind::ApiKey, &key) else {
        return Err(ApiError::unauthorized(&format!("Invalid API Key provided: {shown_key}")));
    };
    let account = match headers.get("stripe-account").and_then(|value| value.to_str().ok()) {
        None => world.platform.clone(),
        Some(account) if world.lane(account).is_some() => account.to_owned(),
        Some(account) => {
            let message = format!(
                "The provided key '{shown_key}' does not have access to account '{account}' (or that account does not exist). Application access may have been revoked."
            );
            return Err(ApiError::forbidden(message).code("account_invalid"));
        }
    };
    let permissions = known.get("permissions").filter(|permissions| permissions.is_object()).cloned();
    Ok(Caller { account, permissions, shown_key })
}

impl Caller {
    /// 403 unless the key may do this: `read` for GET, `write` for the rest.
    pub fn may(&self, route: &Route) -> ApiResult<()> {
        let Some(permissions) = &self.permissions else { return Ok(()) };
        let need = if route.method == "GET" { "read" } else { "write" };
        let has = permissions.text(route.resource);
        if has == "write" || has == need {
            return Ok(());
        }
        let message = format!(
            "The provided key '{}' does not have the required permissions for this endpoint on account '{}'. Having the '{}_{need}' permission would allow this request to continue.",
            self.shown_key, self.account, route.resource
        );
        Err(ApiError::forbidden(message).code("more_permissions_required"))
    }
}

/// The key from Bearer or Basic authorization.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("authorization")?.to_str().ok()?;
    if let Some(key) = value.strip_prefix("Bearer ") {
        return Some(key.trim().to_owned());
    }
    let pair = base64::engine::general_purpose::STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    Some(pair.split(':').next()?.to_owned())
}

/// A key as messages may show it.
fn masked(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    if letters.len() < 13 {
        return "*".repeat(letters.len());
    }
    let head: String = letters[..8].iter().collect();
    let tail: String = letters[letters.len() - 4..].iter().collect();
    format!("{head}{}{tail}", "*".repeat(letters.len() - 12))
}
