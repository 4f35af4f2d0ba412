//! `/v2/core`: destinations that get thin events, and thin events to read.

use serde_json::{Value, json};

use super::webhook_endpoints::keep_secret;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::webhooks::{self, snapshot_id, thin};
use crate::wire::{Args, Route};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::get("/v2/core/event_destinations", "event_destinations", all).with(&["include", "limit"]),
    Route::post(
        "/v2/core/event_destinations",
        "event_destinations",
        &["enabled_events", "event_payload", "name", "type"],
        &["description", "include", "metadata", "snapshot_api_version", "webhook_endpoint"],
        create,
    ),
    Route::get("/v2/core/event_destinations/{id}", "event_destinations", retrieve).with(&["include"]),
    Route::delete("/v2/core/event_destinations/{id}", "event_destinations", delete),
    Route::get("/v2/core/events", "events", events).with(&["limit", "object_id", "types"]),
    Route::get("/v2/core/events/{id}", "events", event),
];

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    if params.need("type")? != "webhook_endpoint" {
        return Err(ApiError::invalid("Only webhook endpoints are simulated.").param("type"));
    }
    let payload = params.one_of("event_payload", &["snapshot", "thin"])?.unwrap_or("thin").to_owned();
    let endpoint = params.part("webhook_endpoint").ok_or_else(|| ApiError::missing("webhook_endpoint"))?;
    let url = endpoint.need("url")?;
    let id = tx.id(Kind::EventDestination);
    let secret = tx.world.ids.next("whsec");
    let now = webhooks::rfc3339(tx.now);
    let mut destination = json!({
        "id": id, "object": "v2.core.event_destination", "created": now, "description": "",
        "enabled_events": params.texts("enabled_events"), "event_payload": payload, "events_from": ["self"],
        "livemode": tx.livemode(), "metadata": {}, "name": params.need("name")?, "snapshot_api_version": null,
        "status": "enabled", "status_details": null, "type": "webhook_endpoint", "updated": now,
        "webhook_endpoint": {"signing_secret": null, "url": url},
    });
    params.copy(&mut destination, &["description", "snapshot_api_version"]);
    params.merge_metadata(&mut destination)?;
    tx.put(Kind::EventDestination, destination.clone());
    keep_secret(tx, &id, &secret, false, &payload);
    destination["webhook_endpoint"]["signing_secret"] = secret.into();
    Ok(destination)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::EventDestination, args.id())
}

fn delete(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let gone = tx.remove(Kind::EventDestination, args.id());
    gone.ok_or_else(|| ApiError::no_such(Kind::EventDestination, args.id()))?;
    tx.remove(Kind::EndpointSecret, args.id());
    webhooks::forget(tx, args.id());
    Ok(json!({"id": args.id(), "object": "v2.core.event_destination", "deleted": true}))
}

#[expect(clippy::unnecessary_wraps, reason = "every route answers in this shape")]
fn all(tx: &mut Tx<'_>, _: &Args) -> ApiResult {
    let destinations: Vec<&Value> = tx.all(Kind::EventDestination).collect();
    Ok(json!({"data": destinations, "next_page_url": null, "previous_page_url": null}))
}

fn event(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let snapshot = snapshot_id(args.id());
    let row = tx.world.lane(&tx.account).and_then(|lane| lane.events.get(snapshot.as_deref()?));
    row.map(|row| thin(&row.document())).ok_or_else(|| ApiError::no_such(Kind::Event, args.id()))
}

fn events(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let limit = args.params.int_from("limit", 1)?.unwrap_or(20);
    let object = args.params.text("object_id");
    let Some(lane) = tx.world.lane(&tx.account) else { return Ok(json!({"data": []})) };
    let mut found = Vec::new();
    for (_, row) in lane.events.rows().rev() {
        let event = thin(&row.document());
        if object.is_none_or(|object| event.text("related_object.id") == object) {
            found.push(event);
        }
        if i64::try_from(found.len()).is_ok_and(|count| count >= limit) {
            break;
        }
    }
    Ok(json!({"data": found, "next_page_url": null, "previous_page_url": null}))
}
