//! What programs that do not know a migration may go on beside: read from its text, so that nobody has to remember.

use bursar_store::open::{Beside, Schema, Script};
use bursar_store::scratch::{scripts, statements};

/// Whether a program that knows nothing of it works as before: `new` are the tables that the same migration made.
fn only_adds(statement: &str, new: &[&str]) -> bool {
    let words: Vec<&str> = statement.split_whitespace().collect();
    match words.as_slice() {
        ["CREATE", "TABLE" | "INDEX", ..] => true,
        ["CREATE", "UNIQUE", "INDEX", _, "ON", table, ..] => new.contains(table),
        ["ALTER", "TABLE", _, "ADD", "COLUMN", ..] => {
            !statement.contains("NOT NULL") || statement.contains(" DEFAULT ")
        }
        _ => false,
    }
}

/// The first statement that does more than add.
fn change_in(text: &str) -> Option<String> {
    let all = statements(text);
    let made = |statement: &'_ String| statement.strip_prefix("CREATE TABLE ").map(str::to_owned);
    let made: Vec<String> = all.iter().filter_map(made).collect();
    let new: Vec<&str> = made.iter().filter_map(|rest| rest.split_whitespace().next()).collect();
    all.iter().find(|statement| !only_adds(statement, &new)).cloned()
}

fn ours() -> &'static [Script] {
    scripts(Schema::default())
}

#[test]
fn what_older_programs_may_go_on_beside_only_adds() {
    for script in ours().iter().filter(|script| script.number > 1 && script.beside == Beside::Older) {
        assert_eq!(change_in(script.text), None, "{}: nobody may go on beside it", script.name);
    }
}

#[test]
fn what_changes_something_is_told_from_what_adds() {
    for (text, adds) in [
        ("CREATE TABLE a (id TEXT); CREATE UNIQUE INDEX a_once ON a (id)", true),
        ("CREATE INDEX jobs_of ON jobs (id)", true),
        ("ALTER TABLE jobs ADD COLUMN hint TEXT", true),
        ("ALTER TABLE jobs ADD COLUMN hint TEXT NOT NULL DEFAULT ''", true),
        ("ALTER TABLE jobs ADD COLUMN hint TEXT NOT NULL", false),
        ("CREATE UNIQUE INDEX jobs_once ON jobs (id)", false),
        ("ALTER TABLE jobs DROP COLUMN hint", false),
        ("DROP TABLE jobs", false),
        ("DROP INDEX jobs_due", false),
        ("UPDATE jobs SET state = 'queued'", false),
    ] {
        assert_eq!(change_in(text).is_none(), adds, "{text}");
    }
}

/// A program that knows no mark would not see one.
#[test]
fn numbers_go_up_and_only_those_are_marked_that_can_be() {
    assert!(ours().windows(2).all(|pair| pair[0].number < pair[1].number));
    let marked = |script: &&Script| script.beside == Beside::Nobody;
    let first = ours().iter().find(|script| script.name == "beside").unwrap();
    assert!(ours().iter().filter(marked).all(|script| script.number > first.number));
}
