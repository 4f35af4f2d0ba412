//! Every statement in the store's sources is prepared against the real schema, also those no other test happens to run.
//! The sources themselves are read for them; one that is built in a way this file does not know fails here and wants a
//! line in `whole`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bursar_store::Database;
use proc_macro2::{TokenStream, TokenTree};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, SqlSafeStr as _, SqliteConnection};

use crate::DATABASE;
use crate::scene::{Raw, Scene, sqlite};

/// Words that a statement begins with, and those that the tail of a built one does.
const HEADS: [&str; 6] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "WITH "];
const TAILS: [&str; 2] = ["WHERE ", "ORDER BY "];

#[tokio::test]
async fn every_statement_prepares() {
    let scene = Scene::new().await;
    let mut raw = scene.raw().await;
    let mut prepared = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        for sql in statements(&std::fs::read_to_string(&path).unwrap()) {
            if let Some(explained) = prepare(&mut raw, &sql).await {
                assert!(explained.is_ok(), "{}: {sql}\n{:?}", path.display(), explained.err());
                prepared += 1;
            }
        }
    }
    assert!(prepared > 110, "only {prepared} statements were found: is the reading of sources broken?");
}

/// Nothing for what this database can only prepare with the types of its parameters, or what is meant for the other one.
async fn prepare(raw: &mut Raw, sql: &str) -> Option<sqlx::Result<()>> {
    match raw {
        Raw::Sqlite(raw) => {
            let explain = AssertSqlSafe(format!("EXPLAIN {sql}"));
            if is_for_postgres(sql) {
                None
            } else {
                Some(sqlx::query(explain).fetch_all(raw).await.map(|_| ()))
            }
        }
        Raw::Postgres(raw) => {
            let foreign = ["sqlite_version", "sqlite_schema", "unixepoch", "VALUES (?"]
                .iter()
                .any(|word| sql.contains(word));
            // What a parameter is that is only asked whether it is there, our parameters say and a bare text does not.
            let untyped = sql.contains(" IS NULL OR ") || sql.contains("THEN $1");
            let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
            if foreign || untyped { None } else { Some(raw.prepare(sql).await.map(|_| ())) }
        }
    }
}

fn is_for_postgres(sql: &str) -> bool {
    ["current_setting", "clock_timestamp", "to_regclass", "LOCK TABLE"].iter().any(|word| sql.contains(word))
}

/// Tables that grow for as long as an installation lives.
const GROWING: [&str; 17] = [
    "approvals",
    "audit",
    "cases",
    "decisions",
    "events",
    "executions",
    "gaps",
    "inputs",
    "jobs",
    "objects",
    "proposals",
    "quarantine",
    "request_keys",
    "subject_keys",
    "tasks",
    "timeline",
    "votes",
];

/// Statements that walk through much more than they answer with, and why that is well. Known by a piece of their text.
const WALKS: [(&str, &str); 8] = [
    ("COUNT(*) FILTER (WHERE state = 'leased')", "the queue: what waits, not what was"),
    ("FROM cases WHERE closed_at IS NULL GROUP BY", "open cases only, by an index that holds no others"),
    ("FROM audit WHERE seq IS NULL", "what waits for the sealer: a second's worth"),
    ("SELECT COUNT(*) FROM quarantine", "signed by Stripe and unusable: rare"),
    ("state, COUNT(*) AS n FROM executions GROUP BY state", "asked for by people, not by machines"),
    ("state, COUNT(*) AS n FROM proposals GROUP BY state", "asked for by people, not by machines"),
    ("WHERE ($3 IS NULL OR playbook = $3)", "there are few playbooks: each has a good part of all cases"),
    ("FROM tasks WHERE state = 'open' ORDER BY", "by an index that holds open ones only, in order"),
];

