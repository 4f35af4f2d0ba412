//! The packages that are linked into the program, and which of them needs which.
//!
//! `cargo metadata` alone knows too many: it resolves features for the whole workspace at once, tests included, and so names
//! crates that the program by itself is built without. Which ones are built in says `cargo tree` for the one package;
//! what they are says the metadata, and what their bytes were says `Cargo.lock`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

/// The package whose binary is released.
const PROGRAM: &str = "bursar-server";

/// A name and a version; a source does not matter, since deny.toml allows one registry.
type Id = (String, String);

#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) licence: String,
    /// Digest of the archive in the registry; none for a crate of ours.
    pub(super) sha256: Option<String>,
    pub(super) needs: BTreeSet<Id>,
    folder: PathBuf,
}

/// Every linked package.
#[derive(Debug)]
pub(super) struct Linked {
    packages: BTreeMap<Id, Package>,
}

impl Linked {
    pub(super) fn read(root: &Path, metadata: &Value, target: &str) -> anyhow::Result<Self> {
        let words =
            ["tree", "--locked", "--package", PROGRAM, "--edges=normal,no-proc-macro", "--prefix=none"];
        let tree = super::say(root, "cargo", &[&words[..], &["--format={p}", "--target", target]].concat())?;
        Self::of(metadata, &built_in(&tree), &fs::read_to_string(root.join("Cargo.lock"))?)
    }

