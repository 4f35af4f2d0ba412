//! Looks how the installation stands, compares with what was told, and files what is to be told now.

use std::time::Duration;

use bursar_domain::id::{AlertId, NoticeId};
use bursar_store::alerts::{self, Alert, Found, Notice};
use bursar_store::{Tx, pollers};
use futures_util::FutureExt as _;

use super::found::{self, Beside};
use super::notice::{self, Moment};
use super::{AlertSettings, DUTY};
use crate::Result;
use crate::entropy::Entropy;
use crate::start::{Engine, store_error};

/// How many holes are looked at.
const GAPS: i64 = 20;
/// What was over for so long is forgotten.
const KEPT: Duration = Duration::from_hours(24 * 90);

pub(super) async fn run(engine: Engine, settings: AlertSettings) {
    let mut stopping = engine.stopping();
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(settings.look_every) => {}
            _ = stopping.changed() => return,
        }
        if !engine.inner.duties.are_ours(DUTY) {
            continue;
        }
        match look(&engine, &settings).await {
            Ok(()) => is_failing = false,
            Err(error) => {
                // What cannot be kept cannot be told by us: somebody outside watches `/metrics`.
                if !is_failing {
                    tracing::error!(%error, "nobody is told what is wrong: it cannot be looked at or kept; trying again");
                }
                is_failing = true;
            }
        }
    }
}

async fn look(engine: &Engine, settings: &AlertSettings) -> Result<()> {
    let health = engine.health().await?;
    let now = engine.inner.clocks.machine().micros();
    let mut db = engine.inner.store.read().await?;
    let beside = Beside {
        gaps: pollers::gaps(&mut db, GAPS).await?,
        machine_now: now,
        installed_for_s: u64::try_from((now - engine.inner.installation.created_at) / 1_000_000).unwrap_or(0),
    };
    let held = alerts::current(&mut db).await?;
    drop(db);
    let found = found::troubles(&health, &beside, settings);
    if found.is_empty() && held.is_empty() {
        return Ok(());
    }
    let filing = Filing {
        ways: settings.ways().iter().map(super::Way::name).collect(),
        repeat_every_us: micros(settings.repeat_every),
        installation: engine.inner.installation.id.clone(),
        console: settings.console.clone(),
        entropy: Entropy::default(),
        now,
    };
    let told = engine
        .inner
        .store
        .write(move |tx| async move { filing.file(tx, &found).await }.boxed())
        .await
        .map_err(store_error)?;
    for (moment, code, about) in told {
        tracing::warn!(
            code,
            about,
            "{}",
            match moment {
                Moment::Opened => "an alert was opened",
                Moment::StillOpen => "an alert is still open",
                Moment::Closed => "an alert is over",
            }
        );
    }
    Ok(())
}

/// One look's findings, with all that is needed to file them.
struct Filing {
    ways: Vec<String>,
    repeat_every_us: i64,
    installation: String,
    console: Option<String>,
    entropy: Entropy,
    now: i64,
}

type Told = (Moment, String, String);

impl Filing {
    /// Everything in one commit: an alert is open exactly when the notices about it wait to be sent.
    async fn file(&self, tx: &mut Tx, found: &[Found]) -> bursar_store::Result<Vec<Told>> {
        for new in found {
            alerts::see(tx, &AlertId::from_entropy(self.entropy.id()), new, self.now).await?;
        }
        let mut told = Vec::new();
        for mut alert in alerts::current(tx).await? {
            let again = found.iter().find(|found| found.code == alert.code && found.about == alert.about);
            if let Some(again) = again {
                alert.facts = again.facts.clone();
                alerts::see_again(tx, &alert.id, &again.facts, self.now).await?;
            }
            match step(&alert, again.is_some(), self.now, self.repeat_every_us) {
                Step::Nothing => {}
                Step::Forget => alerts::forget(tx, &alert.id).await?,
                Step::Tell(moment) => {
                    if moment == Moment::StillOpen && self.all_wait(tx, &alert.id).await? {
                        continue;
                    }
                    self.tell(tx, &mut alert, moment).await?;
                    told.push((moment, alert.code, alert.about));
                }
            }
        }
        alerts::forget_before(tx, self.now - micros(KEPT)).await?;
        Ok(told)
    }

