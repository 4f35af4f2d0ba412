//! People, their bearer tokens and their console sessions. Secrets are stored as hashes only.

use bursar_domain::id::{PersonId, TokenId};
use bursar_domain::role::Role;

use crate::{Db, Error, Result, Row, Tx, params};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub email: String,
    pub name: String,
    pub roles: Vec<Role>,
    pub password_hash: Option<String>,
    pub disabled: bool,
}

fn roles_text(roles: &[Role]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",")
}

fn parse_roles(text: &str) -> Option<Vec<Role>> {
    text.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

/// Creates a person, or changes name, roles and password of the one with this e-mail address.
pub async fn save(tx: &mut Tx, person: &Person, at: i64) -> Result<()> {
    let roles = roles_text(&person.roles);
    let disabled_at = person.disabled.then_some(at);
    let sql = "INSERT INTO people (id, email, name, password_hash, roles, created_at, disabled_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (email) DO UPDATE SET name = excluded.name, password_hash = excluded.password_hash,
                   roles = excluded.roles, disabled_at = excluded.disabled_at";
    let row = params![
        person.id.as_str(),
        &person.email,
        &person.name,
        person.password_hash.as_deref(),
        &roles,
        at,
        disabled_at
    ];
    tx.execute(sql, row).await.map(|_| ())
}

const PERSON: &str = "SELECT id, email, name, password_hash, roles, disabled_at FROM people";

fn person(row: &Row) -> Result<Person> {
    Ok(Person {
        id: row.parse("people", "id", |text| text.parse().ok())?,
        email: row.text("email")?,
        name: row.text("name")?,
        roles: row.parse("people", "roles", parse_roles)?,
        password_hash: row.opt_text("password_hash")?,
        disabled: row.opt_int("disabled_at")?.is_some(),
    })
}

pub async fn get(db: &mut Db, id: &PersonId) -> Result<Option<Person>> {
    let rows = db.built(format!("{PERSON} WHERE id = $1"), params![id.as_str()]).await?;
    rows.first().map(person).transpose()
}

pub async fn by_email(db: &mut Db, email: &str) -> Result<Option<Person>> {
    let rows = db.built(format!("{PERSON} WHERE email = $1"), params![email]).await?;
    rows.first().map(person).transpose()
}

pub async fn all(db: &mut Db) -> Result<Vec<Person>> {
    db.built(format!("{PERSON} ORDER BY name"), &[]).await?.iter().map(person).collect()
}

/// What a bearer token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub person: PersonId,
    pub name: String,
    /// `user` speaks as the person; `agent` proposes for itself and never votes.
    pub kind: String,
    pub roles: Vec<Role>,
    pub expires_at: Option<i64>,
    pub revoked: bool,
}

pub async fn add_token(tx: &mut Tx, token: &Token, hash: &str, at: i64) -> Result<()> {
    let roles = roles_text(&token.roles);
    let sql = "INSERT INTO tokens (id, hash, person, name, kind, roles, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (hash) DO NOTHING";
    let row = params![
        token.id.as_str(),
        hash,
        token.person.as_str(),
        &token.name,
        &token.kind,
        &roles,
        at,
        token.expires_at
    ];
    tx.execute(sql, row).await.map(|_| ())
}

/// Every token that was ever made, those that were revoked included.
pub async fn tokens(db: &mut Db) -> Result<Vec<Token>> {
    let sql = "SELECT id, person, name, kind, roles, expires_at, revoked_at FROM tokens ORDER BY id";
    db.all(sql, &[]).await?.iter().map(token).collect()
}

pub async fn token_by_hash(db: &mut Db, hash: &str) -> Result<Option<Token>> {
    let sql = "SELECT id, person, name, kind, roles, expires_at, revoked_at FROM tokens WHERE hash = $1";
    db.first(sql, params![hash]).await?.as_ref().map(token).transpose()
}

fn token(row: &Row) -> Result<Token> {
    Ok(Token {
        id: row.parse("tokens", "id", |text| text.parse().ok())?,
        person: row.parse("tokens", "person", |text| text.parse().ok())?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        roles: row.parse("tokens", "roles", parse_roles)?,
        expires_at: row.opt_int("expires_at")?,
        revoked: row.opt_int("revoked_at")?.is_some(),
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub hash: String,
    pub person: PersonId,
    pub csrf: String,
    /// Machine time.
    pub seen_at: i64,
    pub expires_at: i64,
}

pub async fn add_session(tx: &mut Tx, session: &Session) -> Result<()> {
    let sql = "INSERT INTO sessions (hash, person, csrf, created_at, seen_at, expires_at)
               VALUES ($1, $2, $3, $4, $4, $5)";
    let row =
        params![&session.hash, session.person.as_str(), &session.csrf, session.seen_at, session.expires_at];
    tx.execute(sql, row).await.map(|_| ())
}

pub async fn session(db: &mut Db, hash: &str) -> Result<Option<Session>> {
    let sql = "SELECT hash, person, csrf, seen_at, expires_at FROM sessions WHERE hash = $1";
    let Some(row) = db.first(sql, params![hash]).await? else { return Ok(None) };
    let person = row.text("person")?;
    Ok(Some(Session {
        hash: row.text("hash")?,
        person: person.parse().map_err(|_| Error::corrupt("sessions", "person", person))?,
        csrf: row.text("csrf")?,
        seen_at: row.int("seen_at")?,
        expires_at: row.int("expires_at")?,
    }))
}

pub async fn touch_session(tx: &mut Tx, hash: &str, at: i64) -> Result<()> {
    tx.execute("UPDATE sessions SET seen_at = $1 WHERE hash = $2", params![at, hash]).await.map(|_| ())
}

pub async fn end_session(tx: &mut Tx, hash: &str) -> Result<()> {
    tx.execute("DELETE FROM sessions WHERE hash = $1", params![hash]).await.map(|_| ())
}

/// Sessions that are over.
pub async fn end_sessions_before(tx: &mut Tx, expired: i64, idle_since: i64) -> Result<()> {
    let sql = "DELETE FROM sessions WHERE expires_at < $1 OR seen_at < $2";
    tx.execute(sql, params![expired, idle_since]).await.map(|_| ())
}
