//! Planted bugs, and for each the shortest story that shows it. A story is told twice: without the bug nothing may be
//! found, with it something must be.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bursar_domain::approval::Choice;
use bursar_domain::id::ApprovalId;
use bursar_engine::{FailPoint, Fault};
use bursar_fake_stripe::gate::Harm;
use bursar_policy::PolicyFile;
use bursar_store::Database;
use bursar_store::planted::Bug;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::chance::Chance;
use super::spec::Spec;
use super::stand::{World, object};
use crate::checker::Breach;

/// How the world of a bug's story is.
fn spec(bug: Bug, database: Database, seed: u64) -> Spec {
    let mut spec = Spec::new(database, seed);
    spec.connected = bug == Bug::AccountDropped;
    if bug == Bug::PolicyErrorsIgnored {
        spec.policies.push(PolicyFile::new("test/overflow.cedar", include_str!("overflow.cedar")));
    }
    spec
}

/// Tells the story of a bug, with the bug in it or not, and what was found.
pub(super) async fn told(
    bug: Bug,
    planted: Option<Bug>,
    (database, seed): (Database, u64),
) -> anyhow::Result<Vec<Breach>> {
    let mut world = World::open(Spec { bug: planted, ..spec(bug, database, seed) }).await?;
    let mut chance = Chance::of(seed);
    tell(bug, &mut world, &mut chance).await.with_context(|| format!("{bug:?}"))?;
    world.heal().await?;
    world.live().await?;
    world.end().await?;
    world.breaches().await
}

