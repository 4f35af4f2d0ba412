//! Proposals with both verdicts. Action, rationale and facts are sealed; the state moves only from a state that allows
//! it, and a proposal that has ended stays ended.

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::audit::Commitment;
use bursar_domain::canonical::hash_hex;
use bursar_domain::facts::{FactName, FactValue, Facts};
use bursar_domain::id::{CaseId, DecisionId, ProposalId};
use bursar_domain::known::{PastMessage, PastProposal};
use bursar_domain::proposal::{ProposalState, Rationale};
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::Verdict;
use bursar_stripe::money::Money;
use serde::{Deserialize, Serialize};

use crate::audit::{self, Table};
use crate::dialect::{ROWS_MAX, values};
use crate::seal::{Keyring, SubjectKey};
use crate::{Db, Error, Result, Row, Tx, Value, params};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub id: ProposalId,
    pub lane: String,
    pub case: CaseId,
    pub decision: Option<DecisionId>,
    pub customer: Option<String>,
    pub actor: Actor,
    pub state: ProposalState,
    pub digest: String,
    pub policy_set: String,
    /// What policy said, before mode and kill switch.
    pub policy_verdict: Verdict,
    pub verdict: Verdict,
    pub proposed_at: BusinessTime,
    pub expires_at: Option<BusinessTime>,
    pub settled_at: Option<BusinessTime>,
    /// A code.
    pub settled_why: Option<String>,
    /// The same in words, which may be somebody's: sealed.
    pub settled_words: Option<String>,
    pub subject: String,
    pub content: Content,
}

/// What may name people: sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub action: Action,
    /// Roles the proposer held itself.
    pub actor_roles: Vec<Role>,
    pub rationale: Rationale,
    pub facts: Facts,
    /// The one of which this is the same wish, asked for again because the world had changed under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<ProposalId>,
}

fn purpose(id: &str) -> String {
    format!("proposals\n{id}")
}

fn purpose_of_words(id: &str) -> String {
    format!("proposals\n{id}\nsettled_words")
}

/// What tells apart proposals of one verb on one target.
fn template(action: &Action) -> Option<&str> {
    match action {
        Action::SendMail(mail) => Some(mail.template.as_str()),
        Action::CreateTask { title, .. } => Some(title.as_str()),
        _ => None,
    }
}

fn json<T: Serialize>(value: &T, column: &'static str, id: &ProposalId) -> Result<String> {
    serde_json::to_string(value).map_err(|_| Error::corrupt("proposals", column, id.as_str()))
}

pub async fn add(tx: &mut Tx, keyring: &Keyring, new: &[&Proposal], at: i64) -> Result<Vec<Commitment>> {
    let subjects: Vec<(&str, &str)> =
        new.iter().map(|new| (new.lane.as_str(), new.subject.as_str())).collect();
    let keys = keyring.for_writing_many(tx, &subjects, at).await?;
    let written = new.iter().zip(&keys).map(|(new, key)| Written::of(new, keyring, key));
    let written = written.collect::<Result<Vec<Written<'_>>>>()?;
    let mut commits = Vec::with_capacity(new.len());
    for chunk in written.chunks(ROWS_MAX) {
        let rows: Vec<Value<'_>> = chunk.iter().flat_map(Written::row).collect();
        let sql = format!(
            "INSERT INTO proposals (id, lane, case_id, decision_id, verb, target, template, customer, amount, currency,
                 amount_home, actor, state, digest, policy_set, policy_verdict, verdict, proposed_at, expires_at,
                 settled_at, settled_why, subject, content, content_hash)
             SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL",
            values(chunk.len(), 24)
        );
        let keys: Vec<&str> = chunk.iter().map(|written| written.new.id.as_str()).collect();
        commits.extend(audit::insert(tx, (Table::Proposals, &keys), &sql, &rows).await?);
    }
    Ok(commits)
}

/// The columns of a proposal that have to be made.
struct Written<'a> {
    new: &'a Proposal,
    amount: Option<Money>,
    home: Option<i64>,
    actor: String,
    policy_verdict: String,
    verdict: String,
    sealed: Vec<u8>,
    content_hash: String,
}

