//! `expand[]`: replaces ids by the objects they name, down to four levels.

use serde_json::Value;

use crate::api::included;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::world::{Kind, Tx};

/// Expands each path in the answer.
pub fn expand(tx: &Tx<'_>, answer: &mut Value, paths: &[&str]) -> ApiResult<()> {
    for path in paths {
        let fields: Vec<&str> = path.split('.').collect();
        let depth = fields.len() - usize::from(fields.first() == Some(&"data"));
        if depth > 4 {
            let message = format!("You cannot expand more than 4 levels of a property (you passed {path}).");
            return Err(ApiError::invalid(message).param("expand"));
        }
        walk(tx, answer, &fields, path)?;
    }
    Ok(())
}

fn walk(tx: &Tx<'_>, value: &mut Value, fields: &[&str], path: &str) -> ApiResult<()> {
    let Some((field, rest)) = fields.split_first() else { return Ok(()) };
    if let Some(elements) = value.as_array_mut() {
        return elements.iter_mut().try_for_each(|element| walk(tx, element, fields, path));
    }
    if *field == "data" && value.text("object") == "list" {
        return value["data"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .try_for_each(|element| walk(tx, element, rest, path));
    }
    if let Some(included) = included::field(tx, value, field) {
        value[*field] = included;
    }
    let Some(inner) = value.get_mut(*field) else {
        let message = format!("This property cannot be expanded ({path}).");
        return Err(ApiError::invalid(message).param("expand"));
    };
    resolve(tx, inner);
    walk(tx, inner, rest, path)
}

/// Puts the object in the place of its id.
fn resolve(tx: &Tx<'_>, value: &mut Value) {
    if let Some(elements) = value.as_array_mut() {
        for element in elements {
            resolve(tx, element);
        }
        return;
    }
    let found = value.as_str().and_then(|id| tx.get(Kind::of_id(id)?, id)).cloned();
    if let Some(document) = found {
        *value = document;
    }
}
