//! A thin event says which object changed, and nothing of its state: the object is read where somebody wants to hear of
//! it. One that is gone is no reason to do anything.

use bursar_store::events::Resolved;
use bursar_store::{events, objects};
use bursar_stripe::event::Event;
use bursar_stripe::object::is_deleted;

use super::Seen;
use crate::Result;
use crate::mirror::snapshot_read;
use crate::start::Engine;
use crate::stripe_api::Class;

impl Engine {
    pub(super) async fn see_thin(&self, lane: &str, event: &Event, wanted: bool) -> Result<Seen> {
        let (Some(kind), Some(id)) = (event.object_kind(), event.object_id()) else {
            return Ok(Seen::default());
        };
        let changed = Some((kind.to_owned(), id.to_owned()));
        if !wanted {
            return Ok(Seen { changed, ..Seen::default() });
        }
        let mut db = self.inner.store.read().await?;
        if let Some(snapshot) = event.snapshot_event()
            && events::missing(&mut db, lane, &[snapshot.as_str()]).await?.is_empty()
        {
            return Ok(Seen { resolved: Some(Resolved::Left), ..Seen::default() });
        }
        let (now, over) = (self.inner.clocks.business(), objects::version(&mut db, lane, kind, id).await?);
        // Nobody holds a reader while Stripe is asked.
        drop(db);
        let open = self.inner.lanes.require(lane)?;
        let Some(body) = open.client.object(kind, id, Class::Enrichment).await? else {
            tracing::info!(lane, kind, id, event = %event.id, "what a thin event is about is gone; nothing follows");
            return Ok(Seen { changed, resolved: Some(Resolved::Gone), ..Seen::default() });
        };
        let snapshot = snapshot_read(lane, kind, &body, now, over);
        // That it was deleted is news where the event says so, and the end of any other.
        if is_deleted(&body) && !event.occurrence().ends_with(".deleted") {
            return Ok(Seen { snapshot, resolved: Some(Resolved::Gone), ..Seen::default() });
        }
        Ok(Seen { object: Some(body), snapshot, resolved: Some(Resolved::Read), ..Seen::default() })
    }
}
