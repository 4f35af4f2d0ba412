//! Which rows the audit commits to, and over which of their columns. Only columns that never change after the entry
//! was written count; where a row has a later settled part, that part is a table of its own here.

use std::collections::HashMap;

use bursar_domain::canonical::hash_hex;

use crate::{Db, Error, Result, Row, Tx, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The events of one commit group, by the entry's own id: their root hash.
    EventGroup,
    Quarantine,
    Decisions,
    Inputs,
    Proposals,
    /// How a proposal ended.
    ProposalEnds,
    Approvals,
    Votes,
    /// The intent: what was going to be sent, before any socket.
    Executions,
    /// What came of it.
    ExecutionEnds,
    PolicySets,
}

impl Table {
    pub const ALL: [Table; 11] = [
        Table::EventGroup,
        Table::Quarantine,
        Table::Decisions,
        Table::Inputs,
        Table::Proposals,
        Table::ProposalEnds,
        Table::Approvals,
        Table::Votes,
        Table::Executions,
        Table::ExecutionEnds,
        Table::PolicySets,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Table::EventGroup => "events",
            Table::Quarantine => "quarantine",
            Table::Decisions => "decisions",
            Table::Inputs => "inputs",
            Table::Proposals => "proposals",
            Table::ProposalEnds => "proposals.end",
            Table::Approvals => "approvals",
            Table::Votes => "votes",
            Table::Executions => "executions",
            Table::ExecutionEnds => "executions.end",
            Table::PolicySets => "policy_sets",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.as_str() == text)
    }

    /// The statement whose text columns are hashed, in order. A value that may be missing gets a mark, so that nothing
    /// and an empty text differ.
    fn select(self) -> &'static str {
        match self {
            Table::EventGroup => {
                "SELECT lane, id, type, CAST(created_s AS TEXT) AS created_s, COALESCE('=' || api_version, '') AS api_version,
                        COALESCE('=' || request_key, '') AS request_key, COALESCE('=' || object_kind, '') AS object_kind,
                        COALESCE('=' || object_id, '') AS object_id, COALESCE('=' || snapshot_event, '') AS snapshot_event,
                        sameness, sameness_any_version, source,
                        CAST(received_at AS TEXT) AS received_at, subject, body_hash, body
                 FROM events WHERE audit_id = $1 ORDER BY lane, id"
            }
            Table::Quarantine => {
                "SELECT id, COALESCE('=' || lane, '') AS lane, COALESCE('=' || connection, '') AS connection, reason, source,
                        CAST(received_at AS TEXT) AS received_at, sameness, body_hash, body FROM quarantine WHERE id = $1"
            }
            Table::Decisions => {
                "SELECT id, lane, case_id, playbook, CAST(at AS TEXT) AS at, signal, class, rule, mode, policy_set,
                        settings_hash, inputs_hash FROM decisions WHERE id = $1"
            }
            Table::Inputs => "SELECT lane, hash, subject, body FROM inputs WHERE lane = $1 AND hash = $2",
            Table::Proposals => {
                "SELECT id, lane, case_id, COALESCE('=' || decision_id, '') AS decision_id, verb, COALESCE('=' || target, '') AS target,
                        COALESCE('=' || template, '') AS template, COALESCE('=' || customer, '') AS customer,
                        COALESCE('=' || CAST(amount AS TEXT), '') AS amount, COALESCE('=' || currency, '') AS currency,
                        COALESCE('=' || CAST(amount_home AS TEXT), '') AS amount_home, actor, digest, policy_set, policy_verdict, verdict, CAST(proposed_at AS TEXT) AS proposed_at,
                        COALESCE('=' || CAST(expires_at AS TEXT), '') AS expires_at, subject, content_hash, content
                 FROM proposals WHERE id = $1"
            }
            Table::ProposalEnds => {
                "SELECT id, state, COALESCE('=' || CAST(settled_at AS TEXT), '') AS settled_at,
                        COALESCE('=' || settled_why, '') AS settled_why, settled_words FROM proposals WHERE id = $1"
            }
            Table::Approvals => {
                "SELECT id, lane, proposal_id, case_id, digest, requirements, makers,
                        CAST(opened_at AS TEXT) AS opened_at, CAST(expires_at AS TEXT) AS expires_at
                 FROM approvals WHERE id = $1"
            }
            Table::Votes => {
                "SELECT id, lane, approval_id, person, roles, choice, digest, CAST(at AS TEXT) AS at, method, subject,
                        reason FROM votes WHERE id = $1"
            }
            Table::Executions => {
                "SELECT id, lane, proposal_id, case_id, verb, digest, idempotency_key, request_method, request_path,
                        request_hash, api_version, COALESCE('=' || account, '') AS account, subject, request,
                        CAST(intended_at AS TEXT) AS intended_at, CAST(deadline_at AS TEXT) AS deadline_at
                 FROM executions WHERE id = $1"
            }
            Table::ExecutionEnds => {
                "SELECT id, state, COALESCE('=' || CAST(outcome_at AS TEXT), '') AS outcome_at,
                        COALESCE('=' || outcome_code, '') AS outcome_code, COALESCE('=' || receipt, '') AS receipt
                 FROM executions WHERE id = $1"
            }
            Table::PolicySets => {
                "SELECT hash, files, CAST(loaded_at AS TEXT) AS loaded_at FROM policy_sets WHERE hash = $1"
            }
        }
    }

    /// What `select` reads, as an insert of such a row can give it back.
    fn read(self) -> &'static str {
        let read = self.select().split_once(' ').and_then(|(_, rest)| rest.rsplit_once("FROM "));
        read.map_or("*", |(columns, _)| columns)
    }

    /// What a row is known by in an entry.
    fn key(self, row: &Row) -> Result<String> {
        match self {
            Table::Inputs => Ok([row.text("lane")?, row.text("hash")?].join(" ")),
            Table::PolicySets => row.text("hash"),
            _ => row.text("id"),
        }
    }

    /// The parameters of `select` that a key stands for. Inputs have two, with a space between them.
    fn parameters(self, key: &str) -> Vec<Value<'_>> {
        match self {
            Table::Inputs => {
                let (lane, hash) = key.rsplit_once(' ').unwrap_or((key, ""));
                vec![lane.into(), hash.into()]
            }
            _ => vec![key.into()],
        }
    }

    /// The columns of `select` that are hashed as text, in order.
    fn columns(self) -> impl Iterator<Item = &'static str> {
        let names = match self {
            Table::EventGroup => {
                "lane id type created_s api_version request_key object_kind object_id snapshot_event sameness \
                 sameness_any_version source received_at subject body_hash"
            }
            Table::Quarantine => "id lane connection reason source received_at sameness body_hash",
            Table::Decisions => {
                "id lane case_id playbook at signal class rule mode policy_set settings_hash inputs_hash"
            }
            Table::Inputs => "lane hash subject",
            Table::Proposals => {
                "id lane case_id decision_id verb target template customer amount currency amount_home \
                 actor digest policy_set policy_verdict verdict proposed_at expires_at subject \
                 content_hash"
            }
            Table::ProposalEnds => "id state settled_at settled_why",
            Table::Approvals => "id lane proposal_id case_id digest requirements makers opened_at expires_at",
            Table::Votes => "id lane approval_id person roles choice digest at method subject",
            Table::Executions => {
                "id lane proposal_id case_id verb digest idempotency_key request_method request_path \
                 request_hash api_version account subject intended_at deadline_at"
            }
            Table::ExecutionEnds => "id state outcome_at outcome_code receipt",
            Table::PolicySets => "hash files loaded_at",
        };
        names.split(' ')
    }

    /// The sealed column, hashed as the bytes that are stored; as nothing where there are none.
    fn blob(self) -> Option<&'static str> {
        match self {
            Table::EventGroup | Table::Quarantine | Table::Inputs => Some("body"),
            Table::Proposals => Some("content"),
            Table::Executions => Some("request"),
            Table::ProposalEnds => Some("settled_words"),
            Table::Votes => Some("reason"),
            _ => None,
        }
    }
}

