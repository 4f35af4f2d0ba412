//! Whether a database is sound: its pages, what rows say about other rows, its schema, its key, the audit and the anchor.
//! Looks only.

use serde::Serialize;

use crate::anchor::Anchor;
use crate::audit::{self, Report};
use crate::open::{Migration, MigrationState, master_key};
use crate::{Database, Db, Options, Result, Store};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `pages`, `rows`, `schema`, `key`, `audit`, `anchor`.
    pub what: &'static str,
    pub detail: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    pub database: &'static str,
    pub migrations: Vec<Migration>,
    pub audit: Report,
    pub problems: Vec<Problem>,
}

/// Rows that name another one which is not there.
const ORPHANS: [(&str, &str); 8] = [
    (
        "proposals whose case is gone",
        "SELECT COUNT(*) FROM proposals AS child WHERE NOT EXISTS (SELECT 1 FROM cases WHERE id = child.case_id)",
    ),
    (
        "approvals whose proposal is gone",
        "SELECT COUNT(*) FROM approvals AS child WHERE NOT EXISTS (SELECT 1 FROM proposals WHERE id = child.proposal_id)",
    ),
    (
        "votes whose approval is gone",
        "SELECT COUNT(*) FROM votes AS child WHERE NOT EXISTS (SELECT 1 FROM approvals WHERE id = child.approval_id)",
    ),
    (
        "executions whose proposal is gone",
        "SELECT COUNT(*) FROM executions AS child WHERE NOT EXISTS (SELECT 1 FROM proposals WHERE id = child.proposal_id)",
    ),
    (
        "decisions whose case is gone",
        "SELECT COUNT(*) FROM decisions AS child WHERE NOT EXISTS (SELECT 1 FROM cases WHERE id = child.case_id)",
    ),
    (
        "lines of timelines whose case is gone",
        "SELECT COUNT(*) FROM timeline AS child WHERE NOT EXISTS (SELECT 1 FROM cases WHERE id = child.case_id)",
    ),
    (
        "tasks whose case is gone",
        "SELECT COUNT(*) FROM tasks AS child WHERE NOT EXISTS (SELECT 1 FROM cases WHERE id = child.case_id)",
    ),
    (
        "executions that ended, of proposals that wait to be carried out",
        "SELECT COUNT(*) FROM executions AS child WHERE child.state IN ('done', 'refused', 'no_effect')
             AND EXISTS (SELECT 1 FROM proposals WHERE id = child.proposal_id AND state IN ('asking', 'approved'))",
    ),
];

/// Checks what lies where the options say, beside a running owner or without one.
pub async fn installation(options: &Options) -> Result<Checked> {
    // Before the database, which may go on meanwhile.
    let anchor = crate::anchor::read(&options.anchor_path());
    let store = Store::open_read_only(options).await?;
    let migrations = store.migrations().await?;
    let mut db = store.read().await?;
    let known = anchor.as_ref().ok().and_then(Option::as_ref);
    let mut checked = database(&mut db, migrations, known).await?;
    if let Err(error) = &anchor {
        checked.problems.push(Problem { what: "anchor", detail: error.to_string() });
    }
    if !master_key::fits(&mut db, options).await? {
        let detail = "the master key is not the one that this database was sealed with".to_owned();
        checked.problems.push(Problem { what: "key", detail });
    }
    Ok(checked)
}

pub(crate) async fn database(
    db: &mut Db,
    migrations: Vec<Migration>,
    anchor: Option<&Anchor>,
) -> Result<Checked> {
    let mut problems = Vec::new();
    let mut say = |what, detail: String| problems.push(Problem { what, detail });
    let name = match db.database() {
        Database::Sqlite => {
            for row in db.all("PRAGMA integrity_check(20)", &[]).await? {
                let told = row.text("integrity_check")?;
                if told != "ok" {
                    say("pages", told);
                }
            }
            "sqlite"
        }
        Database::Postgres => "postgres",
    };
    for (words, sql) in ORPHANS {
        let count = db.number(sql, &[]).await?;
        if count > 0 {
            say("rows", format!("{count} {words}"));
        }
    }
    for migration in &migrations {
        let Migration { number, name, state, .. } = migration;
        match state {
            MigrationState::Applied => {}
            MigrationState::Pending => say("schema", format!("migration {number} ({name}) was not made yet")),
            MigrationState::Differs => {
                say("schema", format!("migration {number} ({name}) was made with another text"));
            }
        }
    }
    let audit = audit::verify_against(db, anchor).await?;
    if let Some(bad) = &audit.first_bad {
        let what = if bad.what == "anchor" { "anchor" } else { "audit" };
        let at = bad.seq.map(|seq| format!(" (entry {seq})")).unwrap_or_default();
        say(what, format!("{}{at}", bad.detail));
    }
    Ok(Checked { database: name, migrations, audit, problems })
}
