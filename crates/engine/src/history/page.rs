//! One page of a list, and where the next one begins.

use bursar_store::history::{Progress, Read};
use serde_json::Value;

use crate::lanes::Open;
use crate::stripe_api::Class;
use crate::{Error, Result};

/// What a page of Stripe's list held.
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    pub(super) has_more: bool,
}

/// The page that follows what was read; nothing where the object after which it begins is no more.
pub(super) async fn read(open: &Open, from: &Progress) -> Result<Option<Page>> {
    let (since, down_to) = (from.since_s.to_string(), from.down_to_s.map(|down_to_s| down_to_s.to_string()));
    let mut filter = vec![("created[gte]", since.as_str())];
    match (&from.after_id, &down_to) {
        (Some(after), _) => filter.push(("starting_after", after)),
        // Its second is read again: others may have been created in it.
        (None, Some(down_to)) => filter.push(("created[lte]", down_to)),
        (None, None) => {}
    }
    // Else those that have ended would be left out.
    if from.kind == "subscription" {
        filter.push(("status", "all"));
    }
    match open.client.page(&from.kind, &filter, Class::Backfill).await {
        Ok(Some(page)) => Ok(Some(page_of(&page))),
        // Lists are never missing: it is the object that we wanted to go on after.
        Ok(None) | Err(Error::StripeRefused { status: 400, .. }) if from.after_id.is_some() => Ok(None),
        Ok(None) => Err(Error::not_found("list of", from.kind.clone())),
        Err(error) => Err(error),
    }
}

fn page_of(page: &Value) -> Page {
    Page {
        items: page.get("data").and_then(Value::as_array).cloned().unwrap_or_default(),
        has_more: page.get("has_more").and_then(Value::as_bool).unwrap_or(false),
    }
}

impl Page {
    pub(super) fn progress(&self, from: &Progress, took_us: i64) -> Read {
        let created = |item: &Value| item.get("created").and_then(Value::as_i64);
        let last = self.items.last();
        let after_id = last.and_then(|last| last.get("id")).and_then(Value::as_str).map(str::to_owned);
        Read {
            objects: i64::try_from(self.items.len()).unwrap_or(i64::MAX),
            from_s: from.from_s.or_else(|| self.items.first().and_then(created)),
            down_to_s: last.and_then(created).or(from.down_to_s),
            // Without a place to go on from there is no going on.
            is_last: !self.has_more || after_id.is_none(),
            after_id,
            took_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn progress() -> Progress {
        Progress {
            lane: "acct_1/test".to_owned(),
            kind: "charge".to_owned(),
            since_s: 100,
            from_s: None,
            down_to_s: None,
            after_id: None,
            objects: 0,
            pages: 0,
            spent_us: 0,
            is_done: false,
            asked_at: 0,
            due_at: 0,
            last_error: None,
        }
    }

    #[test]
    fn the_next_page_begins_after_the_last_object() {
        let page = page_of(
            &json!({"data": [{"id": "ch_2", "created": 200}, {"id": "ch_1", "created": 150}], "has_more": true}),
        );
        let read = page.progress(&progress(), 7);
        assert_eq!((read.objects, read.from_s, read.down_to_s, read.took_us), (2, Some(200), Some(150), 7));
        assert_eq!((read.after_id.as_deref(), read.is_last), (Some("ch_1"), false));
        let going_on = Progress {
            from_s: read.from_s,
            down_to_s: read.down_to_s,
            after_id: read.after_id,
            ..progress()
        };
        let last = page_of(&json!({"data": [{"id": "ch_0", "created": 120}], "has_more": false}));
        let read = last.progress(&going_on, 7);
        assert_eq!((read.from_s, read.down_to_s, read.is_last), (Some(200), Some(120), true));
    }

    #[test]
    fn an_empty_list_is_done() {
        let read = page_of(&json!({"data": [], "has_more": false})).progress(&progress(), 7);
        assert_eq!((read.objects, read.down_to_s, read.is_last), (0, None, true));
        assert!(page_of(&json!({"data": [], "has_more": true})).progress(&progress(), 7).is_last);
    }
}
