//! Secrets are kept where only those who need them can read them.

use std::path::Path;

use super::Finding;
use crate::cli::session::Session;
use crate::config::{Config, KeptIn, Secret};

pub fn check(config: &Config, _: &Session) -> Vec<Finding> {
    let settings = &config.settings;
    let accounts = settings.stripe.values().flat_map(|account| {
        let lists = account.webhook_secrets.iter().chain(&account.connect_webhook_secrets);
        account.api_key.iter().chain(lists)
    });
    let password = settings.mail.smtp.iter().filter_map(|smtp| smtp.password.as_ref());
    let webhook = settings.alerts.webhook.iter().flat_map(|webhook| &webhook.secrets);
    let secrets: Vec<&Secret> = accounts.chain(password).chain(webhook).collect();
    let mut found: Vec<Finding> = secrets.iter().filter_map(|secret| problem(secret)).collect();
    if found.is_empty() {
        found.push(Finding::well(
            "secrets.kept",
            format!("{} secrets, none in clear or open to others", secrets.len()),
        ));
    }
    found
}

fn problem(secret: &Secret) -> Option<Finding> {
    match secret.kept_in() {
        KeptIn::Clear => Some(Finding::doubtful(
            "secrets.kept",
            format!("{} stands in clear in the configuration", secret.masked()),
            "move it: { file = \"…\" } or { env = \"…\" }",
        )),
        KeptIn::File(path) => others_may_read(Path::new(path)).then(|| {
            let found = format!("{} lies in {path}, which other users may read", secret.masked());
            Finding::doubtful("secrets.kept", found, format!("chmod 600 {path}"))
        }),
        KeptIn::Variable(_) => None,
    }
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn others_may_read(_: &Path) -> bool {
    false
}
