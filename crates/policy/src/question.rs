//! What is put to the policies: who wants to do what, where, and what is known about it; and the same in Cedar's terms.

use std::collections::{HashMap, HashSet};

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::effect::Effect;
use bursar_domain::facts::{FactName, FactValue, Facts};
use bursar_domain::lane::Lane;
use bursar_domain::role::Role;
use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression, Schema};

use crate::path::View;
use crate::schema::{self, MODEL};

/// One question to a policy set.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub actor: &'a Actor,
    /// Roles the actor holds itself: a person's, or those a key or an agent was given.
    pub roles: &'a [Role],
    pub verb: &'a str,
    pub effects: &'a [Effect],
    pub lane: &'a Lane,
    /// Stripe's kind and id of what it is done to.
    pub target: Option<(&'a str, &'a str)>,
    pub facts: &'a Facts,
}

impl<'a> Question<'a> {
    pub fn about(
        action: &'a Action,
        actor: &'a Actor,
        roles: &'a [Role],
        lane: &'a Lane,
        facts: &'a Facts,
    ) -> Self {
        Self {
            actor,
            roles,
            verb: action.verb(),
            effects: action.effects(),
            lane,
            target: action.target(),
            facts,
        }
    }
}

/// A question in Cedar's terms. Only the facts are left open, so that it can be asked again with one of them different.
pub(crate) struct Asked<'a> {
    pub entities: Entities,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    target: Option<(&'a str, &'a str)>,
}

impl<'a> Asked<'a> {
    /// Fails with what Cedar says; the action must be one the schema knows.
    pub fn new(question: &Question<'a>) -> Result<Asked<'a>, String> {
        let action =
            MODEL.verbs.get(question.verb).ok_or_else(|| format!("no action `{}`", question.verb))?;
        let actor_type = schema::actor_type(question.actor);
        let actor_type = MODEL.actors.get(actor_type).ok_or_else(|| format!("no actor `{actor_type}`"))?;
        let principal = schema::uid(actor_type.clone(), actor_id(question.actor));
        let holds_roles =
            question.actor.person().is_some() && !matches!(question.actor, Actor::Playbook { .. });
        let roles: HashSet<EntityUid> = question
            .roles
            .iter()
            .filter(|_| holds_roles)
            .filter_map(|role| MODEL.roles.get(role).cloned())
            .collect();
        let lane = question.lane;
        let resource = schema::uid(MODEL.lane.clone(), &lane.to_string());
        let attributes = HashMap::from([
            ("account".to_owned(), RestrictedExpression::new_string(lane.account.as_str().to_owned())),
            ("livemode".to_owned(), RestrictedExpression::new_bool(lane.livemode)),
        ]);
        let lane_entity =
            Entity::new(resource.clone(), attributes, HashSet::new()).map_err(|error| error.to_string())?;
        let entities = [action.clone(), Entity::new_no_attrs(principal.clone(), roles), lane_entity];
        Ok(Asked {
            entities: Entities::from_entities(entities, None).map_err(|error| error.to_string())?,
            principal,
            action: action.uid(),
            resource,
            target: question.target,
        })
    }

    /// The same, of nothing in particular.
    pub fn without_target(self) -> Asked<'static> {
        Asked {
            entities: self.entities,
            principal: self.principal,
            action: self.action,
            resource: self.resource,
            target: None,
        }
    }

    /// The request, checked against the schema where one is given: facts that came out of JSON may have any type.
    pub fn request(&self, view: &View<'_>, schema: Option<&Schema>) -> Result<Request, String> {
        let context = Context::from_pairs(context(view, self.target)).map_err(|error| error.to_string())?;
        Request::new(self.principal.clone(), self.action.clone(), self.resource.clone(), context, schema)
            .map_err(|error| error.to_string())
    }
}

/// `usr_…`, `recovery`: what stands in `Bursar::Person::"usr_…"`.
fn actor_id(actor: &Actor) -> &str {
    match actor {
        Actor::Person { id, .. } => id.as_str(),
        Actor::ApiKey { id, .. } | Actor::Agent { id, .. } => id.as_str(),
        Actor::Playbook { name, .. } => name,
        Actor::Engine => "engine",
    }
}

type Pair = (String, RestrictedExpression);

/// The facts as attributes. The action's own money lies flat, all other money is a record.
fn context(view: &View<'_>, target: Option<(&str, &str)>) -> Vec<Pair> {
    let mut pairs = Vec::with_capacity(32);
    if let Some((kind, id)) = target {
        pairs.push(text("target_kind", kind));
        pairs.push(text("target_id", id));
    }
    for (name, fact) in view.facts.iter() {
        let value = view.get(name).unwrap_or(&fact.value);
        match (name, value) {
            (FactName::Amount, FactValue::Money { .. }) => pairs.extend(money(value)),
            _ => pairs.push((name.as_str().to_owned(), expression(value))),
        }
    }
    pairs
}

fn expression(value: &FactValue) -> RestrictedExpression {
    match value {
        FactValue::Money { .. } => {
            RestrictedExpression::new_record(money(value)).expect("the three keys of money are different")
        }
        FactValue::Count(count) => RestrictedExpression::new_long(*count),
        FactValue::Flag(flag) => RestrictedExpression::new_bool(*flag),
        FactValue::Text(text) => RestrictedExpression::new_string(text.clone()),
        FactValue::Time(time) => RestrictedExpression::new_long(time.unix_s()),
    }
}

fn money(value: &FactValue) -> Vec<Pair> {
    let FactValue::Money { money, home } = value else { return Vec::new() };
    let mut pairs = Vec::with_capacity(3);
    pairs.push(("amount".to_owned(), RestrictedExpression::new_long(money.amount)));
    pairs.push(text("currency", money.currency.as_str()));
    if let Some(home) = home {
        pairs.push(("amount_home".to_owned(), RestrictedExpression::new_long(home.money.amount)));
    }
    pairs
}

fn text(key: &str, value: &str) -> Pair {
    (key.to_owned(), RestrictedExpression::new_string(value.to_owned()))
}
