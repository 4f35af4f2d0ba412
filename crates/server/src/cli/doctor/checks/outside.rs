//! What the outside says: each key to whom it belongs and what it may do, the mail server whether it answers. Reads only,
//! and nobody is waited for longer than a few seconds.

use std::time::Duration;

use bursar_connectors::{Connector as _, Health as Answer};
use bursar_engine::{Granted, Registers, connect};

use super::Finding;
use crate::alerts;
use crate::cli::exit::Exit;
use crate::cli::runtime;
use crate::cli::session::Session;
use crate::config::Config;
use crate::service;

const PATIENCE: Duration = Duration::from_secs(4);

pub fn check(config: &Config, _: &Session) -> Vec<Finding> {
    let mut found = Vec::new();
    let asked = runtime::block_on(async {
        for (name, stripe) in &config.settings.stripe {
            found.extend(account(name, stripe).await);
        }
        found.extend(mail(config).await);
        found.extend(webhook(config).await);
        Ok(Exit::Done)
    });
    if asked.is_err() {
        found.push(Finding::doubtful(
            "stripe.answer",
            "this machine gives no threads or timers",
            "try again",
        ));
    }
    found
}

async fn account(name: &str, stripe: &crate::config::Stripe) -> Vec<Finding> {
    let connection = match service::connection(name, stripe) {
        Ok(Some(connection)) => connection,
        // A missing key is another check's finding.
        Ok(None) => return Vec::new(),
        Err(error) => {
            return vec![Finding::sick("stripe.answer", format!("{error:#}"), format!("[stripe.{name}]"))];
        }
    };
    let fix = format!("bursar connect stripe --name {name}");
    match tokio::time::timeout(PATIENCE, connect::examine(&connection, Registers::Nothing)).await {
        Err(_) => {
            vec![Finding::sick("stripe.answer", format!("[stripe.{name}] did not answer in time"), fix)]
        }
        Ok(Err(error)) => vec![Finding::sick("stripe.answer", format!("[stripe.{name}] {error}"), fix)],
        Ok(Ok(examined)) => {
            let who = examined.name.as_deref().unwrap_or_default();
            let said = format!("[stripe.{name}] is {} {who}", examined.lane);
            let mut found = vec![Finding::well("stripe.answer", said.trim().to_owned())];
            let missing = examined.permissions.iter().filter(|permission| permission.granted == Granted::No);
            found.extend(missing.map(|permission| {
                let what = format!("[stripe.{name}] may not {} {}", permission.access, permission.resource);
                let fix = format!("grant it in the Dashboard: needed for {}", permission.needed_for);
                Finding::sick("stripe.permission", what, fix)
            }));
            found
        }
    }
}

async fn mail(config: &Config) -> Vec<Finding> {
    let fix = "[mail.smtp]";
    match service::mail(config) {
        Ok(None) => vec![Finding::doubtful("mail.server", "no mail server: letters wait", fix)],
        Err(error) => vec![Finding::sick("mail.server", format!("{error:#}"), fix)],
        Ok(Some(mail)) => match tokio::time::timeout(PATIENCE, mail.health()).await {
            Ok(Answer::Up { detail }) => vec![Finding::well("mail.server", detail)],
            Ok(Answer::Down { why }) => vec![Finding::sick("mail.server", why, fix)],
            Err(_) => vec![Finding::sick("mail.server", "it did not answer in time", fix)],
        },
    }
}

/// Where notices go; nothing where none is configured.
async fn webhook(config: &Config) -> Option<Finding> {
    let fix = "[alerts.webhook]; bursar alerts test";
    match alerts::settings(config).and_then(|_| alerts::webhook(config)) {
        Ok(None) => None,
        Err(error) => Some(Finding::sick("alerts.webhook", format!("{error:#}"), "[alerts]")),
        Ok(Some(webhook)) => Some(match tokio::time::timeout(PATIENCE, webhook.health()).await {
            Ok(Answer::Up { detail }) => Finding::well("alerts.webhook", detail),
            Ok(Answer::Down { why }) => Finding::sick("alerts.webhook", why, fix),
            Err(_) => Finding::sick("alerts.webhook", "it did not answer in time", fix),
        }),
    }
}
