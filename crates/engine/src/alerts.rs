//! Operators are told when something is wrong with the installation itself, by mail or webhook: once when it begins, again
//! while it lasts, and when it is over. One node at a time looks and sends; what it found and what is still to be sent is in
//! the store, so that a restart forgets nothing and repeats nothing. Looking and sending are apart from each other and from
//! all other work: whatever hangs here holds up nothing else.

mod found;
mod notice;
mod send;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use bursar_connectors::webhook::Webhook;
use bursar_store::{Db, alerts};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Result;
use crate::cards::rfc3339;
use crate::queries::{Page, page};
use crate::start::Engine;
use bursar_domain::time::BusinessTime;

pub use send::Tried;

/// Who is told, and of what.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// Addresses, one letter to each.
    pub mail_to: Vec<String>,
    pub webhook: Option<Arc<Webhook>>,
    /// How often what lasts is told again.
    pub repeat_every: Duration,
    /// Without an event for so long something is wrong.
    pub no_events_for: Duration,
    /// Work that is due and has waited for so long is late.
    pub queue_age: Duration,
    /// Where the console is, for links.
    pub console: Option<String>,
    pub look_every: Duration,
}

/// What one node at a time does.
pub(crate) const DUTY: &str = "alerts";

/// One way to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Webhook,
    /// The place of an address in the configuration.
    Mail(usize),
}

impl Way {
    /// As it is kept. Addresses stay in the configuration.
    pub(crate) fn name(&self) -> String {
        match self {
            Way::Webhook => "webhook".to_owned(),
            Way::Mail(place) => format!("mail {}", place + 1),
        }
    }

    /// As it is counted.
    fn kind(&self) -> &'static str {
        match self {
            Way::Webhook => "webhook",
            Way::Mail(_) => "mail",
        }
    }
}

impl AlertSettings {
    pub(crate) fn ways(&self) -> Vec<Way> {
        let webhook = self.webhook.iter().map(|_| Way::Webhook);
        webhook.chain((0..self.mail_to.len()).map(Way::Mail)).collect()
    }
}

/// Starts looking and sending where somebody is to be told.
pub(crate) async fn start(engine: &Engine) {
    let Some(settings) = &engine.inner.settings.alerts else { return };
    let ways = settings.ways();
    if ways.is_empty() {
        return;
    }
    engine.inner.duties.want(DUTY);
    engine.spawn(Box::pin(watch::run(engine.clone(), settings.clone()))).await;
    for way in ways {
        engine.spawn(Box::pin(send::run(engine.clone(), settings.clone(), way))).await;
    }
}

/// An alert that is open, as health tells it.
#[derive(Clone, Debug, Serialize)]
pub struct OpenAlert {
    pub id: String,
    pub code: String,
    pub about: String,
    pub text: String,
    pub age_s: u64,
}

/// A way by which notices do not get through.
#[derive(Clone, Debug, Serialize)]
pub struct FailingWay {
    pub way: String,
    /// Notices that were tried and wait for another attempt.
    pub waiting: usize,
    pub failing_for_s: u64,
    pub why: String,
}

/// How telling operators goes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AlertsHealth {
    /// Ways that are configured; none where nobody is told.
    pub ways: Vec<String>,
    pub open: Vec<OpenAlert>,
    pub failing: Vec<FailingWay>,
}

/// Of the notices that wait by a way, as many are looked at.
const FAILING_SHOWN: i64 = 50;

pub(crate) async fn health(
    db: &mut Db,
    settings: Option<&AlertSettings>,
    machine_now: i64,
) -> Result<AlertsHealth> {
    let Some(settings) = settings else { return Ok(AlertsHealth::default()) };
    let age_s = |at: i64| u64::try_from((machine_now - at).max(0) / 1_000_000).unwrap_or(0);
    let mut health = AlertsHealth::default();
    for way in settings.ways() {
        let waiting = alerts::failing(db, &way.name(), FAILING_SHOWN).await?;
        let oldest = waiting.iter().map(|notice| notice.made_at).min();
        if let (Some(first), Some(oldest)) = (waiting.first(), oldest) {
            health.failing.push(FailingWay {
                way: way.name(),
                waiting: waiting.len(),
                failing_for_s: age_s(oldest),
                why: first.last_error.clone().unwrap_or_default(),
            });
        }
        health.ways.push(way.name());
    }
    for alert in alerts::current(db).await? {
        let Some(opened_at) = alert.opened_at else { continue };
        health.open.push(OpenAlert {
            text: notice::headline(&alert.code, &alert.about, &alert.facts),
            id: alert.id.to_string(),
            code: alert.code,
            about: alert.about,
            age_s: age_s(opened_at),
        });
    }
    Ok(health)
}

impl Engine {
    /// Alerts that were told, newest first.
    pub async fn alerts(&self, limit: i64) -> Result<Page> {
        let rows = alerts::told(&mut self.inner.store.read().await?, limit + 1).await?;
        Ok(page(rows, limit, |alert| document(&alert)))
    }
}

fn document(alert: &alerts::Alert) -> Value {
    let at = |micros: Option<i64>| micros.map(|at| rfc3339(BusinessTime::from_micros(at)));
    json!({"object": "alert", "id": alert.id.as_str(), "code": alert.code, "about": alert.about,
        "state": if alert.closed_at.is_some() { "closed" } else { "open" },
        "text": notice::headline(&alert.code, &alert.about, &alert.facts), "facts": alert.facts,
        "opened_at": at(alert.opened_at), "told_at": at(alert.told_at), "closed_at": at(alert.closed_at),
        "notices": alert.notices})
}
