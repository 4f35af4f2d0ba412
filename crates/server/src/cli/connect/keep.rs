//! Keeps what was connected: each secret in a file of its own below `credentials/`, and its name in the configuration.
//! The configuration is changed only where the result is still TOML and no setting is written over; what cannot be
//! written there is handed back as lines for a person to put in.

use std::path::Path;

use bursar_engine::Endpoint;
use bursar_engine::connect::Registered;
use secrecy::SecretString;

use super::{Key, cannot_write};
use crate::cli::failure::Failure;
use crate::config::{Config, Origin};

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Files that were written or changed.
    pub files: Vec<String>,
    /// Settings that could not be written into the configuration.
    pub by_hand: Vec<String>,
}

pub(super) fn keep(
    name: &str,
    config: &Config,
    key: &Key,
    registered: &[Registered],
) -> Result<Kept, Failure> {
    let mut kept = Kept::default();
    let Some(file) = &config.file else { return Ok(kept) };
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut settings = Vec::new();
    if key.is_new {
        let path = write_secret(folder, &format!("stripe-{name}.key"), key.secret.expose())?;
        settings.push(("api_key", format!("{{ file = \"{path}\" }}")));
        kept.files.push(path);
    }
    let stands =
        |setting: &str| config.origins.get(&format!("stripe.{name}.{setting}")).is_some_and(Origin::is_file);
    for one in registered {
        let (setting, file) = match one.endpoint {
            Endpoint::Account => ("webhook_secrets", format!("stripe-{name}-webhook")),
            Endpoint::Connect => ("connect_webhook_secrets", format!("stripe-{name}-connect-webhook")),
        };
        if let Some(secret) = &one.secret {
            let path = write_secret(folder, &unused(folder, &file, &one.id), secret)?;
            settings.push((setting, format!("[{{ file = \"{path}\" }}]")));
            kept.files.push(path);
        } else if !stands(setting) {
            // Stripe told it when the endpoint was made, and tells it again in the Dashboard alone.
            let line = format!("{setting} = [{{ file = \"credentials/{file}.secret\" }}]");
            kept.by_hand
                .push(format!("{line}   # the signing secret of {}, from Stripe's Dashboard", one.id));
        }
    }
    if settings.iter().any(|(setting, _)| setting.ends_with("webhook_secrets")) {
        settings.push(("ingest", "[\"poll\", \"webhook\"]".to_owned()));
    }
    let (standing, new): (Vec<_>, Vec<_>) = settings.into_iter().partition(|(setting, _)| stands(setting));
    let lines = |settings: Vec<(&str, String)>| -> Vec<String> {
        settings.into_iter().map(|(setting, value)| format!("{setting} = {value}")).collect()
    };
    kept.by_hand.extend(lines(standing));
    let new = lines(new);
    if new.is_empty() {
        return Ok(kept);
    }
    let text = std::fs::read_to_string(file).map_err(|error| cannot_write(file, &error))?;
    match with_lines(&text, name, &new) {
        Some(changed) => {
            std::fs::write(file, changed).map_err(|error| cannot_write(file, &error))?;
            kept.files.push(file.display().to_string());
        }
        None => kept.by_hand.extend(new),
    }
    Ok(kept)
}

/// The configuration with these lines at the top of `[stripe.<name>]`, which is added where it is missing; nothing where
/// the section is written in a way that this would break.
fn with_lines(text: &str, name: &str, lines: &[String]) -> Option<String> {
    let header = format!("[stripe.{name}]");
    let is_header = |line: &str| line.split('#').next().is_some_and(|line| line.trim() == header);
    let mut changed = String::with_capacity(text.len() + 200);
    let mut placed = false;
    for line in text.lines() {
        changed.push_str(line);
        changed.push('\n');
        if !placed && is_header(line) {
            placed = true;
            changed.extend(lines.iter().map(|line| format!("{line}\n")));
        }
    }
    if !placed {
        changed.extend(["\n", header.as_str(), "\n"]);
        changed.extend(lines.iter().map(|line| format!("{line}\n")));
    }
    toml::from_str::<toml::Table>(&changed).is_ok().then_some(changed)
}

/// A secret of an endpoint that still sends is never written over.
fn unused(folder: &Path, file: &str, id: &str) -> String {
    let name = format!("{file}.secret");
    if folder.join("credentials").join(&name).exists() { format!("{file}-{id}.secret") } else { name }
}

