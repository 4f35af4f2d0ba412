//! Waits until people have decided, or until the caller's patience ends.

use std::time::Duration;

use serde_json::Value;

use super::path;
use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::installation::Identity;
use crate::cli::session::Session;
use crate::cli::{Outcome, fields, follow, runtime};
use crate::config::value::Span;

#[derive(Debug, clap::Args)]
pub struct WaitArgs {
    #[arg(value_name = "ID")]
    id: String,
    /// Give up after this long with exit 8, such as 10m or 0s; without it, wait until it ends by itself
    #[arg(long, value_parser = patience)]
    timeout: Option<Duration>,
    /// Wait on until it has been executed, too
    #[arg(long)]
    executed: bool,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(args: &WaitArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let (exit, last) = until_settled(&client, args).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&last)?;
        } else if !session.globals.quiet {
            let status = fields::text(&last, &["/status"]);
            output.line(crate::cli::inert::inert(&format!("{} {status}", args.id)))?;
        }
        Ok(exit)
    })
}

/// Looks at least once, then whenever something happened, and every few seconds in case that was not told.
async fn until_settled(client: &Client, args: &WaitArgs) -> Result<(Exit, Value), Failure> {
    let mut bell = follow::Bell::new(client);
    let mut patience = std::pin::pin!(tokio::time::sleep(args.timeout.unwrap_or(Duration::MAX)));
    loop {
        let approval = client.get(&path(&args.id), &[]).await?;
        if let Some(exit) = stage(&approval, args.executed) {
            return Ok((exit, approval));
        }
        tokio::select! {
            biased;
            () = &mut patience => return Ok((Exit::PendingApproval, approval)),
            () = bell.ring() => {}
        }
    }
}

fn patience(text: &str) -> Result<Duration, String> {
    if text == "0s" { Ok(Duration::ZERO) } else { text.parse::<Span>().map(|span| span.0) }
}

/// The exit code for where the approval stands, nothing while it is worth waiting.
fn stage(approval: &Value, until_executed: bool) -> Option<Exit> {
    let settled = approval.get("receipt").is_some_and(|receipt| !receipt.is_null());
    match fields::text(approval, &["/status"]).as_str() {
        "rejected" | "refused" | "expired" | "void" | "canceled" | "cancelled" => Some(Exit::Rejected),
        "executed" | "done" | "succeeded" => Some(Exit::Done),
        "failed" | "in_doubt" | "no_effect" => Some(Exit::Failed),
        "approved" | "met" | "executing" => (settled || !until_executed).then_some(Exit::Done),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn where_an_approval_stands_is_an_exit_code() {
        let at = |status: &str| stage(&json!({"status": status}), false);
        assert_eq!(at("pending"), None);
        assert_eq!(at("open"), None);
        assert_eq!(at("approved"), Some(Exit::Done));
        assert_eq!(at("rejected"), Some(Exit::Rejected));
        assert_eq!(at("expired"), Some(Exit::Rejected));
        assert_eq!(stage(&json!({"status": "approved", "receipt": null}), true), None);
        assert_eq!(stage(&json!({"status": "approved", "receipt": {}}), true), Some(Exit::Done));
    }
}
