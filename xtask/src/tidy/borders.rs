//! Borders inside the sources: who may name what. Paths are read as tokens, so comments and strings do not count.

use super::Problem;
use super::tokens::{self, Token};
use super::tree::{File, Tree};

/// Folders whose code is a function of its arguments.
const PURE: &[&str] = &[
    "crates/stripe/",
    "crates/domain/",
    "crates/policy/",
    "crates/playbooks/",
    "crates/ledger/",
    "crates/insight/",
];

/// Parts of the standard library that reach outside the arguments.
const OUTSIDE: &[&str] = &["env", "fs", "net", "process", "thread"];

/// Where an HTTP client may be named in code that ships.
const HTTP_CLIENTS: &[&str] = &[
    "crates/engine/src/stripe_api",
    "crates/connectors/src/",
    "crates/fake-stripe/src/",
    "crates/server/src/cli/",
    "crates/server/src/telemetry/sender.rs",
    "crates/sim/src/",
    "xtask/src/",
];

/// Parts of the engine's Stripe client that hold no client and may be shown: what a key may do.
const SHOWN: &[&str] = &["permissions"];

/// How a statement begins.
const STATEMENTS: &[&str] = &["SELECT", "INSERT INTO", "UPDATE", "DELETE FROM", "PRAGMA", "CREATE TABLE"];

const PLAYBOOKS: &str = "crates/playbooks/src/";

/// Every border that is crossed.
pub(super) fn problems(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    found.extend(outside_in_pure(tree));
    found.extend(sql_outside_store(tree));
    found.extend(http_outside_clients(tree));
    found.extend(stripe_client_shown(tree));
    found.extend(playbooks_entangled(tree));
    found
}

/// Pure rooms that name files, the environment, sockets, processes or threads outside their tests.
fn outside_in_pure(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in PURE.iter().flat_map(|folder| tree.under(folder)).filter(|file| !file.is_test()) {
        let shipped = tokens::without_tests(file.tokens());
        for name in OUTSIDE {
            for line in heads(&shipped, "std", name) {
                found.push(at(
                    file,
                    line,
                    &format!("a pure room may not use std::{name}: take it as an argument"),
                ));
            }
        }
    }
    found
}

/// The driver named, or a statement written, outside the store.
fn sql_outside_store(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in tree.files().filter(|file| !file.path.starts_with("crates/store/")) {
        // Tests break databases on purpose, and may.
        for at_token in tokens::find(file.tokens(), &["sqlx", "::"]).filter(|_| !file.is_test()) {
            found.push(at(file, file.tokens()[at_token].line, "only crates/store speaks to a database"));
        }
        let shipped = if file.is_test() { Vec::new() } else { tokens::without_tests(file.tokens()) };
        for statement in shipped.iter().filter(|token| is_statement(&token.text)) {
            found.push(at(file, statement.line, "statements are written in crates/store"));
        }
    }
    found
}

/// Whether a token is a string that begins as SQL does and goes on.
fn is_statement(token: &str) -> bool {
    let Some(text) = token.trim_start_matches(['r', '#']).strip_prefix('"').map(str::trim_start) else {
        return false;
    };
    STATEMENTS
        .iter()
        .any(|start| text.strip_prefix(start).is_some_and(|rest| rest.starts_with(char::is_whitespace)))
}

/// HTTP clients outside the few places that own one.
fn http_outside_clients(tree: &Tree) -> Vec<Problem> {
    let owned =
        |file: &&File| file.is_test() || HTTP_CLIENTS.iter().any(|place| file.path.starts_with(place));
    let mut found = Vec::new();
    for file in tree.files().filter(|file| !owned(file)) {
        let shipped = tokens::without_tests(file.tokens());
        for at_token in tokens::find(&shipped, &["reqwest", "::"]) {
            found.push(at(file, shipped[at_token].line, "an HTTP client has no place here"));
        }
    }
    found
}

/// The client that can write to Stripe, visible outside the engine.
fn stripe_client_shown(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in tree.under("crates/engine/src/").filter(|file| file.path == "crates/engine/src/lib.rs") {
        let tokens = file.tokens();
        for start in tokens::find(tokens, &["pub"]) {
            let item = &tokens[start + 1..];
            let ends = |token: &Token| token.text == ";" || (item[0].text == "mod" && token.text == "{");
            let end = item.iter().position(ends).unwrap_or(item.len());
            let shows = item.first().is_some_and(|first| first.text == "mod" || first.text == "use");
            let client = |at: &usize| !SHOWN.iter().any(|part| tokens::reads(item, at + 1, &["::", part]));
            if shows && tokens::find(&item[..end], &["stripe_api"]).any(|at| client(&at)) {
                found.push(at(
                    file,
                    tokens[start].line,
                    "the Stripe client stays inside the engine: pub(crate)",
                ));
            }
        }
    }
    found
}