fn write_secret(folder: &Path, name: &str, secret: &SecretString) -> Result<String, Failure> {
    use std::io::Write as _;

    use secrecy::ExposeSecret as _;

    let credentials = folder.join("credentials");
    std::fs::create_dir_all(&credentials).map_err(|error| cannot_write(&credentials, &error))?;
    let path = credentials.join(name);
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut file = open.open(&path).map_err(|error| cannot_write(&path, &error))?;
    file.write_all(secret.expose_secret().as_bytes()).map_err(|error| cannot_write(&path, &error))?;
    Ok(format!("credentials/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key(text: &str) -> Option<String> {
        with_lines(text, "main", &["api_key = { file = \"k\" }".to_owned()])
    }

    #[test]
    fn a_section_that_is_there_gets_the_lines_and_one_that_is_not_is_added() {
        let there = "[stripe.main]   # ours\napi_base = \"http://127.0.0.1:1\"\n\n[money]\n";
        let changed = with_key(there).unwrap();
        assert_eq!(
            changed,
            "[stripe.main]   # ours\napi_key = { file = \"k\" }\napi_base = \"http://127.0.0.1:1\"\n\n[money]\n"
        );
        let added = with_key("# [stripe.main]\n[money]\n").unwrap();
        assert!(added.ends_with("[money]\n\n[stripe.main]\napi_key = { file = \"k\" }\n"));
    }

    fn registered(endpoint: Endpoint, id: &str, secret: Option<&str>) -> Registered {
        let (became, secret) = (bursar_engine::connect::Became::New, secret.map(SecretString::from));
        Registered { id: id.to_owned(), endpoint, became, secret, events: Vec::new() }
    }

    #[test]
    fn each_endpoint_keeps_a_secret_of_its_own_and_none_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bursar.toml");
        std::fs::write(&file, "[stripe.main]\nconnected_accounts = [\"acct_1\"]\n").unwrap();
        let options = crate::config::CliOptions { config: Some(file.clone()), ..Default::default() };
        let load =
            || crate::config::load(&options, &crate::config::Environment::from([("HOME", "/h")])).unwrap();
        let key = Key {
            secret: crate::config::Secret::new("rk_test_x".to_owned().into(), crate::config::KeptIn::Clear),
            is_new: false,
        };
        let both = [
            registered(Endpoint::Account, "we_1", Some("whsec_one")),
            registered(Endpoint::Connect, "we_2", Some("whsec_two")),
        ];
        let kept = keep("main", &load(), &key, &both).unwrap();
        assert_eq!(kept.by_hand, Vec::<String>::new());
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.contains("webhook_secrets = [{ file = \"credentials/stripe-main-webhook.secret\" }]"),
            "{text}"
        );
        assert!(
            text.contains(
                "connect_webhook_secrets = [{ file = \"credentials/stripe-main-connect-webhook.secret\" }]"
            ),
            "{text}"
        );
        assert_eq!(text.matches("ingest = ").count(), 1, "{text}");
        let secret =
            |name: &str| std::fs::read_to_string(folder.path().join("credentials").join(name)).unwrap();
        assert_eq!(secret("stripe-main-connect-webhook.secret"), "whsec_two");
        // Another endpoint: the first still sends, so that its secret stays.
        let kept =
            keep("main", &load(), &key, &[registered(Endpoint::Account, "we_3", Some("whsec_3"))]).unwrap();
        assert_eq!(secret("stripe-main-webhook.secret"), "whsec_one");
        assert_eq!(secret("stripe-main-webhook-we_3.secret"), "whsec_3");
        assert!(kept.by_hand[0].starts_with("webhook_secrets = "), "{:?}", kept.by_hand);
    }

    #[test]
    fn a_secret_that_stripe_does_not_tell_again_is_asked_of_a_person() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bursar.toml");
        std::fs::write(&file, "[stripe.main]\n").unwrap();
        let options = crate::config::CliOptions { config: Some(file), ..Default::default() };
        let config =
            crate::config::load(&options, &crate::config::Environment::from([("HOME", "/h")])).unwrap();
        let key = Key {
            secret: crate::config::Secret::new("rk_test_x".to_owned().into(), crate::config::KeptIn::Clear),
            is_new: false,
        };
        let kept = keep("main", &config, &key, &[registered(Endpoint::Account, "we_1", None)]).unwrap();
        assert_eq!(kept.files, Vec::<String>::new());
        assert!(
            kept.by_hand[0].ends_with("# the signing secret of we_1, from Stripe's Dashboard"),
            "{:?}",
            kept.by_hand
        );
    }

    #[test]
    fn a_section_in_another_form_is_left_to_a_person() {
        assert_eq!(with_key("[stripe]\nmain = { mode = \"observe\" }\n"), None);
        assert_eq!(with_key("[stripe.main]\napi_key = { env = \"K\" }\n"), None);
    }
}
