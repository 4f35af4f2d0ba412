//! The whole audit, checked within a running engine, against the anchor outside the database.

use bursar_store::{anchor, audit};

use crate::start::Engine;
use crate::{Error, Result};

impl Engine {
    /// Checks the whole audit; one check at a time, for it reads everything at one moment.
    pub async fn verify_audit(&self) -> Result<audit::Report> {
        let Ok(_alone) = self.inner.verifying.try_lock() else {
            return Err(Error::Unavailable {
                on: "the check of the audit",
                why: "another one is under way".to_owned(),
                after: std::time::Duration::from_secs(10),
            });
        };
        // Before the database, which goes on meanwhile. A file that cannot be read was told when the engine started.
        let anchor = anchor::read(self.inner.store.anchor_path()).ok().flatten();
        Ok(audit::verify_against(&mut self.inner.store.read().await?, anchor.as_ref()).await?)
    }
}
