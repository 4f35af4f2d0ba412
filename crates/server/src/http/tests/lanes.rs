//! Rows 39, 40, 42 to 46, 54 and 55: which lane an event belongs to, and in which order things are believed.

use bursar_stripe::signature::sign;
use serde_json::{Value, json};

use super::stage::{
    CONNECT_SECRET, CONNECTED, INGEST, INGEST_CONNECT, NOW_S, SECRET, Setup, Stage, bytes, event, signed,
};

impl Stage {
    fn lane(&self, account: &str, mode: &str) -> String {
        let account = if account.is_empty() { self.stripe.account_id() } else { account.to_owned() };
        format!("{account}/{mode}")
    }

    async fn lane_of(&self, event: &str) -> Value {
        self.get("priya", &format!("/api/v1/events/{event}")).await.json()["lane"].clone()
    }
}

fn of_account(id: &str, account: Option<&str>) -> Value {
    let mut event = event(id);
    if let Some(account) = account {
        event["account"] = account.into();
    }
    event
}

#[tokio::test]
async fn a_test_event_at_a_live_endpoint_is_kept_and_left_alone() {
    let stage = Stage::open_as(Setup { livemode: true, ..Setup::default() }).await;
    let mut failed = event("evt_1");
    failed["type"] = "invoice.payment_failed".into();
    failed["data"]["object"] =
        json!({"id": "in_A", "object": "invoice", "status": "open", "customer": "cus_A"});
    assert_eq!(stage.deliver(&bytes(&failed)).await.status, 200);
    assert_eq!(stage.lane_of("evt_1").await, stage.lane("", "test"), "42");
    assert_eq!(stage.count("SELECT COUNT(*) FROM jobs").await, 0, "42: not processed");
    failed["id"] = "evt_2".into();
    failed["livemode"] = true.into();
    assert_eq!(stage.deliver(&bytes(&failed)).await.status, 200);
    assert_eq!(stage.lane_of("evt_2").await, stage.lane("", "live"));
    assert_eq!(stage.count("SELECT COUNT(*) FROM jobs WHERE lane LIKE '%/test'").await, 0);
}

#[tokio::test]
async fn one_id_in_two_lanes_is_two_events() {
    let stage = Stage::open().await;
    let mut live = event("evt_1");
    live["livemode"] = true.into();
    live["type"] = "customer.created".into();
    for delivery in [event("evt_1"), live] {
        assert_eq!(stage.deliver(&bytes(&delivery)).await.status, 200);
    }
    assert_eq!(stage.count("SELECT COUNT(DISTINCT lane) FROM events").await, 2);
    assert_eq!(stage.count("SELECT COUNT(*) FROM quarantine").await, 0);
}

#[tokio::test]
async fn an_account_belongs_to_the_endpoint_or_is_kept_apart() {
    let stage = Stage::open_as(Setup { lost_seller: true, ..Setup::default() }).await;
    let own = stage.stripe.account_id();
    for (number, (row, path, secret, account, lane)) in [
        ("the platform's own", INGEST, SECRET, None, Some(stage.lane("", "test"))),
        ("the platform by name", INGEST, SECRET, Some(own.as_str()), Some(stage.lane("", "test"))),
        (
            "44: none at the connect endpoint",
            INGEST_CONNECT,
            CONNECT_SECRET,
            None,
            Some(stage.lane("", "test")),
        ),
        ("a seller's", INGEST_CONNECT, CONNECT_SECRET, Some(CONNECTED), Some(stage.lane(CONNECTED, "test"))),
        ("43: nobody we know", INGEST_CONNECT, CONNECT_SECRET, Some("acct_1Stranger"), None),
        ("43: nor at the other endpoint", INGEST, SECRET, Some("acct_1Stranger"), None),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("evt_{number}");
        let answer = stage.send(signed(path, secret, &bytes(&of_account(&id, account)))).await;
        assert_eq!(answer.status, 200, "{row}");
        match lane {
            Some(lane) => assert_eq!(stage.lane_of(&id).await, lane, "{row}"),
            None => {
                assert_eq!(stage.get("priya", &format!("/api/v1/events/{id}")).await.status, 404, "{row}");
            }
        }
    }
    assert_eq!(stage.counted("bursar_events_quarantined_total{reason=\"account_unknown\"}"), 2, "43");
    let seller =
        format!("SELECT COUNT(*) FROM jobs WHERE lane = '{CONNECTED}/test' AND payload NOT LIKE '%evt_3%'");
    assert_eq!(stage.count(&seller).await, 0, "44: nothing but its own reached the seller");
}

