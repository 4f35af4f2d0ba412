//! Bugs that are planted for the proof stay out of every build that nobody asked to hold them.

use super::Problem;
use super::tree::Tree;

/// The only lines of manifests that may name the feature: it hands itself down, and is on nowhere by itself.
const HANDED_DOWN: &[(&str, &str)] = &[
    ("crates/store/Cargo.toml", "planted = []"),
    ("crates/engine/Cargo.toml", "planted = [\"bursar-store/planted\"]"),
    ("crates/sim/Cargo.toml", "planted = [\"bursar-engine/planted\"]"),
];

/// Manifests that turn the feature on, or hand it to somebody else.
pub(super) fn on_by_itself(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for file in tree.files().filter(|file| file.path.ends_with("Cargo.toml")) {
        for (at, line) in file.text.lines().enumerate() {
            let names = line.contains("planted") && !line.trim_start().starts_with('#');
            let allowed = HANDED_DOWN.iter().any(|(path, text)| file.path == *path && line.trim() == *text);
            if names && !allowed {
                let what = "planted bugs are in no build by default: only `cargo xtask prove` asks for them";
                found.push(Problem::new(format!("{}:{}", file.path, at + 1), what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_turns_it_on_is_found() {
        let tree = Tree::of([
            ("crates/store/Cargo.toml", "[features]\n# planted here\nplanted = []\n"),
            ("crates/engine/Cargo.toml", "[features]\ndefault = [\"planted\"]\n"),
            ("crates/server/Cargo.toml", "bursar-engine = { workspace = true, features = [\"planted\"] }\n"),
        ]);
        let places: Vec<String> = on_by_itself(&tree).into_iter().map(|problem| problem.place).collect();
        assert_eq!(places, ["crates/engine/Cargo.toml:2", "crates/server/Cargo.toml:1"]);
    }
}
