//! What operators and platform engineers change: modes, kill switches, parked jobs, what was set aside, tasks, backfill.

use axum::Json;
use axum::extract::State;
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_engine::{BackfillSpan, SetMode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::list as page_of;
use super::path::Path;
use super::query::Query;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Who runs the installation.
pub(super) const OPERATIONS: &[Role] = &[Role::Platform, Role::Operator];

pub async fn modes(State(state): State<AppState>, _: Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    Ok(page_of("/api/v1/modes", state.engine.modes().await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeBody {
    playbook: String,
    lane: Option<String>,
    mode: Mode,
}

pub async fn set_mode(
    State(state): State<AppState>,
    caller: Caller,
    body: Body<ModeBody>,
) -> Result<Json<Value>, Problem> {
    caller.require(&[Role::Platform, Role::Controller])?;
    let ModeBody { playbook, lane, mode } = body.value;
    state.engine.set_mode(&caller.actor, SetMode { playbook, lane, mode }).await?;
    Ok(page_of("/api/v1/modes", state.engine.modes().await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillBody {
    scope: String,
    reason: String,
}

/// Anybody with a say may stop things.
pub async fn kill(
    State(state): State<AppState>,
    caller: Caller,
    body: Body<KillBody>,
) -> Result<Json<Value>, Problem> {
    caller.require(&[Role::Platform, Role::Operator, Role::Controller])?;
    let reason = body.value.reason.trim();
    if reason.is_empty() {
        return Err(Problem::unprocessable(
            "reason",
            "say why, for those who find things stopped; nothing was stopped",
        ));
    }
    state.engine.kill(&caller.actor, &body.value.scope, reason).await?;
    Ok(Json(json!({"object": "kill_switch", "scope": body.value.scope, "thrown": true})))
}

/// Starting them again is for fewer people.
pub async fn revive(
    State(state): State<AppState>,
    caller: Caller,
    Path(scope): Path,
) -> Result<Json<Value>, Problem> {
    caller.require(&[Role::Platform, Role::Controller])?;
    state.engine.revive(&caller.actor, &scope).await?;
    Ok(Json(json!({"object": "kill_switch", "scope": scope, "thrown": false})))
}

pub async fn dead_letters(
    State(state): State<AppState>,
    _: Caller,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&["limit"])?;
    Ok(page_of("/api/v1/dead_letters", state.engine.dead_letters(query.limit()?).await?))
}

pub async fn retry_dead_letter(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Json<Value>, Problem> {
    caller.require(OPERATIONS)?;
    state.engine.retry_dead_letter(&caller.actor, &id).await?;
    Ok(Json(json!({"object": "dead_letter", "id": id, "state": "queued"})))
}

/// What was set aside, as it came: it may hold anything of a customer's.
pub async fn quarantined(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    caller.require(OPERATIONS)?;
    Ok(Json(state.engine.quarantined_event(&id).await?))
}

pub async fn retry_quarantined(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Json<Value>, Problem> {
    caller.require(&[Role::Platform])?;
    Ok(Json(state.engine.retry_quarantined(&caller.actor, &id).await?))
}

#[expect(clippy::struct_field_names, reason = "seconds, as every number of the API says its unit")]
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillBody {
    since_s: i64,
    /// Up to now when it is not said.
    #[serde(default)]
    until_s: i64,
    as_of_s: Option<i64>,
}

pub async fn backfill(
    State(state): State<AppState>,
    caller: Caller,
    body: Body<BackfillBody>,
) -> Result<Json<Value>, Problem> {
    caller.require(OPERATIONS)?;
    let BackfillBody { since_s, until_s, as_of_s } = body.value;
    let done = state.engine.backfill_events(BackfillSpan { since_s, until_s, as_of_s }).await?;
    Ok(Json(json!({"object": "backfill", "since_s": since_s, "until_s": until_s, "as_of_s": done.as_of_s,
        "new_events": done.new_events})))
}

pub async fn permissions(
    State(state): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    caller.require(OPERATIONS)?;
    let lanes: Vec<Value> = state
        .engine
        .permissions()
        .await?
        .into_iter()
        .map(|(lane, permissions)| json!({"object": "lane_permissions", "lane": lane, "permissions": permissions}))
        .collect();
    Ok(Json(json!({"object": "list", "url": "/api/v1/permissions", "has_more": false, "data": lanes})))
}

pub async fn finish_task(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Json<Value>, Problem> {
    let role = state.engine.role_of_task(&id).await?.ok_or_else(|| Problem::not_found("open task"))?;
    caller.require(&[role])?;
    state.engine.finish_task(&caller.actor, &id).await?;
    Ok(Json(json!({"object": "task", "id": id, "state": "done"})))
}
