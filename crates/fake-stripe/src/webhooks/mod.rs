//! Webhooks: who hears of an event, in what form, and when it is tried again.
//!
//! A delivery is a document, written in the same commit as its event. Stripe's retries follow business
//! time; the signature carries machine time, because that is what receivers check.

mod send;

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

pub use self::send::run;
use crate::api::events::matches;
use crate::billing::invoice;
use crate::doc::Doc as _;
use crate::world::{Kind, Table, Tx, World, ids};

/// Seconds of business time from each failed try to the next: three retries over a few hours, as in
/// Stripe's sandbox.
const RETRY_AFTER_S: [i64; 3] = [600, 3600, 3 * 3600];

/// What goes wrong with deliveries on purpose, in percent of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disorder {
    /// Sent a second time although the first was heard.
    pub duplicate_percent: u8,
    /// Sent after the ones that come later.
    pub reorder_percent: u8,
}

/// Writes a delivery for every endpoint that wants one of the events made in this change.
pub fn address(tx: &mut Tx<'_>) {
    let emitted: Vec<String> = tx.emitted().map(str::to_owned).collect();
    let platform = tx.world.platform.clone();
    let endpoints: Vec<Value> = enabled(tx).cloned().collect();
    if endpoints.is_empty() {
        return;
    }
    for event in emitted {
        let row = tx.world.lane(&tx.account).and_then(|lane| lane.events.get(&event));
        let Some((kind, object)) =
            row.map(|row| (row.kind.clone(), row.document()["data"]["object"]["id"].clone()))
        else {
            continue;
        };
        let heard_by: Vec<String> = endpoints
            .iter()
            .filter(|endpoint| wants(tx, endpoint, &kind))
            .map(|endpoint| endpoint.text("id").to_owned())
            .collect();
        for endpoint in heard_by {
            let id = tx.id(Kind::Delivery);
            let delivery = json!({
                "id": id, "event": event, "account": tx.account, "endpoint": endpoint, "type": kind,
                "object": object, "tries": 0, "due": 0,
            });
            tx.put_on(&platform, Kind::Delivery, delivery);
        }
    }
}

fn enabled<'t>(tx: &'t Tx<'_>) -> impl Iterator<Item = &'t Value> {
    let of = |kind| tx.world.rows(&tx.world.platform, kind);
    let endpoints = of(Kind::WebhookEndpoint).chain(of(Kind::EventDestination));
    endpoints.filter(|endpoint| endpoint.text("status") == "enabled")
}

/// Whether an event of this type on the change's account is told to anybody.
pub fn somebody_wants(tx: &Tx<'_>, kind: &str) -> bool {
    enabled(tx).any(|endpoint| wants(tx, endpoint, kind))
}

/// Whether an event of this type about `object` is still to be heard by somebody.
pub fn waits(tx: &Tx<'_>, kind: &str, object: &str) -> bool {
    let mut deliveries = tx.world.rows(&tx.world.platform, Kind::Delivery);
    deliveries.any(|delivery| delivery.text("object") == object && delivery.text("type") == kind)
}

fn wants(tx: &Tx<'_>, endpoint: &Value, kind: &str) -> bool {
    let secret = tx.world.get(&tx.world.platform, Kind::EndpointSecret, endpoint.text("id"));
    let connect = secret.is_some_and(|secret| secret.flag("connect"));
    connect != tx.is_platform()
        && endpoint.elements("enabled_events").iter().any(|pattern| {
            let pattern = pattern.as_str().unwrap_or_default();
            matches(pattern.strip_prefix("v1.").unwrap_or(pattern), kind)
        })
}

/// One delivery, ready to be sent.
#[derive(Debug, Clone)]
pub struct Letter {
    pub delivery: String,
    pub endpoint: String,
    pub url: String,
    pub secret: String,
    pub body: String,
    pub copies: u8,
}

/// Letters that are made up for one endpoint at a time.
const SHEAF: usize = 64;
/// How many letters to the same endpoint overtake a late one.
const OVERTAKEN_BY: usize = 5;

