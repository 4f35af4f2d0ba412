//! The engine's documents as the console reads them. A field that is missing is a defect of ours and says so.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::view::CardDocument;
use super::view::card_document::FactDocument;
use crate::http::problem::Problem;

/// Reads one of the engine's documents.
pub(super) fn read<T: DeserializeOwned>(document: Value) -> Result<T, Problem> {
    serde_json::from_value(document)
        .map_err(|error| bursar_engine::Error::Broken(format!("a document of the engine: {error}")).into())
}

#[derive(Debug, Deserialize)]
pub(super) struct CaseDocument {
    pub(super) id: String,
    pub(super) lane: String,
    pub(super) playbook: String,
    pub(super) about: About,
    pub(super) customer: Option<String>,
    pub(super) customer_name: Option<String>,
    pub(super) title: String,
    pub(super) class: Option<String>,
    pub(super) state: String,
    pub(super) waiting_until: Option<String>,
    pub(super) blocked_on: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) due_at: Option<String>,
    pub(super) opened_at: String,
    pub(super) updated_at: String,
    // Only of a single case:
    #[serde(default)]
    pub(super) timeline: Vec<LineDocument>,
    #[serde(default)]
    pub(super) proposals: Vec<ProposalDocument>,
    #[serde(default)]
    pub(super) tasks: Vec<TaskDocument>,
    #[serde(default)]
    pub(super) decisions: Vec<DecisionDocument>,
    #[serde(default)]
    pub(super) facts: Vec<FactDocument>,
    #[serde(default)]
    pub(super) money: Vec<MoneyDocument>,
    pub(super) refundable: Option<RefundableDocument>,
}

#[derive(Debug, Deserialize)]
pub(super) struct About {
    pub(super) kind: String,
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ActorDocument {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) label: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct LineDocument {
    pub(super) at: String,
    pub(super) kind: String,
    pub(super) actor: ActorDocument,
    pub(super) data: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct ProposalDocument {
    pub(super) id: String,
    pub(super) verb: String,
    pub(super) headline: String,
    pub(super) params: Value,
    pub(super) state: String,
    pub(super) why: Option<String>,
    pub(super) reason: String,
    pub(super) proposed_at: String,
    pub(super) approval: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TaskDocument {
    pub(super) id: String,
    pub(super) role: String,
    pub(super) state: String,
    pub(super) created_at: i64,
    pub(super) body: TaskBody,
}

#[derive(Debug, Deserialize)]
pub(super) struct TaskBody {
    pub(super) title: String,
    #[serde(default)]
    pub(super) body: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct DecisionDocument {
    pub(super) rule: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct MoneyDocument {
    pub(super) label: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) total: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct RefundableDocument {
    pub(super) charge: String,
    pub(super) amount: i64,
    pub(super) currency: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ApprovalDocument {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) lane: String,
    pub(super) case: String,
    pub(super) expires_at: String,
    pub(super) closed_at: Option<String>,
    pub(super) closed_why: Option<String>,
    /// The same wish, asked for again because the world had changed.
    pub(super) superseded_by: Option<SuccessorDocument>,
    pub(super) may_decide: Option<bool>,
    pub(super) may_not_because: Option<String>,
    pub(super) second_sign_in: bool,
    pub(super) votes: Vec<VoteDocument>,
    pub(super) card: CardDocument,
    pub(super) execution: Option<ReceiptDocument>,
    pub(super) receipt: Option<ReceiptDocument>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SuccessorDocument {
    pub(super) approval: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VoteDocument {
    pub(super) name: Option<String>,
    pub(super) role: Option<String>,
    pub(super) choice: String,
    pub(super) reason: Option<String>,
    pub(super) at: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReceiptDocument {
    pub(super) headline: String,
    pub(super) object: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) balance_transaction: Option<String>,
    pub(super) known_by: Option<String>,
    pub(super) rows: Vec<RowDocument>,
    pub(super) first_sent_at: Option<String>,
    pub(super) finished_at: Option<String>,
    /// What it waits for, in words.
    pub(super) waits: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RowDocument {
    pub(super) what: String,
    pub(super) predicted: String,
    pub(super) actual: String,
}
