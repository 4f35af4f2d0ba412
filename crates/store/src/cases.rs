//! Cases: at most one open for an object and playbook. Title and names are sealed; what the inbox sorts by is a column.

use std::collections::HashMap;

use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::id::CaseId;
use bursar_domain::time::BusinessTime;
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use serde::{Deserialize, Serialize};

use crate::dialect::{ROWS_MAX, values};
use crate::seal::{Keyring, SubjectKey};
use crate::{Db, Error, Result, Row, Tx, Value, params};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub id: CaseId,
    pub lane: String,
    pub key: CaseKey,
    pub customer: Option<String>,
    pub state: CaseState,
    pub class: Option<String>,
    pub amount: Option<Money>,
    /// When something must have happened, business time.
    pub due_at: Option<i64>,
    pub opened_at: i64,
    pub updated_at: i64,
    pub subject: String,
    pub details: Details,
}

/// What names people: sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    pub title: String,
    pub customer_name: Option<String>,
}

const COLUMNS: &str = "id, lane, playbook, object_kind, object_id, customer, state_data, class, amount, currency, due_at, \
                       opened_at, updated_at, subject, details";

fn select(tail: &str) -> String {
    format!("SELECT {COLUMNS} FROM cases {tail}")
}

fn purpose(id: &str) -> String {
    format!("cases\n{id}")
}

/// Writes a case, new or changed.
pub async fn save(tx: &mut Tx, keyring: &Keyring, case: &Case, at: i64) -> Result<()> {
    save_many(tx, keyring, &[case], at).await
}

/// The same for many, none of them twice.
pub async fn save_many(tx: &mut Tx, keyring: &Keyring, cases: &[&Case], at: i64) -> Result<()> {
    let subjects: Vec<(&str, &str)> =
        cases.iter().map(|case| (case.lane.as_str(), case.subject.as_str())).collect();
    let keys = keyring.for_writing_many(tx, &subjects, at).await?;
    let written = cases.iter().zip(&keys).map(|(case, key)| Written::of(case, keyring, key));
    let written = written.collect::<Result<Vec<Written<'_>>>>()?;
    for chunk in written.chunks(ROWS_MAX) {
        let rows: Vec<Value<'_>> = chunk.iter().flat_map(Written::row).collect();
        let sql = format!(
            "INSERT INTO cases (id, lane, playbook, object_kind, object_id, customer, state, state_data, class, amount,
                 currency, due_at, opened_at, updated_at, closed_at, subject, details)
             SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL
             ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, state = excluded.state,
                 state_data = excluded.state_data, class = excluded.class, amount = excluded.amount,
                 currency = excluded.currency, due_at = excluded.due_at, updated_at = excluded.updated_at,
                 closed_at = excluded.closed_at, subject = excluded.subject, details = excluded.details",
            values(chunk.len(), 17)
        );
        tx.built(sql, &rows).await?;
    }
    Ok(())
}

/// The columns of a case that have to be made.
struct Written<'a> {
    case: &'a Case,
    state_data: String,
    closed_at: Option<i64>,
    sealed: Vec<u8>,
}

impl<'a> Written<'a> {
    fn of(case: &'a Case, keyring: &Keyring, key: &SubjectKey) -> Result<Self> {
        let unwritable = |column| Error::corrupt("cases", column, case.id.as_str());
        let details = serde_json::to_vec(&case.details).map_err(|_| unwritable("details"))?;
        let closed_at = match &case.state {
            CaseState::Closed { at, .. } => Some(at.micros()),
            _ => None,
        };
        Ok(Self {
            case,
            state_data: serde_json::to_string(&case.state).map_err(|_| unwritable("state_data"))?,
            closed_at,
            sealed: keyring.seal(key, &purpose(case.id.as_str()), &details)?,
        })
    }

    fn row(&self) -> [Value<'_>; 17] {
        let case = self.case;
        [
            case.id.as_str().into(),
            (&case.lane).into(),
            (&case.key.playbook).into(),
            (&case.key.object_kind).into(),
            (&case.key.object_id).into(),
            case.customer.as_deref().into(),
            case.state.word().into(),
            (&self.state_data).into(),
            case.class.as_deref().into(),
            case.amount.map(|money| money.amount).into(),
            case.amount.as_ref().map(|money| money.currency.as_str()).into(),
            case.due_at.into(),
            case.opened_at.into(),
            case.updated_at.into(),
            self.closed_at.into(),
            (&case.subject).into(),
            (&self.sealed).into(),
        ]
    }
}

