//! Who is told when something is wrong with the installation itself: from the configuration to what the engine takes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bursar_connectors::webhook::{Deadlines, Reach, Webhook, WebhookSettings};
use bursar_engine::AlertSettings;

use crate::config::Config;

/// How often an installation looks at itself.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Nothing where nobody is to be told.
pub fn settings(config: &Config) -> anyhow::Result<Option<AlertSettings>> {
    let alerts = &config.settings.alerts;
    let webhook = webhook(config)?.map(Arc::new);
    if alerts.mail.is_empty() && webhook.is_none() {
        return Ok(None);
    }
    anyhow::ensure!(
        alerts.mail.is_empty() || config.settings.mail.smtp.is_some(),
        "[alerts] mail names addresses, and [mail.smtp] is not set: no letter could be sent. Nothing was started"
    );
    Ok(Some(AlertSettings {
        mail_to: alerts.mail.clone(),
        webhook,
        repeat_every: alerts.repeat_every.0,
        no_events_for: alerts.no_events_for.0,
        queue_age: alerts.queue_age.0,
        console: config.settings.server.public_url.as_ref().map(|url| url.as_str().to_owned()),
        look_every: LOOK_EVERY,
    }))
}

/// The webhook, where one is configured.
pub fn webhook(config: &Config) -> anyhow::Result<Option<Webhook>> {
    let Some(webhook) = &config.settings.alerts.webhook else { return Ok(None) };
    let settings = WebhookSettings {
        url: webhook.url.as_str().to_owned(),
        secrets: webhook.secrets.iter().map(|secret| secret.expose().clone()).collect(),
        reach: if webhook.private_network { Reach::Private } else { Reach::Public },
        deadlines: Deadlines::default(),
    };
    Webhook::new(&settings).map(Some).context("[alerts.webhook]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CliOptions, Environment, load};

    fn read(text: &str) -> Result<Option<AlertSettings>, String> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bursar.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::write(folder.path().join("s"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let options = CliOptions { config: Some(file), ..CliOptions::default() };
        let environment: Environment = [("HOME", "/home/olivia")].into();
        let config = load(&options, &environment).map_err(|errors| errors.to_string())?;
        settings(&config).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn somebody_is_told_where_somebody_is_named() {
        assert!(read("").unwrap().is_none());
        let posted =
            read("[alerts.webhook]\nurl = \"https://hooks.example.com/x\"\nsecrets = [{ file = \"s\" }]\n");
        let posted = posted.unwrap().unwrap();
        assert!(posted.webhook.is_some() && posted.mail_to.is_empty());
        assert_eq!(posted.no_events_for, Duration::from_hours(24));
        let written = "[mail]\nfrom = \"a@example.com\"\n[mail.smtp]\nhost = \"localhost\"\n[alerts]\nmail = [\"o@example.com\"]\nqueue_age = \"90s\"\n";
        let written = read(written).unwrap().unwrap();
        assert_eq!((written.mail_to.len(), written.queue_age), (1, Duration::from_secs(90)));
    }

    #[test]
    fn what_could_never_be_sent_is_refused_at_the_start() {
        let webhook =
            |url: &str, secrets: &str| format!("[alerts.webhook]\nurl = \"{url}\"\nsecrets = [{secrets}]\n");
        for (text, word) in [
            ("[alerts]\nmail = [\"o@example.com\"]\n".to_owned(), "[mail.smtp]"),
            (webhook("http://hooks.example.com", "{ file = \"s\" }"), "not encrypted"),
            (webhook("https://169.254.169.254", "{ file = \"s\" }"), "special network"),
            (webhook("https://10.0.0.1", "{ file = \"s\" }"), "private_network"),
            (webhook("https://hooks.example.com", ""), "is missing"),
            (webhook("https://hooks.example.com", "\"hunter2\""), "whsec_"),
        ] {
            let why = read(&text).expect_err(&text);
            assert!(why.contains(word) && !why.contains("hunter2"), "{text}: {why}");
        }
        assert!(
            read(&format!("{}private_network = true\n", webhook("https://10.0.0.1", "{ file = \"s\" }")))
                .is_ok()
        );
    }
}
