//! The configuration in force as people see it: one line for each setting, secrets masked, with its origin.

use serde_json::Value;

use super::node::join;
use super::secret::{KeptIn, Secret};
use super::{Config, Origin};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub path: String,
    pub value: Value,
    pub origin: String,
}

/// Every effective setting in order of its path.
pub fn lines(config: &Config) -> Result<Vec<Line>, serde_json::Error> {
    let mut flat = Vec::new();
    flatten("", serde_json::to_value(&config.settings)?, &mut flat);
    let origin = |path: &str| match config.origins.get(path) {
        Some(origin) => origin.to_string(),
        None => Origin::Default.to_string(),
    };
    let line = |(path, value): (String, Value)| {
        let origin = origin(&path);
        let kept = secret_at(config, &path).map(place_of).filter(|kept| *kept != origin);
        let origin = kept.map_or_else(|| origin.clone(), |kept| format!("{origin}, {kept}"));
        Line { path, value, origin }
    };
    let mut lines: Vec<Line> = flat.into_iter().map(line).collect();
    lines.push(Line {
        path: "data_dir".to_owned(),
        value: Value::from(config.data_dir.display().to_string()),
        origin: "settled".to_owned(),
    });
    Ok(lines)
}

/// Lists stay whole unless their elements have places of their own.
fn flatten(path: &str, value: Value, flat: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                flatten(&join(path, &key), value, flat);
            }
        }
        Value::Array(values) if path.ends_with("secrets") || values.iter().any(Value::is_object) => {
            for (index, value) in values.into_iter().enumerate() {
                flatten(&format!("{path}[{index}]"), value, flat);
            }
        }
        Value::Null => {}
        value => flat.push((path.to_owned(), value)),
    }
}

fn secret_at<'a>(config: &'a Config, path: &str) -> Option<&'a Secret> {
    match path {
        "mail.smtp.password" => return config.settings.mail.smtp.as_ref()?.password.as_ref(),
        "storage.password" => return config.settings.storage.password.as_ref(),
        "storage.master_key" => return config.settings.storage.master_key.as_ref(),
        _ => {}
    }
    if let Some(place) = path.strip_prefix("alerts.webhook.secrets[") {
        let index: usize = place.strip_suffix(']')?.parse().ok()?;
        return config.settings.alerts.webhook.as_ref()?.secrets.get(index);
    }
    let (name, key) = path.strip_prefix("stripe.")?.rsplit_once('.')?;
    let account = config.settings.stripe.get(name)?;
    let index =
        |list: &str| key.strip_prefix(list)?.strip_prefix('[')?.strip_suffix(']')?.parse::<usize>().ok();
    if key == "api_key" {
        account.api_key.as_ref()
    } else if let Some(index) = index("webhook_secrets") {
        account.webhook_secrets.get(index)
    } else {
        account.connect_webhook_secrets.get(index("connect_webhook_secrets")?)
    }
}

fn place_of(secret: &Secret) -> String {
    match secret.kept_in() {
        KeptIn::Clear => "in clear".to_owned(),
        KeptIn::File(path) => path.clone(),
        KeptIn::Variable(name) => name.clone(),
    }
}
