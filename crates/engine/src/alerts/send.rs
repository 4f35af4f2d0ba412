//! Sends what was filed, each way by itself. Who gets nothing today gets it tomorrow: an attempt that failed is made again,
//! ever more slowly, for a day. A notice is no money: where it may have arrived it is better told twice than never, and
//! carries the same id by which a receiver knows it again.

use std::time::Duration;

use bursar_connectors::webhook::Posting;
use bursar_connectors::{Connector as _, Delivery, DeliveryOutcome};
use bursar_domain::id::NoticeId;
use bursar_domain::time::BusinessTime;
use bursar_store::alerts::{self, Attempted, Notice};
use futures_util::FutureExt as _;
use serde::Serialize;
use serde_json::Value;

use super::{AlertSettings, DUTY, Way, notice};
use crate::start::{Engine, store_error};
use crate::{Error, Result};

/// Notices that are under way at once.
const TOGETHER: i64 = 4;
/// After so long an attempt is taken for lost with whoever made it. Longer than any takes.
const ATTEMPT_MAX: Duration = Duration::from_mins(10);
/// An attempt is made again after this, doubled each time, up to the other.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
const AGAIN_AFTER_MAX: Duration = Duration::from_mins(15);
/// A notice that did not get through for so long is given up. What lasts is told again by a newer one.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(24);
/// How long a test waits for its answer.
const TEST_WAITS: Duration = Duration::from_secs(25);

pub(super) async fn run(engine: Engine, settings: AlertSettings, way: Way) {
    let mut stopping = engine.stopping();
    loop {
        tokio::select! {
            () = tokio::time::sleep(settings.look_every) => {}
            _ = stopping.changed() => return,
        }
        if !engine.inner.duties.are_ours(DUTY) {
            continue;
        }
        // Stopping does not wait for an answer: the attempt is made again by whoever comes next.
        let sent = tokio::select! {
            sent = send_due(&engine, &settings, &way) => sent,
            _ = stopping.changed() => return,
        };
        if let Err(error) = sent {
            tracing::warn!(way = way.name(), %error, "notices could not be looked at; trying again");
        }
    }
}

async fn send_due(engine: &Engine, settings: &AlertSettings, way: &Way) -> Result<()> {
    let now = engine.inner.clocks.machine().micros();
    let due = alerts::due(&mut engine.inner.store.read().await?, &way.name(), now, TOGETHER).await?;
    let sending = due.into_iter().map(|notice| send(engine, settings, way, notice));
    for sent in futures_util::future::join_all(sending).await {
        sent?;
    }
    Ok(())
}

async fn send(engine: &Engine, settings: &AlertSettings, way: &Way, notice: Notice) -> Result<()> {
    let (store, now) = (&engine.inner.store, engine.inner.clocks.machine().micros());
    let (mine, until) = (notice.clone(), now + micros(ATTEMPT_MAX));
    let ours = store
        .write(move |tx| async move { alerts::attempt(tx, &mine, until).await }.boxed())
        .await
        .map_err(store_error)?;
    if !ours {
        return Ok(());
    }
    let outcome = deliver(engine, settings, way, (&notice.id, &notice.body, notice.made_at)).await;
    let how = judge(&notice, outcome, engine.inner.clocks.machine().micros());
    let result = match &how {
        Attempted::Delivered => "delivered",
        Attempted::Later { .. } => "later",
        Attempted::GivenUp { .. } => "given_up",
    };
    metrics::counter!("bursar_alert_notices_total", "way" => way.kind(), "result" => result).increment(1);
    if let Attempted::Later { why, .. } | Attempted::GivenUp { why } = &how {
        tracing::warn!(way = way.name(), notice = %notice.id, attempt = notice.attempts + 1, why, result,
            "a notice did not get through");
    }
    let id = notice.id;
    store
        .write(move |tx| async move { alerts::attempted(tx, &id, &how).await }.boxed())
        .await
        .map_err(store_error)
}

async fn deliver(
    engine: &Engine,
    settings: &AlertSettings,
    way: &Way,
    (id, body, made_at): (&NoticeId, &Value, i64),
) -> DeliveryOutcome {
    let Ok(key) = id.as_str().parse() else { return missing("the notice has no usable id") };
    let at = BusinessTime::from_micros(made_at);
    match way {
        Way::Webhook => {
            let Some(webhook) = &settings.webhook else { return missing("no webhook is configured") };
            let attempted_at_s = engine.inner.clocks.machine().micros().div_euclid(1_000_000);
            let message = Posting { body: body.to_string(), attempted_at_s };
            webhook.deliver(&Delivery { key, at, message }).await
        }
        Way::Mail(place) => {
            let Some(to) = settings.mail_to.get(*place) else { return missing("no such address") };
            let Some(mail) = &engine.inner.settings.mail else {
                return missing("no mail server is configured");
            };
            mail.deliver(&Delivery { key, at, message: notice::letter(to, body) }).await
        }
    }
}

