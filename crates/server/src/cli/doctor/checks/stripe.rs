//! Each account is configured so that events can arrive and actions can leave.

use super::Finding;
use crate::cli::session::Session;
use crate::config::value::IngestSource;
use crate::config::{Config, Stripe};

pub fn check(config: &Config, _: &Session) -> Vec<Finding> {
    let accounts = &config.settings.stripe;
    if accounts.is_empty() {
        return vec![Finding::sick(
            "stripe.account",
            "no Stripe account is configured",
            "bursar connect stripe",
        )];
    }
    accounts.iter().flat_map(|(name, account)| of(name, account)).collect()
}

fn of(name: &str, account: &Stripe) -> Vec<Finding> {
    let Some(key) = &account.api_key else {
        let fix = format!("[stripe.{name}] api_key = {{ file = \"…\" }}");
        return vec![Finding::sick("stripe.account", format!("[stripe.{name}] has no key"), fix)];
    };
    let mut found = vec![Finding::well(
        "stripe.account",
        format!("[stripe.{name}] {} in mode {}", key.masked(), account.mode),
    )];
    let takes = |source| account.ingest.contains(&source);
    if !takes(IngestSource::Poll) && !takes(IngestSource::Webhook) {
        let fix = format!("[stripe.{name}] ingest = [\"poll\"]");
        found.push(Finding::sick("stripe.ingest", format!("[stripe.{name}] takes events from nowhere"), fix));
    }
    if takes(IngestSource::Webhook) && account.webhook_secrets.is_empty() {
        let fix = format!("[stripe.{name}] webhook_secrets = [{{ file = \"…\" }}]");
        found.push(Finding::sick("stripe.ingest", "webhooks without a secret are all refused", fix));
    }
    if !takes(IngestSource::Poll) {
        let fix = format!("[stripe.{name}] ingest = [\"poll\", \"webhook\"]");
        found.push(Finding::doubtful("stripe.ingest", "missed webhooks are not found without polling", fix));
    }
    if account.api_base.as_str() != Stripe::API_BASE {
        let found_at = format!("[stripe.{name}] speaks to {}, not to Stripe", account.api_base);
        found.push(Finding::doubtful("stripe.address", found_at, "leave api_base out for the real Stripe"));
    }
    found
}
