//! `cargo xtask release`: what a machine needs to run Bursar, in one folder: the stripped program, licence, readme, what
//! installs it, what is linked into the program, and digests of it all.
//!
//! It lies in `dist/bursar-<version>-<target>` below cargo's target folder. From the same commit, Rust and C compiler
//! everybody is to get the same bytes, wherever they build: no path of the builder's machine comes into the program, and no flag of
//! theirs.

mod linked;
mod sbom;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use linked::Linked;

/// What lies beside the program, as git knows it.
const BESIDE: &[&str] = &["LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "deploy"];

/// What is linked into the program, in the folder.
const SBOM: &str = "bursar.cdx.json";

const SUMS: &str = "SHA256SUMS";

/// How settings of the builder's begin that would change the program.
const THEIRS: &[&str] = &[
    "RUSTFLAGS",
    "RUSTC_",
    "CARGO_PROFILE_",
    "CARGO_BUILD_RUST",
    "CFLAGS",
    "CPPFLAGS",
    "TARGET_CFLAGS",
    "HOST_CFLAGS",
];

pub(crate) fn run() -> anyhow::Result<()> {
    anyhow::ensure!(std::env::args().len() == 2, "usage: cargo xtask release");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    clean(&say(&root, "git", &["status", "--porcelain"])?)?;
    let compiler = Compiler::read(&root)?;
    let metadata = metadata(&root, &compiler.target)?;
    let linked = Linked::read(&root, &metadata, &compiler.target)?;
    let target = crate::bench::target(&root)?;
    let paths = paths(&root, &target, &metadata, &compiler)?;
    let built = build(&root, &target, &paths)?;
    let program = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    names_no_machine(&program, paths.keys().map(String::as_str))?;

    let version = &linked.program().version;
    let folder = target.join("dist").join(format!("bursar-{version}-{}", compiler.target));
    let mut files = beside(&root)?;
    let about = sbom::About {
        commit: say(&root, "git", &["rev-parse", "HEAD"])?,
        committed_at: say(
            &root,
            "git",
            &["show", "-s", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%cd"],
        )?,
        target: compiler.target,
        rustc: compiler.version,
        sha256: digest(&program),
        sqlite: linked.sqlite()?,
    };
    let bom = serde_json::to_string_pretty(&sbom::bom(&linked, &about))?;
    files.insert("bursar".into(), program);
    files.insert(SBOM.into(), (bom + "\n").into_bytes());
    files.insert(SUMS.into(), sums(&files).into_bytes());
    lay(&folder, &files)?;
    println!("release: {} files in {}", files.len(), folder.display());
    println!("release: bursar is {}", about.sha256);
    Ok(())
}

/// Refuses to build what no commit names.
fn clean(status: &str) -> anyhow::Result<()> {
    anyhow::ensure!(status.is_empty(), "not committed, so nobody could build it again:\n{status}");
    Ok(())
}

/// The compiler that builds, and what it builds for.
struct Compiler {
    target: String,
    version: String,
    commit: String,
    sysroot: String,
}

impl Compiler {
    fn read(root: &Path) -> anyhow::Result<Self> {
        let told = say(root, "rustc", &["-vV"])?;
        let field = |name: &str| {
            let value = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.map(str::to_owned).with_context(|| format!("rustc does not tell its {name}"))
        };
        Ok(Self {
            target: field("host")?,
            version: field("release")?,
            commit: field("commit-hash")?,
            sysroot: say(root, "rustc", &["--print=sysroot"])?,
        })
    }
}

fn metadata(root: &Path, target: &str) -> anyhow::Result<serde_json::Value> {
    let answer =
        say(root, "cargo", &["metadata", "--format-version=1", "--locked", "--filter-platform", target])?;
    serde_json::from_str(&answer).context("cargo metadata is not JSON")
}

/// Places of the builder's machine, and what stands in the program instead of them.
fn paths(
    root: &Path,
    target: &Path,
    metadata: &serde_json::Value,
    compiler: &Compiler,
) -> anyhow::Result<BTreeMap<String, String>> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path that is not UTF-8");
    let mut paths = BTreeMap::from([
        (text(root)?, "/bursar".to_owned()),
        (text(target)?, "/target".to_owned()),
        // Only where the sources of the standard library are installed does rustc name their place.
        (format!("{}/lib/rustlib/src/rust", compiler.sysroot), format!("/rustc/{}", compiler.commit)),
    ]);
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = Path::new(package["manifest_path"].as_str().context("a package without a manifest")?);
        if !package["source"].is_null() {
            let crates = manifest.parent().and_then(Path::parent).context("a crate without a folder")?;
            paths.insert(text(crates)?, "/crates".to_owned());
        }
    }
    // The C compiler's flags are one text, parted at spaces.
    let parted = paths.keys().find(|path| path.contains(char::is_whitespace));
    anyhow::ensure!(parted.is_none(), "a path with a space cannot be kept out of the program: {parted:?}");
    Ok(paths)
}

