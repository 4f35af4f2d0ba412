//! Read models for the API, the console and the command line: plain documents, lists in Stripe's shape.

use bursar_domain::approval::{ApprovalState, Voter, may_decide};
use bursar_domain::case::CaseState;
use bursar_domain::id::{ApprovalId, CaseId, PersonId, ProposalId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_store::approvals::{self, Approval};
use bursar_store::cases::{self, Case, Filter};
use bursar_store::proposals::{self, Proposal};
use bursar_store::request_keys::{self, RequestKey};
use bursar_store::{Db, audit, decisions, events, executions, jobs, modes, people, tasks, timeline};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::cards::{self, Sources, rfc3339};
use crate::start::{Engine, store_error};
use crate::stripe_api::permissions::{Permission, Registers};
use crate::{Error, Result};

/// Who looks, so that a card can say what they may do.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub person: PersonId,
    pub roles: Vec<Role>,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    pub items: Vec<Value>,
    pub has_more: bool,
}

pub(crate) fn page<T>(mut rows: Vec<T>, limit: i64, show: impl FnMut(T) -> Value) -> Page {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    Page { items: rows.into_iter().map(show).collect(), has_more }
}

pub(crate) fn case_summary(case: &Case) -> Value {
    let (until, outcome, on) = match &case.state {
        CaseState::Waiting { until } => (Some(rfc3339(*until)), None, None),
        CaseState::Closed { outcome, .. } => (None, Some(outcome.clone()), None),
        CaseState::Blocked { on } => (None, None, Some(on.clone())),
        CaseState::Open | CaseState::NeedsPerson => (None, None, None),
    };
    json!({
        "object": "case",
        "id": case.id.as_str(),
        "lane": case.lane,
        "livemode": case.lane.ends_with("/live"),
        "playbook": case.key.playbook,
        "about": {"kind": case.key.object_kind, "id": case.key.object_id},
        "customer": case.customer,
        "customer_name": case.details.customer_name,
        "title": case.details.title,
        "class": case.class,
        "state": case.state.word(),
        "waiting_until": until,
        "blocked_on": on,
        "outcome": outcome,
        "amount": case.amount.map(|money| money.amount),
        "currency": case.amount.map(|money| money.currency.as_str().to_owned()),
        "amount_text": case.amount.map(|money| money.to_string()),
        "due_at": case.due_at.map(|at| rfc3339(BusinessTime::from_micros(at))),
        "opened_at": rfc3339(BusinessTime::from_micros(case.opened_at)),
        "updated_at": rfc3339(BusinessTime::from_micros(case.updated_at)),
    })
}

impl Engine {
    /// Cases, last changed first. `after` is the id of the last one seen.
    pub async fn cases(&self, mut filter: Filter, after: Option<&CaseId>, limit: i64) -> Result<Page> {
        let mut db = self.inner.store.read().await?;
        let keyring = self.inner.store.keyring();
        if let Some(after) = after {
            let last = cases::get(&mut db, keyring, after).await?;
            let last = last.ok_or_else(|| Error::invalid("starting_after", "there is no such case"))?;
            filter.before = Some((last.updated_at, last.id.to_string()));
        }
        filter.limit = limit + 1;
        let rows = cases::list(&mut db, keyring, &filter).await?;
        Ok(page(rows, limit, |case| case_summary(&case)))
    }

    /// One case with its timeline, proposals, tasks and decisions.
    pub async fn case(&self, id: &CaseId) -> Result<Value> {
        let mut db = self.inner.store.read().await?;
        let keyring = self.inner.store.keyring();
        let case =
            cases::get(&mut db, keyring, id).await?.ok_or_else(|| Error::not_found("case", id.as_str()))?;
        let mut document = case_summary(&case);
        let lines = timeline::of_case(&mut db, keyring, id).await?;
        document["timeline"] = lines
            .into_iter()
            .map(|line| {
                json!({"id": line.id, "at": rfc3339(BusinessTime::from_micros(line.at)), "kind": line.kind,
                    "actor": {"type": line.actor.kind(), "label": line.actor.label()}, "data": told(line.body, &case)})
            })
            .collect();
        let mut shown = Vec::new();
        let proposals = proposals::of_case(&mut db, keyring, id).await?;
        for proposal in &proposals {
            shown.push(self.proposal_document(&mut db, &case, proposal).await?);
        }
        document["proposals"] = Value::Array(shown);
        let telling = proposals.iter().rev().find(|proposal| proposal.content.action.verb() != "task.create");
        document["facts"] = telling
            .map(|proposal| cards::fact_lines(proposal, &self.inner.settings.zone))
            .unwrap_or_default()
            .into();
        drop(db);
        let subject = self.subject_of(&case).await?;
        let mut db = self.inner.store.read().await?;
        document["money"] = json!(subject.money);
        document["refundable"] = json!(subject.refundable);
        document["tasks"] = json!(tasks::of_case(&mut db, keyring, id).await?);
        document["decisions"] = json!(decisions::of_case(&mut db, id).await?);
        Ok(document)
    }

