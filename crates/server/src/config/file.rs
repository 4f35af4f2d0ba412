//! One TOML file as a tree with the place of every key and value.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Entry, Kind, Node, Table};
use super::origin::{Origin, Source};
use crate::cli::code::Code;
use crate::cli::failure::Failure;

/// The file at `path`, which exists or was named by somebody.
pub fn read(path: &Path) -> Result<Node, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Code::ConfigUnreadable,
            format!("cannot read the configuration {}: {error}", path.display()),
        )
        .help("name another file with --config, or write one: bursar init")
    })?;
    parse(path, text)
}

pub fn parse(path: &Path, text: String) -> Result<Node, Failure> {
    let source = Arc::new(Source { path: path.to_owned(), text });
    let table = DeTable::parse(&source.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let origin = Origin::File { source: Arc::clone(&source), span };
        let name = path.file_name().unwrap_or(path.as_os_str());
        Failure::new(Code::ConfigNotToml, format!("{} is not TOML", name.display()))
            .at(origin.place(super::mask::words(&message)))
            .help("every text stands in quotes, every section in [brackets]")
    })?;
    let origin = Origin::File { source: Arc::clone(&source), span: 0..0 };
    Ok(Node { origin, kind: Kind::Table(tabled(&source, table.get_ref())) })
}

fn tabled(source: &Arc<Source>, table: &DeTable<'_>) -> Table {
    let at = |span| Origin::File { source: Arc::clone(source), span };
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        (key.get_ref().to_string(), Entry { key: at(key.span()), node: node(source, value) })
    };
    table.iter().map(entry).collect()
}

fn node(source: &Arc<Source>, value: &Spanned<DeValue<'_>>) -> Node {
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Kind::Float(integer.to_string()), Kind::Integer),
        DeValue::Float(float) => Kind::Float(float.to_string()),
        DeValue::Boolean(flag) => Kind::Flag(*flag),
        // A date may stand without quotes.
        DeValue::Datetime(moment) => Kind::Text(moment.to_string()),
        DeValue::Array(values) => Kind::List(values.iter().map(|value| node(source, value)).collect()),
        DeValue::Table(table) => Kind::Table(tabled(source, table)),
    };
    Node { origin: Origin::File { source: Arc::clone(source), span: value.span() }, kind }
}

/// A value written as in a file, such as a list in an environment variable.
pub fn value(text: &str, origin: &Origin) -> Option<Node> {
    let source = Arc::new(Source { path: "".into(), text: text.to_owned() });
    let parsed = DeValue::parse(&source.text).ok()?;
    let mut node = node(&source, &parsed);
    node.come_from(origin);
    Some(node)
}
