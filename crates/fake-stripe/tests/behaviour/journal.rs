//! What outlives the process.

use std::io::Write as _;
use std::path::Path;

use bursar_fake_stripe::{FakeStripe, Options, Size};
use serde_json::json;

use crate::server::{options, serve};

fn open(dir: &Path) -> FakeStripe {
    FakeStripe::open(Options { data_dir: Some(dir.to_owned()), ..options() }).unwrap()
}

#[tokio::test]
async fn a_restart_resumes_everything() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(open(dir.path())).await;
    let (charge, _) = server.charge(5_000);
    let form = [("charge", charge.as_str()), ("amount", "700")];
    let refund = server.post_keyed("/v1/refunds", &form, "key-1").await;
    server.stripe.advance(77).unwrap();
    let (key, now, ledger) = (server.stripe.secret_key(), server.stripe.now_s(), server.stripe.ledger());
    let events = server.event_types().await;

    // Nothing is closed or flushed: the second opens what the first has written, as after a kill.
    let again = serve(open(dir.path())).await;
    assert_eq!((again.stripe.secret_key(), again.stripe.now_s(), again.stripe.ledger()), (key, now, ledger));
    assert_eq!(again.event_types().await, events);
    let replay = again.post_keyed("/v1/refunds", &form, "key-1").await;
    assert!(replay.replayed);
    assert_eq!(replay.body, refund.body);
    assert_eq!(again.effects("refund.create"), 1);
    let other = again.post("/v1/refunds", &[("charge", &charge)]).await;
    assert_ne!(other.id(), refund.id());
}

#[tokio::test]
async fn a_live_stripe_is_not_gone_on_with_in_test_mode() {
    let dir = tempfile::tempdir().unwrap();
    let open =
        |livemode| FakeStripe::open(Options { data_dir: Some(dir.path().to_owned()), livemode, ..options() });
    let server = serve(open(true).unwrap()).await;
    assert!(server.stripe.secret_key().starts_with("sk_live_"));
    let (charge, _) = server.charge(5_000);
    assert_eq!(server.get(&format!("/v1/charges/{charge}")).await.body["livemode"], true);
    assert!(open(false).unwrap_err().to_string().contains("in live mode"));
    assert_eq!(open(true).unwrap().secret_key(), server.stripe.secret_key());
}

#[tokio::test]
async fn a_torn_last_line_is_dropped_and_a_torn_middle_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let stripe = open(dir.path());
    stripe.trigger("charge.succeeded", json!({})).unwrap();
    let ledger = stripe.ledger();
    drop(stripe);
    let path = dir.path().join("stripe.journal");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"now\":1,\"ids\":9,\"boots\":1,\"put\":[[\"acct").unwrap();
    let stripe = open(dir.path());
    assert_eq!(stripe.ledger(), ledger);
    stripe.trigger("charge.succeeded", json!({})).unwrap();
    drop(stripe);
    assert_eq!(open(dir.path()).ledger().len(), 2);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[10] = b'{';
    std::fs::write(&path, bytes).unwrap();
    assert!(FakeStripe::open(Options { data_dir: Some(dir.path().to_owned()), ..options() }).is_err());
}

#[tokio::test]
async fn a_long_journal_is_rewritten_and_tells_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let stripe = open(dir.path());
    stripe.populate(Size::Small).unwrap();
    for _ in 0..2500 {
        stripe.advance(120).unwrap();
    }
    let before = serve(stripe).await;
    let paths = ["/v1/events?limit=100", "/v1/invoices?limit=100", "/v1/customers?limit=100"];
    let lines = |dir: &Path| {
        let text = std::fs::read_to_string(dir.join("stripe.journal")).unwrap();
        text.lines().filter(|line| line.contains("\"put\":[]")).count()
    };
    assert!(lines(dir.path()) > 2000, "time alone has filled it");
    let after = serve(open(dir.path())).await;
    assert_eq!(lines(dir.path()), 0);
    for path in paths {
        assert_eq!(after.get(path).await.body, before.get(path).await.body, "{path}");
    }
    assert_eq!(after.stripe.now_s(), before.stripe.now_s());
    after.stripe.advance(86_400).unwrap();
    let third = serve(open(dir.path())).await;
    assert_eq!(third.stripe.ledger(), after.stripe.ledger());
}