    async fn proposal_document(&self, db: &mut Db, case: &Case, proposal: &Proposal) -> Result<Value> {
        let approval = approvals::of_proposal(db, &proposal.id).await?;
        let execution = executions::of_proposal(db, self.inner.store.keyring(), &proposal.id).await?;
        let (action, customer) = (&proposal.content.action, case.details.customer_name.as_deref());
        Ok(json!({
            "object": "proposal",
            "id": proposal.id.as_str(),
            "verb": action.verb(),
            "headline": cards::headline(action, customer),
            "params": action.params(),
            "state": proposal.state.as_str(),
            "why": proposal.settled_words.as_ref().or(proposal.settled_why.as_ref()),
            "reason": proposal.content.rationale.reason,
            "evidence": proposal.content.rationale.evidence,
            "claimed": proposal.content.rationale.claimed,
            "requested_by": {"type": proposal.actor.kind(), "label": proposal.actor.label()},
            "proposed_at": rfc3339(proposal.proposed_at),
            "verdict": proposal.verdict,
            "policy_verdict": proposal.policy_verdict,
            "digest": proposal.digest,
            "approval": approval.map(|approval| approval.id.to_string()),
            "supersedes": proposal.content.supersedes.as_ref().map(ProposalId::as_str),
            "superseded_by": proposals::successor(db, self.inner.store.keyring(), proposal).await?.map(|next| next.id.to_string()),
            "execution": execution.as_ref().map(|execution| cards::receipt(execution, action, customer)),
        }))
    }

    /// Approvals, newest first. `pending` stands for open.
    pub async fn approvals(
        &self,
        status: Option<&str>,
        after: Option<&ApprovalId>,
        limit: i64,
        viewer: Option<&Viewer>,
    ) -> Result<Page> {
        let wanted = status.map(wanted).transpose()?;
        let mut db = self.inner.store.read().await?;
        let before = match after {
            Some(id) => {
                let last = approvals::get(&mut db, id).await?;
                let last =
                    last.ok_or_else(|| Error::invalid("starting_after", "there is no such approval"))?;
                Some((last.opened_at.micros(), id.as_str()))
            }
            None => None,
        };
        let rows = match wanted {
            None => approvals::list(&mut db, None, before, limit + 1).await?,
            Some(Wanted::State(state)) => approvals::list(&mut db, Some(state), before, limit + 1).await?,
            Some(Wanted::Outcome(state)) => {
                approvals::list_by_outcome(&mut db, state, before, limit + 1).await?
            }
        };
        let mut items = Vec::new();
        for approval in rows {
            items.push(self.approval_document(&mut db, &approval, viewer).await?);
        }
        Ok(page(items, limit, |item| item))
    }

    /// One approval with its card; once executed, with its receipt.
    pub async fn approval(&self, id: &ApprovalId, viewer: Option<&Viewer>) -> Result<Value> {
        let mut db = self.inner.store.read().await?;
        let approval = approvals::get(&mut db, id).await?;
        let approval = approval.ok_or_else(|| Error::not_found("approval", id.as_str()))?;
        self.approval_document(&mut db, &approval, viewer).await
    }

