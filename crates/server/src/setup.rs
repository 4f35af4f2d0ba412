//! The first people of an installation. Nobody can sign in with anything that was known beforehand: passwords and tokens
//! are drawn here and written once, readable by the owner only.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use bursar_domain::actor::Actor;
use bursar_domain::role::Role;
use bursar_engine::{Clocks, Engine, HomeMoney, NewPerson, Settings};
use bursar_store::people::Token;
use bursar_stripe::currency::Currency;
use serde_json::{Map, Value, json};

use crate::http::auth::{hash_of, new_token};

/// What was drawn.
pub struct FirstPeople {
    /// Where passwords and tokens lie.
    pub file: PathBuf,
    pub names: Vec<String>,
}

/// Name, address and roles of those an installation begins with.
fn first_people(single_operator: bool) -> Vec<(&'static str, &'static str, Vec<Role>)> {
    if single_operator {
        return vec![("Owner", "owner@localhost", Role::ALL.to_vec())];
    }
    vec![
        ("Operator", "operator@localhost", vec![Role::Operator]),
        ("Controller", "controller@localhost", vec![Role::Controller]),
        ("Support", "support@localhost", vec![Role::Support]),
        ("Platform", "platform@localhost", vec![Role::Platform]),
    ]
}

/// Creates them where nobody is there yet; nothing where somebody is.
pub async fn create_people(
    store: bursar_store::Options,
    single_operator: bool,
) -> anyhow::Result<Option<FirstPeople>> {
    let file = store.data_dir.join("people.json");
    let engine = Engine::open(bare_settings(store), Clocks::system()).await?;
    if !engine.people().await?.is_empty() {
        // Said by hand to an installation that is there: the one way to give this right later.
        if single_operator && !engine.is_single_operator() {
            engine.set_single_operator(true).await?;
        }
        engine.stop().await;
        return Ok(None);
    }
    if single_operator {
        engine.set_single_operator(true).await?;
    }
    let (mut people, mut tokens, mut names) = (Vec::new(), Map::new(), Vec::new());
    for (name, email, roles) in first_people(single_operator) {
        let password = new_token(&engine, "first").split_off("bursar_first_".len());
        let new = NewPerson {
            email: email.to_owned(),
            name: name.to_owned(),
            roles: roles.clone(),
            password_hash: Some(hash_password(&password)?),
        };
        let person = engine.save_person(&Actor::Engine, new).await?;
        let token = new_token(&engine, "user");
        let row = Token {
            id: engine.new_token_id(),
            person,
            name: "first token".to_owned(),
            kind: "user".to_owned(),
            roles: roles.clone(),
            expires_at: None,
            revoked: false,
        };
        engine.add_token(&Actor::Engine, row, hash_of(&token)).await?;
        for role in &roles {
            tokens.insert(role.as_str().to_owned(), token.clone().into());
        }
        let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        people.push(
            json!({"name": name, "email": email, "password": password, "token": token, "roles": roles}),
        );
        names.push(format!("{name} <{email}>"));
    }
    write_secret(&file, &json!({"people": people, "tokens": Value::Object(tokens)}))?;
    engine.stop().await;
    Ok(Some(FirstPeople { file, names }))
}

/// Only this user looks in: keys, tokens and everything about customers lie there. A directory that exists stays as it is.
pub fn make_data_dir(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// How passwords are kept.
pub fn hash_password(password: &str) -> anyhow::Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|error| anyhow::anyhow!("the password could not be hashed: {error}"))?.to_string())
}

fn bare_settings(store: bursar_store::Options) -> Settings {
    Settings {
        store,
        connections: Vec::new(),
        policies: bursar_policy::default_set(),
        playbooks: std::collections::BTreeMap::new(),
        home: HomeMoney { currency: Currency::USD, rates: std::collections::BTreeMap::new() },
        assist_role: Role::Operator,
        approval_expiry: Duration::from_secs(86_400),
        mail: None,
        mirror_age_max: Duration::from_secs(600),
        workers: 1,
        zone: jiff::tz::TimeZone::UTC,
        separation: bursar_engine::Separation::AsInstalled,
        clock: bursar_engine::ClockTrust::Compared,
        node_silence: Duration::from_secs(8),
        alerts: None,
    }
}

fn write_secret(path: &Path, document: &Value) -> anyhow::Result<()> {
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut file = open.open(path).with_context(|| format!("writing {}", path.display()))?;
    file.write_all(serde_json::to_string_pretty(document)?.as_bytes())?;
    Ok(file.sync_all()?)
}