/// The hash of what an entry commits to, as the rows stand now; nothing when no row is there.
pub(super) async fn hash(db: &mut Db, table: Table, key: &str) -> Result<Option<String>> {
    let rows = db.all(table.select(), &table.parameters(key)).await?;
    if rows.is_empty() { Ok(None) } else { hash_of(table, &rows).map(Some) }
}

/// Adds rows and hashes each as it stands then, which spares asking for them. What was there already is not among them.
pub(super) async fn insert(
    tx: &mut Tx,
    table: Table,
    insert: &str,
    rows: &[Value<'_>],
) -> Result<HashMap<String, String>> {
    let added = tx.built([insert, " RETURNING ", table.read()].concat(), rows).await?;
    added.iter().map(|row| Ok((table.key(row)?, hash_of(table, std::slice::from_ref(row))?))).collect()
}

fn hash_of(table: Table, rows: &[Row]) -> Result<String> {
    let mut text = String::with_capacity(rows.len() * 128);
    for row in rows {
        for column in table.columns() {
            append(&mut text, &row.text(column)?);
        }
        if let Some(column) = table.blob() {
            append(&mut text, &row.opt_blob(column)?.map(|bytes| hash_hex(&bytes)).unwrap_or_default());
        }
    }
    Ok(hash_hex(text.as_bytes()))
}

/// Length first, so that no two different rows share a text.
fn append(text: &mut String, part: &str) {
    use std::fmt::Write as _;
    let _ = write!(text, "{}:{part};", part.len());
}

/// The root hash of an event group from what is about to be inserted, equal to what `hash` finds afterwards.
pub(crate) fn event_group_hash(rows: &[(Vec<String>, String)]) -> Result<String> {
    let columns = Table::EventGroup.columns().count();
    let mut text = String::with_capacity(rows.len() * 512);
    for (parts, body_hash) in rows {
        if parts.len() != columns {
            return Err(Error::Database("an event row has another shape than the audit expects".to_owned()));
        }
        for part in parts {
            append(&mut text, part);
        }
        append(&mut text, body_hash);
    }
    Ok(hash_hex(text.as_bytes()))
}