    async fn approval_document(
        &self,
        db: &mut Db,
        approval: &Approval,
        viewer: Option<&Viewer>,
    ) -> Result<Value> {
        let keyring = self.inner.store.keyring();
        let proposal = proposals::get(db, keyring, &approval.proposal).await?;
        let proposal =
            proposal.ok_or_else(|| Error::Broken(format!("{} without a proposal", approval.id)))?;
        let case = cases::get(db, keyring, &approval.case).await?;
        let execution = executions::of_proposal(db, keyring, &proposal.id).await?;
        let (votes, everybody) = (approvals::votes(db, keyring, &approval.id).await?, people::all(db).await?);
        let now = self.inner.clocks.business();
        let paid = cards::Paid::of(db, keyring, &proposal).await?;
        let sources = Sources {
            proposal: &proposal,
            approval,
            votes: &votes,
            people: &everybody,
            customer: case.as_ref().and_then(|case| case.details.customer_name.as_deref()),
            installation: &self.inner.installation.id,
            single_operator: self.inner.installation.single_operator,
            now,
            zone: &self.inner.settings.zone,
            paid,
            at_stripe: self.inner.lanes.is_at_stripe(&approval.lane),
        };
        let status = status_word(approval.state, proposal.state);
        let own = viewer.is_some_and(|viewer| approval.makers.contains(&viewer.person));
        let verdict_on_viewer = match viewer {
            None => None,
            Some(viewer) => {
                let earlier = crate::approve::yes_voters(db, keyring, approval).await?;
                let question = crate::approve::question(approval, sources.single_operator);
                let voter = Voter { person: viewer.person.clone(), roles: viewer.roles.clone() };
                Some(may_decide(&question, &voter, &earlier, now))
            }
        };
        let mut document = json!({
            "object": "approval",
            "id": approval.id.as_str(),
            "status": status,
            "lane": approval.lane,
            "livemode": approval.lane.ends_with("/live"),
            "case": approval.case.as_str(),
            "proposal": proposal.id.as_str(),
            "proposal_state": proposal.state.as_str(),
            "supersedes": proposal.content.supersedes.as_ref().map(ProposalId::as_str),
            "superseded_by": self.superseded_by(db, &proposal).await?,
            "digest": approval.digest,
            "opened_at": rfc3339(approval.opened_at),
            "expires_at": rfc3339(approval.expires_at),
            "closed_at": approval.closed_at.map(rfc3339),
            "closed_why": proposal.settled_words.as_ref().or(proposal.settled_why.as_ref()).or(approval.closed_why.as_ref()),
            "may_decide": verdict_on_viewer.map(|verdict| verdict.is_ok()),
            "may_not_because": verdict_on_viewer.and_then(std::result::Result::err).map(|error| error.to_string()),
            "second_sign_in": own && sources.single_operator,
            "votes": cards::votes(&sources),
            "card": cards::card(&sources),
        });
        if let Some(execution) = &execution {
            let shown = cards::receipt(execution, &proposal.content.action, sources.customer);
            if status != "approved" {
                document["receipt"] = shown.clone();
            }
            document["execution"] = shown;
        }
        Ok(document)
    }

    /// What was asked again in its place, where something was.
    async fn superseded_by(&self, db: &mut Db, proposal: &Proposal) -> Result<Option<Value>> {
        let Some(next) = proposals::successor(db, self.inner.store.keyring(), proposal).await? else {
            return Ok(None);
        };
        let asked = approvals::of_proposal(db, &next.id).await?;
        Ok(Some(json!({"proposal": next.id.as_str(), "state": next.state.as_str(),
            "approval": asked.map(|approval| approval.id.to_string())})))
    }

    /// Kept events, newest first.
    pub async fn events(&self, mut filter: events::Filter, after: Option<&str>, limit: i64) -> Result<Page> {
        let mut db = self.inner.store.read().await?;
        if let Some(after) = after {
            let last = events::find(&mut db, after).await?;
            let last = last.ok_or_else(|| Error::invalid("starting_after", "there is no such event"))?;
            filter.before = Some((last.created_s, last.id));
        }
        filter.limit = limit + 1;
        let rows = events::list(&mut db, &filter).await?;
        Ok(page(rows, limit, |event| event_summary(&event)))
    }

    /// One event with its body as Stripe sent it.
    pub async fn event(&self, id: &str) -> Result<Value> {
        let mut db = self.inner.store.read().await?;
        let event = events::find(&mut db, id).await?.ok_or_else(|| Error::not_found("event", id))?;
        let body = event.body(&mut db, self.inner.store.keyring()).await?;
        let mut document = event_summary(&event);
        document["body"] = bursar_stripe::json::read(&body).unwrap_or(Value::Null);
        Ok(document)
    }

    /// Audit entries, newest first.
    pub async fn audit_entries(&self, limit: i64, before_seq: Option<i64>) -> Result<Page> {
        let rows = audit::newest(&mut self.inner.store.read().await?, limit + 1, before_seq).await?;
        Ok(page(rows, limit, |row| {
            json!({"object": "audit_entry", "id": row.entry.id.as_str(), "seq": row.seq, "hash": row.hash,
                "at": rfc3339(BusinessTime::from_micros(row.entry.at)), "kind": row.entry.kind,
                "lane": row.entry.lane, "actor": row.entry.actor, "data": row.entry.data,
                "commits": row.entry.commits})
        }))
    }

    pub async fn dead_letters(&self, limit: i64) -> Result<Page> {
        let rows = jobs::dead(&mut self.inner.store.read().await?, limit + 1).await?;
        Ok(page(rows, limit, |row| {
            json!({"object": "dead_letter", "id": row.id, "lane": row.lane, "kind": row.kind, "about": row.payload,
                "attempts": row.attempts, "error": row.last_error,
                "created_at": rfc3339(BusinessTime::from_micros(row.created_at))})
        }))
    }