impl<'a> Written<'a> {
    fn of(new: &'a Proposal, keyring: &Keyring, key: &SubjectKey) -> Result<Self> {
        let content = json(&new.content, "content", &new.id)?;
        let sealed = keyring.seal(key, &purpose(new.id.as_str()), content.as_bytes())?;
        let home = match new.content.facts.get(FactName::Amount).map(|fact| &fact.value) {
            Some(FactValue::Money { home: Some(home), .. }) => Some(home.money.amount),
            _ => None,
        };
        Ok(Self {
            amount: new.content.action.amount(),
            home,
            actor: json(&new.actor, "actor", &new.id)?,
            policy_verdict: json(&new.policy_verdict, "policy_verdict", &new.id)?,
            verdict: json(&new.verdict, "verdict", &new.id)?,
            content_hash: hash_hex(&sealed),
            sealed,
            new,
        })
    }

    fn row(&self) -> [Value<'_>; 24] {
        let (new, action) = (self.new, &self.new.content.action);
        [
            new.id.as_str().into(),
            (&new.lane).into(),
            new.case.as_str().into(),
            new.decision.as_ref().map(DecisionId::as_str).into(),
            action.verb().into(),
            action.target().map(|(_, id)| id).into(),
            template(action).into(),
            new.customer.as_deref().into(),
            self.amount.map(|money| money.amount).into(),
            self.amount.as_ref().map(|money| money.currency.as_str()).into(),
            self.home.into(),
            (&self.actor).into(),
            new.state.as_str().into(),
            (&new.digest).into(),
            (&new.policy_set).into(),
            (&self.policy_verdict).into(),
            (&self.verdict).into(),
            new.proposed_at.micros().into(),
            new.expires_at.map(BusinessTime::micros).into(),
            new.settled_at.map(BusinessTime::micros).into(),
            new.settled_why.as_deref().into(),
            (&new.subject).into(),
            (&self.sealed).into(),
            (&self.content_hash).into(),
        ]
    }
}

/// Moves a proposal on; fails where it is no longer in `from`. `why` is a code: it is kept in the open.
pub async fn advance(
    tx: &mut Tx,
    id: &ProposalId,
    from: ProposalState,
    to: ProposalState,
    now: BusinessTime,
    why: Option<&str>,
) -> Result<()> {
    let settled_at = (!to.is_open()).then(|| now.micros());
    let sql =
        "UPDATE proposals SET state = $1, settled_at = $2, settled_why = $3 WHERE id = $4 AND state = $5";
    let row = params![to.as_str(), settled_at, why, id.as_str(), from.as_str()];
    tx.execute_one("the proposal has moved on", sql, row).await
}

/// Keeps in words why a proposal ended, sealed.
pub async fn say_why(
    tx: &mut Tx,
    keyring: &Keyring,
    proposal: &Proposal,
    words: &str,
    at: i64,
) -> Result<()> {
    let key = keyring.for_writing(tx, &proposal.lane, &proposal.subject, at).await?;
    let sealed = keyring.seal(&key, &purpose_of_words(proposal.id.as_str()), words.as_bytes())?;
    let sql = "UPDATE proposals SET settled_words = $1 WHERE id = $2";
    tx.execute(sql, params![&sealed, proposal.id.as_str()]).await.map(|_| ())
}

const COLUMNS: &str = "id, lane, case_id, decision_id, customer, actor, state, digest, policy_set, policy_verdict, verdict, \
                       proposed_at, expires_at, settled_at, settled_why, settled_words, subject, content";

