//! Asks Stripe for everything since a moment, a day at a time, so that what was missed is known. What was already here
//! stays as it is.

use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::installation::Identity;
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::{Outcome, idempotency, runtime};
use crate::config::value::Span;

const DAY_S: i64 = 86_400;
/// Stripe keeps events this long: there is nothing to ask for before.
const KEPT_S: i64 = 30 * DAY_S;

#[derive(Debug, clap::Args)]
pub struct BackfillArgs {
    /// How far back, at most the 30 days that Stripe keeps events
    #[arg(long, default_value = "30d")]
    since: Span,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(args: &BackfillArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let output = &session.output;
        let since_s = i64::try_from(args.since.as_seconds()).unwrap_or(i64::MAX);
        if since_s > KEPT_S {
            output.note("Stripe keeps events for 30 days: asking for those of the last 30 days");
        }
        let since_s = since_s.min(KEPT_S);
        let days = days(since_s);
        let mut progress = Progress::start(output, u64::try_from(days.len()).unwrap_or(u64::MAX), "days");
        let (mut found, mut as_of_s) = (0, Value::Null);
        for (since_s, until_s) in days {
            let body = json!({"since_s": since_s, "until_s": until_s, "as_of_s": as_of_s});
            let answer = client.post_long("/events/backfill", &body, &idempotency::fresh_key()?).await?;
            found += answer["new_events"].as_i64().unwrap_or(0);
            // The days meet, however long each takes.
            as_of_s = answer["as_of_s"].clone();
            progress.step(&format!("{found} new events"));
        }
        drop(progress);
        if output.is_json() {
            output.document(&json!({"object": "backfill", "since_s": since_s, "new_events": found}))?;
        } else {
            output.line(format_args!("{found} new events"))?;
        }
        Ok(Exit::Done)
    })
}

/// Days as seconds ago, beginning and end, newest first.
fn days(since_s: i64) -> Vec<(i64, i64)> {
    let mut days = Vec::new();
    let mut until_s = 0;
    while until_s < since_s || days.is_empty() {
        let end = since_s.min(until_s + DAY_S);
        days.push((end, until_s));
        until_s = end.max(until_s + 1);
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_meet_and_reach_back_as_far_as_asked() {
        assert_eq!(days(60), [(60, 0)]);
        assert_eq!(days(0), [(0, 0)]);
        assert_eq!(days(2 * DAY_S + 1), [(DAY_S, 0), (2 * DAY_S, DAY_S), (2 * DAY_S + 1, 2 * DAY_S)]);
        assert_eq!(days(KEPT_S).len(), 30);
    }
}
