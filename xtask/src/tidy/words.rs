//! What the tree says: every source opens with what it promises, nothing is left for later, nothing names a machine.

use super::Problem;
use super::tokens;
use super::tree::{File, Tree};

/// Macros that stand for work not done.
const UNDONE: &[&str] = &["todo", "unimplemented"];

/// Places on one machine and hosts of package registries, spelled in two parts so that this file may hold them.
const MACHINES: &[(&str, &str)] = &[
    ("/wo", "rk/"),
    ("/ro", "ot/"),
    ("crates", ".io"),
    ("py", "pi.org"),
    ("python", "hosted.org"),
    ("npm", "js.org"),
    ("npm", "js.com"),
    ("deb.debian", ".org"),
    ("archive.ubuntu", ".com"),
];

/// Lock files are written by package managers, which record where they fetched.
const LOCKS: &[&str] = &["Cargo.lock", "package-lock.json"];

/// How a source's opening comment begins, by the file's ending.
const OPENINGS: &[(&str, &[&str])] = &[
    ("rs", &["//!"]),
    ("js", &["//", "/*"]),
    ("mjs", &["//", "/*"]),
    ("css", &["/*"]),
    ("py", &["\"\"\"", "#"]),
    ("sh", &["#"]),
    ("sql", &["--"]),
];

/// Every word that should not be there, and every opening that should.
pub(super) fn problems(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in tree.files() {
        found.extend(not_rust(file));
        found.extend(unopened(file));
        found.extend(undone(file));
        found.extend(machines(file));
    }
    found
}

/// A Rust source that does not lex, and which the rules on tokens would therefore pass over.
fn not_rust(file: &File) -> Option<Problem> {
    file.lex_error().map(|error| Problem::new(&file.path, format!("cannot be read as Rust at {error}")))
}

/// A source without an opening comment. The tests of a module, in a file of their own, have the module's promise.
fn unopened(file: &File) -> Option<Problem> {
    if file.path.ends_with("/tests.rs") {
        return None;
    }
    let openings =
        OPENINGS.iter().find(|(ending, _)| *ending == file.ending()).map(|(_, openings)| *openings)?;
    let first = file.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!"))?;
    let opened = openings.iter().any(|opening| first.starts_with(opening));
    (!opened).then(|| Problem::new(&file.path, "opens with no comment that says what it promises"))
}

fn undone(file: &File) -> Vec<Problem> {
    let mut found = Vec::new();
    for word in UNDONE {
        for at in tokens::find(file.tokens(), &[word, "!"]) {
            found.push(Problem::new(
                format!("{}:{}", file.path, file.tokens()[at].line),
                format!("{word}! is not done"),
            ));
        }
    }
    found
}

fn machines(file: &File) -> Vec<Problem> {
    if LOCKS.iter().any(|lock| file.path == *lock || file.path.ends_with(&format!("/{lock}"))) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for (start, end) in MACHINES {
            let word = format!("{start}{end}");
            if line.contains(&word) {
                found.push(Problem::new(
                    format!("{}:{}", file.path, number + 1),
                    format!("names a machine: {word}"),
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_must_say_what_it_promises() {
        assert!(unopened(&File::new("a.rs", "\n#![feature(x)]\nuse a;")).is_some());
        assert!(unopened(&File::new("a.rs", "#![expect(x)]\n//! Keeps.\n")).is_none());
        assert!(unopened(&File::new("a.sh", "#!/bin/sh\necho")).is_some());
        assert!(unopened(&File::new("a.sh", "#!/bin/sh\n# Says.\necho")).is_none());
        assert!(unopened(&File::new("a/tests.rs", "use super::*;")).is_none());
        assert!(unopened(&File::new("tests/a.rs", "use a::*;")).is_some());
        assert!(unopened(&File::new("a.json", "{}")).is_none());
    }

    #[test]
    fn undone_work_is_found_in_code_only() {
        let undone_words =
            undone(&File::new("a.rs", "//! A.\nfn a() {\n  todo!()\n}\nfn b() { unimplemented![] }"));
        let places: Vec<&str> = undone_words.iter().map(|problem| problem.place.as_str()).collect();
        assert_eq!(places, ["a.rs:3", "a.rs:5"]);
        assert_eq!(undone(&File::new("a.rs", "//! todo!\nfn todo() { s(\"todo!\") }")), []);
    }

    #[test]
    fn machines_are_found_everywhere_but_in_lock_files() {
        let text = format!("a\nsee {}{}x\n", "/ro", "ot/");
        assert_eq!(machines(&File::new("README.md", text.as_str()))[0].place, "README.md:2");
        assert_eq!(machines(&File::new("a/package-lock.json", text.as_str())), []);
    }

    #[test]
    fn a_source_that_no_rule_could_read_is_a_problem() {
        assert!(not_rust(&File::new("a.rs", "fn a() { ")).is_some());
        assert!(not_rust(&File::new("a.rs", "fn a() {}")).is_none());
    }
}