/// What is asked while somebody waits must not look at all rows: a table that grows would slow down whatever waits for it,
/// and inside the one writer everybody does. A list comes out of its index in order, and is not sorted first.
#[tokio::test]
async fn nothing_looks_at_a_whole_table_that_grows() {
    if DATABASE != Database::Sqlite {
        return;
    }
    let scene = Scene::new().await;
    let mut raw = sqlite(&scene.dir).await;
    let (mut looked_at, mut lists, mut slow) = (0, 0, Vec::new());
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let all = statements(&std::fs::read_to_string(&path).unwrap());
        let asks =
            |sql: &&String| !sql.starts_with("INSERT") && !sql.starts_with("CREATE") && !is_for_postgres(sql);
        for sql in all.iter().filter(asks) {
            looked_at += 1;
            if WALKS.iter().any(|(piece, _)| sql.contains(piece)) {
                continue;
            }
            let steps = plan(&mut raw, sql).await;
            let is_list = sql.contains(" LIMIT $");
            // A list of whatever there is begins at one end of its index and stops.
            let stops = |step: &str| is_list && !sql.contains("WHERE") && step.contains(" USING INDEX ");
            let walks = steps
                .iter()
                .any(|step| !stops(step) && GROWING.iter().any(|table| walks_through(step, table)));
            let sorts = is_list && steps.iter().any(|step| step.starts_with("USE TEMP B-TREE"));
            if walks || sorts {
                slow.push(format!("{}: {sql}\n  {}", path.display(), steps.join("\n  ")));
            }
            lists += usize::from(is_list);
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
    assert!(looked_at > 80 && lists > 15, "only {looked_at} statements and {lists} lists were looked at");
}

/// A filter that is left out must not cost those that are given their index.
#[tokio::test]
async fn every_way_to_list_has_its_index() {
    if DATABASE != Database::Sqlite {
        return;
    }
    let scene = Scene::new().await;
    let mut raw = sqlite(&scene.dir).await;
    let table = [
        ("FROM events WHERE (created_s", "events_by_creation ("),
        ("FROM events WHERE type = $4", "events_by_type (type=? AND (created_s,id)<"),
        ("FROM events WHERE object_id = $4", "events_by_object (object_id=? AND (created_s,id)<"),
        ("FROM cases WHERE object_id = $1", "cases_by_object (object_id=? AND (updated_at,id)<"),
        ("FROM cases WHERE customer = $2", "cases_by_customer (customer=? AND (updated_at,id)<"),
        ("FROM cases WHERE closed_at IS NULL AND $4 = 'open'", "cases_open ("),
        ("FROM cases WHERE state = $4", "cases_by_state (state=? AND (updated_at,id)<"),
        ("FROM cases WHERE ($3 IS NULL OR playbook", "cases_by_update ("),
        ("FROM cases WHERE closed_at IS NULL GROUP BY state", "cases_open_counted"),
        ("FROM cases WHERE closed_at IS NULL GROUP BY playbook", "cases_open_counted"),
        ("FROM approvals WHERE (opened_at", "approvals_by_time ("),
        ("FROM approvals WHERE state = $1 AND (opened_at", "approvals_by_state (state=? AND (opened_at,id)<"),
        ("FROM audit WHERE seq < $1", "audit_by_seq ("),
        ("FROM tasks WHERE state = 'open' ORDER BY", "tasks_open"),
        ("FROM inputs WHERE lane = $1 AND hash = $2", "(lane=? AND hash=?)"),
        (
            "AND due.due_at >= $6\n",
            "SEARCH due USING INDEX jobs_due (state=? AND clock=? AND due_at>? AND due_at<?)",
        ),
        (
            "AND due.lane NOT IN",
            "SEARCH due USING INDEX jobs_due (state=? AND clock=? AND due_at>? AND due_at<?)",
        ),
        (
            "AND due.lane = $7",
            "SEARCH due USING INDEX jobs_of_lane (clock=? AND lane=? AND due_at>? AND due_at<?)",
        ),
        ("FROM jobs AS ahead", "jobs_by_key (key=? AND state=?)"),
        ("FROM jobs AS next", "SEARCH next USING INDEX jobs_of_lane (clock=? AND lane>?)"),
        ("FROM jobs AS oldest", "SEARCH oldest USING INDEX jobs_of_lane (clock=? AND lane=?)"),
    ];
    let mut all = Vec::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        all.extend(statements(&std::fs::read_to_string(&path).unwrap()));
    }
    for (piece, index) in table {
        let of_piece: Vec<&String> = all.iter().filter(|sql| sql.contains(piece)).collect();
        assert!(!of_piece.is_empty(), "no statement has `{piece}`");
        for sql in of_piece {
            let steps = plan(&mut raw, sql).await;
            assert!(steps.iter().any(|step| step.contains(index)), "{sql}\n{}", steps.join("\n"));
        }
    }
}

/// Also by a database that has not noticed yet how long that line is.
#[tokio::test]
async fn a_lane_is_looked_up_past_a_long_line_of_another() {
    let Raw::Postgres(mut raw) = Scene::new().await.raw().await else { return };
    let fill = |lane: &str, count: usize| {
        format!(
            "INSERT INTO jobs (id, lane, kind, key, payload, state, clock, due_at, created_at, attempts, fence, lease_until)
             SELECT '{lane}' || number, '{lane}', 'decide', '{lane}' || number, '{{}}', 'queued', 'machine', 1, 1, 0, 0, 0
             FROM generate_series(1, {count}) AS number"
        )
    };
    for sql in [fill("acct_2/test", 500), "ANALYZE jobs".to_owned(), fill("acct_1/test", 20_000)] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut raw).await.unwrap();
    }
    let all = statements(&std::fs::read_to_string(source("jobs.rs")).unwrap());
    let of_lanes: Vec<&String> = all.iter().filter(|sql| sql.contains("state || ''")).collect();
    assert_eq!(of_lanes.len(), 2);
    for sql in of_lanes {
        let given = if sql.contains("RECURSIVE") {
            sql.replace("$1", "'machine'")
        } else {
            let texts = [("$2", "'machine'"), ("$5", "'node'"), ("$7", "'acct_2/test'")];
            let sql = texts.iter().fold(sql.clone(), |sql, (place, text)| sql.replace(place, text));
            ["$1", "$3", "$4", "$6"].iter().fold(sql, |sql, place| sql.replace(place, "2"))
        };
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN {given}"))).fetch_all(&mut raw).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|step| step.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("jobs_of_lane"), "{plan}");
        assert!(!plan.contains("jobs_due on jobs due") && !plan.contains("Seq Scan on jobs"), "{plan}");
    }
}

