//! The packages of the workspace and what they declare, from `cargo metadata`; what they reach, from `cargo tree`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

/// What a dependency is declared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Normal,
    Build,
    Tests,
}

/// One line of a package's dependencies.
#[derive(Debug)]
pub(super) struct Dependency {
    /// The package's name, whatever the importing crate calls it.
    pub(super) name: String,
    /// The name that sources write, with underscores.
    pub(super) ident: String,
    pub(super) used_for: Use,
}

/// A member of the workspace: its folder, with closing `/`, and its dependencies.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) folder: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// The members of the workspace by name.
#[derive(Debug)]
pub(super) struct Packages(BTreeMap<String, Package>);

impl Packages {
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let answer = cargo(root, &["metadata", "--format-version=1", "--no-deps", "--locked"])?;
        Self::from_metadata(&serde_json::from_str(&answer).context("cargo metadata is not JSON")?)
    }

    fn from_metadata(metadata: &Value) -> anyhow::Result<Self> {
        let root = metadata["workspace_root"].as_str().context("no workspace_root")?;
        let mut members = BTreeMap::new();
        for package in metadata["packages"].as_array().context("no packages")? {
            let name = package["name"].as_str().context("a package without a name")?;
            let manifest = package["manifest_path"].as_str().context("a package without a manifest")?;
            let folder =
                manifest.trim_start_matches(root).trim_start_matches('/').trim_end_matches("Cargo.toml");
            let dependencies = package["dependencies"].as_array().context("no dependencies")?;
            let dependencies = dependencies.iter().map(dependency).collect::<anyhow::Result<_>>()?;
            members.insert(name.to_owned(), Package { folder: folder.to_owned(), dependencies });
        }
        Ok(Self(members))
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(members: [(&str, &[(&str, Use)]); N]) -> Self {
        let package = |name: &str, dependencies: &[(&str, Use)]| Package {
            folder: format!("crates/{name}/"),
            dependencies: dependencies
                .iter()
                .map(|(name, used_for)| Dependency {
                    name: (*name).to_owned(),
                    ident: name.replace('-', "_"),
                    used_for: *used_for,
                })
                .collect(),
        };
        Self(members.into_iter().map(|(name, deps)| (name.to_owned(), package(name, deps))).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Package)> {
        self.0.iter().map(|(name, package)| (name.as_str(), package))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Every package that `name`, built alone for this machine, links in: normal dependencies, without procedural
/// macros and what only runs in them.
pub(super) fn reachable(root: &Path, name: &str) -> anyhow::Result<BTreeSet<String>> {
    let answer = cargo(
        root,
        &[
            "tree",
            "--locked",
            "--package",
            name,
            "--edges=normal,no-proc-macro",
            "--prefix=none",
            "--format={p}",
        ],
    )?;
    Ok(answer.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// A package of somebody else, in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Guest {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression as the package states it; empty when it states none.
    pub(super) licence: String,
}

/// Every package of somebody else that the workspace builds on this machine, tests and build scripts included.
pub(super) fn guests(root: &Path) -> anyhow::Result<BTreeSet<Guest>> {
    let answer = cargo(root, &["tree", "--locked", "--workspace", "--prefix=none", "--format={p}\t{l}\t"])?;
    Ok(answer.lines().filter_map(guest).collect())
}

/// A line `name vX.Y.Z<tab>licence<tab>`; ours have a path beside the version, and a repeated line ends in a star.
fn guest(line: &str) -> Option<Guest> {
    let (package, rest) = line.split_once('\t')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.trim_start_matches('v'));
    let ours = words.next().is_some_and(|word| word.starts_with("(/"));
    let licence = rest.split('\t').next().unwrap_or_default().trim();
    (!ours).then(|| Guest { name: name.to_owned(), version: version.to_owned(), licence: licence.to_owned() })
}

fn dependency(value: &Value) -> anyhow::Result<Dependency> {
    let name = value["name"].as_str().context("a dependency without a name")?;
    let used_for = match value["kind"].as_str() {
        None => Use::Normal,
        Some("build") => Use::Build,
        Some("dev") => Use::Tests,
        Some(other) => anyhow::bail!("{name}: unknown kind of dependency `{other}`"),
    };
    let ident = value["rename"].as_str().unwrap_or(name).replace('-', "_");
    Ok(Dependency { name: name.to_owned(), ident, used_for })
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output =
        Command::new("cargo").args(arguments).current_dir(root).output().context("cannot run cargo")?;
    if !output.status.success() {
        anyhow::bail!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("cargo did not answer in UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_told_from_ours() {
        let guest = |line| guest(line).map(|guest| (guest.name, guest.version, guest.licence));
        let triple = |name: &str, version: &str| (name.to_owned(), version.to_owned(), "MIT".to_owned());
        assert_eq!(guest("serde v1.0.2\tMIT\t"), Some(triple("serde", "1.0.2")));
        assert_eq!(
            guest("darling_macro v0.24.1 (proc-macro)\tMIT\t (*)"),
            Some(triple("darling_macro", "0.24.1"))
        );
        assert_eq!(guest("xtask v0.1.0 (/home/me/house/xtask)\tMIT\t"), None);
        assert_eq!(guest(""), None);
    }

    #[test]
    fn metadata_is_read_with_kinds_and_renames() {
        let metadata = serde_json::json!({
            "workspace_root": "/home/me/house",
            "packages": [{
                "name": "a-b",
                "manifest_path": "/home/me/house/crates/a/Cargo.toml",
                "dependencies": [
                    {"name": "one-two", "kind": null, "rename": null},
                    {"name": "three", "kind": "dev", "rename": "third"},
                ],
            }],
        });
        let packages = Packages::from_metadata(&metadata).expect("well formed");
        let (name, package) = packages.iter().next().expect("one");
        assert_eq!((name, package.folder.as_str()), ("a-b", "crates/a/"));
        assert_eq!(
            (package.dependencies[0].ident.as_str(), package.dependencies[0].used_for),
            ("one_two", Use::Normal)
        );
        assert_eq!(
            (package.dependencies[1].ident.as_str(), package.dependencies[1].used_for),
            ("third", Use::Tests)
        );
    }
}