#[tokio::test]
async fn each_endpoint_has_its_own_secret() {
    let stage = Stage::open().await;
    for (path, secret) in [(INGEST, CONNECT_SECRET), (INGEST_CONNECT, SECRET)] {
        assert_eq!(stage.send(signed(path, secret, &bytes(&event("evt_1")))).await.status, 400, "19: {path}");
    }
}

#[tokio::test]
async fn a_thin_event_is_kept_and_its_object_read_when_needed() {
    let stage = Stage::open().await;
    let thin = |id: &str, kind: &str, object: &str| {
        json!({"id": id, "object": "v2.core.event", "type": kind, "livemode": false,
            "created": "2026-11-21T00:00:00.000Z", "context": null,
            "related_object": {"id": object, "type": "invoice", "url": format!("/v1/invoices/{object}")}})
    };
    let reads = || stage.counted("bursar_stripe_reads_total{class=\"enrichment\",ok=\"true\"}");
    let resolved =
        async |id: &str| stage.get("priya", &format!("/api/v1/events/{id}")).await.json()["resolved"].clone();
    let before = reads();
    let (invoice, _) = failure(&stage);
    let unheard = thin("evt_thin1", "v1.invoice.finalized", &invoice);
    assert_eq!(stage.deliver(&bytes(&unheard)).await.status, 200);
    stage.settle().await;
    assert_eq!((reads(), resolved("evt_thin1").await), (before, Value::Null), "39: nobody needs it");

    let gone = thin("evt_thin2", "v1.invoice.payment_failed", "in_gone");
    assert_eq!(stage.deliver(&bytes(&gone)).await.status, 200);
    stage.settle().await;
    assert_eq!(resolved("evt_thin2").await, "gone", "40");
    for table in ["cases", "proposals", "jobs"] {
        assert_eq!(stage.count(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "40: no {table}");
    }

    let failed = thin("evt_thin3", "v1.invoice.payment_failed", &invoice);
    assert_eq!(stage.deliver(&bytes(&failed)).await.status, 200);
    stage.settle().await;
    assert!(reads() > before, "39: read");
    assert_eq!(resolved("evt_thin3").await, "read", "39");
    believes_the_truth("39", &stage, &invoice).await;
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 3);
}

/// A failed payment at Stripe and the event that tells of it.
fn failure(stage: &Stage) -> (String, Value) {
    let made = stage.stripe.trigger("invoice.payment_failed", json!({"amount": 64_000})).unwrap();
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap().to_owned();
    (invoice, made["event"].clone())
}

/// Nothing that was decided, from the first moment on, rested on the 0.01 USD of the event.
async fn believes_the_truth(row: &str, stage: &Stage, invoice: &str) {
    let cases = stage.get("olivia", &format!("/api/v1/cases?object={invoice}")).await.json();
    assert_eq!(cases["data"][0]["amount"], 64_000, "{row}: {cases}");
    let path = format!("/api/v1/cases/{}", cases["data"][0]["id"].as_str().unwrap());
    let case = stage.get("olivia", &path).await.text;
    assert!(case.contains("640.00 USD") && !case.contains("0.01 USD"), "{row}: {case}");
}

