//! Who wants or does something: a person, an agent, an API key, a playbook or the engine itself.

use serde::{Deserialize, Serialize};

use crate::id::{PersonId, TokenId};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    Person {
        id: PersonId,
        name: String,
    },
    /// A bearer token; `owner` is the person whose hands it is in, and who may not vote on what it proposed.
    ApiKey {
        id: TokenId,
        name: String,
        owner: PersonId,
    },
    /// An agent; `owner` answers for it.
    Agent {
        id: TokenId,
        name: String,
        owner: PersonId,
    },
    /// `author` last changed the playbook's settings, where a person did.
    Playbook {
        name: String,
        author: Option<PersonId>,
    },
    Engine,
}

impl Actor {
    /// The natural person behind the actor, who therefore may not vote on its proposals.
    pub fn person(&self) -> Option<&PersonId> {
        match self {
            Actor::Person { id, .. } => Some(id),
            Actor::ApiKey { owner, .. } | Actor::Agent { owner, .. } => Some(owner),
            Actor::Playbook { author, .. } => author.as_ref(),
            Actor::Engine => None,
        }
    }

    /// `person`, `agent` … as policies and timelines call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Actor::Person { .. } => "person",
            Actor::ApiKey { .. } => "api_key",
            Actor::Agent { .. } => "agent",
            Actor::Playbook { .. } => "playbook",
            Actor::Engine => "engine",
        }
    }

    /// What people read on a card.
    pub fn label(&self) -> String {
        match self {
            Actor::Person { name, .. } => name.clone(),
            Actor::ApiKey { name, .. } => format!("API key {name}"),
            Actor::Agent { name, .. } => format!("agent {name}"),
            Actor::Playbook { name, .. } => format!("playbook {name}"),
            Actor::Engine => "Bursar".to_owned(),
        }
    }

    /// Stable name for policies, budgets and the audit: `person:usr_…`, `playbook:recovery`.
    pub fn key(&self) -> String {
        match self {
            Actor::Person { id, .. } => format!("person:{id}"),
            Actor::ApiKey { id, .. } => format!("api_key:{id}"),
            Actor::Agent { id, .. } => format!("agent:{id}"),
            Actor::Playbook { name, .. } => format!("playbook:{name}"),
            Actor::Engine => "engine".to_owned(),
        }
    }

    /// Modes clamp playbooks, not people.
    pub fn is_clamped_by_mode(&self) -> bool {
        matches!(self, Actor::Playbook { .. })
    }
}
