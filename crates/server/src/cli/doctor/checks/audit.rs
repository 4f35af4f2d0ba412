//! The audit chain verifies.

use bursar_store::audit::{self, Report};
use bursar_store::{Store, anchor};

use super::Finding;
use crate::cli::session::Session;
use crate::config::Config;

pub fn check(config: &Config, _: &Session) -> Vec<Finding> {
    let options = match config.store_options("doctor".to_owned()) {
        Ok(options) => options,
        Err(failure) => {
            return vec![Finding::sick("audit.chain", failure.to_string(), "bursar config check")];
        }
    };
    let in_directory = options.postgres.is_none();
    if in_directory && !config.data_dir.join(crate::config::paths::DATABASE_NAME).exists() {
        return vec![Finding::well("audit.chain", "nothing recorded yet")];
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let verified = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        runtime
            .block_on(async {
                let anchor = anchor::read(&options.anchor_path())?;
                let store = Store::open_read_only(&options).await?;
                audit::verify_against(&mut store.read().await?, anchor.as_ref()).await
            })
            .map_err(|error| error.to_string())
    });
    vec![match verified {
        Ok(Report { first_bad: None, entries, .. }) => {
            Finding::well("audit.chain", format!("{entries} entries verify"))
        }
        Ok(Report { first_bad: Some(bad), .. }) => Finding::sick(
            "audit.chain",
            bad.detail,
            "keep a copy of the data directory, then: bursar audit verify",
        ),
        Err(error) => Finding::sick("audit.chain", error, "bursar audit verify"),
    }]
}
