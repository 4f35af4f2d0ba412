//! `BURSAR_SERVER__LISTEN=…` is `server.listen`: two underscores step into a section. `…_FILE` reads the value from a
//! file, as service managers hand over secrets.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::node::{Entry, Kind, Node};
use super::origin::Origin;
use super::schema::Part;
use crate::cli::code::Code;
use crate::cli::failure::Failure;

const PREFIX: &str = "BURSAR_";

/// Lays every variable that names a setting over `tree`, and reports files that cannot be read.
pub fn lay_over(tree: &mut Node, environment: &Environment, schema: Part<'_>) -> Vec<Failure> {
    let mut problems = Vec::new();
    for (name, value) in environment.starting_with(PREFIX) {
        let words = name[PREFIX.len()..].to_ascii_lowercase();
        if !words.contains("__") {
            continue;
        }
        let mut path: Vec<&str> = words.split("__").collect();
        let origin = Origin::Variable(name.to_owned());
        match from_file(&mut path, schema) {
            false => tree.set(&path, Node::text(value, origin)),
            true if schema.at(&path).is_some_and(Part::is_secret) => {
                tree.set(&path, reference(value, &origin));
            }
            true => match std::fs::read_to_string(value) {
                Ok(text) => tree.set(&path, Node::text(text.trim_end_matches(['\r', '\n']), origin)),
                Err(error) => problems.push(unreadable(name, value, &error)),
            },
        }
    }
    problems
}

/// A variable of one word that was meant to be a setting: `BURSAR_SERVER_LISTEN` for `BURSAR_SERVER__LISTEN`.
pub fn near_misses(environment: &Environment, schema: Part<'_>) -> Vec<Failure> {
    let mut found = Vec::new();
    for (name, _) in environment.starting_with(PREFIX) {
        let words = name[PREFIX.len()..].to_ascii_lowercase();
        if words.contains("__") {
            continue;
        }
        let meant = words.match_indices('_').map(|(at, _)| (&words[..at], &words[at + 1..]));
        if let Some((section, key)) =
            meant.into_iter().find(|(section, key)| schema.at(&[section, key]).is_some())
        {
            let right = format!("{PREFIX}{}__{}", section.to_ascii_uppercase(), key.to_ascii_uppercase());
            // `stripe.<name>` takes any name: only sections with fixed keys can be missed.
            if *section != *"stripe" {
                found.push(
                    Failure::new(Code::ConfigUnknownKey, format!("{name} is not read"))
                        .warning()
                        .help(format!("two underscores step into a section: {right}")),
                );
            }
        }
    }
    found
}

/// Takes `_file` off the last word when the key without it exists and the key with it does not.
fn from_file<'a>(path: &mut [&'a str], schema: Part<'_>) -> bool {
    if schema.at(path).is_some() {
        return false;
    }
    let Some(last) = path.last().copied().and_then(|last: &'a str| last.strip_suffix("_file")) else {
        return false;
    };
    let place = path.len() - 1;
    let mut plain = path.to_vec();
    plain[place] = last;
    if schema.at(&plain).is_none() {
        return false;
    }
    path[place] = last;
    true
}

/// `{ file = "…" }`
fn reference(path: &str, origin: &Origin) -> Node {
    let entry = Entry { key: origin.clone(), node: Node::text(path, origin.clone()) };
    Node { origin: origin.clone(), kind: Kind::Table(BTreeMap::from([("file".to_owned(), entry)])) }
}

fn unreadable(name: &str, path: &str, error: &std::io::Error) -> Failure {
    Failure::new(
        Code::ConfigSecretUnreadable,
        format!("{name} names the file {path}, which cannot be read: {error}"),
    )
    .help("name an existing file that this user may read")
}
