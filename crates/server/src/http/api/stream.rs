//! Live: server-sent events that say what to look at again. They carry ids, not contents.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use bursar_domain::time::BusinessTime;
use bursar_engine::{FeedItem, cards};
use futures_util::stream::{self, Stream};
use serde_json::json;
use tokio::sync::broadcast;
use tokio::time::Interval;

use super::query::Query;
use crate::http::auth::Caller;
use crate::http::console;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// How often the time of day is told.
const CLOCK_EVERY: Duration = Duration::from_secs(1);

struct Listener {
    state: AppState,
    feed: broadcast::Receiver<FeedItem>,
    mail: Option<tokio::sync::watch::Receiver<u64>>,
    clock: Interval,
    waiting: Vec<Event>,
}

pub async fn listen(
    State(state): State<AppState>,
    _: Caller,
    query: Query,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    query.only(&[])?;
    let mail = state.demo.as_ref().map(|demo| demo.mailbox.newest());
    let listener = Listener {
        feed: state.engine.listen(),
        mail,
        clock: tokio::time::interval(CLOCK_EVERY),
        waiting: vec![Event::default().retry(Duration::from_secs(2)).comment("bursar")],
        state,
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop() {
                return Some(event);
            }
            if self.state.engine.is_stopping() {
                return None;
            }
            let mail = async {
                match &mut self.mail {
                    Some(newest) => newest.changed().await.map(|()| *newest.borrow()).ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                item = self.feed.recv() => match item {
                    Ok(item) => self.waiting = events_of(&item),
                    // Too slow: everything may have changed.
                    Err(broadcast::error::RecvError::Lagged(_)) => self.waiting = everything(),
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                number = mail => match number {
                    Some(number) => return Some(named("mail", &number.to_string(), None)),
                    None => self.mail = None,
                },
                _ = self.clock.tick() => return Some(clock(self.state.engine.clocks().business())),
            }
        }
    }
}

fn named(name: &str, id: &str, text: Option<&str>) -> Event {
    Event::default().event(name).data(json!({"id": id, "text": text}).to_string())
}

/// Last first: they are told from the end.
fn events_of(item: &FeedItem) -> Vec<Event> {
    let mut events = Vec::new();
    let text = Some(item.text.as_str());
    if let Some(approval) = &item.approval {
        events.push(named("approval", approval, text));
    }
    if let Some(case) = &item.case {
        events.push(named("case", case, text));
    }
    events.push(named("audit", "", None));
    match item.kind {
        "event" => events.push(named("feed", "", text)),
        "quarantine" => events.push(named("health", "", text)),
        _ => {}
    }
    events
}

fn everything() -> Vec<Event> {
    ["health", "audit", "approval", "case"].into_iter().map(|name| named(name, "", None)).collect()
}

fn clock(now: BusinessTime) -> Event {
    let iso = cards::rfc3339(now);
    let text = console::clock_text(now);
    Event::default().event("clock").data(json!({"iso": iso, "text": text}).to_string())
}
