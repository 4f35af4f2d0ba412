//! Asks Stripe for everything since a moment, so that what was missed is known. What was already here stays as it is.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::inert::inert;
use crate::cli::installation::Identity;
use crate::cli::session::Session;
use crate::cli::{Outcome, fields, idempotency, runtime};
use crate::config::value::Span;

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
        let bar = spinner(output.shows_progress(), args.since);
        let body = json!({"since_s": args.since.as_seconds()});
        let answer = client.post_long("/events/backfill", &body, &idempotency::fresh_key()?).await;
        bar.finish_and_clear();
        let answer = answer?;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.line(summary(&answer))?;
        }
        Ok(Exit::Done)
    })
}

/// How many events there are is known at the end only, so that time is what moves.
fn spinner(shown: bool, since: Span) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(format!("asking Stripe for the events of the last {since}"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Every number the installation gives, in words.
fn summary(answer: &Value) -> String {
    let numbers = answer
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| value.is_number() && *key != "since_s");
    let mut parts: Vec<(String, String)> =
        numbers.map(|(key, value)| (key.replace('_', " "), fields::text(value, &[""]))).collect();
    parts.sort();
    let parts: Vec<String> = parts.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
    if parts.is_empty() { "done".to_owned() } else { inert(&parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_every_number() {
        assert_eq!(
            summary(&json!({"object": "backfill", "since_s": 60, "new": 2, "already_here": 18_202})),
            "18202 already here, 2 new"
        );
        assert_eq!(summary(&json!({"object": "backfill"})), "done");
    }
}