/// Builds the program and gives its place.
fn build(root: &Path, target: &Path, paths: &BTreeMap<String, String>) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--locked", "--profile=dist", "--package=bursar-server", "--bin=bursar"])
        .current_dir(root);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if THEIRS.iter().any(|theirs| name.starts_with(theirs)) {
            cargo.env_remove(&*name);
        }
    }
    // A place within another one is named after it, since the last flag that fits is the one that counts.
    let flags = |flag: &str| -> Vec<String> {
        paths.iter().map(|(theirs, ours)| format!("{flag}={theirs}={ours}")).collect()
    };
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags("--remap-path-prefix").join("\u{1f}"));
    cargo.env("CFLAGS", flags("-ffile-prefix-map").join(" "));
    let status = cargo.env("CARGO_INCREMENTAL", "0").status().context("cannot run cargo")?;
    anyhow::ensure!(status.success(), "the program does not build");
    Ok(target.join("dist/bursar"))
}

/// Refuses a program that tells where it was built: it would be another one elsewhere.
fn names_no_machine<'a>(program: &[u8], places: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    for place in places {
        let told = program.windows(place.len()).any(|bytes| bytes == place.as_bytes());
        anyhow::ensure!(!told, "the program names {place}, a place of this machine");
    }
    Ok(())
}

/// The files beside the program, by their path in the folder.
fn beside(root: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let listed = say(root, "git", &[&["ls-files", "--"], BESIDE].concat())?;
    for path in listed.lines() {
        files.insert(path.to_owned(), fs::read(root.join(path)).with_context(|| path.to_owned())?);
    }
    for name in BESIDE {
        let there = files.keys().any(|path| path == name || path.starts_with(&format!("{name}/")));
        anyhow::ensure!(there, "{name} is missing");
    }
    Ok(files)
}

/// One line for each file, as `sha256sum --check` reads it.
fn sums(files: &BTreeMap<String, Vec<u8>>) -> String {
    files.iter().fold(String::new(), |mut text, (path, bytes)| {
        let _ = writeln!(text, "{}  {path}", digest(bytes));
        text
    })
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Puts the files there and nothing else; one that an earlier run left does not stay.
fn lay(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    for (path, bytes) in files {
        let place = folder.join(path);
        fs::create_dir_all(place.parent().context("a file without a folder")?)?;
        fs::write(&place, bytes).with_context(|| format!("cannot write {}", place.display()))?;
        #[cfg(unix)]
        if path == "bursar" {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

/// What a command prints, without its last line end.
fn say(root: &Path, program: &str, words: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    // One clock for everybody's copy of a date.
    let output = command.args(words).current_dir(root).env("TZ", "UTC").output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!("{program} {}: {}", words.join(" "), error.trim());
    }
    let text = String::from_utf8(output.stdout).with_context(|| format!("{program} is not UTF-8"))?;
    Ok(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_committed_is_named() {
        clean("").expect("clean");
        let refused = clean("?? crates/new.rs").expect_err("dirty").to_string();
        assert!(refused.contains("crates/new.rs"), "{refused}");
    }

    #[test]
    fn a_program_that_names_its_builder_is_refused() {
        let places = ["/home/me/house", "/home/me/.cargo/registry/src/x"];
        names_no_machine(b"\x7fELF /bursar/crates/a.rs", places.into_iter()).expect("names nobody");
        let told = b"\x7fELF\0/home/me/.cargo/registry/src/x/ring-0.17/a.c\0";
        let refused = names_no_machine(told, places.into_iter()).expect_err("named").to_string();
        assert!(refused.contains("/home/me/.cargo"), "{refused}");
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        let files = BTreeMap::from([("b".to_owned(), b"abc".to_vec()), ("a/c".to_owned(), Vec::new())]);
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a/c\n\
                        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n";
        assert_eq!(sums(&files), expected);
    }

    #[test]
    fn a_folder_holds_only_what_was_laid_last() {
        let folder = std::env::temp_dir().join(format!("bursar-release-{}", std::process::id()));
        let files = |name: &str| BTreeMap::from([(name.to_owned(), b"x".to_vec())]);
        lay(&folder, &files("deploy/old")).expect("laid");
        lay(&folder, &files("bursar")).expect("laid again");
        assert!(folder.join("bursar").exists() && !folder.join("deploy").exists());
        fs::remove_dir_all(&folder).expect("removed");
    }
}
