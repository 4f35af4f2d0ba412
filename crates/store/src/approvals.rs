//! Approvals and votes. One vote a person and approval; an approval leaves `open` once. What voters wrote is sealed.

use bursar_domain::approval::{ApprovalState, Choice};
use bursar_domain::audit::Commitment;
use bursar_domain::id::{ApprovalId, CaseId, PersonId, ProposalId, VoteId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::Requirement;

use crate::audit::{self, Table, only};
use crate::dialect::{ROWS_MAX, values};
use crate::seal::Keyring;
use crate::{Db, Error, Result, Row, Tx, Value, params};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub id: ApprovalId,
    pub lane: String,
    pub proposal: ProposalId,
    pub case: CaseId,
    pub digest: String,
    pub state: ApprovalState,
    pub requirements: Vec<Requirement>,
    /// The people behind the proposal.
    pub makers: Vec<PersonId>,
    pub opened_at: BusinessTime,
    pub expires_at: BusinessTime,
    pub closed_at: Option<BusinessTime>,
    /// A code.
    pub closed_why: Option<String>,
}

fn json<T: serde::Serialize>(value: &T, column: &'static str, id: &ApprovalId) -> Result<String> {
    serde_json::to_string(value).map_err(|_| Error::corrupt("approvals", column, id.as_str()))
}

pub async fn add(tx: &mut Tx, new: &[&Approval]) -> Result<Vec<Commitment>> {
    let mut commits = Vec::with_capacity(new.len());
    for chunk in new.chunks(ROWS_MAX) {
        let mut texts = Vec::with_capacity(chunk.len());
        for new in chunk {
            let requirements = json(&new.requirements, "requirements", &new.id)?;
            texts.push((requirements, json(&new.makers, "makers", &new.id)?));
        }
        let mut rows: Vec<Value<'_>> = Vec::with_capacity(chunk.len() * 10);
        for (new, (requirements, makers)) in chunk.iter().zip(&texts) {
            let (proposal, case) = (new.proposal.as_str(), new.case.as_str());
            rows.extend([new.id.as_str(), &new.lane, proposal, case, &new.digest].map(Value::from));
            rows.extend([new.state.as_str(), requirements, makers].map(Value::from));
            rows.extend([new.opened_at, new.expires_at].map(|time| Value::from(time.micros())));
        }
        let sql = format!(
            "INSERT INTO approvals (id, lane, proposal_id, case_id, digest, state, requirements, makers, opened_at,
                 expires_at) SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL",
            values(chunk.len(), 10)
        );
        let keys: Vec<&str> = chunk.iter().map(|new| new.id.as_str()).collect();
        commits.extend(audit::insert(tx, (Table::Approvals, &keys), &sql, &rows).await?);
    }
    Ok(commits)
}

/// Closes an open approval; a second close fails and changes nothing.
pub async fn close(
    tx: &mut Tx,
    id: &ApprovalId,
    to: ApprovalState,
    now: BusinessTime,
    why: &str,
) -> Result<()> {
    let sql =
        "UPDATE approvals SET state = $1, closed_at = $2, closed_why = $3 WHERE id = $4 AND state = 'open'";
    tx.execute_one(
        "the approval is already decided",
        sql,
        params![to.as_str(), now.micros(), why, id.as_str()],
    )
    .await
}

const COLUMNS: &str = "id, lane, proposal_id, case_id, digest, state, requirements, makers, opened_at, expires_at, \
                       closed_at, closed_why";

fn from_row(row: &Row) -> Result<Approval> {
    Ok(Approval {
        id: row.parse("approvals", "id", |text| text.parse().ok())?,
        lane: row.text("lane")?,
        proposal: row.parse("approvals", "proposal_id", |text| text.parse().ok())?,
        case: row.parse("approvals", "case_id", |text| text.parse().ok())?,
        digest: row.text("digest")?,
        state: row.parse("approvals", "state", ApprovalState::parse)?,
        requirements: row.json("approvals", "requirements")?,
        makers: row.json("approvals", "makers")?,
        opened_at: BusinessTime::from_micros(row.int("opened_at")?),
        expires_at: BusinessTime::from_micros(row.int("expires_at")?),
        closed_at: row.opt_int("closed_at")?.map(BusinessTime::from_micros),
        closed_why: row.opt_text("closed_why")?,
    })
}

fn select(tail: &str) -> String {
    format!("SELECT {COLUMNS} FROM approvals {tail}")
}

async fn one(db: &mut Db, tail: &str, value: &str) -> Result<Option<Approval>> {
    let for_update = db.for_update();
    let rows = db.built(select(&format!("{tail} {for_update}")), params![value]).await?;
    rows.first().map(from_row).transpose()
}

pub async fn get(db: &mut Db, id: &ApprovalId) -> Result<Option<Approval>> {
    one(db, "WHERE id = $1", id.as_str()).await
}

pub async fn of_proposal(db: &mut Db, id: &ProposalId) -> Result<Option<Approval>> {
    one(db, "WHERE proposal_id = $1", id.as_str()).await
}

