//! Keeps what was connected: each secret in a file of its own below `credentials/`, and its name in the configuration.
//! The configuration is changed only where the result is still TOML and no setting is written over; what cannot be
//! written there is handed back as lines for a person to put in.

use std::path::Path;

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
    registered: Option<&Registered>,
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
    if let Some(registered) = registered {
        let path = write_secret(folder, &format!("stripe-{name}-webhook.secret"), &registered.secret)?;
        settings.push(("webhook_secrets", format!("[{{ file = \"{path}\" }}]")));
        settings.push(("ingest", "[\"poll\", \"webhook\"]".to_owned()));
        kept.files.push(path);
    }
    let stands =
        |setting: &str| config.origins.get(&format!("stripe.{name}.{setting}")).is_some_and(Origin::is_file);
    let (standing, new): (Vec<_>, Vec<_>) = settings.into_iter().partition(|(setting, _)| stands(setting));
    let lines = |settings: Vec<(&str, String)>| -> Vec<String> {
        settings.into_iter().map(|(setting, value)| format!("{setting} = {value}")).collect()
    };
    kept.by_hand = lines(standing);
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

    #[test]
    fn a_section_in_another_form_is_left_to_a_person() {
        assert_eq!(with_key("[stripe]\nmain = { mode = \"observe\" }\n"), None);
        assert_eq!(with_key("[stripe.main]\napi_key = { env = \"K\" }\n"), None);
    }
}