async fn from_row(db: &mut Db, keyring: &Keyring, row: &Row) -> Result<Proposal> {
    let (id, lane, subject) = (row.text("id")?, row.text("lane")?, row.text("subject")?);
    let key = keyring.for_reading(db, &lane, &subject).await?;
    let plain = keyring.unseal(&key, &purpose(&id), &row.blob("content")?)?;
    let content = serde_json::from_slice(&plain).map_err(|_| Error::corrupt("proposals", "content", &id))?;
    let settled_words = match row.opt_blob("settled_words")? {
        Some(sealed) => keyring.unseal_words(db, (&lane, &subject), &purpose_of_words(&id), &sealed).await?,
        None => None,
    };
    Ok(Proposal {
        id: row.parse("proposals", "id", |text| text.parse().ok())?,
        case: row.parse("proposals", "case_id", |text| text.parse().ok())?,
        decision: row.opt_text("decision_id")?.and_then(|text| text.parse().ok()),
        customer: row.opt_text("customer")?,
        actor: row.json("proposals", "actor")?,
        state: row.parse("proposals", "state", ProposalState::parse)?,
        digest: row.text("digest")?,
        policy_set: row.text("policy_set")?,
        policy_verdict: row.json("proposals", "policy_verdict")?,
        verdict: row.json("proposals", "verdict")?,
        proposed_at: BusinessTime::from_micros(row.int("proposed_at")?),
        expires_at: row.opt_int("expires_at")?.map(BusinessTime::from_micros),
        settled_at: row.opt_int("settled_at")?.map(BusinessTime::from_micros),
        settled_why: row.opt_text("settled_why")?,
        settled_words,
        lane,
        subject,
        content,
    })
}

async fn many(db: &mut Db, keyring: &Keyring, rows: Vec<Row>) -> Result<Vec<Proposal>> {
    let mut proposals = Vec::with_capacity(rows.len());
    for row in &rows {
        proposals.push(from_row(db, keyring, row).await?);
    }
    Ok(proposals)
}

pub async fn get(db: &mut Db, keyring: &Keyring, id: &ProposalId) -> Result<Option<Proposal>> {
    let for_update = db.for_update();
    let rows = db
        .built(format!("SELECT {COLUMNS} FROM proposals WHERE id = $1 {for_update}"), params![id.as_str()])
        .await?;
    Ok(many(db, keyring, rows).await?.pop())
}

/// The same wish, asked for again in place of one that was voided, if it was.
pub async fn successor(db: &mut Db, keyring: &Keyring, proposal: &Proposal) -> Result<Option<Proposal>> {
    if proposal.state != ProposalState::Void {
        return Ok(None);
    }
    let known = of_case(db, keyring, &proposal.case).await?;
    Ok(known.into_iter().find(|other| other.content.supersedes.as_ref() == Some(&proposal.id)))
}

/// Of a case, oldest first.
pub async fn of_case(db: &mut Db, keyring: &Keyring, case: &CaseId) -> Result<Vec<Proposal>> {
    let sql = format!("SELECT {COLUMNS} FROM proposals WHERE case_id = $1 ORDER BY proposed_at, id");
    let rows = db.built(sql, params![case.as_str()]).await?;
    many(db, keyring, rows).await
}

/// What a playbook is told of its case's past: no need to unseal anything.
pub async fn past(db: &mut Db, case: &CaseId) -> Result<Vec<PastProposal>> {
    let sql = "SELECT id, verb, COALESCE(template, target, '') AS about, state, proposed_at, settled_at
               FROM proposals WHERE case_id = $1 ORDER BY proposed_at, id";
    let rows = db.all(sql, params![case.as_str()]).await?;
    rows.iter()
        .map(|row| {
            Ok(PastProposal {
                id: row.parse("proposals", "id", |text| text.parse().ok())?,
                verb: row.text("verb")?,
                subject: row.text("about")?,
                state: row.parse("proposals", "state", ProposalState::parse)?,
                proposed_at: BusinessTime::from_micros(row.int("proposed_at")?),
                settled_at: row.opt_int("settled_at")?.map(BusinessTime::from_micros),
            })
        })
        .collect()
}