/// Newest first; `before` is the last row seen, exclusive.
pub async fn list(
    db: &mut Db,
    state: Option<&str>,
    before: Option<(i64, &str)>,
    limit: i64,
) -> Result<Vec<Approval>> {
    let (at, id) = before.unwrap_or((i64::MAX, ""));
    let rows = match state {
        None => {
            let tail = "WHERE (opened_at, id) < ($1, $2) ORDER BY opened_at DESC, id DESC LIMIT $3";
            db.built(select(tail), params![at, id, limit]).await?
        }
        Some(state) => {
            let tail =
                "WHERE state = $1 AND (opened_at, id) < ($2, $3) ORDER BY opened_at DESC, id DESC LIMIT $4";
            db.built(select(tail), params![state, at, id, limit]).await?
        }
    };
    rows.iter().map(from_row).collect()
}

/// Those that were approved and whose proposal came to `outcome`; order and `before` as in [`list`].
pub async fn list_by_outcome(
    db: &mut Db,
    outcome: ProposalState,
    before: Option<(i64, &str)>,
    limit: i64,
) -> Result<Vec<Approval>> {
    let tail = "WHERE state = 'met' AND proposal_id IN (SELECT id FROM proposals WHERE state = $1)
                AND ($2 IS NULL OR opened_at < $2 OR (opened_at = $2 AND id < $3))
                ORDER BY opened_at DESC, id DESC LIMIT $4";
    let sql = format!("SELECT {COLUMNS} FROM approvals {tail}");
    let (at, id) = (before.map(|(at, _)| at), before.map(|(_, id)| id));
    db.built(sql, params![outcome.as_str(), at, id, limit]).await?.iter().map(from_row).collect()
}

/// How many wait, and since when the oldest does (business time).
pub async fn pending(db: &mut Db) -> Result<(i64, Option<i64>)> {
    let row = db
        .first("SELECT COUNT(*) AS n, MIN(opened_at) AS oldest FROM approvals WHERE state = 'open'", &[])
        .await?;
    row.map_or(Ok((0, None)), |row| Ok((row.int("n")?, row.opt_int("oldest")?)))
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Vote {
    pub id: VoteId,
    pub lane: String,
    pub approval: ApprovalId,
    pub person: PersonId,
    /// Those it was cast with.
    pub roles: Vec<Role>,
    pub choice: Choice,
    pub digest: String,
    pub at: i64,
    /// `console`, `api`, `cli`.
    pub method: String,
    /// Under whose key the reason is sealed.
    pub subject: String,
    pub reason: Option<String>,
}

fn purpose(id: &str) -> String {
    format!("votes\n{id}")
}

pub async fn add_vote(tx: &mut Tx, keyring: &Keyring, vote: &Vote, at: i64) -> Result<Commitment> {
    let roles =
        serde_json::to_string(&vote.roles).map_err(|_| Error::corrupt("votes", "roles", vote.id.as_str()))?;
    let reason = match &vote.reason {
        Some(reason) => {
            let key = keyring.for_writing(tx, &vote.lane, &vote.subject, at).await?;
            Some(keyring.seal(&key, &purpose(vote.id.as_str()), reason.as_bytes())?)
        }
        None => None,
    };
    let sql = "INSERT INTO votes (id, lane, approval_id, person, roles, choice, digest, at, method, subject, reason)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let row = params![
        vote.id.as_str(),
        &vote.lane,
        vote.approval.as_str(),
        vote.person.as_str(),
        &roles,
        vote.choice.as_str(),
        &vote.digest,
        vote.at,
        &vote.method,
        &vote.subject,
        reason.as_deref()
    ];
    only(audit::insert(tx, (Table::Votes, &[vote.id.as_str()]), sql, row).await?)
}

async fn vote_of(db: &mut Db, keyring: &Keyring, row: &Row) -> Result<Vote> {
    let (id, lane, subject) = (row.text("id")?, row.text("lane")?, row.text("subject")?);
    let choice = match row.text("choice")?.as_str() {
        "approve" => Choice::Approve,
        "reject" => Choice::Reject,
        _ => return Err(Error::corrupt("votes", "choice", id)),
    };
    let reason = match row.opt_blob("reason")? {
        Some(sealed) => keyring.unseal_words(db, (&lane, &subject), &purpose(&id), &sealed).await?,
        None => None,
    };
    Ok(Vote {
        id: row.parse("votes", "id", |text| text.parse().ok())?,
        approval: row.parse("votes", "approval_id", |text| text.parse().ok())?,
        person: row.parse("votes", "person", |text| text.parse().ok())?,
        roles: row.json("votes", "roles")?,
        choice,
        digest: row.text("digest")?,
        at: row.int("at")?,
        method: row.text("method")?,
        lane,
        subject,
        reason,
    })
}

/// In the order they were cast.
pub async fn votes(db: &mut Db, keyring: &Keyring, approval: &ApprovalId) -> Result<Vec<Vote>> {
    let sql =
        "SELECT id, lane, approval_id, person, roles, choice, digest, at, method, subject, reason FROM votes
               WHERE approval_id = $1 ORDER BY at, id";
    let rows = db.all(sql, params![approval.as_str()]).await?;
    let mut votes = Vec::with_capacity(rows.len());
    for row in &rows {
        votes.push(vote_of(db, keyring, row).await?);
    }
    Ok(votes)
}
