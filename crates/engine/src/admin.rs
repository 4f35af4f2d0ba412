//! What people change about the installation: modes, kill switches, people and their tokens, parked jobs. Each is an
//! audited act.

mod scope;

use bursar_domain::actor::Actor;
use bursar_domain::id::{PersonId, TokenId};
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_store::audit::{self, Record};
use bursar_store::people::{self, Person, Session, Token};
use bursar_store::{Tx, installation, jobs, modes, tasks};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::start::{Engine, store_error};
use crate::{Error, Result};

#[derive(Clone, Debug)]
pub struct SetMode {
    pub playbook: String,
    /// Every lane when not given.
    pub lane: Option<String>,
    pub mode: Mode,
}

#[derive(Clone, Debug)]
pub struct NewPerson {
    pub email: String,
    pub name: String,
    pub roles: Vec<Role>,
    /// A finished hash; passwords themselves never come here.
    pub password_hash: Option<String>,
}

impl Engine {
    /// A change with its audit entry, in one commit.
    pub(crate) async fn administer(
        &self,
        actor: &Actor,
        kind: &'static str,
        data: Value,
        change: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, bursar_store::Result<()>> + Send + 'static,
    ) -> Result<()> {
        let record = Record {
            id: self.audit_id(),
            at: self.inner.clocks.machine().micros(),
            kind,
            lane: None,
            actor: Some(actor.key()),
            data,
            commits: Vec::new(),
        };
        self.inner
            .store
            .write(move |tx| {
                async move {
                    change(tx).await?;
                    audit::append(tx, record).await
                }
                .boxed()
            })
            .await
            .map_err(store_error)
    }

