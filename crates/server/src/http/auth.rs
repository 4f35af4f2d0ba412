//! Who is calling: a bearer token for scripts, a session cookie for people. Tokens are random, carry a checksum so that
//! scanners can find leaked ones, and are kept as hashes only.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use bursar_domain::actor::Actor;
use bursar_domain::canonical::hash_hex;
use bursar_domain::id::PersonId;
use bursar_domain::role::Role;
use bursar_engine::{Engine, Viewer};
use bursar_store::people::Session;

use super::problem::Problem;
use super::state::AppState;

/// An established caller. Roles are those of the token and the person together, read at this request.
#[derive(Clone, Debug)]
pub struct Caller {
    pub person: PersonId,
    pub name: String,
    pub roles: Vec<Role>,
    pub actor: Actor,
    /// Only people vote: a person's own session or user token. Agents and API keys never do.
    pub may_vote: bool,
    /// How votes are recorded: `console` or `api`.
    pub method: &'static str,
}

/// Who has the whole audit checked: that reads everything that was ever recorded.
pub const CHECKS_AUDIT: &[Role] = &[Role::Operator, Role::Controller];

impl Caller {
    pub fn viewer(&self) -> Viewer {
        Viewer {
            person: self.person.clone(),
            roles: if self.may_vote { self.roles.clone() } else { Vec::new() },
        }
    }

    /// Fails unless the caller holds one of these roles.
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        if self.roles.iter().any(|role| roles.contains(role)) {
            return Ok(());
        }
        let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        Err(Problem::forbidden(format!("this needs the role {}; nothing was changed", names.join(" or "))))
    }
}

/// The cookie of a console session. With TLS the `__Host-` prefix pins it to this host.
pub fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-bursar" } else { "bursar" }
}

const TOKEN_BODY: usize = 32;
/// Whoever may approve does not stay signed in for a day without touching anything.
pub const SESSION_IDLE_S: i64 = 8 * 3600;
pub const SESSION_MAX_S: i64 = 24 * 3600;

/// A new token: prefix, 32 random characters, 6 of checksum.
pub fn new_token(engine: &Engine, kind: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let body: String = engine
        .entropy()
        .bytes::<TOKEN_BODY>()
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect();
    let checksum = &hash_hex(body.as_bytes())[..6];
    format!("bursar_{kind}_{body}{checksum}")
}

/// How a token or a session id is kept.
pub fn hash_of(secret: &str) -> String {
    hash_hex(secret.as_bytes())
}

async fn by_token(state: &AppState, token: &str) -> Result<Caller, Problem> {
    // A key of Stripe's is no token of ours, and is not looked at further.
    if !token.starts_with("bursar_") || token.len() > 200 {
        return Err(Problem::unauthorized("this is not a Bursar token"));
    }
    let known = state.engine.token_by_hash(&hash_of(token)).await?;
    let known = known.ok_or_else(|| Problem::unauthorized("this token is not known"))?;
    let now = state.engine.clocks().machine().micros();
    if known.revoked || known.expires_at.is_some_and(|at| at <= now) {
        return Err(Problem::unauthorized("this token has expired or was revoked"));
    }
    let person = state.engine.person(&known.person).await?;
    let person = person.filter(|person| !person.disabled);
    let person = person.ok_or_else(|| Problem::unauthorized("the owner of this token is no longer here"))?;
    let roles: Vec<Role> = known.roles.iter().copied().filter(|role| person.roles.contains(role)).collect();
    let is_user = known.kind == "user";
    let actor = match known.kind.as_str() {
        "user" => Actor::Person { id: person.id.clone(), name: person.name.clone() },
        "agent" => Actor::Agent { id: known.id, name: known.name, owner: person.id.clone() },
        _ => Actor::ApiKey { id: known.id, name: known.name, owner: person.id.clone() },
    };
    Ok(Caller { person: person.id, name: person.name, roles, actor, may_vote: is_user, method: "api" })
}

/// The session of a cookie, if it still holds.
pub async fn session(state: &AppState, parts: &Parts) -> Result<Option<Session>, Problem> {
    let Some(id) = cookie(parts, cookie_name(state.secure_cookies)) else { return Ok(None) };
    let known = state.engine.session(&hash_of(id)).await?;
    let now = state.engine.clocks().machine().micros();
    let idle_since = now - SESSION_IDLE_S * 1_000_000;
    let holds = known.filter(|session| session.expires_at > now && session.seen_at > idle_since);
    if let Some(session) = &holds
        && now - session.seen_at > 60_000_000
    {
        state.engine.touch_session(&session.hash).await?;
    }
    Ok(holds)
}

async fn by_session(state: &AppState, session: &Session) -> Result<Caller, Problem> {
    let person = state.engine.person(&session.person).await?.filter(|person| !person.disabled);
    let person = person.ok_or_else(|| Problem::unauthorized("this session has ended"))?;
    let actor = Actor::Person { id: person.id.clone(), name: person.name.clone() };
    Ok(Caller {
        person: person.id,
        name: person.name,
        roles: person.roles,
        actor,
        may_vote: true,
        method: "console",
    })
}

pub fn cookie<'p>(parts: &'p Parts, name: &str) -> Option<&'p str> {
    parts
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// For the API: a bearer token, or, to read only, the console's session.
impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let mut given = parts.headers.get_all(AUTHORIZATION).iter();
        if let Some(value) = given.next() {
            if given.next().is_some() {
                return Err(Problem::unauthorized("send one `Authorization` header"));
            }
            let text = value.to_str().unwrap_or_default();
            let token = text.strip_prefix("Bearer ").unwrap_or_default().trim();
            return by_token(state, token).await;
        }
        // A cookie is sent by itself, so it must never be able to change anything here.
        if parts.method == axum::http::Method::GET
            && let Some(session) = session(state, parts).await?
        {
            return by_session(state, &session).await;
        }
        Err(Problem::unauthorized("send `Authorization: Bearer <token>`"))
    }
}

/// For the console: a person with their session, or nobody.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub caller: Caller,
    pub session: Session,
}

impl OptionalFromRequestParts<AppState> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Option<Self>, Problem> {
        match session(state, parts).await? {
            Some(session) => Ok(Some(SignedIn { caller: by_session(state, &session).await?, session })),
            None => Ok(None),
        }
    }
}