    /// The mode of every playbook on every lane.
    pub async fn modes(&self) -> Result<Page> {
        let set = modes::all(&mut self.inner.store.read().await?).await?;
        let mut items = Vec::new();
        for open in self.inner.lanes.all() {
            let lane = open.lane.to_string();
            for playbook in bursar_playbooks::ALL {
                let known = set.iter().find(|row| row.lane == lane && row.playbook == playbook.name);
                let mode = known.map_or(open.connection.mode, |row| row.mode);
                items.push(
                    json!({"object": "mode", "lane": lane, "playbook": playbook.name, "mode": mode.as_str(),
                    "set_by": known.map(|row| row.changed_by.clone())}),
                );
            }
        }
        Ok(Page { items, has_more: false })
    }

    pub async fn case_counts(&self) -> Result<Vec<(String, i64)>> {
        Ok(cases::counts(&mut self.inner.store.read().await?).await?)
    }

    pub async fn proposal_counts(&self) -> Result<Vec<(String, i64)>> {
        Ok(proposals::counts(&mut self.inner.store.read().await?).await?)
    }

    /// What the keys may do.
    pub async fn permissions(&self) -> Result<Vec<(String, Vec<Permission>)>> {
        let mut found = Vec::new();
        for open in self.inner.lanes.all() {
            found.push((open.lane.to_string(), open.client.permissions(Registers::Nothing).await?));
        }
        Ok(found)
    }

    /// The kept answer to a request with an `Idempotency-Key`.
    pub async fn kept_answer(&self, key: &RequestKey) -> Result<Option<request_keys::Kept>> {
        Ok(request_keys::get(&mut self.inner.store.read().await?, key).await?)
    }

    pub async fn keep_answer(&self, key: RequestKey, answer: request_keys::Answer) -> Result<()> {
        let at = self.inner.clocks.machine().micros();
        self.inner
            .store
            .write(move |tx| async move { request_keys::keep(tx, &key, &answer, at).await }.boxed())
            .await
            .map_err(store_error)
    }
}

/// A line's body as readers take it: instants as everywhere in this API, the customer by name where that is known.
fn told(mut body: Value, case: &Case) -> Value {
    if let Some(at) = body.get("wake_at").and_then(Value::as_i64) {
        body["wake_at"] = rfc3339(BusinessTime::from_micros(at)).into();
    }
    let customer = case.customer.as_deref().zip(case.details.customer_name.as_deref());
    if let (Some((id, name)), Some(headline)) = (customer, body.get("headline").and_then(Value::as_str)) {
        body["headline"] = headline.replace(id, name).into();
    }
    body
}

/// Which approvals a list is asked for.
enum Wanted {
    State(&'static str),
    /// Approved, and this came of it.
    Outcome(ProposalState),
}

/// Every word that [`status_word`] gives can be asked for; `approved` also finds what was carried out since.
fn wanted(status: &str) -> Result<Wanted> {
    Ok(match status {
        "pending" | "open" => Wanted::State("open"),
        "approved" | "met" => Wanted::State("met"),
        "rejected" | "refused" => Wanted::State("refused"),
        "expired" => Wanted::State("expired"),
        "void" => Wanted::State("void"),
        "executed" => Wanted::Outcome(ProposalState::Done),
        "failed" => Wanted::Outcome(ProposalState::Refused),
        "no_effect" => Wanted::Outcome(ProposalState::NoEffect),
        "in_doubt" => Wanted::Outcome(ProposalState::InDoubt),
        "reversed" => Wanted::Outcome(ProposalState::Reversed),
        _ => {
            return Err(Error::invalid(
                "status",
                "status is pending, approved, executed, failed, no_effect, in_doubt, reversed, rejected, expired or void",
            ));
        }
    })
}

/// One word for an approval and what became of it.
fn status_word(approval: ApprovalState, proposal: ProposalState) -> &'static str {
    match (approval, proposal) {
        (ApprovalState::Open, _) => "pending",
        (ApprovalState::Refused, _) => "rejected",
        (ApprovalState::Expired, _) => "expired",
        (ApprovalState::Void, _) | (_, ProposalState::Void) => "void",
        (ApprovalState::Met, ProposalState::Done) => "executed",
        (ApprovalState::Met, ProposalState::Refused) => "failed",
        (ApprovalState::Met, ProposalState::NoEffect) => "no_effect",
        (ApprovalState::Met, ProposalState::InDoubt) => "in_doubt",
        (ApprovalState::Met, ProposalState::Reversed) => "reversed",
        (ApprovalState::Met, _) => "approved",
    }
}

fn event_summary(event: &events::Stored) -> Value {
    json!({
        "object": "kept_event",
        "id": event.id,
        "lane": event.lane,
        "type": event.kind,
        "about": {"kind": event.object_kind, "id": event.object_id},
        "api_version": event.api_version,
        "source": event.source,
        "created": rfc3339(BusinessTime::from_unix_s(event.created_s)),
        "received_at": rfc3339(BusinessTime::from_micros(event.received_at)),
        "request_idempotency_key": event.request_key,
        "resolved": event.resolved,
    })
}
