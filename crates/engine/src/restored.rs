//! A database that is an old or another copy of itself knows nothing of what was done after it was made: it would do it
//! again. So it is noticed by the anchor, which lies outside of it, and from that moment on nothing leaves Bursar. What may
//! have happened since is looked up at Stripe, what is found is recorded or put before people, and a person lets things
//! leave again.
//!
//! Three things would go wrong otherwise. An approval that was open when the copy was made is open again, and was carried
//! out since: the guard facts have changed by that, so it would be asked for again under another key. A letter that was
//! waiting was sent since. A refund that was asked for afterwards is not known at all, and its day's budget is full again.

mod anchor;
mod found;
mod lift;
mod look;

use bursar_domain::id::{AuditId, RestoreId};
use bursar_store::anchor::{Anchor, Fit};
use bursar_store::audit::{self, Record};
use bursar_store::restores::{self, Restore};
use bursar_store::{Error as StoreError, Store};
use futures_util::FutureExt as _;
use serde_json::json;

use crate::Result;
use crate::clock::Clocks;
use crate::entropy::Entropy;
use crate::start::store_error;

pub(crate) use anchor::keep as keep_anchor;
pub(crate) use anchor::settle as settle_anchor;
pub(crate) use lift::standing;
pub use lift::{Lift, Restored};
pub(crate) use look::look_forever;

/// Why what an execution came to is not known, in rows and entries.
pub(crate) const CODE: &str = "restored_copy";
/// What is stopped, and why, as whoever waits is told.
pub(crate) const STOPPED: (&str, &str) =
    ("everything that leaves Bursar", "the database is a restored copy (bursar db reconcile)");

/// Compares the database with the anchor before anything runs, and notes where it is a copy.
pub(crate) async fn compare(store: &Store, clocks: &Clocks, entropy: &Entropy) -> Result<()> {
    let (why, anchor) = match bursar_store::anchor::read(store.anchor_path()) {
        Ok(None) => return Ok(()),
        Ok(Some(anchor)) => match bursar_store::anchor::compare(&mut store.read().await?, &anchor).await? {
            Fit::Fits => return Ok(()),
            other => (other.as_str(), Some(anchor)),
        },
        // Whoever wrote something else there may have changed the database too.
        Err(StoreError::Corrupt { .. }) => ("anchor_unreadable", None),
        Err(error) => return Err(error.into()),
    };
    note(store, clocks, entropy, (why, anchor.as_ref())).await
}

/// Says of a database that it was put back from a copy, before an engine opens it.
pub async fn hold_restored(store: &Store, clocks: &Clocks) -> Result<()> {
    let anchor = bursar_store::anchor::read(store.anchor_path()).ok().flatten();
    note(store, clocks, &Entropy::default(), ("restored", anchor.as_ref())).await?;
    store
        .write(|tx| async move { audit::seal(tx, i64::MAX).await.map(|_| ()) }.boxed())
        .await
        .map_err(store_error)
}

/// From here on nothing leaves, on whichever node. Noted twice it is noted once.
async fn note(
    store: &Store,
    clocks: &Clocks,
    entropy: &Entropy,
    (why, anchor): (&'static str, Option<&Anchor>),
) -> Result<()> {
    let (head_seq, newest_s) = {
        let mut db = store.read().await?;
        (audit::head(&mut db).await?.0, restores::newest_s(&mut db).await?)
    };
    let new = Restore {
        id: RestoreId::from_entropy(entropy.id()),
        why: why.to_owned(),
        noticed_at: clocks.machine().micros(),
        head_seq,
        anchor_seq: anchor.map(|anchor| anchor.seq),
        anchor_at: anchor.map(|anchor| anchor.at),
        since_s: newest_s,
        stock_taken: false,
        complete_since: None,
        looked_at: None,
        problem: None,
    };
    tracing::error!(
        why,
        head = head_seq,
        anchor = new.anchor_seq,
        "the database is a copy that does not know everything that was done: nothing leaves until it has been compared \
         with Stripe (bursar db reconcile)"
    );
    let record = Record {
        id: AuditId::from_entropy(entropy.id()),
        at: new.noticed_at,
        kind: "restore.noticed",
        lane: None,
        actor: Some("engine".to_owned()),
        data: json!({"restore": new.id.as_str(), "why": why, "head": head_seq, "anchor": new.anchor_seq}),
        commits: Vec::new(),
    };
    store
        .write(move |tx| {
            async move {
                restores::begin(tx, &new).await?;
                audit::append(tx, record).await
            }
            .boxed()
        })
        .await
        .map_err(store_error)
}
