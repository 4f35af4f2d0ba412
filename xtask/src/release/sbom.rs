//! What is inside the program, as `CycloneDX` 1.6 in JSON: the crates that are linked into it, the `SQLite` within one of them, and
//! Rust's standard library. What only builds or tests it is not in it.
//!
//! Nothing in it changes from run to run: the time is the commit's, and there is no random serial number.

use serde_json::{Value, json};

use super::linked::{Linked, Package};

/// Of which build the list speaks.
pub(super) struct About {
    pub(super) commit: String,
    /// In UTC, as RFC 3339.
    pub(super) committed_at: String,
    pub(super) target: String,
    /// The compiler's release, which is that of the standard library too.
    pub(super) rustc: String,
    /// Digest of the program.
    pub(super) sha256: String,
    /// The release of the `SQLite` that is linked.
    pub(super) sqlite: String,
}

/// The whole document.
pub(super) fn bom(linked: &Linked, about: &About) -> Value {
    let program = linked.program();
    let others = linked.iter().filter(|package| !std::ptr::eq(*package, program));
    let mut components: Vec<Value> = others.map(|package| component(package, about)).collect();
    components.extend([sqlite(about), standard_library(about)]);
    components.sort_by_key(|component| component["bom-ref"].as_str().unwrap_or_default().to_owned());
    let mut root = component(program, about);
    root["type"] = json!("application");
    root["name"] = json!("bursar");
    root["hashes"] = sha256(&about.sha256);
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": about.committed_at,
            "lifecycles": [{"phase": "build"}],
            "component": root,
            "properties": [
                {"name": "bursar:commit", "value": about.commit},
                {"name": "bursar:target", "value": about.target},
            ],
        },
        "components": components,
        "dependencies": dependencies(linked, about),
    })
}

/// What each needs; one entry for everything that is listed, as the format asks of a whole graph.
fn dependencies(linked: &Linked, about: &About) -> Vec<Value> {
    let reference = |package| purl(package, about);
    let mut all: Vec<(String, Vec<String>)> = linked
        .iter()
        .map(|package| {
            let mut needs: Vec<String> =
                package.needs.iter().filter_map(|id| linked.get(id)).map(reference).collect();
            if package.name == "libsqlite3-sys" {
                needs.push(sqlite_purl(about));
            }
            if std::ptr::eq(package, linked.program()) {
                needs.push(standard_library_purl(about));
            }
            needs.sort();
            (reference(package), needs)
        })
        .collect();
    all.extend([(sqlite_purl(about), Vec::new()), (standard_library_purl(about), Vec::new())]);
    all.sort();
    all.into_iter().map(|(of, needs)| json!({"ref": of, "dependsOn": needs})).collect()
}

fn component(package: &Package, about: &About) -> Value {
    let purl = purl(package, about);
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "licenses": [{"expression": package.licence}],
        "purl": purl,
    });
    if let Some(digest) = &package.sha256 {
        component["hashes"] = sha256(digest);
    }
    component
}

fn sqlite(about: &About) -> Value {
    let purl = sqlite_purl(about);
    json!({
        "type": "library",
        "bom-ref": purl,
        "name": "sqlite",
        "version": about.sqlite,
        "licenses": [{"license": {"id": "blessing"}}],
        "cpe": format!("cpe:2.3:a:sqlite:sqlite:{}:*:*:*:*:*:*:*", about.sqlite),
        "purl": purl,
    })
}

fn standard_library(about: &About) -> Value {
    let purl = standard_library_purl(about);
    json!({
        "type": "library",
        "bom-ref": purl,
        "name": "rust-std",
        "version": about.rustc,
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "purl": purl,
    })
}

fn sqlite_purl(about: &About) -> String {
    format!("pkg:generic/sqlite@{}", about.sqlite)
}

fn standard_library_purl(about: &About) -> String {
    format!("pkg:generic/rust-std@{}", about.rustc)
}

fn sha256(digest: &str) -> Value {
    json!([{"alg": "SHA-256", "content": digest}])
}

/// Where a package is had. Ours are in no registry, so that nobody takes a stranger of the same name for one of them.
fn purl(package: &Package, about: &About) -> String {
    let version = package.version.replace('+', "%2B");
    if package.sha256.is_some() {
        format!("pkg:cargo/{}@{version}", package.name)
    } else {
        let repository = "git%2Bhttps://github.com/bursar/bursar";
        format!("pkg:generic/{}@{version}?vcs_url={repository}%40{}", package.name, about.commit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::linked::tests::linked;
    use super::*;

    fn about() -> About {
        About {
            commit: "c0ffee".into(),
            committed_at: "2026-01-02T03:04:05Z".into(),
            target: "x86_64-unknown-linux-gnu".into(),
            rustc: "1.95.0".into(),
            sha256: "ab".repeat(32),
            sqlite: "3.51.3".into(),
        }
    }

    #[test]
    fn a_component_says_where_it_is_had_and_what_its_bytes_were() {
        let bom = bom(&linked(), &about());
        let of = |name: &str| {
            let all = bom["components"].as_array().expect("a list");
            all.iter().find(|component| component["name"] == name).expect("listed").clone()
        };
        assert_eq!(of("toml")["purl"], "pkg:cargo/toml@1.0.0%2Bspec-1.1.0", "a plus means a space in a purl");
        assert_eq!(of("serde")["hashes"][0]["content"], "5e4d");
        assert_eq!(of("sqlite")["version"], "3.51.3");
        assert_eq!(of("rust-std")["version"], "1.95.0");
    }

    #[test]
    fn the_program_is_named_by_its_digest_and_not_as_a_crate_of_a_registry() {
        let bom = bom(&linked(), &about());
        let root = &bom["metadata"]["component"];
        assert_eq!(root["hashes"][0]["content"].as_str(), Some(&*"ab".repeat(32)));
        assert!(root["purl"].as_str().is_some_and(|purl| purl.starts_with("pkg:generic/bursar-server@")));
        assert_eq!(bom["metadata"]["timestamp"], "2026-01-02T03:04:05Z");
    }

    #[test]
    fn every_reference_is_defined_once_and_every_component_has_its_line() {
        let bom = bom(&linked(), &about());
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let mut defined: Vec<String> =
            bom["components"].as_array().expect("a list").iter().map(|c| text(&c["bom-ref"])).collect();
        defined.push(text(&bom["metadata"]["component"]["bom-ref"]));
        defined.sort();
        let lines = bom["dependencies"].as_array().expect("a list");
        let mut told: Vec<String> = lines.iter().map(|line| text(&line["ref"])).collect();
        told.sort();
        assert_eq!(defined, told);
        defined.dedup();
        assert_eq!(defined.len(), told.len(), "each once");
        for line in lines {
            for need in line["dependsOn"].as_array().expect("a list") {
                assert!(defined.contains(&text(need)), "{need} is not listed");
            }
        }
    }
}