    fn of(metadata: &Value, built_in: &BTreeSet<Id>, lock: &str) -> anyhow::Result<Self> {
        let digests = digests(lock)?;
        let described = metadata["packages"].as_array().context("no packages")?;
        let ids: BTreeMap<&str, Id> =
            described.iter().filter_map(|package| Some((package["id"].as_str()?, id(package)?))).collect();
        let mut packages = BTreeMap::new();
        for package in described {
            let id = id(package).context("a package without a name or version")?;
            if !built_in.contains(&id) {
                continue;
            }
            let (name, version) = id.clone();
            let licence = package["license"].as_str().with_context(|| format!("{name} states no licence"))?;
            let sha256 = digests.get(&id).cloned();
            let ours = package["source"].is_null();
            anyhow::ensure!(ours || sha256.is_some(), "{name} {version} has no checksum in Cargo.lock");
            let needs = needs(metadata, package["id"].as_str().unwrap_or_default(), &ids, built_in);
            let manifest = Path::new(package["manifest_path"].as_str().context("no manifest")?);
            let folder = manifest.parent().context("no folder")?.to_owned();
            let licence = spdx(licence);
            packages.insert(id, Package { name, version, licence, sha256, needs, folder });
        }
        let unknown: Vec<&Id> = built_in.iter().filter(|id| !packages.contains_key(*id)).collect();
        anyhow::ensure!(unknown.is_empty(), "built in and not described: {unknown:?}");
        Ok(Self { packages })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    pub(super) fn get(&self, id: &Id) -> Option<&Package> {
        self.packages.get(id)
    }

    /// The package of the program itself.
    pub(super) fn program(&self) -> &Package {
        self.iter().find(|package| package.name == PROGRAM).expect("cargo tree names what it was asked for")
    }

    /// The version of `SQLite` whose source the crate that links it brings along.
    pub(super) fn sqlite(&self) -> anyhow::Result<String> {
        let package = self.iter().find(|package| package.name == "libsqlite3-sys");
        let package = package.context("no libsqlite3-sys: where does SQLite come from?")?;
        let header = package.folder.join("sqlite3/sqlite3.h");
        let text =
            fs::read_to_string(&header).with_context(|| format!("cannot read {}", header.display()))?;
        sqlite_version(&text).map(str::to_owned).context("sqlite3.h tells no version")
    }
}

fn sqlite_version(header: &str) -> Option<&str> {
    let line = header.lines().find_map(|line| line.strip_prefix("#define SQLITE_VERSION "))?;
    line.trim().strip_prefix('"')?.strip_suffix('"')
}

/// The lines `name vX.Y.Z …` of `cargo tree`.
fn built_in(tree: &str) -> BTreeSet<Id> {
    let id = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    tree.lines().filter_map(id).collect()
}

/// Which linked packages a package needs at run time; one that is only for building or testing it is none of them, also
/// if it is linked for somebody else.
fn needs(metadata: &Value, of: &str, ids: &BTreeMap<&str, Id>, built_in: &BTreeSet<Id>) -> BTreeSet<Id> {
    let nodes = metadata["resolve"]["nodes"].as_array();
    let node = nodes.into_iter().flatten().find(|node| node["id"] == of);
    let deps = node.and_then(|node| node["deps"].as_array());
    let normal =
        |dep: &&Value| dep["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null());
    let linked = |dep: &Value| ids.get(dep["pkg"].as_str()?).filter(|id| built_in.contains(*id)).cloned();
    deps.into_iter().flatten().filter(normal).filter_map(linked).collect()
}

fn id(package: &Value) -> Option<Id> {
    Some((package["name"].as_str()?.to_owned(), package["version"].as_str()?.to_owned()))
}

/// Older manifests write a slash for "or", which is no SPDX expression.
fn spdx(licence: &str) -> String {
    licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

/// Checksums by package.
fn digests(lock: &str) -> anyhow::Result<BTreeMap<Id, String>> {
    let lock: toml::Table = lock.parse().context("Cargo.lock is not TOML")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock is empty")?;
    let text = |package: &toml::Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    let digest = |package: &toml::Value| {
        Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?))
    };
    Ok(packages.iter().filter_map(digest).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    const TREE: &str = "bursar-server v0.1.0 (/home/me/house/crates/server)\n\
                        toml v1.0.0+spec-1.1.0\n\
                        serde v1.0.2\n\
                        serde v1.0.2 (*)\n";

    const LOCK: &str = "[[package]]\nname = \"bursar-server\"\nversion = \"0.1.0\"\n\n\
                        [[package]]\nname = \"serde\"\nversion = \"1.0.2\"\nchecksum = \"5e4d\"\n\n\
                        [[package]]\nname = \"toml\"\nversion = \"1.0.0+spec-1.1.0\"\nchecksum = \"7031\"\n";

    fn package(name: &str, version: &str, licence: &str) -> Value {
        let source = if name.starts_with("bursar") { Value::Null } else { json!("registry") };
        json!({"id": format!("{name}#{version}"), "name": name, "version": version, "license": licence,
               "source": source, "manifest_path": format!("/crates/{name}/Cargo.toml")})
    }

    fn metadata() -> Value {
        let dep = |id: &str, kind: Value| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        json!({
            "packages": [
                package("bursar-server", "0.1.0", "Apache-2.0"),
                package("toml", "1.0.0+spec-1.1.0", "MIT/Apache-2.0"),
                package("serde", "1.0.2", "MIT OR Apache-2.0"),
                package("tempfile", "3.0.0", "MIT"),
            ],
            "resolve": {"nodes": [{"id": "bursar-server#0.1.0", "deps": [
                dep("toml#1.0.0+spec-1.1.0", Value::Null),
                dep("serde#1.0.2", json!("build")),
                dep("tempfile#3.0.0", Value::Null),
            ]}]},
        })
    }

    pub(in crate::release) fn linked() -> Linked {
        Linked::of(&metadata(), &built_in(TREE), LOCK).expect("well formed")
    }

    #[test]
    fn only_what_is_built_in_is_linked() {
        let linked = linked();
        let names: Vec<&str> = linked.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["bursar-server", "serde", "toml"]);
        let needs = &linked.program().needs;
        assert_eq!(
            needs.iter().map(|id| id.0.as_str()).collect::<Vec<_>>(),
            ["toml"],
            "not tempfile, which features of others bring, and not serde, which only builds it"
        );
    }

    #[test]
    fn digests_are_those_of_the_lock_file_and_licences_are_expressions() {
        let linked = linked();
        let told: Vec<_> =
            linked.iter().map(|package| (package.sha256.as_deref(), package.licence.as_str())).collect();
        let expected =
            [(None, "Apache-2.0"), (Some("5e4d"), "MIT OR Apache-2.0"), (Some("7031"), "MIT OR Apache-2.0")];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_nobody_can_vouch_for_is_refused() {
        let refused = |metadata: &Value, tree: &str, lock: &str| {
            Linked::of(metadata, &built_in(tree), lock).expect_err("refused").to_string()
        };
        let no_checksum = refused(&metadata(), TREE, &LOCK.replace("checksum = \"5e4d\"", ""));
        assert!(no_checksum.contains("serde 1.0.2 has no checksum"), "{no_checksum}");
        let mut bare = metadata();
        bare["packages"][2]["license"] = Value::Null;
        let no_licence = refused(&bare, TREE, LOCK);
        assert!(no_licence.contains("serde states no licence"), "{no_licence}");
        let unknown = refused(&metadata(), &format!("{TREE}ring v0.17.0\n"), LOCK);
        assert!(unknown.contains("ring"), "{unknown}");
    }

    #[test]
    fn sqlite_tells_its_version() {
        let header = "#define SQLITE_VERSION_NUMBER 3051003\n#define SQLITE_VERSION        \"3.51.3\"\n";
        assert_eq!(sqlite_version(header), Some("3.51.3"));
    }
}