async fn tell(bug: Bug, world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    match bug {
        Bug::AckBeforeCommit => killed_before_the_commit(world).await,
        Bug::KeyPerSend | Bug::KeyFromTime | Bug::KeyAfter409 => late_at_stripe(world, chance).await,
        Bug::KeyAfter500 => {
            answered(world, chance, Harm::answer(500, r#"{"error": {"type": "api_error"}}"#)).await
        }
        Bug::RateLimitIsRefusal => {
            let error = r#"{"error": {"code": "rate_limit"}}"#;
            answered(world, chance, Harm::answer(429, error)).await
        }
        Bug::IntentDeleted => answered(world, chance, Harm::CutAfter).await,
        Bug::KeyFromAmount => twice_the_same_amount(world, chance).await,
        Bug::NoFence => late_decision(world).await,
        Bug::LeaseByWallClock => clock_ahead_of_a_lease(world, chance).await,
        Bug::DigestNotChecked => vote_on_something_else(world, chance).await,
        Bug::PolicyErrorsIgnored => simply(world, chance, (2_000, 9_000)).await,
        Bug::LivemodeDropped => live_event(world).await,
        Bug::AccountDropped => refund_of_a_seller(world, chance).await,
        Bug::OrderTrusted => paid_before_it_failed(world).await,
        Bug::AuditOutside => killed_beside_the_audit(world, chance).await,
        Bug::DedupeByPayload => one_change_two_events(world).await,
        Bug::KeyTooOld => silent_for_a_day(world, chance).await,
        Bug::PartialCaptureIgnored => more_than_was_captured(world, chance).await,
        // 1.15 in binary is a little less.
        Bug::FloatMoney => simply(world, chance, (115, 115)).await,
        Bug::OneVoteTwice => one_of_two(world, chance).await,
        Bug::ExpiredCounts => vote_after_the_end(world, chance, 0).await,
        Bug::ClockBack => vote_after_the_end(world, chance, -2 * 3_600).await,
        Bug::ParkedIsDone => parked(world, chance).await,
    }
}

/// A small refund that needs nobody.
async fn refund(world: &mut World, amount: i64) -> anyhow::Result<()> {
    let charge = world.charge(9_000)?;
    let asked = world.ask(0, &charge, amount).await.context("no answer")?;
    asked.map(drop).context("a refund could not be asked for")
}

/// A refund that people are asked about.
async fn asked_about(world: &mut World, amount: i64) -> anyhow::Result<ApprovalId> {
    let charge = world.charge(90_000)?;
    let asked = world.ask(0, &charge, amount).await.context("no answer")??;
    asked.approval.context("nobody was asked")
}

async fn simply(world: &mut World, chance: &mut Chance, (least, most): (i64, i64)) -> anyhow::Result<()> {
    refund(world, chance.between(least, most)).await
}

async fn killed_before_the_commit(world: &mut World) -> anyhow::Result<()> {
    world.harm_at(0, FailPoint::EventsGathered, (0, Fault::Stop))?;
    let made = world.trigger("invoice.payment_failed", json!({"decline_code": "insufficient_funds"}))?;
    world.deliver(0, &made["event"]).await;
    ensure!(world.strikes().await, "no event came by");
    world.kill(0);
    Ok(())
}

/// The request arrives, its answer is lost, and Stripe carries it out only later.
async fn late_at_stripe(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    world.gate.harm("POST", "/v1/refunds", 1, Harm::Late);
    refund(world, chance.between(500, 4_000)).await?;
    world.quiet().await?;
    for _ in 0..6 {
        world.pass_machine(Duration::from_secs(20));
        world.quiet().await?;
    }
    Ok(())
}

async fn answered(world: &mut World, chance: &mut Chance, harm: Harm) -> anyhow::Result<()> {
    world.gate.harm("POST", "/v1/refunds", 1, harm);
    refund(world, chance.between(500, 4_000)).await?;
    world.live().await
}

async fn twice_the_same_amount(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    let amount = chance.between(500, 4_000);
    refund(world, amount).await?;
    refund(world, amount).await
}

/// A worker decides, and stands still until its lease is over, another has decided and the invoice is paid.
async fn late_decision(world: &mut World) -> anyhow::Result<()> {
    let failed = world.trigger("invoice.payment_failed", json!({"decline_code": "insufficient_funds"}))?;
    let (invoice, customer) = (object(&failed, "invoice")?, object(&failed, "customer")?);
    world.deliver(0, &failed["event"]).await;
    world.quiet().await?;
    world.pass(Duration::from_secs(60))?;
    let (let_go, go_on) = oneshot::channel();
    world.harm_at(0, FailPoint::Decided, (0, Fault::Wait(go_on)))?;
    let again = with_other_id(&failed["event"], "evt_1AnotherTimeItFailed");
    world.deliver(0, &again).await;
    ensure!(world.strikes().await, "nobody decides");
    world.place.lapse_leases().await;
    world.pass_machine(Duration::from_mins(5));
    let path = format!("/v1/customers/{customer}");
    world.call(&path, &[("description", "looked at")]).await?;
    ensure!(world.quiet().await?, "nobody takes it up");
    let before = decisions(world, &invoice).await?;
    let_go.send(()).ok();
    tokio::time::sleep(Duration::from_millis(60)).await;
    world.quiet().await?;
    let after = decisions(world, &invoice).await?;
    if after > before {
        world.note("I2", format!("{invoice}: a late worker's decision was kept ({before}, then {after})"));
    }
    Ok(())
}

async fn decisions(world: &mut World, invoice: &str) -> anyhow::Result<usize> {
    let filter = bursar_store::cases::Filter { object: Some(invoice.to_owned()), ..Default::default() };
    let engine = world.engine(0)?.clone();
    let mut count = 0;
    for case in engine.cases(filter, None, 50).await?.items {
        let id = case["id"].as_str().unwrap_or_default().parse().context("no id of a case")?;
        count += engine.case(&id).await?["decisions"].as_array().map_or(0, Vec::len);
    }
    Ok(count)
}

fn with_other_id(event: &Value, id: &str) -> Value {
    let mut other = event.clone();
    other["id"] = id.into();
    other
}

/// A worker is busy with an action when the wall clock jumps. Its lease is the database's: nobody else may take it up.
async fn clock_ahead_of_a_lease(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    let (let_go, go_on) = oneshot::channel();
    world.harm_at(0, FailPoint::Intended, (0, Fault::Wait(go_on)))?;
    let amount = chance.between(500, 4_000);
    refund(world, amount).await?;
    ensure!(world.strikes().await, "nobody executes");
    world.pass_machine(Duration::from_hours(1));
    // That somebody else works meanwhile shows that they look.
    refund(world, amount + 1).await?;
    for _ in 0..200 {
        if world
            .gate
            .written()
            .iter()
            .any(|written| written.body.contains(&format!("amount={}&", amount + 1)))
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    if world.gate.written().iter().any(|written| written.body.contains(&format!("amount={amount}&"))) {
        world.note("I2", "an action was taken up while its lease still held".to_owned());
    }
    let_go.send(()).ok();
    Ok(())
}

async fn vote_on_something_else(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    let approval = asked_about(world, chance.between(20_000, 40_000)).await?;
    world.vote((0, 1), &approval, Choice::Approve, Some("0".repeat(64))).await?;
    Ok(())
}

async fn live_event(world: &mut World) -> anyhow::Result<()> {
    let made = world.trigger("invoice.payment_failed", json!({"decline_code": "insufficient_funds"}))?;
    let mut live = with_other_id(&made["event"], "evt_1OfTheOtherMode");
    live["livemode"] = true.into();
    ensure!(world.deliver(0, &live).await, "a live event is kept, and left alone");
    Ok(())
}

async fn refund_of_a_seller(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    let charge = world.charge_of_seller(9_000)?;
    world.ask(0, &charge, chance.between(500, 4_000)).await.context("no answer")??;
    world.live().await
}

async fn paid_before_it_failed(world: &mut World) -> anyhow::Result<()> {
    let failed = world.trigger("invoice.payment_failed", json!({"decline_code": "insufficient_funds"}))?;
    world.pass(Duration::from_secs(90))?;
    let paid = world.trigger("invoice.paid", json!({}))?;
    // The same invoice, paid since.
    let mut paid = paid["event"].clone();
    let mut invoice = failed["event"]["data"]["object"].clone();
    invoice["status"] = "paid".into();
    paid["data"]["object"] = invoice;
    world.deliver(0, &paid).await;
    world.quiet().await?;
    world.deliver(0, &failed["event"]).await;
    world.quiet().await?;
    // Now: what is read from Stripe later mends the mirror.
    let found = super::wire::mirrored(world).await?;
    world.seen.extend(found);
    Ok(())
}

async fn killed_beside_the_audit(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    world.harm_at(0, FailPoint::OutcomeRecorded, (0, Fault::Stop))?;
    simply(world, chance, (500, 4_000)).await?;
    ensure!(world.strikes().await, "nothing ends");
    world.kill(0);
    Ok(())
}

/// Two ids for one change: both are acknowledged, and both are kept.
async fn one_change_two_events(world: &mut World) -> anyhow::Result<()> {
    let made = world.trigger("invoice.payment_failed", json!({"decline_code": "insufficient_funds"}))?;
    world.deliver(0, &made["event"]).await;
    world.deliver(0, &with_other_id(&made["event"], "evt_1TheSameOnceMore")).await;
    Ok(())
}

/// It never arrived, and Stripe is away until its key is forgotten.
async fn silent_for_a_day(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    world.gate.harm("POST", "/v1/refunds", 1, Harm::CutBefore);
    refund(world, chance.between(500, 4_000)).await?;
    world.quiet().await?;
    world.gate.close();
    world.pass(Duration::from_hours(25))?;
    world.quiet().await?;
    world.gate.reopen().await;
    world.live().await
}

async fn more_than_was_captured(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    let charge = world.charge_in_part().await?;
    world.ask(0, &charge, chance.between(4_100, 9_000)).await.context("no answer")??;
    world.live().await
}

async fn one_of_two(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    let approval = asked_about(world, chance.between(60_000, 80_000)).await?;
    world.vote((0, 1), &approval, Choice::Approve, None).await?.context("no answer")??;
    world.live().await
}

/// Nobody has noticed yet that the time is over; and perhaps the clock goes back.
async fn vote_after_the_end(world: &mut World, chance: &mut Chance, skew_s: i64) -> anyhow::Result<()> {
    let approval = asked_about(world, chance.between(20_000, 40_000)).await?;
    let (let_go, go_on) = oneshot::channel();
    world.harm_at(0, FailPoint::Expiring, (0, Fault::Wait(go_on)))?;
    world.pass(Duration::from_hours(25))?;
    ensure!(world.strikes().await, "nobody notices the end");
    world.forget_harm();
    if skew_s != 0 {
        world.vote((0, 1), &approval, Choice::Approve, None).await?;
        world.skew(skew_s);
    }
    world.vote((0, 1), &approval, Choice::Approve, None).await?;
    world.skew(0);
    let_go.send(()).ok();
    Ok(())
}

async fn parked(world: &mut World, chance: &mut Chance) -> anyhow::Result<()> {
    let until = world.stripe.now_s() + 3_600;
    let error = json!({"error": {"code": "approval_required",
        "approval_request": {"id": "areq_1OfStripesOwn", "expires_at": until}}});
    world.gate.harm("POST", "/v1/refunds", 1, Harm::answer(400, &error.to_string()));
    simply(world, chance, (500, 4_000)).await?;
    world.quiet().await?;
    world.pass(Duration::from_hours(2))?;
    world.live().await
}