    /// Sets how far a playbook may go.
    pub async fn set_mode(&self, actor: &Actor, new: SetMode) -> Result<()> {
        if bursar_playbooks::by_name(&new.playbook).is_none() {
            let names: Vec<&str> = bursar_playbooks::ALL.iter().map(|playbook| playbook.name).collect();
            return Err(Error::invalid(
                "playbook",
                format!("there is no playbook `{}`; there is {}", new.playbook, names.join(", ")),
            ));
        }
        let lanes: Vec<String> = match &new.lane {
            Some(lane) => vec![self.inner.lanes.require(lane)?.lane.to_string()],
            None => self.inner.lanes.all().into_iter().map(|open| open.lane.to_string()).collect(),
        };
        let data = json!({"playbook": new.playbook, "lanes": lanes, "mode": new.mode.as_str()});
        let (at, by) = (self.inner.clocks.machine().micros(), actor.key());
        self.administer(actor, "mode.set", data, move |tx| {
            async move {
                for lane in &lanes {
                    modes::set(tx, lane, &new.playbook, new.mode, at, &by).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Stops everything in a scope: `all`, `lane:…`, `playbook:…`, `agent:…`, `api_key:…`, `person:…`. A lane that is
    /// stopped keeps the events that come and does nothing about them until the switch is reset. A scope that is nobody's is
    /// refused: whoever throws a switch relies on it.
    pub async fn kill(&self, actor: &Actor, scope: &str, reason: &str) -> Result<()> {
        self.check_scope(scope).await?;
        let (scope, reason, by) = (scope.to_owned(), reason.to_owned(), actor.key());
        let at = self.inner.clocks.machine().micros();
        let data = json!({"scope": scope, "reason": reason});
        self.administer(actor, "kill_switch.thrown", data, move |tx| {
            async move {
                // What stands in line is held when its turn comes: a long line would keep the switch from being thrown.
                modes::kill(tx, &scope, &reason, at, &by).await
            }
            .boxed()
        })
        .await
    }

    pub async fn revive(&self, actor: &Actor, scope: &str) -> Result<()> {
        let (thrown, data) = (scope.to_owned(), json!({"scope": scope}));
        let done = self
            .administer(actor, "kill_switch.reset", data, move |tx| {
                async move { modes::revive(tx, &thrown).await }.boxed()
            })
            .await;
        self.inner.reset.notify_one();
        there(done, "thrown kill switch", scope)
    }

    /// Tries a parked job again.
    pub async fn retry_dead_letter(&self, actor: &Actor, id: &str) -> Result<()> {
        let (job, at) = (id.to_owned(), self.inner.clocks.machine().micros());
        let done = self
            .administer(actor, "dead_letter.retried", json!({"job": id}), move |tx| {
                async move { jobs::revive(tx, &job, at).await }.boxed()
            })
            .await;
        self.inner.work.notify_one();
        there(done, "dead letter", id)
    }

    /// For which role an open task is; nothing where there is none.
    pub async fn role_of_task(&self, id: &str) -> Result<Option<Role>> {
        let role = tasks::role_of_open(&mut self.inner.store.read().await?, id).await?;
        Ok(role.and_then(|role| role.parse().ok()))
    }

    /// Ticks a task off.
    pub async fn finish_task(&self, actor: &Actor, id: &str) -> Result<()> {
        let (task, at) = (id.to_owned(), self.inner.clocks.business().micros());
        let done = self
            .administer(actor, "task.done", json!({"task": id}), move |tx| {
                async move { tasks::finish(tx, &task, at).await }.boxed()
            })
            .await;
        there(done, "open task", id)
    }

    /// Creates a person, or changes the one with this address.
    pub async fn save_person(&self, actor: &Actor, new: NewPerson) -> Result<PersonId> {
        let known = people::by_email(&mut self.inner.store.read().await?, &new.email).await?;
        let id = known.map_or_else(|| PersonId::from_entropy(self.inner.entropy.id()), |person| person.id);
        let roles: Vec<&str> = new.roles.iter().map(|role| role.as_str()).collect();
        let data = json!({"person": id.as_str(), "roles": roles});
        let (at, row) = (
            self.inner.clocks.machine().micros(),
            Person {
                id: id.clone(),
                email: new.email,
                name: new.name,
                roles: new.roles,
                password_hash: new.password_hash,
                disabled: false,
            },
        );
        self.administer(actor, "person.saved", data, move |tx| {
            async move { people::save(tx, &row, at).await }.boxed()
        })
        .await?;
        Ok(id)
    }

    /// Keeps a bearer token by its hash. The token itself is shown once by whoever made it.
    pub async fn add_token(&self, actor: &Actor, token: Token, hash: String) -> Result<()> {
        let data = json!({"token": token.id.as_str(), "person": token.person.as_str(), "kind": token.kind,
            "roles": token.roles});
        let at = self.inner.clocks.machine().micros();
        self.administer(actor, "token.made", data, move |tx| {
            async move { people::add_token(tx, &token, &hash, at).await }.boxed()
        })
        .await
    }

    pub fn new_token_id(&self) -> TokenId {
        TokenId::from_entropy(self.inner.entropy.id())
    }

    pub async fn set_single_operator(&self, single: bool) -> Result<()> {
        self.administer(
            &Actor::Engine,
            "single_operator.set",
            json!({"single_operator": single}),
            move |tx| async move { installation::set_single_operator(tx, single).await }.boxed(),
        )
        .await
    }

    pub async fn people(&self) -> Result<Vec<Person>> {
        Ok(people::all(&mut self.inner.store.read().await?).await?)
    }

    pub async fn person(&self, id: &PersonId) -> Result<Option<Person>> {
        Ok(people::get(&mut self.inner.store.read().await?, id).await?)
    }

    pub async fn person_by_email(&self, email: &str) -> Result<Option<Person>> {
        Ok(people::by_email(&mut self.inner.store.read().await?, email).await?)
    }

    pub async fn token_by_hash(&self, hash: &str) -> Result<Option<Token>> {
        Ok(people::token_by_hash(&mut self.inner.store.read().await?, hash).await?)
    }

    pub async fn session(&self, hash: &str) -> Result<Option<Session>> {
        Ok(people::session(&mut self.inner.store.read().await?, hash).await?)
    }

    pub async fn add_session(&self, actor: &Actor, session: Session) -> Result<()> {
        let data = json!({"person": session.person.as_str()});
        self.administer(actor, "session.started", data, move |tx| {
            async move { people::add_session(tx, &session).await }.boxed()
        })
        .await
    }

    pub async fn touch_session(&self, hash: &str) -> Result<()> {
        let (hash, at) = (hash.to_owned(), self.inner.clocks.machine().micros());
        self.inner
            .store
            .write(move |tx| async move { people::touch_session(tx, &hash, at).await }.boxed())
            .await
            .map_err(store_error)
    }

    pub async fn end_session(&self, hash: &str) -> Result<()> {
        let hash = hash.to_owned();
        self.inner
            .store
            .write(move |tx| async move { people::end_session(tx, &hash).await }.boxed())
            .await
            .map_err(store_error)
    }
}

/// A change that found nothing to change.
fn there(done: Result<()>, what: &'static str, id: &str) -> Result<()> {
    match done {
        Err(Error::Store(bursar_store::Error::Conflict(_))) => Err(Error::not_found(what, id)),
        other => other,
    }
}
