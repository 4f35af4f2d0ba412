//! The rules of the house that the compiler does not enforce, each proved from the tree as it lies on disk.
//!
//! A rule is a function from what was read (files, packages, lock file) to the problems it found, so that its test can
//! hand it a broken house. `cargo xtask tidy` and plain `cargo test` run the same rules.

mod borders;
mod dependencies;
mod entry;
mod house;
mod packages;
mod planted;
mod size;
mod tokens;
mod tree;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};

use packages::Packages;
use tree::Tree;

/// A broken rule: where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    place: String,
    what: String,
}

impl Problem {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Checks the repository this binary was built from; an error when any rule is broken.
pub(crate) fn run() -> anyhow::Result<()> {
    let problems = problems(&root())?;
    if problems.is_empty() {
        println!("tidy: every rule of the house holds");
        return Ok(());
    }
    for problem in &problems {
        println!("{problem}");
    }
    anyhow::bail!("{} broken rule(s) of the house", problems.len())
}

fn problems(root: &Path) -> anyhow::Result<Vec<Problem>> {
    let tree = Tree::read(root)?;
    let packages = Packages::read(root)?;
    let mut found = Vec::new();
    found.extend(planted::on_by_itself(&tree));
    found.extend(house::unplaced(&packages));
    found.extend(house::wrong_directions(&packages));
    found.extend(house::misplaced_clients(&packages));
    for package in packages.names() {
        found.extend(house::forbidden_reach(package, &packages::reachable(root, package)?));
    }
    let (rules, guests) = (entry::Rules::read(tree.text("deny.toml")?)?, packages::guests(root)?);
    found.extend(rules.banned_from_lock(tree.text("Cargo.lock")?));
    found.extend(rules.unlicensed(&guests));
    found.extend(rules.duplicates(&guests));
    found.extend(borders::problems(&tree));
    found.extend(size::long_files(&tree));
    found.extend(size::ratchet(&tree, tree.text(size::RATCHET)?)?);
    found.extend(words::problems(&tree));
    found.extend(dependencies::without_purpose(tree.text("Cargo.toml")?));
    found.extend(dependencies::unused(tree.text("Cargo.toml")?, &packages));
    found.extend(dependencies::never_named(&tree, &packages));
    Ok(found)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let problems = problems(&root()).expect("the tree and its packages can be read");
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    }
}
