//! A database that is a restored copy: how far it was compared with Stripe, and a controller's act that lets things leave
//! again.

use axum::Json;
use axum::extract::State;
use bursar_domain::role::Role;
use bursar_engine::{Lift, Restored};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::query::Query;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Ids and amounts of everything that was found.
const LOOKERS: &[Role] = &[Role::Operator, Role::Controller, Role::Platform];

pub async fn show(
    State(state): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    caller.require(LOOKERS)?;
    Ok(Json(document(state.engine.restored().await?)))
}

fn document(restored: Option<Restored>) -> Value {
    let held = restored.is_some();
    let mut document = restored.map_or_else(|| json!({}), |restored| json!(restored));
    document["object"] = "restore".into();
    document["held"] = held.into();
    document
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiftBody {
    #[serde(default)]
    although_incomplete: bool,
}

pub async fn lift(
    State(state): State<AppState>,
    caller: Caller,
    body: Body<LiftBody>,
) -> Result<Json<Value>, Problem> {
    if !caller.may_vote {
        let why = "only people let things leave again, with a token of their own; nothing was changed";
        return Err(Problem::forbidden(why));
    }
    caller.require(&[Role::Controller])?;
    let lift = Lift {
        person: caller.person.clone(),
        name: caller.name.clone(),
        roles: caller.roles.clone(),
        although_incomplete: body.value.although_incomplete,
    };
    state.engine.lift_restored(lift).await?;
    Ok(Json(document(None)))
}
