//! `/v1/test_helpers/test_clocks`: customers with a time of their own.

use serde_json::{Value, json};

use crate::billing;
use crate::billing::calendar::{self, Interval};
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::wire::{Args, Route, list};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::list("/v1/test_helpers/test_clocks", "test_clocks", &[], all),
    Route::post("/v1/test_helpers/test_clocks", "test_clocks", &["frozen_time"], &["name"], create),
    Route::get("/v1/test_helpers/test_clocks/{id}", "test_clocks", retrieve),
    Route::delete("/v1/test_helpers/test_clocks/{id}", "test_clocks", delete),
    Route::post("/v1/test_helpers/test_clocks/{id}/advance", "test_clocks", &["frozen_time"], &[], advance),
];

/// How long a clock lives, in seconds.
const LIVES_S: i64 = 30 * 86_400;

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let frozen = args.params.int("frozen_time")?.ok_or_else(|| ApiError::missing("frozen_time"))?;
    let id = tx.id(Kind::TestClock);
    let mut clock = json!({
        "id": id, "object": "test_helpers.test_clock", "created": tx.now, "deletes_after": tx.now + LIVES_S,
        "frozen_time": frozen, "livemode": tx.livemode(), "name": null, "status": "ready", "status_details": {},
    });
    args.params.copy(&mut clock, &["name"]);
    tx.put(Kind::TestClock, clock.clone());
    tx.emit("test_helpers.test_clock.created", &clock);
    Ok(clock)
}

/// Runs what becomes due on this clock. The answer says `advancing`; the clock is ready when read again.
fn advance(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let clock = tx.find(Kind::TestClock, args.id())?;
    let until = args.params.int("frozen_time")?.ok_or_else(|| ApiError::missing("frozen_time"))?;
    let from = clock.int("frozen_time");
    if until <= from {
        let message = "A test clock can only be advanced to a later time.";
        return Err(ApiError::invalid(message).param("frozen_time"));
    }
    if until > farthest(tx, args.id(), from) {
        let message = "A test clock cannot be advanced by more than two intervals of its shortest subscription at once, or two years where it has none.";
        return Err(ApiError::invalid(message).param("frozen_time"));
    }
    let mut advancing = clock;
    advancing["status"] = "advancing".into();
    advancing["status_details"] = json!({"advancing": {"target_frozen_time": until}});
    tx.emit("test_helpers.test_clock.advancing", &advancing);
    while let Some((due, _, account, work)) = tx.world.agenda.first_due(Some(args.id()), until) {
        let Some(work) = tx.world.get(&account, Kind::Work, &work).cloned() else { break };
        tx.now = due.max(from);
        let now = tx.now;
        tx.change(Kind::TestClock, args.id(), |clock| clock["frozen_time"] = now.into());
        billing::run(tx, &work);
    }
    tx.now = until;
    tx.change_and_tell(Kind::TestClock, args.id(), "test_helpers.test_clock.ready", |clock| {
        clock["frozen_time"] = until.into();
        clock["status"] = "ready".into();
    });
    Ok(advancing)
}

/// How far a clock may go at once: two intervals of its shortest subscription, or two years.
fn farthest(tx: &Tx<'_>, clock: &str, from: i64) -> i64 {
    let live = tx.all(Kind::Subscription).filter(|subscription| {
        subscription.text("test_clock") == clock
            && !matches!(subscription.text("status"), "canceled" | "incomplete_expired")
    });
    let ends = live.flat_map(|subscription| subscription.elements("items")).map(|item| {
        let unit = item.text("price.recurring.interval");
        calendar::after(from, Interval { unit, count: item.int("price.recurring.interval_count") }, 2)
    });
    ends.min().unwrap_or_else(|| calendar::after(from, Interval { unit: "year", count: 1 }, 2))
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::TestClock, args.id())
}

/// Deleting a clock deletes its customers and their subscriptions.
fn delete(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let clock = tx.find(Kind::TestClock, args.id())?;
    let customers: Vec<String> = tx
        .all(Kind::Customer)
        .filter(|customer| customer.text("test_clock") == args.id())
        .map(|customer| customer.text("id").to_owned())
        .collect();
    for customer in customers {
        let subscriptions: Vec<String> =
            tx.owned_by(Kind::Subscription, &customer).map(|kept| kept.text("id").to_owned()).collect();
        for subscription in subscriptions {
            billing::subscription::cancel(tx, &subscription, "cancellation_requested");
        }
        tx.remove(Kind::Customer, &customer);
    }
    tx.remove(Kind::TestClock, args.id());
    tx.emit("test_helpers.test_clock.deleted", &clock);
    Ok(json!({"id": args.id(), "object": "test_helpers.test_clock", "deleted": true}))
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    list::page(tx, Kind::TestClock, "/v1/test_helpers/test_clocks", &args.params, None, |_: &Value| true)
}
