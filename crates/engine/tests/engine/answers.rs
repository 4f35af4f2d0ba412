//! Every answer Stripe can give to a write, and every way in which it can fail to give one, against what the ledger must
//! hold afterwards: at most one effect, and a state that tells the truth.

use std::time::Duration;

use bursar_domain::execution::ExecutionState;
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::scene::{Scene, Wish};
use bursar_fake_stripe::gate::Harm;

/// What is asked of Stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Refund,
    Pay,
}

pub const VERBS: [Verb; 2] = [Verb::Refund, Verb::Pay];

impl Verb {
    pub fn wish(self) -> Wish {
        match self {
            Verb::Refund => Wish::default(),
            Verb::Pay => Wish::paying_alone(),
        }
    }
}

/// An action that is on its way, with whatever goes wrong at its first sends.
pub async fn under_way(scene: &Scene, verb: Verb, harm: Option<(Harm, usize)>) -> ProposalId {
    match verb {
        Verb::Refund => {
            let charge = scene.stage.charge(9_000);
            if let Some((harm, times)) = harm {
                scene.stage.gate.harm("POST", "/v1/refunds", times, harm);
            }
            scene.ask(&charge, 5_000).await.unwrap().proposal
        }
        Verb::Pay => {
            let failed = scene.stage.failed_invoice("insufficient_funds");
            scene.until("a case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
            scene.pass_business(Duration::from_mins(1));
            if let Some((harm, times)) = harm {
                scene.stage.gate.harm("POST", &format!("/v1/invoices/{}/pay", failed.invoice), times, harm);
            }
            scene.stage.give_working_card(&failed).await;
            scene.proposed(&failed.invoice, "invoice.pay").await
        }
    }
}

fn error(status: u16, body: &str) -> Harm {
    Harm::answer(
        status,
        &json!({"error": serde_json::from_str::<serde_json::Value>(body).unwrap()}).to_string(),
    )
}

fn error_after(status: u16, body: &str) -> Harm {
    Harm::answer_after(
        status,
        &json!({"error": serde_json::from_str::<serde_json::Value>(body).unwrap()}).to_string(),
    )
}

fn with_header(harm: Harm, header: (&'static str, &'static str)) -> Harm {
    match harm {
        Harm::Answer { effect, status, body, .. } => {
            Harm::Answer { effect, status, headers: vec![header], body }
        }
        other => other,
    }
}

/// A row: what goes wrong how often, what becomes of the action, and how many effects there are.
struct Row {
    name: &'static str,
    harm: Harm,
    times: usize,
    ends: ProposalState,
    effects: usize,
}

fn row(name: &'static str, harm: Harm, ends: ProposalState, effects: usize) -> Row {
    Row { name, harm, times: 1, ends, effects }
}

/// Carries a row out and checks what holds for all of them.
async fn try_row(verb: Verb, row: Row) -> (Scene, ProposalId) {
    let what = format!("{verb:?}, {}", row.name);
    let scene = Scene::new(verb.wish()).await;
    let proposal = under_way(&scene, verb, Some((row.harm, row.times))).await;
    scene.live_until(&proposal, row.ends).await;
    assert_eq!(scene.stage.our_effects().len(), row.effects, "{what}");
    let writes = scene.stage.our_writes();
    assert!(writes.windows(2).all(|pair| pair[0] == pair[1]), "{what}: the same bytes under the same key");
    let execution = scene.execution(&proposal).await.unwrap();
    let expected = match row.ends {
        ProposalState::Done => ExecutionState::Done,
        ProposalState::Refused => ExecutionState::Refused,
        ProposalState::NoEffect => ExecutionState::NoEffect,
        _ => ExecutionState::InDoubt,
    };
    assert_eq!(execution.state, expected, "{what}");
    assert_eq!(usize::try_from(execution.sends).unwrap(), writes.len(), "{what}: every send was counted");
    assert_eq!(
        execution.receipt.is_some(),
        row.ends == ProposalState::Done,
        "{what}: a receipt for what was done"
    );
    scene.assert_audit().await;
    (scene, proposal)
}

/// Each is an engine with a Stripe of its own, all on one thread.
const ROWS_TOGETHER: usize = 3;

/// Tries all rows with every verb, and looks once more at each; says how many there were. No engine outlives its row.
async fn try_all(rows: impl Fn() -> Vec<Row>, look: impl AsyncFn(&Scene)) -> usize {
    let each = VERBS.into_iter().flat_map(|verb| rows().into_iter().map(move |row| (verb, row)));
    let look = &look;
    stream::iter(each)
        .map(|(verb, row)| async move { look(&try_row(verb, row).await.0).await })
        .buffer_unordered(ROWS_TOGETHER)
        .count()
        .await
}

async fn nothing_more(_: &Scene) {}

#[tokio::test]
async fn no_answer_and_please_come_again_lead_to_exactly_one_effect() {
    use ProposalState::Done;
    let rows = || {
        let in_use = r#"{"type": "idempotency_error", "code": "idempotency_key_in_use"}"#;
        vec![
            row("cut before", Harm::CutBefore, Done, 1),
            row("cut after", Harm::CutAfter, Done, 1),
            Row { times: 3, ..row("cut before, three times", Harm::CutBefore, Done, 1) },
            row("409 key in use", error(409, in_use), Done, 1),
            row("409 lock timeout", error(409, r#"{"code": "lock_timeout"}"#), Done, 1),
            row("503", Harm::answer(503, ""), Done, 1),
            row("503 and it happened", Harm::answer_after(503, ""), Done, 1),
            row("502 with a page", Harm::answer_after(502, "<html>"), Done, 1),
            row("504", Harm::answer(504, ""), Done, 1),
        ]
    };
    assert_eq!(try_all(rows, nothing_more).await, 18);
}

#[tokio::test]
async fn too_many_requests_wait_as_long_as_stripe_says_and_no_longer_than_makes_sense() {
    let rows = [("0", "429 at once"), ("-5", "429 with a time in the past"), ("abc", "429 with a word")];
    join_all(rows.map(|(after, name)| {
        let limited = with_header(error(429, r#"{"code": "rate_limit"}"#), ("retry-after", after));
        try_row(Verb::Refund, row(name, limited, ProposalState::Done, 1))
    }))
    .await;
    // An hour: other work of the process does not wait with it.
    let scene = Scene::new(Wish::default()).await;
    let limited = with_header(error(429, r#"{"code": "rate_limit"}"#), ("retry-after", "3600"));
    let proposal = under_way(&scene, Verb::Refund, Some((limited, 1))).await;
    scene.until("it was sent", async || scene.stage.our_writes().len() == 1).await;
    scene.quiet().await;
    scene.pass_machine(Duration::from_mins(59));
    scene.quiet().await;
    assert_eq!(scene.state(&proposal).await, ProposalState::Approved);
    assert_eq!(scene.stage.our_writes().len(), 1, "not before the hour is over");
}

#[tokio::test]
async fn what_cannot_be_told_from_the_answer_is_looked_up() {
    use ProposalState::{Done, NoEffect};
    let rows = || {
        let failed = r#"{"type": "api_error"}"#;
        vec![
            row("500 and nothing happened", error(500, failed), NoEffect, 0),
            row("500 and it happened", error_after(500, failed), Done, 1),
            row("200 with a page and nothing happened", Harm::answer(200, "<html>"), NoEffect, 0),
            row("200 with a page and it happened", Harm::answer_after(200, "<html>"), Done, 1),
            row("200 cut short", Harm::Truncate(40), Done, 1),
            row("424", error_after(424, failed), Done, 1),
        ]
    };
    try_all(rows, nothing_more).await;
    let refunded = r#"{"type": "invalid_request_error", "code": "charge_already_refunded"}"#;
    try_row(Verb::Refund, row("already refunded, by us", error_after(400, refunded), Done, 1)).await;
    try_row(Verb::Refund, row("already refunded, by others", error(400, refunded), NoEffect, 0)).await;
}

#[tokio::test]
async fn a_500_is_never_asked_again_and_ends_only_after_two_looks_a_minute_apart() {
    for verb in VERBS {
        let scene = Scene::new(verb.wish()).await;
        let harm = error(500, r#"{"type": "api_error"}"#);
        let proposal = under_way(&scene, verb, Some((harm, 1))).await;
        let looked =
            async || scene.execution(&proposal).await.is_some_and(|held| held.absent_since.is_some());
        let first_look = async || {
            scene.pass_machine(Duration::from_secs(2));
            looked().await
        };
        scene.until("a first look that found nothing", first_look).await;
        let reads = scene.stage.gate.reads();
        scene.pass_machine(Duration::from_secs(50));
        scene.quiet().await;
        assert_eq!(
            scene.state(&proposal).await,
            ProposalState::Approved,
            "{verb:?}: one look proves nothing"
        );
        scene.pass_machine(Duration::from_secs(15));
        scene.live_until(&proposal, ProposalState::NoEffect).await;
        assert!(scene.stage.gate.reads() > reads, "{verb:?}: it looked again");
        assert_eq!(scene.stage.our_writes().len(), 1, "{verb:?}");
    }
}

#[tokio::test]
async fn a_definite_no_is_final() {
    use ProposalState::Refused;
    let rows = || {
        vec![
            row("400", error(400, r#"{"code": "parameter_invalid_integer"}"#), Refused, 0),
            row("402", error(402, r#"{"type": "card_error", "code": "card_declined"}"#), Refused, 0),
            row("403", error(403, "{}"), Refused, 0),
            row("404", error(404, r#"{"code": "resource_missing"}"#), Refused, 0),
        ]
    };
    try_all(rows, async |scene| {
        assert_eq!(scene.stage.our_writes().len(), 1);
        assert!(scene.engine().health().await.unwrap().kill_switches.is_empty(), "nothing else is stopped");
    })
    .await;
}

#[tokio::test]
async fn what_should_never_be_said_stops_the_lane_and_calls_a_person() {
    use ProposalState::InDoubt;
    let rows = || {
        vec![
            row("401", error(401, "{}"), InDoubt, 0),
            row(
                "the key was used for something else",
                error(400, r#"{"type": "idempotency_error"}"#),
                InDoubt,
                0,
            ),
            row("another currency", Harm::Change { pointer: "/currency", to: json!("eur") }, InDoubt, 1),
        ]
    };
    try_all(rows, nothing_more_goes_out).await;
    let another = Harm::Change { pointer: "/id", to: json!("in_another") };
    nothing_more_goes_out(&try_row(Verb::Pay, row("another invoice", another, InDoubt, 1)).await.0).await;
    for pointer in ["/amount_paid", "/payments/data/0/amount_paid"] {
        let less = Harm::Change { pointer, to: json!(1) };
        nothing_more_goes_out(&try_row(Verb::Pay, row("another amount", less, InDoubt, 1)).await.0).await;
    }
    let more = Harm::Change { pointer: "/amount", to: json!(5_001) };
    nothing_more_goes_out(&try_row(Verb::Refund, row("another amount", more, InDoubt, 1)).await.0).await;
}

async fn nothing_more_goes_out(scene: &Scene) {
    let stopped = scene.engine().health().await.unwrap().kill_switches;
    assert_eq!(stopped.len(), 1);
    assert!(stopped[0].0.starts_with("lane:acct_"), "{stopped:?}");
    let writes = scene.stage.our_writes().len();
    let charge = scene.stage.charge(5_000);
    let denied = scene.ask(&charge, 1_000).await.unwrap();
    assert_eq!(denied.state, ProposalState::Denied, "nothing more goes out");
    scene.quiet().await;
    assert_eq!(scene.stage.our_writes().len(), writes);
}

#[tokio::test]
async fn what_is_parked_at_stripe_is_waited_for_and_never_sent_again() {
    let scene = Scene::new(Wish::default()).await;
    let parked = r#"{"code": "approval_required", "approval_request": {"id": "areq_1"}}"#;
    let charge = scene.stage.charge(9_000);
    scene.stage.gate.harm("POST", "/v1/refunds", 1, error(400, parked));
    let proposal = scene.ask(&charge, 5_000).await.unwrap().proposal;
    let waits = async || {
        let held = scene.execution(&proposal).await;
        held.is_some_and(|held| held.state == ExecutionState::WaitingAtStripe)
    };
    scene.until("it waits", waits).await;
    assert_eq!(scene.execution(&proposal).await.unwrap().waiting_for.as_deref(), Some("areq_1"));
    for _ in 0..5 {
        scene.pass_machine(Duration::from_hours(1));
        scene.quiet().await;
    }
    assert_eq!(scene.state(&proposal).await, ProposalState::Approved);
    let ours = scene.stage.our_writes();
    assert_eq!(ours.len(), 1);
    // Two people at Stripe agree: the refund of ours appears.
    let form =
        [("charge", charge.as_str()), ("amount", "5000"), ("metadata[bursar_action]", proposal.as_str())];
    scene.stage.call("POST", "/v1/refunds", &form).await;
    scene.live_until(&proposal, ProposalState::Done).await;
    assert_eq!(scene.stage.our_writes().len(), 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn a_refund_that_is_on_its_way_is_not_called_done() {
    for (card, ends) in
        [("pm_card_pendingRefund", ProposalState::Done), ("pm_card_refundFail", ProposalState::Reversed)]
    {
        let scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
        let form = [
            ("amount", "9000"),
            ("currency", "usd"),
            ("payment_method", card),
            ("confirm", "true"),
            ("automatic_payment_methods[enabled]", "true"),
            ("automatic_payment_methods[allow_redirects]", "never"),
        ];
        let intent = scene.stage.call("POST", "/v1/payment_intents", &form).await;
        let charge = intent["latest_charge"].as_str().unwrap_or_else(|| panic!("{intent}")).to_owned();
        let proposal = scene.ask(&charge, 5_000).await.unwrap().proposal;
        scene.until("it was sent", async || scene.stage.our_writes().len() == 1).await;
        scene.quiet().await;
        if ends == ProposalState::Done {
            assert_eq!(scene.state(&proposal).await, ProposalState::Approved, "pending is not done");
        }
        scene.pass_business(Duration::from_hours(2));
        scene.live_until(&proposal, ends).await;
        assert_eq!(scene.stage.our_writes().len(), 1, "{card}");
        assert_eq!(scene.stage.our_effects().len(), 1, "{card}");
        scene.assert_audit().await;
    }
}
