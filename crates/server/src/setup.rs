//! The first people of an installation. Nobody can sign in with anything that was known beforehand: passwords and tokens
//! are drawn here and written once, readable by the owner only.

use std::collections::BTreeMap;
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
use serde::{Deserialize, Serialize};

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

/// What is handed over: `people.json`.
#[derive(Debug, Deserialize, Serialize)]
struct Drawn {
    people: Vec<Member>,
    /// By role.
    tokens: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Member {
    email: String,
    name: String,
    password: String,
    roles: Vec<String>,
    token: String,
}

/// Creates them where nobody is there yet; nothing where somebody is. What is drawn is on disk before anybody is made of it:
/// whoever is killed in between goes on with the same passwords and tokens, and nobody is there whose password is lost.
pub async fn create_people(
    store: bursar_store::Options,
    single_operator: bool,
) -> anyhow::Result<Option<FirstPeople>> {
    let file = store.data_dir.join("people.json");
    let begun = store.data_dir.join("people.json.new");
    let engine = Engine::open(bare_settings(store), Clocks::system()).await?;
    let drawn = match read_whole(&begun) {
        Some(drawn) => drawn,
        None if !engine.people().await?.is_empty() => {
            // Said by hand to an installation that is there: the one way to give this right later.
            if single_operator && !engine.is_single_operator() {
                engine.set_single_operator(true).await?;
            }
            engine.stop().await;
            return Ok(None);
        }
        None => {
            anyhow::ensure!(
                !file.exists(),
                "{} is there, and nobody is in this database: it belongs to another one. Move it away; nobody was made",
                file.display()
            );
            let drawn = draw(&engine, single_operator);
            write_secret(&begun, &drawn)?;
            drawn
        }
    };
    if single_operator && !engine.is_single_operator() {
        engine.set_single_operator(true).await?;
    }
    for member in &drawn.people {
        make(&engine, member).await?;
    }
    std::fs::rename(&begun, &file).with_context(|| format!("writing {}", file.display()))?;
    engine.stop().await;
    let names = drawn.people.iter().map(|member| format!("{} <{}>", member.name, member.email)).collect();
    Ok(Some(FirstPeople { file, names }))
}

fn draw(engine: &Engine, single_operator: bool) -> Drawn {
    let mut drawn = Drawn { people: Vec::new(), tokens: BTreeMap::new() };
    for (name, email, roles) in first_people(single_operator) {
        let token = new_token(engine, "user");
        for role in &roles {
            drawn.tokens.insert(role.as_str().to_owned(), token.clone());
        }
        drawn.people.push(Member {
            email: email.to_owned(),
            name: name.to_owned(),
            password: new_token(engine, "first").split_off("bursar_first_".len()),
            roles: roles.iter().map(|role| role.as_str().to_owned()).collect(),
            token,
        });
    }
    drawn
}

/// What is there of a person stays as it is.
async fn make(engine: &Engine, member: &Member) -> anyhow::Result<()> {
    let roles: Vec<Role> = member
        .roles
        .iter()
        .map(|role| role.parse().map_err(|_| anyhow::anyhow!("there is no role {role}")))
        .collect::<anyhow::Result<_>>()?;
    let person = if let Some(known) = engine.person_by_email(&member.email).await? {
        known.id
    } else {
        let new = NewPerson {
            email: member.email.clone(),
            name: member.name.clone(),
            roles: roles.clone(),
            password_hash: Some(hash_password(&member.password)?),
        };
        engine.save_person(&Actor::Engine, new).await?
    };
    let hash = hash_of(&member.token);
    if engine.token_by_hash(&hash).await?.is_some() {
        return Ok(());
    }
    let row = Token {
        id: engine.new_token_id(),
        person,
        name: "first token".to_owned(),
        kind: "user".to_owned(),
        roles,
        expires_at: None,
        revoked: false,
    };
    Ok(engine.add_token(&Actor::Engine, row, hash).await?)
}

/// Nothing where there is none, or where writing it was cut short: then nobody was made of it.
fn read_whole(begun: &Path) -> Option<Drawn> {
    serde_json::from_slice(&std::fs::read(begun).ok()?).ok()
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
        playbooks: BTreeMap::new(),
        home: HomeMoney { currency: Currency::USD, rates: BTreeMap::new() },
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

fn write_secret(path: &Path, drawn: &Drawn) -> anyhow::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut file = open.open(path).with_context(|| format!("writing {}", path.display()))?;
    file.write_all(serde_json::to_string_pretty(drawn)?.as_bytes())?;
    Ok(file.sync_all()?)
}