/// Letters sent, possibly sent or on their way to a customer since a time, over all cases.
pub async fn messages_since(db: &mut Db, lane: &str, customer: &str, since: i64) -> Result<Vec<PastMessage>> {
    let sql = "SELECT template, COALESCE(settled_at, proposed_at) AS sent_at FROM proposals
               WHERE lane = $1 AND customer = $2 AND verb = 'mail.send' AND state IN ('done', 'approved', 'in_doubt')
                 AND COALESCE(settled_at, proposed_at) >= $3 ORDER BY proposed_at";
    let rows = db.all(sql, params![lane, customer, since]).await?;
    rows.iter()
        .map(|row| {
            Ok(PastMessage {
                template: row.opt_text("template")?.unwrap_or_default(),
                sent_at: BusinessTime::from_micros(row.int("sent_at")?),
            })
        })
        .collect()
}

/// Proposals of which the same may still come, or may have come already: the same verb on the same target. A letter in
/// doubt stands in the way of that letter only.
pub async fn unsettled_for(db: &mut Db, lane: &str, action: &Action) -> Result<Vec<ProposalId>> {
    let Some((_, target)) = action.target() else { return Ok(Vec::new()) };
    let sql = "SELECT id FROM proposals WHERE lane = $1 AND target = $2 AND verb = $3
               AND (state IN ('asking', 'approved') OR (state = 'in_doubt' AND COALESCE(template, '') = $4))
               ORDER BY proposed_at, id";
    let template = template(action).unwrap_or_default();
    let rows = db.all(sql, params![lane, target, action.verb(), template]).await?;
    rows.iter().map(|row| row.parse("proposals", "id", |text| text.parse().ok())).collect()
}

/// The first that is there of what is asked for, under way or in doubt, of many actions with their lanes.
pub async fn any_unsettled_for(db: &mut Db, wanted: &[(&str, &Action)]) -> Result<Option<ProposalId>> {
    let wanted: Vec<[Value<'_>; 4]> = wanted
        .iter()
        .filter_map(|(lane, action)| {
            let (_, target) = action.target()?;
            Some([*lane, target, action.verb(), template(action).unwrap_or_default()].map(Value::from))
        })
        .collect();
    for chunk in wanted.chunks(ROWS_MAX) {
        let sql = format!(
            "WITH wanted (lane, target, verb, template) AS (VALUES {})
             SELECT held.id FROM wanted
             JOIN proposals AS held ON held.lane = wanted.lane AND held.target = wanted.target AND held.verb = wanted.verb
             WHERE held.state IN ('asking', 'approved')
                OR (held.state = 'in_doubt' AND COALESCE(held.template, '') = wanted.template)",
            values(chunk.len(), 4)
        );
        if let Some(row) = db.built(sql, chunk.as_flattened()).await?.first() {
            return row.parse("proposals", "id", |text| text.parse().ok()).map(Some);
        }
    }
    Ok(None)
}

/// Cases in which nobody can tell yet whether something happened, the longest in doubt first.
pub async fn cases_in_doubt(db: &mut Db, limit: i64) -> Result<Vec<CaseId>> {
    let sql = "SELECT case_id FROM proposals WHERE state = 'in_doubt' ORDER BY settled_at, id LIMIT $1";
    let rows = db.all(sql, params![limit]).await?;
    rows.iter().map(|row| row.parse("proposals", "case_id", |text| text.parse().ok())).collect()
}

/// What people were asked or have agreed to and that has not ended, each with its verb.
pub async fn waiting(db: &mut Db) -> Result<Vec<(ProposalId, String)>> {
    let sql =
        "SELECT id, verb FROM proposals WHERE state IN ('asking', 'approved') ORDER BY state, settled_at, id";
    let rows = db.all(sql, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.parse("proposals", "id", |text| text.parse().ok())?, row.text("verb")?)))
        .collect()
}

/// How many are in doubt for a reason.
pub async fn in_doubt_because(db: &mut Db, code: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM proposals WHERE state = 'in_doubt' AND settled_why = $1";
    db.number(sql, params![code]).await
}

/// How many there are in each state since a time, for rates.
pub async fn counts(db: &mut Db) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT state, COUNT(*) AS n FROM proposals GROUP BY state";
    db.all(sql, &[]).await?.iter().map(|row| Ok((row.text("state")?, row.int("n")?))).collect()
}