/// The first deliveries that are due to each endpoint outside `busy`, in the order they are to be sent.
pub fn due(world: &World, now_s: i64, disorder: Disorder, busy: &HashSet<String>) -> Vec<Letter> {
    let mut ranked: Vec<((usize, bool), Letter)> = Vec::new();
    let mut counted: HashMap<&str, usize> = HashMap::new();
    let deliveries = world.table(&world.platform, Kind::Delivery);
    for (position, delivery) in deliveries.into_iter().flat_map(Table::rows) {
        let endpoint = delivery.text("endpoint");
        let count = counted.entry(endpoint).or_default();
        if delivery.int("due") > now_s || busy.contains(endpoint) || *count == SHEAF {
            continue;
        }
        let Some(mut letter) = letter(world, delivery) else { continue };
        let chance = |salt, percent| chance(world.ids.seed(), position, salt, percent);
        let late = chance(1, disorder.reorder_percent);
        letter.copies = 1 + u8::from(chance(2, disorder.duplicate_percent));
        ranked.push(((if late { *count + OVERTAKEN_BY } else { *count }, late), letter));
        *count += 1;
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, letter)| letter).collect()
}

/// A draw that follows from the seed and the position alone, so that it falls the same way each time.
fn chance(seed: u64, position: u64, salt: u64, percent: u8) -> bool {
    ids::mix(seed ^ ids::mix(position ^ (salt << 40))) % 100 < u64::from(percent)
}

fn letter(world: &World, delivery: &Value) -> Option<Letter> {
    let endpoint = delivery.text("endpoint");
    let kept = world.get(&world.platform, Kind::EndpointSecret, endpoint)?;
    let row = world.lane(delivery.text("account"))?.events.get(delivery.text("event"))?;
    let known = [Kind::WebhookEndpoint, Kind::EventDestination];
    let known = known.into_iter().find_map(|kind| world.get(&world.platform, kind, endpoint))?;
    if known.text("status") != "enabled" {
        return None;
    }
    let url = known.maybe_text("url").unwrap_or_else(|| known.text("webhook_endpoint.url")).to_owned();
    let body = if kept.text("payload") == "thin" {
        thin(&row.document()).to_string()
    } else {
        let mut event = row.document();
        event["pending_webhooks"] = 1.into();
        serde_json::to_string_pretty(&event).unwrap_or_default()
    };
    let secret = kept.text("secret").to_owned();
    let (delivery, endpoint) = (delivery.text("id").to_owned(), endpoint.to_owned());
    Some(Letter { delivery, endpoint, url, secret, body, copies: 1 })
}

/// What the id of a thin event begins with. The rest is that of the snapshot event about the same change.
const THIN: &str = "evt_65";

/// The id of the thin form of an event: a thin event is an event of its own.
pub fn thin_id(snapshot: &str) -> String {
    format!("{THIN}{}", snapshot.strip_prefix("evt_").unwrap_or(snapshot))
}

/// The id of the snapshot event about the same change; nothing when this is no thin event's id.
pub fn snapshot_id(thin: &str) -> Option<String> {
    thin.strip_prefix(THIN).map(|rest| format!("evt_{rest}"))
}

/// The thin form of an event: what it is about, and nothing of its state.
pub fn thin(event: &Value) -> Value {
    let object = &event["data"]["object"];
    let kind = object.text("object");
    let id = object.text("id");
    // What nobody asked for has no reason; the key of a call without one is empty, because v2 types it as a text.
    let reason = event.maybe_text("request.id").map(|request| {
        json!({"type": "request", "request":
            {"id": request, "idempotency_key": event.text("request.idempotency_key")}})
    });
    let mut thin = json!({
        "id": thin_id(event.text("id")), "object": "v2.core.event", "changes": null, "context": event["account"],
        "created": rfc3339(event.int("created")), "livemode": event["livemode"], "reason": reason,
        "snapshot_event": event["id"], "type": format!("v1.{}", event.text("type")),
    });
    // An object that cannot be read by its id, such as a portal session, is not referred to.
    if let Some(path) = crate::api::events::path_of(kind) {
        thin["related_object"] = json!({"id": id, "type": kind, "url": format!("{path}/{id}")});
    }
    thin
}

