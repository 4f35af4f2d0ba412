//! Fetches a secret from the file or variable that a setting names.

use std::path::Path;

use super::environment::Environment;
use super::node::{Entry, Kind, Node, Table};
use super::origin::Origin;
use super::secret::{KeptIn, Secret};
use crate::cli::code::Code;
use crate::cli::failure::Failure;

/// The secret that `node` is or refers to. Relative paths in the file are seen from `folder`.
pub fn secret(node: &Node, path: &str, environment: &Environment, folder: &Path) -> Result<Secret, Failure> {
    match &node.kind {
        Kind::Text(text) => in_place(text, node, path),
        Kind::Table(table) => referred(table, node, path, environment, folder),
        _ => Err(misshapen(node, path)),
    }
}

fn in_place(text: &str, node: &Node, path: &str) -> Result<Secret, Failure> {
    let kept_in = match &node.origin {
        Origin::Variable(name) => KeptIn::Variable(name.clone()),
        _ => KeptIn::Clear,
    };
    sound(text, kept_in).map_err(|why| unreadable(node, path, &why))
}

fn referred(
    table: &Table,
    node: &Node,
    path: &str,
    environment: &Environment,
    folder: &Path,
) -> Result<Secret, Failure> {
    let only: Vec<(&String, &Entry)> = table.iter().collect();
    let [(key, entry)] = only.as_slice() else { return Err(misshapen(node, path)) };
    let Kind::Text(value) = &entry.node.kind else { return Err(misshapen(&entry.node, path)) };
    let fetched = match key.as_str() {
        "file" => from_file(value, &folder.join(value)),
        "env" => from_variable(value, environment),
        _ => return Err(misshapen(node, path)),
    };
    fetched.map_err(|why| unreadable(&entry.node, path, &why))
}

fn from_file(named: &str, path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{named}: {error}"))?;
    sound(text.trim_end_matches(['\r', '\n']), KeptIn::File(path.display().to_string()))
        .map_err(|why| format!("{named} {why}"))
}

fn from_variable(name: &str, environment: &Environment) -> Result<Secret, String> {
    let value = environment.get(name).ok_or_else(|| format!("{name} is not set"))?;
    sound(value, KeptIn::Variable(name.to_owned())).map_err(|why| format!("{name} {why}"))
}

/// A secret is one line of text with something in it.
fn sound(text: &str, kept_in: KeptIn) -> Result<Secret, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err("holds spaces or lines around the secret".to_owned());
    }
    Ok(Secret::new(text.to_owned().into(), kept_in))
}

fn misshapen(node: &Node, path: &str) -> Failure {
    Failure::new(Code::ConfigWrongValue, format!("`{path}` is no secret{}", node.origin.aside()))
        .at(node.origin.place("expected { file = \"…\" } or { env = \"…\" }"))
        .help("keep the secret in a file only this user may read, and name it: { file = \"/run/credentials/…\" }")
}

fn unreadable(node: &Node, path: &str, why: &str) -> Failure {
    Failure::new(
        Code::ConfigSecretUnreadable,
        format!("the secret `{path}` cannot be read{}", node.origin.aside()),
    )
    .because(node.origin.place(why), why)
    .help("put the secret alone into that place, readable by the user that runs bursar")
}