    /// Nobody has got the last notice yet: another one would only stand in line behind it.
    async fn all_wait(&self, tx: &mut Tx, alert: &AlertId) -> bursar_store::Result<bool> {
        for way in &self.ways {
            if !alerts::waits(tx, alert, way).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn tell(&self, tx: &mut Tx, alert: &mut Alert, moment: Moment) -> bursar_store::Result<()> {
        match moment {
            Moment::Opened | Moment::StillOpen => alerts::tell(tx, &alert.id, self.now).await?,
            Moment::Closed => alerts::close(tx, &alert.id, self.now).await?,
        }
        alert.notices += 1;
        let body = notice::document(alert, moment, self.now, &self.installation, self.console.as_deref());
        for way in &self.ways {
            let new = Notice {
                id: NoticeId::from_entropy(self.entropy.id()),
                alert: alert.id.clone(),
                way: way.clone(),
                number: alert.notices,
                body: body.clone(),
                made_at: self.now,
                due_at: self.now,
                attempts: 0,
                last_error: None,
            };
            alerts::add_notice(tx, &new).await?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Tell(Moment),
    Forget,
}

/// What is to be done about an alert that was found again now, or was not.
fn step(alert: &Alert, is_there: bool, now: i64, repeat_every_us: i64) -> Step {
    match (alert.opened_at, is_there) {
        (None, true) if now - alert.first_seen_at >= micros(found::patience(&alert.code)) => {
            Step::Tell(Moment::Opened)
        }
        (None, false) => Step::Forget,
        (Some(_), true) if now - alert.told_at.unwrap_or(now) >= repeat_every_us => {
            Step::Tell(Moment::StillOpen)
        }
        (Some(_), false) if now - alert.last_seen_at >= micros(found::doubt(&alert.code)) => {
            Step::Tell(Moment::Closed)
        }
        _ => Step::Nothing,
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000_000;
    const REPEAT: i64 = 240 * MIN;

    fn alert(code: &str, first_seen_at: i64, opened_at: Option<i64>) -> Alert {
        Alert {
            id: AlertId::from_entropy([1; 16]),
            code: code.to_owned(),
            about: String::new(),
            facts: serde_json::Value::Null,
            first_seen_at,
            last_seen_at: first_seen_at,
            opened_at,
            told_at: opened_at,
            closed_at: None,
            notices: 0,
        }
    }

    #[test]
    fn what_comes_and_goes_is_told_only_once_it_has_lasted() {
        let young = alert("stripe_unreadable", 0, None);
        assert_eq!(step(&young, true, 2 * MIN - 1, REPEAT), Step::Nothing);
        assert_eq!(step(&young, true, 2 * MIN, REPEAT), Step::Tell(Moment::Opened));
        assert_eq!(step(&young, false, 2 * MIN, REPEAT), Step::Forget);
        assert_eq!(step(&alert("dead_letters", 0, None), true, 0, REPEAT), Step::Tell(Moment::Opened));
    }

    #[test]
    fn it_is_told_again_at_its_interval_and_its_end_when_that_is_sure() {
        let open = alert("queue_late", 0, Some(0));
        assert_eq!(step(&open, true, REPEAT - 1, REPEAT), Step::Nothing);
        assert_eq!(step(&open, true, REPEAT, REPEAT), Step::Tell(Moment::StillOpen));
        assert_eq!(step(&open, false, MIN - 1, REPEAT), Step::Nothing, "it may come back at once");
        assert_eq!(step(&open, false, MIN, REPEAT), Step::Tell(Moment::Closed));
        assert_eq!(step(&alert("kill_switch", 0, Some(0)), false, 0, REPEAT), Step::Tell(Moment::Closed));
    }
}