async fn from_row(db: &mut Db, keyring: &Keyring, row: &Row) -> Result<Case> {
    let (id, lane, subject) = (row.text("id")?, row.text("lane")?, row.text("subject")?);
    let sealed = row.blob("details")?;
    let key = keyring.for_reading(db, &lane, &subject).await;
    let plain = key.and_then(|key| keyring.unseal(&key, &purpose(&id), &sealed));
    // An erased customer leaves the case without a name, also when they came back and have a new key.
    let details = match plain {
        Ok(plain) => serde_json::from_slice(&plain).map_err(|_| Error::corrupt("cases", "details", &id))?,
        Err(Error::Unsealable(_)) => Details { title: "(erased)".to_owned(), customer_name: None },
        Err(error) => return Err(error),
    };
    Ok(Case {
        id: id.parse().map_err(|_| Error::corrupt("cases", "id", &id))?,
        lane,
        key: CaseKey {
            playbook: row.text("playbook")?,
            object_kind: row.text("object_kind")?,
            object_id: row.text("object_id")?,
        },
        customer: row.opt_text("customer")?,
        state: row.json("cases", "state_data")?,
        class: row.opt_text("class")?,
        amount: money(row, "cases")?,
        due_at: row.opt_int("due_at")?,
        opened_at: row.int("opened_at")?,
        updated_at: row.int("updated_at")?,
        subject,
        details,
    })
}

/// `amount` and `currency` of a row together.
pub(crate) fn money(row: &Row, table: &'static str) -> Result<Option<Money>> {
    match (row.opt_int("amount")?, row.opt_text("currency")?) {
        (Some(amount), Some(currency)) => {
            let currency =
                Currency::parse(&currency).map_err(|_| Error::corrupt(table, "currency", currency))?;
            Ok(Some(Money::new(amount, currency)))
        }
        _ => Ok(None),
    }
}

async fn many(db: &mut Db, keyring: &Keyring, rows: Vec<Row>) -> Result<Vec<Case>> {
    let mut cases = Vec::with_capacity(rows.len());
    for row in &rows {
        cases.push(from_row(db, keyring, row).await?);
    }
    Ok(cases)
}

pub async fn get(db: &mut Db, keyring: &Keyring, id: &CaseId) -> Result<Option<Case>> {
    let for_update = db.for_update();
    let rows = db.built(select(&format!("WHERE id = $1 {for_update}")), params![id.as_str()]).await?;
    Ok(many(db, keyring, rows).await?.pop())
}

/// The open case of a key.
pub async fn open_of(db: &mut Db, keyring: &Keyring, lane: &str, key: &CaseKey) -> Result<Option<Case>> {
    let for_update = db.for_update();
    let tail = format!(
        "WHERE lane = $1 AND playbook = $2 AND object_kind = $3 AND object_id = $4 AND closed_at IS NULL {for_update}"
    );
    let rows =
        db.built(select(&tail), params![lane, &key.playbook, &key.object_kind, &key.object_id]).await?;
    Ok(many(db, keyring, rows).await?.pop())
}

/// Whose open cases are asked for: lane, playbook, customer.
pub type Whose<'a> = (&'a str, &'a str, &'a str);

/// Keys of customers' open cases, each of a playbook, in the order asked.
pub async fn open_of_customers(db: &mut Db, wanted: &[Whose<'_>]) -> Result<Vec<Vec<CaseKey>>> {
    let mut all = Vec::with_capacity(wanted.len());
    for chunk in wanted.chunks(ROWS_MAX) {
        let names: Vec<Value<'_>> = chunk
            .iter()
            .flat_map(|(lane, playbook, customer)| {
                [Value::from(*lane), (*playbook).into(), (*customer).into()]
            })
            .collect();
        // In this order of tables: a customer has few cases, and which are open is soon told.
        let sql = format!(
            "SELECT DISTINCT open.lane, open.playbook, open.customer, open.object_kind, open.object_id
             FROM (VALUES {}) AS wanted CROSS JOIN cases AS open
             WHERE open.lane = wanted.column1 AND open.playbook = wanted.column2
               AND open.customer = wanted.column3 AND open.closed_at IS NULL
             ORDER BY open.object_kind, open.object_id",
            values(chunk.len(), 3)
        );
        let mut found: HashMap<(String, String, String), Vec<CaseKey>> = HashMap::new();
        for row in db.built(sql, &names).await? {
            let playbook = row.text("playbook")?;
            let whose = (row.text("lane")?, playbook.clone(), row.text("customer")?);
            let (object_kind, object_id) = (row.text("object_kind")?, row.text("object_id")?);
            found.entry(whose).or_default().push(CaseKey { playbook, object_kind, object_id });
        }
        all.extend(chunk.iter().map(|&(lane, playbook, customer)| {
            let whose = (lane.to_owned(), playbook.to_owned(), customer.to_owned());
            found.get(&whose).cloned().unwrap_or_default()
        }));
    }
    Ok(all)
}

/// What a listing asks for. `before` is the last row seen: update time and id, exclusive.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub object: Option<String>,
    pub customer: Option<String>,
    pub playbook: Option<String>,
    /// `open` stands for every state that is not closed.
    pub state: Option<String>,
    pub before: Option<(i64, String)>,
    pub limit: i64,
}

