//! Meets the tree with the schema: unknown keys are reported with the nearest known one, text from the environment
//! becomes what its place asks for, and secrets are fetched from where they live.

use std::path::Path;

use super::environment::Environment;
use super::fetch;
use super::node::{Kind, Node, join};
use super::origin::Origin;
use super::schema::Part;
use crate::cli::code::Code;
use crate::cli::failure::Failure;

pub struct Check<'a> {
    pub environment: &'a Environment,
    /// Paths of secrets are seen from here.
    pub folder: &'a Path,
    pub problems: Vec<Failure>,
}

impl Check<'_> {
    /// Walks `node`, which stands at `path`, and everything below it.
    pub fn meet(&mut self, node: &mut Node, part: Part<'_>, path: &str) {
        if part.is_secret() {
            self.secret(node, path);
            return;
        }
        coerce(node, part);
        match &mut node.kind {
            Kind::Table(table) if part.takes("object") => {
                for (key, entry) in table.iter_mut() {
                    let path = join(path, key);
                    match part.child(key) {
                        Some(child) => self.meet(&mut entry.node, child, &path),
                        None => self.problems.push(unknown(&path, key, &entry.key, part)),
                    }
                }
                table.retain(|key, _| part.child(key).is_some());
            }
            Kind::List(nodes) => {
                for (index, node) in nodes.iter_mut().enumerate() {
                    if let Some(items) = part.items() {
                        self.meet(node, items, &format!("{path}[{index}]"));
                    }
                }
            }
            _ => {}
        }
    }

    fn secret(&mut self, node: &mut Node, path: &str) {
        match fetch::secret(node, path, self.environment, self.folder) {
            Ok(secret) => node.kind = Kind::Secret(secret),
            Err(problem) => {
                self.problems.push(problem);
                node.kind = Kind::Flag(false);
            }
        }
    }
}

/// Text from a variable or a flag becomes a number, a flag or a list where one is wanted. What does not fit stays text
/// and is refused by its type.
fn coerce(node: &mut Node, part: Part<'_>) {
    let outside = matches!(node.origin, Origin::Variable(_) | Origin::Flag(_));
    let (true, Kind::Text(text)) = (outside, &node.kind) else { return };
    let text = text.trim().to_owned();
    if part.takes("string") {
        return;
    }
    if part.takes("integer") {
        if let Ok(integer) = text.parse() {
            node.kind = Kind::Integer(integer);
        }
    } else if part.takes("boolean") {
        if let Ok(flag) = text.parse() {
            node.kind = Kind::Flag(flag);
        }
    } else if part.takes("array") && !text.starts_with('[') {
        let words = text.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty());
        node.kind = Kind::List(words.map(|word| Node::text(word, node.origin.clone())).collect());
    } else if let Some(value) = super::file::value(&text, &node.origin) {
        // A list or table is written as in the file.
        node.kind = value.kind;
    }
}

fn unknown(path: &str, key: &str, origin: &Origin, part: Part<'_>) -> Failure {
    let near = nearest(key, &part.keys());
    let help = near.map_or_else(
        || format!("known here: {}. All settings: bursar config schema", part.keys().join(", ")),
        |near| format!("did you mean `{near}`? All settings: bursar config schema"),
    );
    Failure::new(Code::ConfigUnknownKey, format!("unknown key `{path}`{}", origin.aside()))
        .at(origin.place("not a known setting"))
        .help(help)
}

/// The known word that `given` most resembles, if one does.
pub fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|word| (strsim::damerau_levenshtein(given, word), *word));
    let (distance, word) = scored.min_by_key(|(distance, _)| *distance)?;
    let allowed = (given.chars().count() / 3).max(1);
    (distance <= allowed).then_some(word)
}
