//! What the copy holds as open and what was, or may have been, carried out since: it is in doubt from here on. In doubt
//! nothing is ever sent; the usual look finds what came of it, and where nobody can look a person says.

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::approval::ApprovalState;
use bursar_domain::execution::KEY_TRUSTED;
use bursar_domain::id::{AuditId, ExecutionId, ProposalId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;
use bursar_store::audit::{self, Record, Table};
use bursar_store::executions::{self, Intent};
use bursar_store::jobs::{self, NewJob};
use bursar_store::{Tx, approvals, cases, proposals, restores};
use futures_util::FutureExt as _;
use serde_json::json;

use super::CODE;
use crate::approve::note;
use crate::budget::Budget;
use crate::call_person::call_person;
use crate::execute::{idempotency_key, request_of};
use crate::govern::parse_lane;
use crate::start::Engine;
use crate::{Error, Result, cards};

const MAY_HAVE: &str =
    "it may have been carried out before this copy of the database was put back: nothing is sent";

/// What the transaction works with.
struct Doubt {
    engine: Engine,
    proposal: ProposalId,
    intent: Intent,
    action: Action,
    /// When it happened, or at the earliest.
    happened: BusinessTime,
    look: Option<NewJob>,
    entries: [AuditId; 2],
    now: BusinessTime,
    at: i64,
}

impl Engine {
    /// Looks through what the copy itself says, before anything runs: a letter that it holds as waiting may have been sent
    /// since, and nobody can be asked.
    pub(crate) async fn take_stock(&self) -> Result<()> {
        let mut db = self.inner.store.read().await?;
        let Some(restore) = restores::open(&mut db).await?.filter(|restore| !restore.stock_taken) else {
            return Ok(());
        };
        let waiting = proposals::waiting(&mut db).await?;
        drop(db);
        for (id, verb) in waiting {
            if verb == "mail.send" {
                self.doubt_restored(&id, BusinessTime::from_unix_s(restore.since_s)).await?;
            }
        }
        self.inner
            .store
            .write(move |tx| async move { restores::stock_taken(tx, &restore.id).await }.boxed())
            .await
            .map_err(crate::start::store_error)
    }

    /// Puts a proposal in doubt that was, or may have been, carried out since the copy was made.
    pub(super) async fn doubt_restored(&self, id: &ProposalId, happened: BusinessTime) -> Result<()> {
        let keyring = self.inner.store.keyring();
        let held = proposals::get(&mut self.inner.store.read().await?, keyring, id).await?;
        let Some(held) = held else { return Ok(()) };
        let lane = parse_lane(&held.lane)?;
        let action = held.content.action.clone();
        let request = request_of(&action, id)?;
        let connected = self
            .inner
            .lanes
            .get(&held.lane)
            .is_some_and(|open| open.connection.connected.contains(&open.lane.account));
        let intent = Intent {
            id: ExecutionId::from_entropy(self.inner.entropy.id()),
            lane: held.lane.clone(),
            proposal: id.clone(),
            case: held.case.clone(),
            verb: action.verb().to_owned(),
            digest: held.digest.clone(),
            idempotency_key: idempotency_key(&self.inner.installation.id, id),
            method: request.method().to_owned(),
            path: request.path().to_owned(),
            api_version: request.api_version().to_owned(),
            account: connected.then(|| lane.account.as_str().to_owned()),
            subject: held.subject.clone(),
            request: request.body().to_vec(),
            intended_at: happened,
            deadline_at: happened.plus(KEY_TRUSTED),
        };
        let look = (!matches!(action, Action::SendMail(_))).then(|| self.execute_job(&lane, &action, id));
        let doubt = Doubt {
            engine: self.clone(),
            proposal: id.clone(),
            intent,
            action,
            happened,
            look,
            entries: [self.audit_id(), self.audit_id()],
            now: self.inner.clocks.business(),
            at: self.inner.clocks.machine().micros(),
        };
        self.inner.store.write(move |tx| async move { doubt.write(tx).await }.boxed()).await?;
        self.inner.work.notify_one();
        Ok(())
    }
}

impl Doubt {
    async fn write(self, tx: &mut Tx) -> Result<()> {
        let keyring = self.engine.inner.store.keyring().clone();
        let held = proposals::get(tx, &keyring, &self.proposal).await?;
        let Some(held) = held.filter(|held| held.state.is_open()) else { return Ok(()) };
        let execution = match executions::of_proposal(tx, &keyring, &self.proposal).await? {
            // What may have been sent is followed to its end anyway.
            Some(execution) if !execution.never_left() => return Ok(()),
            Some(execution) => execution.intent.id,
            None => self.intend(tx).await?,
        };
        executions::doubt(tx, &execution, self.happened, self.now, CODE).await?;
        if let Some(approval) = approvals::of_proposal(tx, &self.proposal).await?
            && approval.state == ApprovalState::Open
        {
            approvals::close(tx, &approval.id, ApprovalState::Void, self.now, CODE).await?;
            jobs::drop_queued(tx, "expire", &[format!("expire:{}", approval.id)]).await?;
        }
        let (from, to) = (held.state, ProposalState::InDoubt);
        proposals::advance(tx, &self.proposal, from, to, self.now, Some(CODE)).await?;
        proposals::say_why(tx, &keyring, &held, MAY_HAVE, self.at).await?;
        // A look, or a person, may still find out: as everywhere, what is in doubt is committed to by its execution.
        let commits = vec![audit::commitment(tx, Table::ExecutionEnds, execution.as_str()).await?];
        let data = json!({"execution": execution.as_str(), "proposal": self.proposal.as_str(), "state": "in_doubt",
            "code": CODE});
        let [_, entry] = self.entries.clone();
        audit::append(tx, self.record(entry, "execution.outcome", data, commits)).await?;
        let case = cases::get(tx, &keyring, &held.case).await?;
        let case = case.ok_or_else(|| Error::not_found("case", held.case.as_str()))?;
        let body = json!({"verb": self.action.verb(), "headline": cards::headline(&self.action, None),
            "state": "in_doubt", "code": CODE, "why": MAY_HAVE});
        let times = (self.now, self.at);
        note(tx, &keyring, &case, "execution", &Actor::Engine, body, times).await?;
        call_person(tx, &keyring, &case.id, times).await?;
        jobs::add_many(tx, self.look.iter()).await?;
        Ok(())
    }

    /// The row that the copy lacks: what was sent follows from the proposal alone.
    async fn intend(&self, tx: &mut Tx) -> Result<ExecutionId> {
        let keyring = self.engine.inner.store.keyring().clone();
        let id = self.intent.id.clone();
        executions::add(tx, &keyring, &self.intent, self.at).await?;
        let settings = &self.engine.inner.settings;
        let budget = Budget { settings, lane: &self.intent.lane, action: &self.action, at: self.happened };
        budget.reserve(tx, &id).await?;
        let data = json!({"execution": id.as_str(), "proposal": self.proposal.as_str(), "verb": self.intent.verb,
            "digest": self.intent.digest, "idempotency_key": self.intent.idempotency_key, "by": CODE});
        let commits = vec![audit::commitment(tx, Table::Executions, id.as_str()).await?];
        let [entry, _] = self.entries.clone();
        audit::append(tx, self.record(entry, "execution.intended", data, commits)).await?;
        Ok(id)
    }

    fn record(
        &self,
        id: AuditId,
        kind: &'static str,
        data: serde_json::Value,
        commits: Vec<bursar_domain::audit::Commitment>,
    ) -> Record {
        let lane = Some(self.intent.lane.clone());
        Record { id, at: self.at, kind, lane, actor: Some("engine".to_owned()), data, commits }
    }
}