/// Last changed first.
pub async fn list(db: &mut Db, keyring: &Keyring, filter: &Filter) -> Result<Vec<Case>> {
    let (before_at, before_id) = filter.before.as_ref().map_or((i64::MAX, ""), |(at, id)| (*at, id.as_str()));
    let params = params![
        filter.object.as_deref(),
        filter.customer.as_deref(),
        filter.playbook.as_deref(),
        filter.state.as_deref(),
        before_at,
        before_id,
        filter.limit
    ];
    let rows = db.built(select(led(filter)), params).await?;
    many(db, keyring, rows).await
}

/// One text for what narrows a listing most, so that its index is used; the rest is looked at row by row.
fn led(filter: &Filter) -> &'static str {
    match (&filter.object, &filter.customer, filter.state.as_deref()) {
        (Some(_), _, _) => {
            "WHERE object_id = $1 AND ($2 IS NULL OR customer = $2) AND ($3 IS NULL OR playbook = $3)
             AND ($4 IS NULL OR state = $4 OR ($4 = 'open' AND closed_at IS NULL)) AND (updated_at, id) < ($5, $6)
             ORDER BY updated_at DESC, id DESC LIMIT $7"
        }
        (None, Some(_), _) => {
            "WHERE customer = $2 AND ($1 IS NULL OR object_id = $1) AND ($3 IS NULL OR playbook = $3)
             AND ($4 IS NULL OR state = $4 OR ($4 = 'open' AND closed_at IS NULL)) AND (updated_at, id) < ($5, $6)
             ORDER BY updated_at DESC, id DESC LIMIT $7"
        }
        (None, None, Some("open")) => {
            "WHERE closed_at IS NULL AND $4 = 'open' AND ($1 IS NULL OR object_id = $1)
             AND ($2 IS NULL OR customer = $2) AND ($3 IS NULL OR playbook = $3) AND (updated_at, id) < ($5, $6)
             ORDER BY updated_at DESC, id DESC LIMIT $7"
        }
        (None, None, Some(_)) => {
            "WHERE state = $4 AND ($1 IS NULL OR object_id = $1) AND ($2 IS NULL OR customer = $2)
             AND ($3 IS NULL OR playbook = $3) AND (updated_at, id) < ($5, $6)
             ORDER BY updated_at DESC, id DESC LIMIT $7"
        }
        (None, None, None) => {
            "WHERE ($3 IS NULL OR playbook = $3) AND ($1 IS NULL OR object_id = $1)
             AND ($2 IS NULL OR customer = $2) AND ($4 IS NULL OR state = $4) AND (updated_at, id) < ($5, $6)
             ORDER BY updated_at DESC, id DESC LIMIT $7"
        }
    }
}

/// Open cases by state, for the inbox's badges.
pub async fn counts(db: &mut Db) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT state, COUNT(*) AS n FROM cases WHERE closed_at IS NULL GROUP BY state";
    db.all(sql, &[]).await?.iter().map(|row| Ok((row.text("state")?, row.int("n")?))).collect()
}

/// Open cases by playbook, for the inbox's views.
pub async fn open_by_playbook(db: &mut Db) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT playbook, COUNT(*) AS n FROM cases WHERE closed_at IS NULL GROUP BY playbook";
    db.all(sql, &[]).await?.iter().map(|row| Ok((row.text("playbook")?, row.int("n")?))).collect()
}

/// When a case was last touched.
pub async fn touch(tx: &mut Tx, id: &CaseId, now: BusinessTime) -> Result<()> {
    tx.execute("UPDATE cases SET updated_at = $1 WHERE id = $2", params![now.micros(), id.as_str()])
        .await
        .map(|_| ())
}
