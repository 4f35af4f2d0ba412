//! Rules that reach over more than one setting.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::mask;
use super::node::Node;
use super::origin::Origin;
use super::secret::{KeptIn, Secret};
use super::settings::Settings;
use crate::cli::code::Code;
use crate::cli::failure::Failure;

/// Stripe's own variable is honoured where no account is configured, and that is said.
pub fn honour_stripe_key(tree: &mut Node, environment: &Environment, warnings: &mut Vec<Failure>) {
    let Some(key) = environment.get("STRIPE_API_KEY") else { return };
    let configured =
        tree.get(&["stripe"]).and_then(Node::as_table).is_some_and(|accounts| !accounts.is_empty());
    if configured {
        return;
    }
    tree.set(&["stripe", "main", "api_key"], Node::text(key, Origin::Variable("STRIPE_API_KEY".to_owned())));
    warnings.push(
        Failure::new(
            Code::ConfigSecretInClear,
            format!("using the key {} from STRIPE_API_KEY", mask::secret(key)),
        )
        .warning()
        .help("to configure it instead: [stripe.main] api_key = { env = \"STRIPE_API_KEY\" }"),
    );
}

/// Secrets written into the file itself: refused where a live key is in play, else worth a warning.
pub fn secrets_in_clear(
    settings: &Settings,
    origins: &BTreeMap<String, Origin>,
) -> Result<Vec<Failure>, Failure> {
    let mut found = Vec::new();
    for (name, account) in &settings.stripe {
        let live = account.api_key.as_ref().is_some_and(Secret::is_live_key);
        let key = account.api_key.iter().map(|secret| (format!("stripe.{name}.api_key"), secret, live));
        found.extend(key);
        for (list, secrets) in [
            ("webhook_secrets", &account.webhook_secrets),
            ("connect_webhook_secrets", &account.connect_webhook_secrets),
        ] {
            let secrets = secrets.iter().enumerate();
            found.extend(
                secrets.map(|(index, secret)| (format!("stripe.{name}.{list}[{index}]"), secret, live)),
            );
        }
    }
    let any_live = found.iter().any(|(_, _, live)| *live);
    let password = settings.mail.smtp.as_ref().and_then(|smtp| smtp.password.as_ref());
    found.extend(password.map(|secret| ("mail.smtp.password".to_owned(), secret, any_live)));
    let storage = &settings.storage;
    for (path, secret) in
        [("storage.password", &storage.password), ("storage.master_key", &storage.master_key)]
    {
        found.extend(secret.as_ref().map(|secret| (path.to_owned(), secret, any_live)));
    }

    let webhook = settings.alerts.webhook.iter().flat_map(|webhook| webhook.secrets.iter().enumerate());
    found.extend(
        webhook.map(|(index, secret)| (format!("alerts.webhook.secrets[{index}]"), secret, any_live)),
    );

    let mut warnings = Vec::new();
    for (path, secret, live) in found.into_iter().filter(|(_, secret, _)| *secret.kept_in() == KeptIn::Clear)
    {
        let origin = origins.get(&path).cloned().unwrap_or(Origin::Default);
        let failure = in_clear(&path, secret, &origin);
        if live {
            return Err(failure.note("effect", "a live key is configured, so nothing was started"));
        }
        warnings.push(failure.warning());
    }
    Ok(warnings)
}

fn in_clear(path: &str, secret: &Secret, origin: &Origin) -> Failure {
    Failure::new(
        Code::ConfigSecretInClear,
        format!("the secret `{path}` ({}) stands in clear", secret.masked()),
    )
    .at(origin.place("everybody who reads this file can use it"))
    .help("move it into a file of its own: { file = \"/run/credentials/bursar/…\" }, or { env = \"…\" }")
}