/// Somebody has to change the configuration.
fn missing(why: &str) -> DeliveryOutcome {
    DeliveryOutcome::Retry { after: AGAIN_AFTER_MAX, why: why.to_owned() }
}

/// What becomes of a notice after an attempt.
fn judge(notice: &Notice, outcome: DeliveryOutcome, now: i64) -> Attempted {
    let doublings = u32::try_from(notice.attempts.clamp(0, 7)).unwrap_or(0);
    let pause = (AGAIN_AFTER * (1 << doublings)).min(AGAIN_AFTER_MAX);
    let later = |after: Duration, why: String| {
        if now - notice.made_at >= micros(GIVEN_UP_AFTER) {
            Attempted::GivenUp { why }
        } else {
            Attempted::Later { due_at: now + micros(after.max(pause)), why }
        }
    };
    match outcome {
        DeliveryOutcome::Delivered { .. } => Attempted::Delivered,
        DeliveryOutcome::Retry { after, why } => later(after, why),
        // A no is no reason to fall silent: somebody sees it in health and mends the address. The other side's words may
        // name people: the code is enough.
        DeliveryOutcome::Refused { code: Some(code), .. } => later(pause, format!("refused with {code}")),
        DeliveryOutcome::Refused { code: None, text } => later(pause, text),
        DeliveryOutcome::PossiblySent { .. } => later(pause, "handed over, and no answer came".to_owned()),
    }
}

/// What came of a test by one way.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    pub way: String,
    pub delivered: bool,
    pub why: Option<String>,
}

impl Engine {
    /// Sends a test by every way, from this node, now and once. Nothing of it is kept.
    pub async fn test_alerts(&self) -> Result<Vec<Tried>> {
        let settings = self.inner.settings.alerts.as_ref().filter(|settings| !settings.ways().is_empty());
        let Some(settings) = settings else {
            return Err(Error::invalid(
                "alerts",
                "nobody is to be told: [alerts] names neither mail nor webhook. Nothing was sent",
            ));
        };
        let now = self.inner.clocks.machine().micros();
        let body = notice::test(now, &self.inner.installation.id, settings.console.as_deref());
        let ways = settings.ways();
        let trying = ways.iter().map(|way| async {
            let id = NoticeId::from_entropy(self.inner.entropy.id());
            let sent = deliver(self, settings, way, (&id, &body, now));
            let why = match tokio::time::timeout(TEST_WAITS, sent).await {
                Ok(DeliveryOutcome::Delivered { .. }) => None,
                Ok(DeliveryOutcome::Refused { code: Some(code), .. }) => Some(format!("refused with {code}")),
                Ok(
                    DeliveryOutcome::Retry { why, .. }
                    | DeliveryOutcome::PossiblySent { why }
                    | DeliveryOutcome::Refused { text: why, .. },
                ) => Some(why),
                Err(_) => Some(format!("no answer within {} s", TEST_WAITS.as_secs())),
            };
            Tried { way: way.name(), delivered: why.is_none(), why }
        });
        Ok(futures_util::future::join_all(trying).await)
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use bursar_domain::id::AlertId;

    use super::*;

    const SECOND: i64 = 1_000_000;

    fn notice(attempts: i64) -> Notice {
        Notice {
            id: NoticeId::from_entropy([1; 16]),
            alert: AlertId::from_entropy([1; 16]),
            way: "webhook".to_owned(),
            number: 1,
            body: Value::Null,
            made_at: 0,
            due_at: 0,
            attempts,
            last_error: None,
        }
    }

    #[test]
    fn attempts_grow_apart_and_end_after_a_day() {
        let failed =
            || DeliveryOutcome::Retry { after: Duration::from_secs(1), why: "answered 500".to_owned() };
        let next = |attempts| match judge(&notice(attempts), failed(), 0) {
            Attempted::Later { due_at, .. } => due_at / SECOND,
            other => panic!("{other:?}"),
        };
        assert_eq!([0, 1, 2, 6, 7, 99].map(next), [10, 20, 40, 640, 900, 900]);
        let day = 24 * 3_600 * SECOND;
        assert!(matches!(judge(&notice(99), failed(), day - 1), Attempted::Later { .. }));
        assert!(matches!(judge(&notice(99), failed(), day), Attempted::GivenUp { .. }));
    }

    #[test]
    fn the_other_side_may_want_a_longer_pause_and_its_words_are_not_kept() {
        let asked = DeliveryOutcome::Retry { after: Duration::from_secs(600), why: String::new() };
        let later = Attempted::Later { due_at: 600 * SECOND, why: String::new() };
        assert_eq!(judge(&notice(0), asked, 0), later);
        let refused =
            DeliveryOutcome::Refused { code: Some(550), text: "<jane@example.com> unknown".to_owned() };
        let later = Attempted::Later { due_at: 10 * SECOND, why: "refused with 550".to_owned() };
        assert_eq!(judge(&notice(0), refused, 0), later);
        let perhaps = DeliveryOutcome::PossiblySent { why: "x".to_owned() };
        assert!(matches!(judge(&notice(0), perhaps, 0), Attempted::Later { .. }), "better twice than never");
    }
}