#[tokio::test]
async fn an_object_in_a_foreign_shape_is_read_again_before_it_is_believed() {
    let stage = Stage::open().await;
    let (invoice, mut told) = failure(&stage);
    told["api_version"] = "2014-01-31".into();
    told["data"]["object"]["amount_due"] = 1.into();
    told["data"]["object"]["amount_remaining"] = 1.into();
    assert_eq!(stage.deliver(&bytes(&told)).await.status, 200);
    stage.settle().await;
    believes_the_truth("45", &stage, &invoice).await;
}

#[tokio::test]
async fn an_event_from_the_far_future_does_not_stand_for_ever() {
    let stage = Stage::open().await;
    let (invoice, mut told) = failure(&stage);
    told["created"] = 253_402_300_799_i64.into();
    told["data"]["object"]["amount_due"] = 1.into();
    told["data"]["object"]["amount_remaining"] = 1.into();
    assert_eq!(stage.deliver(&bytes(&told)).await.status, 200);
    stage.settle().await;
    believes_the_truth("46", &stage, &invoice).await;
    let held = "SELECT COUNT(*) FROM objects WHERE version_at > 1800000000000000";
    assert_eq!(stage.count(held).await, 0, "46: later reads can replace it");
}

#[tokio::test]
async fn an_event_older_than_what_is_known_changes_nothing() {
    let stage = Stage::open().await;
    let made = stage.stripe.trigger("invoice.paid", json!({"amount": 64_000})).unwrap();
    let paid = made["event"].clone();
    assert_eq!(stage.deliver(&bytes(&paid)).await.status, 200);
    stage.settle().await;
    let mut failed = paid.clone();
    failed["id"] = "evt_late".into();
    failed["type"] = "invoice.payment_failed".into();
    failed["created"] = (paid["created"].as_i64().unwrap() - 60).into();
    failed["data"]["object"]["status"] = "open".into();
    assert_eq!(stage.deliver(&bytes(&failed)).await.status, 200);
    stage.settle().await;
    assert_eq!(stage.count("SELECT COUNT(*) FROM proposals WHERE state != 'denied'").await, 0, "54");
    let open = "SELECT COUNT(*) FROM cases WHERE closed_at IS NULL";
    assert_eq!(stage.count(open).await, 0, "54: nothing is open about a paid invoice");
}

#[tokio::test]
async fn deleted_before_created_ends_deleted() {
    let stage = Stage::open().await;
    let change = |id: &str, kind: &str, at_s: i64| {
        let mut event = event(id);
        event["type"] = kind.into();
        event["created"] = at_s.into();
        event
    };
    for (pair, created_s) in [("A", NOW_S - 60), ("B", NOW_S)] {
        let about = |mut event: Value| {
            event["data"]["object"]["id"] = format!("cus_{pair}").into();
            bytes(&event)
        };
        stage.deliver(&about(change(&format!("evt_d{pair}"), "customer.deleted", NOW_S))).await;
        stage.settle().await;
        stage.deliver(&about(change(&format!("evt_c{pair}"), "customer.created", created_s))).await;
        stage.settle().await;
    }
    assert_eq!(
        stage.count("SELECT COUNT(*) FROM objects WHERE kind = 'customer' AND deleted").await,
        2,
        "55"
    );
}

#[tokio::test]
async fn only_our_own_clock_judges_a_signature() {
    let stage = Stage::open().await;
    // Business time runs ahead in a simulation; a delivery is judged by the machine's.
    stage.stripe.advance(7 * 86_400).unwrap();
    let body = bytes(&event("evt_1"));
    assert_eq!(stage.deliver(&body).await.status, 200);
    let late = sign(SECRET, NOW_S + 7 * 86_400, &body);
    let mut request = signed(INGEST, SECRET, &body);
    request.headers_mut().insert("stripe-signature", late.parse().unwrap());
    assert_eq!(stage.send(request).await.status, 400);
}