async fn plan(raw: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
    plan.fetch_all(raw).await.unwrap().iter().map(|step| step.get("detail")).collect()
}

/// Whether a step of a plan reads a table from one end to the other, with or without an index.
fn walks_through(step: &str, table: &str) -> bool {
    step.strip_prefix("SCAN ")
        .and_then(|rest| rest.strip_prefix(table))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name)
}

/// All but the place where texts are put together.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("dialect/text.rs")
            && !path.ends_with("scratch.rs")
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// All whole statements of a file.
fn statements(source: &str) -> Vec<String> {
    let mut constants = BTreeMap::new();
    let mut literals = Vec::new();
    read(source.parse().unwrap(), &mut constants, &mut literals);
    let is_tail = |text: &String| TAILS.iter().any(|head| text.starts_with(head));
    let tails: Vec<String> = literals
        .iter()
        .filter(|text| is_tail(text))
        .map(|text| accented(text).replace("{past}", "$7, $8"))
        .collect();
    let heads = literals
        .iter()
        .filter(|text| HEADS.iter().any(|head| text.starts_with(head)) || text.starts_with('{'));
    let mut whole_ones: Vec<String> = heads.flat_map(|text| whole(text, &constants, &tails)).collect();
    whole_ones.sort();
    whole_ones.dedup();
    whole_ones
}

/// Collects string literals, and those that a constant of the file names.
fn read(tokens: TokenStream, constants: &mut BTreeMap<String, String>, literals: &mut Vec<String>) {
    let mut name = None;
    let mut named_const = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => read(group.stream(), constants, literals),
            TokenTree::Ident(ident) if ident == "const" => named_const = true,
            TokenTree::Ident(ident) if named_const => {
                name = Some(ident.to_string());
                named_const = false;
            }
            TokenTree::Literal(literal) => {
                let Some(text) = unquoted(&literal.to_string()) else { continue };
                if let Some(name) = name.take() {
                    constants.insert(name, text.clone());
                }
                literals.push(text);
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => name = None,
            _ => {}
        }
    }
}

/// The text of a string literal; a line that ends in a backslash goes on where the next one begins.
fn unquoted(literal: &str) -> Option<String> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut parts = inner.split("\\\n");
    let mut text = parts.next()?.to_owned();
    parts.for_each(|part| text.push_str(part.trim_start()));
    Some(text.replace("\\n", "\n").replace("\\\"", "\""))
}

/// The gaps filled that the dialect fills.
fn accented(text: &str) -> String {
    let gaps = [
        ("{for_update}", "", "FOR UPDATE"),
        ("{for_claim}", "", "FOR UPDATE OF due SKIP LOCKED"),
        ("{moment}", "0", "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"),
    ];
    gaps.iter().fold(text.to_owned(), |text, (gap, on_sqlite, on_postgres)| {
        text.replace(gap, if DATABASE == Database::Postgres { on_postgres } else { on_sqlite })
    })
}

/// The statements that come of one literal, its gaps filled with what the sources fill them with.
fn whole(text: &str, constants: &BTreeMap<String, String>, tails: &[String]) -> Vec<String> {
    let mut text = accented(text);
    for (name, value) in constants {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    // Something that is formatted but is no statement.
    if !HEADS.iter().any(|head| text.starts_with(head)) {
        return Vec::new();
    }
    if text.contains("VALUES {}") {
        let row = format!("({})", vec!["?"; columns_of(&text)].join(", "));
        text = text.replace("VALUES {}", &format!("VALUES {row}, {row}"));
    }
    text = text
        .replace("IN ({})", "IN ($2, $3)")
        .replace("{for_us}", "1")
        .replace("{line}", "{tail}")
        .replace("{past}", "$7, $8");
    if text.contains("{tail}") {
        assert!(!tails.is_empty(), "no tail for {text}");
        return tails.iter().map(|tail| text.replace("{tail}", tail)).collect();
    }
    assert!(!text.contains('{'), "a statement built in a way that is not known here: {text}");
    vec![text]
}

/// How many columns `VALUES {}` has: as many as the text calls by number, or as stand in the last brackets before it.
fn columns_of(text: &str) -> usize {
    let called = text.split("column").skip(1).filter_map(|after| {
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    });
    let before = text.split("VALUES {}").next().unwrap_or_default();
    let inner = before.rsplit('(').find(|part| part.contains(')')).unwrap_or_default();
    let listed = inner.split(')').next().unwrap_or_default().split(',').count();
    if text.contains("SELECT * FROM (VALUES {}") { listed } else { called.max().unwrap_or(listed) }
}
