//! Lists: newest first, `limit` 1 to 100, cursors that exclude the object they name.

use serde_json::{Value, json};

use super::Params;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::world::{Kind, Tx};

/// The parameters that every list takes.
pub const LIST: [&str; 4] = ["created", "ending_before", "limit", "starting_after"];

/// A page of the documents of a kind that `keep` keeps. With `owner` only that owner's are looked at.
pub fn page(
    tx: &Tx<'_>,
    kind: Kind,
    url: &str,
    params: &Params,
    owner: Option<&str>,
    keep: impl Fn(&Value) -> bool,
) -> ApiResult {
    let cut = Cut::read(params, |id| {
        let position = tx.world.table(&tx.account, kind).and_then(|table| table.position(id));
        position.ok_or_else(|| ApiError::no_such_param(kind, id, "starting_after"))
    })?;
    let created = params.range("created")?;
    let kept = |document: &Value| {
        created.holds(document.maybe_int("created").unwrap_or_else(|| document.int("date"))) && keep(document)
    };
    let Some(table) = tx.world.table(&tx.account, kind) else { return Ok(cut.list(url, Vec::new())) };
    let rows: Box<dyn DoubleEndedIterator<Item = (u64, &Value)>> = match owner {
        Some(owner) => Box::new(table.owned_by(owner)),
        None => Box::new(table.rows()),
    };
    let rows = rows.filter(|(position, document)| cut.spans(*position) && kept(document));
    let found: Vec<Value> = cut.take(rows.map(|(_, document)| document.clone()));
    Ok(cut.list(url, found))
}

/// Which part of a list a call asks for.
#[derive(Debug)]
pub struct Cut {
    limit: usize,
    older_than: Option<u64>,
    newer_than: Option<u64>,
}

impl Cut {
    /// Reads limit and cursors; `position` finds where the named object stands.
    pub fn read(params: &Params, position: impl Fn(&str) -> ApiResult<u64>) -> ApiResult<Self> {
        let limit = params.int("limit")?.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            let message = "This value must be between 1 and 100 (inclusive).";
            return Err(ApiError::invalid(message).code("parameter_invalid_integer").param("limit"));
        }
        let (after, before) = (params.text("starting_after"), params.text("ending_before"));
        if after.is_some() && before.is_some() {
            let message = "You may only specify one of these parameters: starting_after, ending_before.";
            return Err(ApiError::invalid(message).param("ending_before"));
        }
        Ok(Self {
            limit: usize::try_from(limit).unwrap_or(10),
            older_than: after.map(&position).transpose()?,
            newer_than: before.map(&position).transpose()?,
        })
    }

    pub fn spans(&self, position: u64) -> bool {
        self.older_than.is_none_or(|bound| position < bound)
            && self.newer_than.is_none_or(|bound| position > bound)
    }

    /// Up to one more than the limit, nearest to the cursor first, from rows given oldest first.
    pub fn take(&self, rows: impl DoubleEndedIterator<Item = Value>) -> Vec<Value> {
        if self.newer_than.is_some() {
            rows.take(self.limit + 1).collect()
        } else {
            rows.rev().take(self.limit + 1).collect()
        }
    }

    /// The list object, newest first.
    pub fn list(&self, url: &str, mut found: Vec<Value>) -> Value {
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        if self.newer_than.is_some() {
            found.reverse();
        }
        json!({"object": "list", "data": found, "has_more": has_more, "url": url})
    }
}
