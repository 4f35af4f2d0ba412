//! Every dependency says why it is here, and is used where it is declared.

use super::Problem;
use super::packages::Packages;
use super::tree::Tree;

/// One third-party line of `[workspace.dependencies]`.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    name: &'a str,
    purpose: &'a str,
    number: usize,
}

/// Dependencies of the workspace without a purpose beside them.
pub(super) fn without_purpose(manifest: &str) -> Vec<Problem> {
    let silent = lines(manifest).into_iter().filter(|line| line.purpose.is_empty());
    silent
        .map(|line| Problem::new(place(&line), format!("{}: say in a comment what it is for", line.name)))
        .collect()
}

/// Dependencies of the workspace that no member asks for.
pub(super) fn unused(manifest: &str, packages: &Packages) -> Vec<Problem> {
    let asked = |name: &str| {
        packages
            .iter()
            .any(|(_, package)| package.dependencies.iter().any(|dependency| dependency.name == name))
    };
    let idle = lines(manifest).into_iter().filter(|line| !asked(line.name));
    idle.map(|line| Problem::new(place(&line), format!("{}: no crate uses it", line.name))).collect()
}

/// Dependencies that a member declares and none of its sources names.
pub(super) fn never_named(tree: &Tree, packages: &Packages) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, package) in packages.iter() {
        for dependency in &package.dependencies {
            let named = tree
                .under(&package.folder)
                .any(|file| file.tokens().iter().any(|token| token.text == dependency.ident));
            if !named {
                found.push(Problem::new(name, format!("declares {} and never names it", dependency.name)));
            }
        }
    }
    found
}

fn place(line: &Line<'_>) -> String {
    format!("Cargo.toml:{}", line.number)
}

/// The third-party lines of `[workspace.dependencies]`, one dependency a line.
fn lines(manifest: &str) -> Vec<Line<'_>> {
    let numbered = manifest.lines().enumerate();
    let section = numbered
        .skip_while(|(_, line)| line.trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|(_, line)| !line.starts_with('['));
    let mut found = Vec::new();
    for (index, line) in section {
        let Some((name, rest)) = line.split_once('=') else { continue };
        let (value, purpose) = split_comment(rest);
        if !name.starts_with('#') && !value.contains("path =") {
            found.push(Line { name: name.trim(), purpose, number: index + 1 });
        }
    }
    found
}

/// A TOML value and the comment after it; a `#` within quotes opens no comment.
fn split_comment(text: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '#' if !quoted => return (&text[..at], text[at + 1..].trim()),
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::super::packages::Use;
    use super::*;

    const MANIFEST: &str = "[workspace.dependencies]
# Data.
ours = { path = \"crates/ours\" }
told = \"1\" # text in
quoted = { version = \"1\", package = \"a#b\" }
bare = \"1\" #

[profile.dev]
debug = true
";

    #[test]
    fn a_dependency_without_a_purpose_is_found() {
        let places: Vec<String> =
            without_purpose(MANIFEST).into_iter().map(|problem| problem.place).collect();
        assert_eq!(places, ["Cargo.toml:5", "Cargo.toml:6"]);
    }

    #[test]
    fn a_dependency_that_nobody_asks_for_is_found() {
        let packages = Packages::of([("a", &[("told", Use::Normal), ("bare", Use::Tests)])]);
        let found = unused(MANIFEST, &packages);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "Cargo.toml:5");
    }

    #[test]
    fn a_dependency_that_no_source_names_is_found() {
        let packages = Packages::of([("a", &[("one-two", Use::Normal), ("three", Use::Tests)])]);
        let tree = Tree::of([
            ("crates/a/src/lib.rs", "//! Uses three.\nuse one_two::x;"),
            ("crates/b/src/lib.rs", "use three::x;"),
        ]);
        let found = never_named(&tree, &packages);
        assert_eq!(found, [Problem::new("a", "declares three and never names it")]);
    }
}
