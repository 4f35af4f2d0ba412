//! What waits for people, and for whom: open approvals, tasks, executions in doubt.

use std::collections::BTreeMap;

use bursar_domain::approval::{Voter, may_decide};
use bursar_domain::id::{ApprovalId, CaseId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_store::cases::{self, Case, Filter};
use bursar_store::{Db, approvals, jobs, proposals, tasks};
use serde_json::Value;

use crate::queries::{Viewer, case_summary};
use crate::start::Engine;
use crate::Result;

/// A case that stands still until a person does something.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The case as lists show it.
    pub case: Value,
    pub approval: Option<ApprovalId>,
    pub expires_at: Option<BusinessTime>,
    /// A task is open in it, or something in doubt is to be looked at.
    pub task: bool,
    /// Whether the viewer is one of those it waits for.
    pub for_viewer: bool,
}

/// More than this nobody works through in a day; lists and counts stop here.
pub(crate) const WAITING_MAX: i64 = 200;

/// Those who look when nobody can tell whether something happened.
const LOOKS_INTO_DOUBT: [Role; 2] = [Role::Operator, Role::Controller];

impl Engine {
    /// What waits for anybody: what expires first stands first, then what has waited longest.
    pub async fn waiting(&self, viewer: &Viewer) -> Result<Vec<Waiting>> {
        let mut db = self.inner.store.read().await?;
        let mut found: BTreeMap<(i64, CaseId), Waiting> = BTreeMap::new();
        for approval in approvals::list(&mut db, Some("open"), None, WAITING_MAX).await? {
            if let Some((key, waiting)) = self.asked(&mut db, &approval, viewer).await? {
                found.insert(key, waiting);
            }
        }
        let asked: Vec<CaseId> = found.keys().map(|(_, case)| case.clone()).collect();
        let filter = Filter { state: Some("needs_person".to_owned()), limit: WAITING_MAX, ..Filter::default() };
        for case in cases::list(&mut db, self.inner.store.keyring(), &filter).await? {
            if asked.contains(&case.id) {
                continue;
            }
            if let Some(for_viewer) = self.tasked(&mut db, &case, viewer).await? {
                // Tasks have no end: after everything that has.
                let key = ((i64::MAX / 2).saturating_add(case.updated_at), case.id.clone());
                let case = case_summary(&case);
                found.insert(key, Waiting { case, approval: None, expires_at: None, task: true, for_viewer });
            }
        }
        Ok(found.into_values().collect())
    }

    async fn asked(
        &self,
        db: &mut Db,
        approval: &approvals::Approval,
        viewer: &Viewer,
    ) -> Result<Option<((i64, CaseId), Waiting)>> {
        let now = self.inner.clocks.business();
        if now >= approval.expires_at {
            return Ok(None);
        }
        let Some(case) = cases::get(db, self.inner.store.keyring(), &approval.case).await? else { return Ok(None) };
        let earlier = crate::approve::yes_voters(db, approval).await?;
        let question = crate::approve::question(approval, self.inner.installation.single_operator);
        let voter = Voter { person: viewer.person.clone(), roles: viewer.roles.clone() };
        let waiting = Waiting {
            case: case_summary(&case),
            approval: Some(approval.id.clone()),
            expires_at: Some(approval.expires_at),
            task: false,
            for_viewer: may_decide(&question, &voter, &earlier, now).is_ok(),
        };
        Ok(Some(((approval.expires_at.micros(), case.id), waiting)))
    }

    /// Whether the case waits for people without a vote, and then whether for this one.
    async fn tasked(&self, db: &mut Db, case: &Case, viewer: &Viewer) -> Result<Option<bool>> {
        let tasks = tasks::of_case(db, self.inner.store.keyring(), &case.id).await?;
        let open: Vec<_> = tasks.iter().filter(|task| task.state == "open").collect();
        if !open.is_empty() {
            let holds = |role: &str| viewer.roles.iter().any(|held| held.as_str() == role);
            return Ok(Some(open.iter().any(|task| holds(&task.role))));
        }
        let past = proposals::past(db, &case.id).await?;
        let doubt = past.iter().any(|proposal| proposal.state == ProposalState::InDoubt);
        Ok(doubt.then(|| viewer.roles.iter().any(|role| LOOKS_INTO_DOUBT.contains(role))))
    }

    /// Jobs that gave up.
    pub async fn dead_letter_count(&self) -> Result<i64> {
        let mut db = self.inner.store.read().await?;
        let (business, machine) = (self.inner.clocks.business().micros(), self.inner.clocks.machine().micros());
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