/// Playbooks that name one another.
fn playbooks_entangled(tree: &Tree) -> Vec<Problem> {
    let names: Vec<&str> = tree.under(PLAYBOOKS).filter_map(playbook).collect();
    let mut found = Vec::new();
    for file in tree.under(PLAYBOOKS) {
        let Some(own) = playbook(file) else { continue };
        let mut others: Vec<&str> = names.iter().copied().filter(|name| *name != own).collect();
        others.sort_unstable();
        others.dedup();
        for other in others {
            let lines = ["crate", "super"].into_iter().flat_map(|from| heads(file.tokens(), from, other));
            for line in lines {
                let what = format!("playbook {own} may not use {other}: what both need belongs in domain");
                found.push(at(file, line, &what));
            }
        }
    }
    found
}

/// The playbook a file belongs to: the folder that holds it. Files beside the folders belong to none.
fn playbook(file: &File) -> Option<&str> {
    file.path.strip_prefix(PLAYBOOKS)?.split_once('/').map(|(folder, _)| folder)
}

/// Lines where `from::name` is written, alone or as the head of one branch of `from::{…}`.
fn heads(tokens: &[Token], from: &str, name: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for start in tokens::find(tokens, &[from, "::"]) {
        let next = start + 2;
        if tokens::reads(tokens, next, &[name]) {
            lines.push(tokens[next].line);
        } else if tokens::reads(tokens, next, &["{"]) {
            let end = tokens::after_closing(tokens, next);
            lines.extend(branch_heads(&tokens[next + 1..end.max(next + 1)], name));
        }
    }
    lines
}

/// Lines of the branches of a `{…}` that begin with `name`; branches within branches do not count.
fn branch_heads(branches: &[Token], name: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let (mut at, mut head) = (0, true);
    while at < branches.len() {
        let token = &branches[at];
        if head && token.text == name {
            lines.push(token.line);
        }
        head = token.text == ",";
        at = if token.text == "{" { tokens::after_closing(branches, at) } else { at + 1 };
    }
    lines
}

fn at(file: &File, line: usize, what: &str) -> Problem {
    Problem::new(format!("{}:{line}", file.path), what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(problems: Vec<Problem>) -> Vec<String> {
        problems.into_iter().map(|problem| problem.place).collect()
    }

    #[test]
    fn pure_rooms_may_read_files_in_tests_only() {
        let tree = Tree::of([
            ("crates/domain/src/a.rs", "fn a() { std::env::var(\"X\"); }"),
            ("crates/domain/src/b.rs", "use std::{fmt, fs::File};"),
            ("crates/domain/src/c.rs", "// std::fs\n#[cfg(test)] mod tests { use std::fs; }"),
            ("crates/store/src/a.rs", "use std::fs;"),
        ]);
        assert_eq!(places(outside_in_pure(&tree)), ["crates/domain/src/a.rs:1", "crates/domain/src/b.rs:1"]);
    }

    #[test]
    fn statements_are_written_in_the_store() {
        let tree = Tree::of([
            ("crates/engine/src/a.rs", "fn a() {\n sqlx::query(\"\") }"),
            (
                "crates/engine/src/b.rs",
                "fn b() { tx.execute(\n\"UPDATE jobs SET x = 1\") }\nfn c() { say(\"SELECTED \") }",
            ),
            ("crates/engine/tests/c.rs", "fn b() { tx.execute(\"DELETE FROM jobs\") }"),
            ("crates/store/src/a.rs", "fn a() { sqlx::query(\"SELECT 1\") }"),
        ]);
        assert_eq!(
            places(sql_outside_store(&tree)),
            ["crates/engine/src/a.rs:2", "crates/engine/src/b.rs:2"]
        );
    }

    #[test]
    fn http_clients_have_their_places() {
        let tree = Tree::of([
            ("crates/server/src/http/api.rs", "use reqwest::Client;"),
            ("crates/engine/src/stripe_api/send.rs", "use reqwest::Client;"),
            ("crates/server/tests/api.rs", "use reqwest::Client;"),
        ]);
        assert_eq!(places(http_outside_clients(&tree)), ["crates/server/src/http/api.rs:1"]);
    }

    #[test]
    fn the_stripe_client_is_not_shown() {
        let shown = "pub mod stripe_api;\npub use stripe_api::Client;\npub use crate::a::{b, stripe_api};";
        let tree = Tree::of([("crates/engine/src/lib.rs", shown)]);
        assert_eq!(stripe_client_shown(&tree).len(), 3);
        let hidden = "pub(crate) mod stripe_api;\nmod stripe_api;\npub use a::Engine;\npub use stripe_api::permissions::Granted;";
        assert_eq!(stripe_client_shown(&Tree::of([("crates/engine/src/lib.rs", hidden)])), []);
    }

    #[test]
    fn playbooks_do_not_know_one_another() {
        let tree = Tree::of([
            ("crates/playbooks/src/lib.rs", "use crate::recovery::Recovery; use crate::refunds::Refunds;"),
            (
                "crates/playbooks/src/recovery/mod.rs",
                "use crate::{signal::A, refunds::{B}};\nuse super::refunds::C;",
            ),
            ("crates/playbooks/src/refunds/mod.rs", "use crate::refunds::B; use crate::signal::recovery;"),
        ]);
        assert_eq!(
            places(playbooks_entangled(&tree)),
            ["crates/playbooks/src/recovery/mod.rs:1", "crates/playbooks/src/recovery/mod.rs:2"]
        );
    }
}
