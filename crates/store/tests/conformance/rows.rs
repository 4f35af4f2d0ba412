//! One good row of each kind, to be changed where a test cares.

use bursar_domain::action::{Action, RefundReason};
use bursar_domain::actor::Actor;
use bursar_domain::approval::{ApprovalState, Choice};
use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::facts::Facts;
use bursar_domain::id::{ApprovalId, CaseId, DecisionId, ExecutionId, JobId, PersonId, ProposalId, VoteId};
use bursar_domain::proposal::{ProposalState, Rationale};
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::{Requirement, Ruling, Verdict};
use bursar_store::Tx;
use bursar_store::approvals::{Approval, Vote};
use bursar_store::cases::{Case, Details};
use bursar_store::decisions::{self, NewDecision};
use bursar_store::events::NewEvent;
use bursar_store::executions::Intent;
use bursar_store::jobs::{Clock, NewJob};
use bursar_store::proposals::{Content, Proposal};
use bursar_store::seal::Keyring;
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use serde_json::json;

use crate::scene::{AT, CUSTOMER, LANE, entropy};

pub const NOW: BusinessTime = BusinessTime::from_unix_s(1_795_219_200);

pub fn event(id: &str) -> NewEvent {
    NewEvent {
        lane: LANE.to_owned(),
        id: id.to_owned(),
        kind: "invoice.payment_failed".to_owned(),
        created_s: 1_795_219_000,
        api_version: Some("2026-10-28.endive".to_owned()),
        request_key: Some("key_1".to_owned()),
        object_kind: Some("invoice".to_owned()),
        object_id: Some("in_1".to_owned()),
        snapshot_event: None,
        sameness: "same".to_owned(),
        sameness_any_version: "same in any version".to_owned(),
        source: "webhook",
        received_at: AT,
        subject: CUSTOMER.to_owned(),
        body: br#"{"id":"evt_1"}"#.to_vec(),
        job: None,
    }
}

pub fn job(number: u8, key: &str) -> NewJob {
    NewJob {
        id: JobId::from_entropy(entropy(number)),
        lane: LANE.to_owned(),
        kind: "event",
        key: key.to_owned(),
        payload: json!({"event": "evt_1"}),
        clock: Clock::Machine,
        due_at: AT,
        created_at: AT,
    }
}

pub fn case(number: u8) -> Case {
    Case {
        id: CaseId::from_entropy(entropy(number)),
        lane: LANE.to_owned(),
        key: CaseKey {
            playbook: "recovery".to_owned(),
            object_kind: "invoice".to_owned(),
            object_id: "in_1".to_owned(),
        },
        customer: Some(CUSTOMER.to_owned()),
        state: CaseState::Open,
        class: Some("temporary_failure".to_owned()),
        amount: Some(Money::new(4_900, Currency::USD)),
        due_at: None,
        opened_at: NOW.micros(),
        updated_at: NOW.micros(),
        subject: CUSTOMER.to_owned(),
        details: Details { title: "Payment failed".to_owned(), customer_name: Some("Ada Brandt".to_owned()) },
    }
}

pub fn decision(number: u8, inputs_hash: &str) -> NewDecision {
    NewDecision {
        id: DecisionId::from_entropy(entropy(number)),
        lane: LANE.to_owned(),
        case: CaseId::from_entropy(entropy(1)),
        playbook: "recovery".to_owned(),
        at: NOW.micros(),
        signal: "invoice.payment_failed".to_owned(),
        class: "temporary_failure".to_owned(),
        rule: "insufficient_funds".to_owned(),
        mode: "automate".to_owned(),
        policy_set: "policies".to_owned(),
        settings_hash: "settings".to_owned(),
        inputs_hash: inputs_hash.to_owned(),
    }
}

pub fn verdict(ruling: Ruling) -> Verdict {
    Verdict {
        ruling,
        policies: Vec::new(),
        requirements: vec![Requirement { role: Role::Controller, quorum: 1 }],
        expires_s: Some(86_400),
        notes: Vec::new(),
        policy_set: "policies".to_owned(),
    }
}

