//! Follows a list as it grows, and waits for news without hammering the API.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::client::{Client, Wakes};
use super::failure::Failure;
use super::fields;

/// Looked at again after this long even when nobody rang: a lost connection must not lose news.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// As many as are read at a time.
const PAGE: &str = "100";

/// Rings when the installation says that something happened.
pub struct Bell<'a> {
    client: &'a Client,
    wakes: Option<Wakes>,
}

impl<'a> Bell<'a> {
    pub fn new(client: &'a Client) -> Self {
        Self { client, wakes: None }
    }

    /// Returns on news, and after a while without. The stream is opened again when it broke.
    pub async fn ring(&mut self) {
        if self.wakes.is_none() {
            self.wakes = self.client.wakes().await.ok();
        }
        let Some(wakes) = &mut self.wakes else {
            tokio::time::sleep(LOOK_AGAIN).await;
            return;
        };
        match tokio::time::timeout(LOOK_AGAIN, wakes.next()).await {
            Ok(Ok(true)) | Err(_) => {}
            Ok(Ok(false) | Err(_)) => {
                self.wakes = None;
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}

/// A list of the API that begins with its newest element.
pub struct GrowingList<'a> {
    pub path: &'a str,
    pub query: &'a [(&'a str, &'a str)],
    /// How the next page is asked for, and where an element holds what it asks with.
    pub cursor: (&'a str, &'a str),
}

/// Gives the last `first` elements of the list in order, then each new one as it comes, until `show` fails.
pub async fn tail(
    client: &Client,
    list: &GrowingList<'_>,
    first: usize,
    mut show: impl FnMut(&Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut bell = Bell::new(client);
    let mut seen = HashSet::new();
    let mut newest = newer(client, list, &mut seen).await?;
    newest.drain(..newest.len().saturating_sub(first));
    loop {
        for element in &newest {
            show(element)?;
        }
        bell.ring().await;
        newest = newer(client, list, &mut seen).await?;
    }
}

/// Elements that were not seen before, oldest first. Lists begin with the newest; pages are read back to the first one
/// that is known, or only one page when none is.
async fn newer(
    client: &Client,
    list: &GrowingList<'_>,
    seen: &mut HashSet<String>,
) -> Result<Vec<Value>, Failure> {
    let begins = seen.is_empty();
    let mut found: Vec<Value> = Vec::new();
    let mut after = String::new();
    loop {
        let mut all = list.query.to_vec();
        all.extend([("limit", PAGE), (list.cursor.0, after.as_str())]);
        let page = client.get(list.path, &all).await?;
        let fresh: Vec<Value> =
            fields::list(&page).iter().filter(|element| !seen.contains(&id(element))).cloned().collect();
        let reached =
            fresh.len() < fields::list(&page).len() || page.get("has_more") != Some(&Value::Bool(true));
        after = fresh.last().map(|last| fields::text(last, &[list.cursor.1])).unwrap_or_default();
        found.extend(fresh);
        if begins || reached || after.is_empty() {
            break;
        }
    }
    seen.extend(found.iter().map(id));
    found.reverse();
    Ok(found)
}

fn id(element: &Value) -> String {
    fields::text(element, &["/id", "/entry/id"])
}
