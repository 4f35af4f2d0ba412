//! Every statement in the store's sources is prepared against the real schema, also those no other test happens to run.
//! The sources themselves are read for them; one that is built in a way this file does not know fails here and wants a
//! line in `whole`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use sqlx::{AssertSqlSafe, Row as _};

use crate::scene::Scene;

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
            let explained = sqlx::query(AssertSqlSafe(format!("EXPLAIN {sql}"))).fetch_all(&mut raw).await;
            assert!(explained.is_ok(), "{}: {sql}\n{:?}", path.display(), explained.err());
            prepared += 1;
        }
    }
    assert!(prepared > 110, "only {prepared} statements were found: is the reading of sources broken?");
}

/// What looks for many rows at once must not look at all rows: a table that grows would slow down whatever waits for it.
#[tokio::test]
async fn statements_for_many_rows_search_by_an_index() {
    let scene = Scene::new().await;
    let mut raw = scene.raw().await;
    let mut looked_at = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let all = statements(&std::fs::read_to_string(&path).unwrap());
        for sql in all.iter().filter(|sql| sql.contains("VALUES (?") && !sql.starts_with("INSERT")) {
            let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
            let plan = plan.fetch_all(&mut raw).await.unwrap();
            let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
            for table in ["events", "jobs", "objects", "subject_keys"] {
                let scan = format!("SCAN {table}");
                let scans = steps.iter().any(|step| step == &scan || step.starts_with(&format!("{scan} ")));
                assert!(!scans, "{}: {sql}\n{}", path.display(), steps.join("\n"));
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 1, "only {looked_at} statements were looked at");
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
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
    let tails: Vec<String> = literals.iter().filter(|text| is_tail(text)).cloned().collect();
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

/// The statements that come of one literal, its gaps filled with what the sources fill them with.
fn whole(text: &str, constants: &BTreeMap<String, String>, tails: &[String]) -> Vec<String> {
    let mut text = text.to_owned();
    for (name, value) in constants {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    // Something that is formatted but is no statement.
    if !HEADS.iter().any(|head| text.starts_with(head)) {
        return Vec::new();
    }
    if text.contains("VALUES {}") {
        let row = format!("({})", vec!["?"; columns_before(&text)].join(", "));
        text = text.replace("VALUES {}", &format!("VALUES {row}, {row}"));
    }
    text = text.replace("IN ({})", "IN ($2, $3)");
    if text.contains("{tail}") {
        assert!(!tails.is_empty(), "no tail for {text}");
        return tails.iter().map(|tail| text.replace("{tail}", tail)).collect();
    }
    assert!(!text.contains('{'), "a statement built in a way that is not known here: {text}");
    vec![text]
}

/// How many columns stand in the last brackets before `VALUES {}`.
fn columns_before(text: &str) -> usize {
    let before = text.split("VALUES {}").next().unwrap_or_default();
    let inner = before.rsplit('(').find(|part| part.contains(')')).unwrap_or_default();
    inner.split(')').next().unwrap_or_default().split(',').count()
}
