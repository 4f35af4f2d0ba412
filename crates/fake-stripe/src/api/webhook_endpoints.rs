//! `/v1/webhook_endpoints`: where events are sent. The secret is shown once, at creation.

use serde_json::{Value, json};

use crate::API_VERSION;
use crate::error::{ApiError, ApiResult};
use crate::webhooks;
use crate::wire::{Args, Params, Route, list};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::list("/v1/webhook_endpoints", "webhook_endpoints", &[], all),
    Route::post(
        "/v1/webhook_endpoints",
        "webhook_endpoints",
        &["enabled_events", "url"],
        &["api_version", "connect", "description", "metadata"],
        create,
    ),
    Route::get("/v1/webhook_endpoints/{id}", "webhook_endpoints", retrieve),
    Route::post(
        "/v1/webhook_endpoints/{id}",
        "webhook_endpoints",
        &[],
        &["description", "disabled", "enabled_events", "metadata", "url"],
        update,
    ),
    Route::delete("/v1/webhook_endpoints/{id}", "webhook_endpoints", delete),
];

/// A new endpoint.
#[derive(Debug)]
pub struct NewEndpoint<'a> {
    pub url: &'a str,
    pub secret: Option<&'a str>,
    pub enabled_events: Vec<&'a str>,
    /// Gets the events of connected accounts instead of the platform's own.
    pub connect: bool,
}

/// Makes an endpoint and gives it with its secret.
pub fn make(tx: &mut Tx<'_>, new: &NewEndpoint<'_>) -> Value {
    let id = tx.id(Kind::WebhookEndpoint);
    let secret = new.secret.map_or_else(|| tx.world.ids.next("whsec"), str::to_owned);
    let endpoint = json!({
        "id": id, "object": "webhook_endpoint", "api_version": API_VERSION, "application": null,
        "created": tx.now, "description": null, "enabled_events": new.enabled_events, "livemode": tx.livemode(),
        "metadata": {}, "status": "enabled", "url": new.url,
    });
    tx.put(Kind::WebhookEndpoint, endpoint.clone());
    keep_secret(tx, &id, &secret, new.connect, "snapshot");
    let mut shown = endpoint;
    shown["secret"] = secret.into();
    shown
}

/// Keeps what Stripe knows of an endpoint without showing it.
pub fn keep_secret(tx: &mut Tx<'_>, id: &str, secret: &str, connect: bool, payload: &str) {
    tx.put(Kind::EndpointSecret, json!({"id": id, "secret": secret, "connect": connect, "payload": payload}));
}

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let url = checked_url(params)?;
    let enabled_events = params.texts("enabled_events");
    if enabled_events.is_empty() {
        return Err(ApiError::missing("enabled_events"));
    }
    let connect = params.flag("connect")?.unwrap_or(false);
    let mut shown = make(tx, &NewEndpoint { url, secret: None, enabled_events, connect });
    let secret = shown["secret"].take();
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("secret");
    }
    params.copy(&mut shown, &["api_version", "description"]);
    params.merge_metadata(&mut shown)?;
    tx.put(Kind::WebhookEndpoint, shown.clone());
    shown["secret"] = secret;
    Ok(shown)
}

fn checked_url(params: &Params) -> ApiResult<&str> {
    let url = params.need("url")?;
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(url);
    }
    Err(ApiError::invalid("Invalid URL: An explicit scheme (such as https) must be provided.").param("url"))
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::WebhookEndpoint, args.id())
}

fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let mut endpoint = tx.find(Kind::WebhookEndpoint, args.id())?;
    if params.has("url") {
        endpoint["url"] = checked_url(params)?.into();
    }
    if params.has("enabled_events") {
        endpoint["enabled_events"] = params.texts("enabled_events").into();
    }
    if let Some(disabled) = params.flag("disabled")? {
        endpoint["status"] = if disabled { "disabled" } else { "enabled" }.into();
    }
    params.copy(&mut endpoint, &["description"]);
    params.merge_metadata(&mut endpoint)?;
    tx.put(Kind::WebhookEndpoint, endpoint.clone());
    Ok(endpoint)
}

fn delete(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.remove(Kind::WebhookEndpoint, args.id())
        .ok_or_else(|| ApiError::no_such(Kind::WebhookEndpoint, args.id()))?;
    tx.remove(Kind::EndpointSecret, args.id());
    webhooks::forget(tx, args.id());
    Ok(json!({"id": args.id(), "object": "webhook_endpoint", "deleted": true}))
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    list::page(tx, Kind::WebhookEndpoint, "/v1/webhook_endpoints", &args.params, None, |_| true)
}
