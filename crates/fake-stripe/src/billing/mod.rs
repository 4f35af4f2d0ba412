//! What Stripe Billing does by itself as business time passes: renew, finalise, collect, retry, expire.

pub mod calendar;
pub mod collect;
pub mod invoice;
pub mod items;
pub mod lines;
pub mod prorate;
pub mod signup;
pub mod subscription;

use serde_json::Value;

use crate::api::payouts;
use crate::doc::Doc as _;
use crate::payments::{balance, dispute, refund};
use crate::seed::live;
use crate::world::{Kind, Tx};

/// Carries out one piece of work that has become due.
pub fn run(tx: &mut Tx<'_>, work: &Value) {
    let target = work.text("target").to_owned();
    tx.remove(Kind::Work, work.text("id"));
    match work.text("what") {
        "balance.available" => balance::become_available(tx, &target),
        "dispute.due" | "dispute.lost" => dispute::close(tx, &target, false),
        "dispute.escalate" => dispute::escalate(tx, &target),
        "dispute.won" => dispute::close(tx, &target, true),
        "invoice.finalize" => invoice::finalize_when_heard(tx, &target),
        "invoice.overdue" => invoice::overdue(tx, &target),
        "invoice.retry" => collect::retry(tx, &target),
        "life.next" => live::next(tx),
        "payout.arrive" => payouts::arrive(tx, &target),
        "refund.fail" => refund::fail(tx, &target, "expired_or_canceled_card"),
        "refund.settle" => refund::settle(tx, &target),
        "subscription.cancel_at" => subscription::cancel(tx, &target, "cancellation_requested"),
        "subscription.expire" => subscription::expire_incomplete(tx, &target),
        "subscription.renew" => subscription::renew(tx, &target),
        "subscription.resume_collection" => subscription::resume_collection(tx, &target),
        "subscription.trial_will_end" => subscription::trial_will_end(tx, &target),
        other => tracing::error!(work = other, target, "nobody knows this work"),
    }
}
