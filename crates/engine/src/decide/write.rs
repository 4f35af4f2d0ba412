//! Decisions become one commit, each with its case, the inputs it rested on, what it withdraws and files, and its timer. As
//! many statements as one needs do for all.

use std::collections::HashSet;

use bursar_domain::audit::Commitment;
use bursar_domain::case::CaseState;
use bursar_domain::id::CaseId;
use bursar_domain::proposal::ProposalState;
use bursar_store::audit::{self, Record};
use bursar_store::cases::{self, Case};
use bursar_store::decisions::{self, Inputs, NewDecision};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{self, Job, NewJob};
use bursar_store::seal::Keyring;
use bursar_store::timeline::{self, NewEntry, Of};
use bursar_store::{Error, Result, Tx, proposals};
use serde_json::json;

use super::case_job_key;
use super::save::Saving;
use crate::mirror::Gathered;
use crate::propose::{self, Filing};

/// All of them or none. They are about different cases.
pub(super) async fn write(tx: &mut Tx, keyring: &Keyring, savings: &[Saving]) -> Result<()> {
    let Some(first) = savings.first() else { return Ok(()) };
    // First of all: whoever no longer holds it changes nothing.
    let jobs: Vec<&Job> = savings.iter().map(|one| &one.job).collect();
    jobs::finish_many(tx, &jobs).await?;
    Gathered::save_all(tx, keyring, savings.iter().map(|one| &one.gathered), first.at).await?;
    let cases: Vec<&Case> = savings.iter().map(|one| &one.case).collect();
    cases::save_many(tx, keyring, &cases, first.at).await?;
    let in_doubt = keep_open_in_doubt(tx, keyring, savings).await?;
    tx.pass(FailPoint::DecisionCase).await?;
    record(tx, keyring, savings, first.at).await?;
    tx.pass(FailPoint::DecisionRecorded).await?;
    tell(tx, keyring, savings, &in_doubt).await?;
    // What is withdrawn goes before what replaces it.
    for (proposal, ending) in savings.iter().flat_map(|one| &one.withdrawn) {
        propose::end(tx, keyring, proposal, ending.clone()).await?;
    }
    refuse_second_keys(tx, savings).await?;
    let filings: Vec<&Filing> = savings.iter().flat_map(|one| &one.filings).collect();
    if !filings.is_empty() {
        propose::file_many(tx, keyring, &filings).await?;
        tx.pass(FailPoint::DecisionFiled).await?;
    }
    let older = savings.iter().filter(|one| !one.is_new);
    let older: Vec<String> = older.map(|one| case_job_key(&one.case.lane, &one.case.key)).collect();
    jobs::drop_queued(tx, "timer", &older).await?;
    let timers: Vec<&NewJob> = savings.iter().filter_map(|one| one.timer.as_ref()).collect();
    jobs::add_many(tx, timers.into_iter()).await?;
    tx.pass(FailPoint::DecisionWritten).await
}

/// The decisions, the inputs they rested on, and the audit entries that commit to both.
async fn record(tx: &mut Tx, keyring: &Keyring, savings: &[Saving], at: i64) -> Result<()> {
    let inputs = savings.iter().map(|one| Inputs {
        lane: &one.case.lane,
        subject: &one.case.subject,
        bytes: &one.inputs,
        hash: &one.decision.inputs_hash,
    });
    let inputs: Vec<Inputs<'_>> = inputs.collect();
    let inputs = decisions::keep_inputs(tx, keyring, &inputs, at).await?;
    let made: Vec<&NewDecision> = savings.iter().map(|one| &one.decision).collect();
    let made = decisions::add(tx, &made).await?;
    let commits = made.into_iter().zip(inputs).map(|(decision, inputs)| vec![decision, inputs]);
    let records = savings.iter().zip(commits).map(|(one, commits)| one.record(commits)).collect();
    audit::append_many(tx, records).await
}

/// Nothing is due any more, and of something nobody knows what became of it: closed, the case would call nobody, and nobody
/// would ever look. Asked once the case is ours: an execution may have come into doubt a moment ago. Says which cases.
async fn keep_open_in_doubt<'s>(
    tx: &mut Tx,
    keyring: &Keyring,
    savings: &'s [Saving],
) -> Result<HashSet<&'s CaseId>> {
    let mut open = HashSet::new();
    for one in savings.iter().filter(|one| one.case.state.is_closed()) {
        let past = proposals::past(tx, &one.case.id).await?;
        if past.iter().any(|past| past.state == ProposalState::InDoubt) {
            let case = Case { state: CaseState::NeedsPerson, ..one.case.clone() };
            cases::save(tx, keyring, &case, one.at).await?;
            open.insert(&one.case.id);
        }
    }
    Ok(open)
}

async fn tell(tx: &mut Tx, keyring: &Keyring, savings: &[Saving], in_doubt: &HashSet<&CaseId>) -> Result<()> {
    let entries = savings.iter().map(|one| {
        let mut entries = one.entries();
        entries.retain(|entry| entry.kind != "closed" || !in_doubt.contains(&one.case.id));
        entries
    });
    let entries: Vec<Vec<NewEntry<'_>>> = entries.collect();
    let lines = savings.iter().zip(&entries).map(|(one, entries)| (one.of(), entries.as_slice()));
    let lines: Vec<(Of<'_>, &[NewEntry<'_>])> = lines.collect();
    timeline::add_many(tx, keyring, &lines).await
}

/// What was to be replaced got its intent since we looked, or somebody asked for the same: decided again.
async fn refuse_second_keys(tx: &mut Tx, savings: &[Saving]) -> Result<()> {
    let mut wanted = Vec::new();
    let mut others = HashSet::new();
    for one in savings {
        let own = one.filings.iter().map(|filing| (one.case.lane.as_str(), &filing.proposal.content.action));
        let own: Vec<_> = own.collect();
        let targets: HashSet<_> = own
            .iter()
            .filter_map(|(lane, action)| Some((*lane, action.verb(), action.target()?.1)))
            .collect();
        if let Some((_, verb, target)) = targets.intersection(&others).next() {
            return Err(Error::Conflict(format!("two decisions want {verb} of {target}")));
        }
        others.extend(targets);
        wanted.extend(own);
    }
    match proposals::any_unsettled_for(tx, &wanted).await? {
        Some(other) => Err(Error::Conflict(format!("{other} is the same and on its way"))),
        None => Ok(()),
    }
}

impl Saving {
    fn of(&self) -> Of<'_> {
        Of {
            case: &self.case.id,
            lane: &self.case.lane,
            subject: &self.case.subject,
            at: self.case.updated_at,
            written_at: self.at,
        }
    }

    fn entries(&self) -> Vec<NewEntry<'_>> {
        let entries = self.lines.iter().map(|(kind, who, body)| NewEntry {
            kind,
            actor: who.as_ref().unwrap_or(&self.actor),
            body: body.clone(),
        });
        entries.collect()
    }

    fn record(&self, commits: Vec<Commitment>) -> Record {
        let data = json!({"decision": self.decision.id.as_str(), "case": self.case.id.as_str(),
            "class": self.decision.class, "signal": self.decision.signal});
        Record {
            id: self.entry.clone(),
            at: self.at,
            kind: "decision.made",
            lane: Some(self.case.lane.clone()),
            actor: Some(self.actor.key()),
            data,
            commits,
        }
    }
}
