//! What waits for people, and for whom: open approvals, tasks, executions in doubt, work that gave up.

use std::collections::{BTreeMap, HashSet};

use bursar_domain::approval::{Voter, may_decide};
use bursar_domain::case::CaseKey;
use bursar_domain::id::{ApprovalId, CaseId};
use bursar_domain::known::PastProposal;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_store::cases::{self, Case, Filter};
use bursar_store::{Db, approvals, jobs, proposals, tasks};
use serde_json::Value;

use crate::Result;
use crate::queries::{Viewer, case_summary};
use crate::start::Engine;

/// A case in which something waits until a person does it.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The case as lists show it.
    pub case: Value,
    pub approval: Option<ApprovalId>,
    /// Who asks, and in their own words why: unchecked.
    pub asked_by: Option<String>,
    pub claimed: Option<String>,
    pub expires_at: Option<BusinessTime>,
    /// Whether the viewer is one of those it waits for.
    pub for_viewer: bool,
}

/// More than this nobody works through in a day; lists and counts stop here.
const WAITING_MAX: i64 = 200;

/// Those who look when nobody can tell whether something happened, or work on a case gave up.
const LOOKS_INTO_DOUBT: [Role; 2] = [Role::Operator, Role::Controller];

impl Engine {
    /// What waits for anybody: approvals, what expires first before the others; then what is to do, oldest first.
    pub async fn waiting(&self, viewer: &Viewer) -> Result<Vec<Waiting>> {
        let mut db = self.inner.store.read().await?;
        let mut asked: BTreeMap<(BusinessTime, ApprovalId), Waiting> = BTreeMap::new();
        let mut seen: HashSet<CaseId> = HashSet::new();
        for approval in approvals::list(&mut db, Some("open"), None, WAITING_MAX).await? {
            if let Some(waiting) = self.asked(&mut db, &approval, viewer).await? {
                asked.insert((approval.expires_at, approval.id), waiting);
                seen.insert(approval.case);
            }
        }
        let mut found: Vec<Waiting> = asked.into_values().collect();
        for (id, for_viewer) in self.to_do(&mut db, viewer).await? {
            if !seen.insert(id.clone()) {
                continue;
            }
            let case = cases::get(&mut db, self.inner.store.keyring(), &id).await?;
            if let Some(case) = case.filter(|case| !case.state.is_closed()) {
                found.push(Waiting {
                    case: case_summary(&case),
                    approval: None,
                    asked_by: None,
                    claimed: None,
                    expires_at: None,
                    for_viewer,
                });
            }
        }
        Ok(found)
    }

    async fn asked(
        &self,
        db: &mut Db,
        approval: &approvals::Approval,
        viewer: &Viewer,
    ) -> Result<Option<Waiting>> {
        let (now, keyring) = (self.inner.clocks.business(), self.inner.store.keyring());
        if now >= approval.expires_at {
            return Ok(None);
        }
        let Some(case) = cases::get(db, keyring, &approval.case).await? else { return Ok(None) };
        let proposal = proposals::get(db, keyring, &approval.proposal).await?;
        let mut summary = case_summary(&case);
        // What is asked now; the case itself may have had other requests since.
        if let Some(amount) = proposal.as_ref().and_then(|proposal| proposal.content.action.amount()) {
            summary["amount"] = amount.amount.into();
            summary["currency"] = amount.currency.as_str().into();
            summary["amount_text"] = amount.to_string().into();
        }
        let earlier = crate::approve::yes_voters(db, self.inner.store.keyring(), approval).await?;
        let question = crate::approve::question(approval, self.inner.installation.single_operator);
        let voter = Voter { person: viewer.person.clone(), roles: viewer.roles.clone() };
        Ok(Some(Waiting {
            case: summary,
            approval: Some(approval.id.clone()),
            asked_by: proposal.as_ref().map(|proposal| proposal.actor.label()),
            claimed: proposal.and_then(|proposal| proposal.content.rationale.claimed),
            expires_at: Some(approval.expires_at),
            for_viewer: may_decide(&question, &voter, &earlier, now).is_ok(),
        }))
    }

    /// Cases with something to do besides votes, and whether the viewer is to do it.
    async fn to_do(&self, db: &mut Db, viewer: &Viewer) -> Result<Vec<(CaseId, bool)>> {
        let holds = |role: &str| viewer.roles.iter().any(|held| held.as_str() == role);
        let tasks = tasks::open(db, WAITING_MAX).await?;
        let mut found: Vec<(CaseId, bool)> =
            tasks.into_iter().map(|(case, role)| (case, holds(&role))).collect();
        // The viewer's own first, so that a task for somebody else in the same case does not hide theirs.
        found.sort_by_key(|(_, for_viewer)| !for_viewer);
        let looks = viewer.roles.iter().any(|role| LOOKS_INTO_DOUBT.contains(role));
        let in_doubt = proposals::cases_in_doubt(db, WAITING_MAX).await?;
        found.extend(in_doubt.into_iter().map(|case| (case, looks)));
        let filter =
            Filter { state: Some("needs_person".to_owned()), limit: WAITING_MAX, ..Filter::default() };
        let dead = jobs::dead(db, WAITING_MAX).await?;
        for case in cases::list(db, self.inner.store.keyring(), &filter).await? {
            let past = proposals::past(db, &case.id).await?;
            if dead.iter().any(|job| is_about(job, &case, &past)) {
                found.push((case.id, looks));
            }
        }
        Ok(found)
    }

    /// Jobs that gave up.
    pub async fn dead_letter_count(&self) -> Result<i64> {
        let mut db = self.inner.store.read().await?;
        let (business, machine) =
            (self.inner.clocks.business().micros(), self.inner.clocks.machine().micros());
        Ok(jobs::depth(&mut db, business, machine).await?.dead)
    }

    /// Open cases by playbook.
    pub async fn open_case_counts(&self) -> Result<Vec<(String, i64)>> {
        Ok(cases::open_by_playbook(&mut self.inner.store.read().await?).await?)
    }

    /// Lanes with a key, each with the name of its connection.
    pub fn lane_names(&self) -> Vec<(String, String)> {
        self.inner.lanes.all().into_iter().map(|open| (open.lane.to_string(), open.connection.name)).collect()
    }
}

/// Whether a job that gave up is work on a case: a decision about it, or an action of it.
fn is_about(job: &jobs::Listed, case: &Case, past: &[PastProposal]) -> bool {
    let key = serde_json::from_value::<CaseKey>(job.payload["key"].clone());
    let decides = job.lane == case.lane && key.is_ok_and(|key| key == case.key);
    let proposal = job.payload["proposal"].as_str();
    decides || proposal.is_some_and(|id| past.iter().any(|past| past.id.as_str() == id))
}