pub fn refund(charge: &str, amount: i64) -> Action {
    Action::RefundCharge {
        charge: charge.parse().unwrap(),
        amount: Money::new(amount, Currency::USD),
        reason: RefundReason::Duplicate,
    }
}

pub fn proposal(number: u8) -> Proposal {
    Proposal {
        id: ProposalId::from_entropy(entropy(number)),
        lane: LANE.to_owned(),
        case: CaseId::from_entropy(entropy(1)),
        decision: Some(DecisionId::from_entropy(entropy(1))),
        customer: Some(CUSTOMER.to_owned()),
        actor: Actor::Playbook { name: "recovery".to_owned(), author: None },
        state: ProposalState::Asking,
        digest: format!("digest {number}"),
        policy_set: "policies".to_owned(),
        policy_verdict: verdict(Ruling::Ask),
        verdict: verdict(Ruling::Ask),
        proposed_at: NOW,
        expires_at: Some(NOW.plus(std::time::Duration::from_hours(24))),
        settled_at: None,
        settled_why: None,
        settled_words: None,
        subject: CUSTOMER.to_owned(),
        content: Content {
            action: refund("ch_1", 64_000),
            actor_roles: vec![Role::Operator],
            rationale: Rationale::default(),
            facts: Facts::default(),
            supersedes: None,
        },
    }
}

pub fn approval(number: u8) -> Approval {
    Approval {
        id: ApprovalId::from_entropy(entropy(number)),
        lane: LANE.to_owned(),
        proposal: ProposalId::from_entropy(entropy(number)),
        case: CaseId::from_entropy(entropy(1)),
        digest: format!("digest {number}"),
        state: ApprovalState::Open,
        requirements: vec![Requirement { role: Role::Controller, quorum: 1 }],
        makers: vec![PersonId::from_entropy(entropy(9))],
        opened_at: NOW,
        expires_at: NOW.plus(std::time::Duration::from_hours(24)),
        closed_at: None,
        closed_why: None,
    }
}

pub fn vote(number: u8, person: u8) -> Vote {
    Vote {
        id: VoteId::from_entropy(entropy(number)),
        lane: LANE.to_owned(),
        approval: ApprovalId::from_entropy(entropy(1)),
        person: PersonId::from_entropy(entropy(person)),
        roles: vec![Role::Controller],
        choice: Choice::Approve,
        digest: "digest 1".to_owned(),
        at: NOW.micros(),
        method: "console".to_owned(),
        subject: CUSTOMER.to_owned(),
        reason: Some("looked at it".to_owned()),
    }
}

pub fn intent(number: u8) -> Intent {
    Intent {
        id: ExecutionId::from_entropy(entropy(number)),
        lane: LANE.to_owned(),
        proposal: ProposalId::from_entropy(entropy(number)),
        case: CaseId::from_entropy(entropy(1)),
        verb: "refund.create".to_owned(),
        digest: format!("digest {number}"),
        idempotency_key: format!("bursar_{number}"),
        method: "POST".to_owned(),
        path: "/v1/refunds".to_owned(),
        api_version: "2026-10-28.endive".to_owned(),
        account: None,
        subject: CUSTOMER.to_owned(),
        request: b"charge=ch_1&amount=64000".to_vec(),
        intended_at: NOW,
        deadline_at: NOW.plus(std::time::Duration::from_hours(23)),
    }
}

/// Of the customer; known by the hash that is answered.
pub async fn keep_inputs(tx: &mut Tx, keyring: &Keyring, bytes: &[u8]) -> bursar_store::Result<String> {
    let hash = decisions::inputs_hash(bytes);
    let inputs = decisions::Inputs { lane: LANE, subject: CUSTOMER, bytes, hash: &hash };
    decisions::keep_inputs(tx, keyring, &[inputs], AT).await.map(|_| hash)
}