/// An instant as v2 writes it.
pub fn rfc3339(instant: i64) -> String {
    let (year, month, day) = crate::billing::calendar::civil(instant.div_euclid(86_400));
    let second = instant.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.000Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Drops what waits for an endpoint that is gone.
pub fn forget(tx: &mut Tx<'_>, endpoint: &str) {
    let platform = tx.world.platform.clone();
    let waiting: Vec<String> = tx
        .world
        .rows(&platform, Kind::Delivery)
        .filter(|delivery| delivery.text("endpoint") == endpoint)
        .map(|delivery| delivery.text("id").to_owned())
        .collect();
    for delivery in waiting {
        tx.remove_on(&platform, Kind::Delivery, &delivery);
    }
}

/// Notes how a try went: heard, to be tried again, or given up.
pub fn note(tx: &mut Tx<'_>, delivery: &str, heard: bool) {
    let tries = tx.get(Kind::Delivery, delivery).map_or(0, |kept| kept.int("tries"));
    let wait = usize::try_from(tries).ok().and_then(|index| RETRY_AFTER_S.get(index)).filter(|_| !heard);
    let Some(wait) = wait else {
        let gone = tx.remove(Kind::Delivery, delivery).unwrap_or_default();
        let last = tx.owned_by(Kind::Delivery, gone.text("event")).next().is_none();
        if heard && last && gone.text("type") == "invoice.created" {
            invoice::heard(tx, gone.text("account"), gone.text("object"));
        }
        return;
    };
    let due = tx.now + wait;
    tx.change(Kind::Delivery, delivery, |delivery| {
        delivery["tries"] = (tries + 1).into();
        delivery["due"] = due.into();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Cause;

    /// The types in the order in which they would be sent, with the number of copies.
    fn sent(seed: u64, disorder: Disorder) -> Vec<(String, u8)> {
        let (mut world, _) = World::open(None, seed, false).unwrap();
        let platform = world.platform.clone();
        let mut tx = world.begin(&platform, 1_795_219_200, Cause::default());
        tx.put(
            Kind::WebhookEndpoint,
            json!({"id": "we_1", "url": "http://x", "status": "enabled", "enabled_events": ["*"]}),
        );
        tx.put(Kind::EndpointSecret, json!({"id": "we_1", "secret": "whsec_1", "connect": false}));
        for number in 0..40 {
            tx.emit("charge.updated", &json!({"id": format!("ch_{number}")}));
        }
        address(&mut tx);
        tx.commit().unwrap();
        let letters = due(&world, 1_795_219_200, disorder, &HashSet::new());
        let object = |letter: &Letter| {
            let event: Value = serde_json::from_str(&letter.body).unwrap();
            event.text("data.object.id").to_owned()
        };
        letters.iter().map(|letter| (object(letter), letter.copies)).collect()
    }

    #[test]
    fn disorder_follows_from_the_seed_and_loses_nothing() {
        let in_order = sent(7, Disorder::default());
        assert_eq!(in_order.len(), 40);
        let disorder = Disorder { duplicate_percent: 25, reorder_percent: 25 };
        let disturbed = sent(7, disorder);
        assert_eq!(disturbed, sent(7, disorder));
        assert_ne!(disturbed, sent(8, disorder), "another seed, another disorder");
        let names = |letters: &[(String, u8)]| -> Vec<String> {
            letters.iter().map(|(object, _)| object.clone()).collect()
        };
        assert_ne!(names(&disturbed), names(&in_order));
        let (mut all, mut had) = (names(&in_order), names(&disturbed));
        all.sort();
        had.sort();
        assert_eq!(had, all);
        assert!(disturbed.iter().any(|(_, copies)| *copies == 2));
        assert!(disturbed.iter().any(|(_, copies)| *copies == 1));
        assert!(in_order.iter().all(|(_, copies)| *copies == 1));
    }

    #[test]
    fn a_thin_event_names_its_object_and_shows_nothing_of_it() {
        let event = json!({"id": "evt_1", "created": 1_795_219_200, "livemode": false, "type": "invoice.paid",
            "request": {"id": null, "idempotency_key": null},
            "data": {"object": {"id": "in_1", "object": "invoice", "amount_due": 5}}});
        let thin = thin(&event);
        assert_eq!(thin["type"], "v1.invoice.paid");
        assert_eq!((&thin["id"], &thin["snapshot_event"]), (&json!("evt_651"), &json!("evt_1")));
        assert_eq!(snapshot_id("evt_651").as_deref(), Some("evt_1"));
        assert_eq!(snapshot_id("evt_1"), None);
        assert_eq!(thin["created"], "2026-11-21T00:00:00.000Z");
        assert_eq!(
            thin["related_object"],
            json!({"id": "in_1", "type": "invoice", "url": "/v1/invoices/in_1"})
        );
        assert!(!thin.to_string().contains("amount_due"));
    }
}
