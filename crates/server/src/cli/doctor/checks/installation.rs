//! What the installation itself says, beside what its configuration says: who may decide on what, and whether the clock can
//! be right. Both are what a running engine goes by.

use bursar_engine::{Clocks, clock_trouble};
use bursar_store::restores::{self, Restore};
use bursar_store::{Store, installation};

use super::Finding;
use crate::cli::session::Session;
use crate::config::Config;

const SEPARATION: &str = "approvals.separation";

pub fn check(config: &Config, _: &Session) -> Vec<Finding> {
    let elsewhere = matches!(config.settings.storage.url, crate::config::value::StorageUrl::Postgres(_));
    let there = elsewhere || config.data_dir.join(crate::config::paths::DATABASE_NAME).exists();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let looked = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(async { if there { look(config).await } else { Ok(Looked::default()) } })
    });
    match looked {
        Ok(looked) => {
            let mut found =
                vec![separation(config.settings.approvals.single_operator, looked.single_operator)];
            if let Some(restore) = looked.restore {
                found.push(Finding::sick(
                    "data.restored",
                    format!("the database is a restored copy ({}): nothing leaves", restore.why),
                    "bursar db reconcile",
                ));
            }
            found.push(match looked.clock {
                None => Finding::well("machine.clock", "the clock goes on from what was recorded"),
                Some(why) => Finding::sick(
                    "machine.clock",
                    format!("{why}: nothing is sent"),
                    "set the clock; if it was ahead before and is right now: bursar serve --accept-clock",
                ),
            });
            found
        }
        Err(error) => vec![Finding::sick(SEPARATION, error, "bursar audit verify")],
    }
}

/// What the installation says of itself.
#[derive(Default)]
struct Looked {
    single_operator: bool,
    clock: Option<String>,
    restore: Option<Restore>,
}

async fn look(config: &Config) -> Result<Looked, String> {
    let options = config.store_options("doctor".to_owned()).map_err(|failure| failure.to_string())?;
    let store = Store::open_read_only(&options).await.map_err(|error| error.to_string())?;
    let mut db = store.read().await.map_err(|error| error.to_string())?;
    let row = installation::get(&mut db).await.map_err(|error| error.to_string())?;
    // A database of before knows no restores.
    let restore = restores::open(&mut db).await.unwrap_or_default();
    drop(db);
    let clock = clock_trouble(&store, &Clocks::system()).await.map_err(|error| error.to_string())?;
    Ok(Looked { single_operator: row.is_some_and(|row| row.single_operator), clock, restore })
}

fn separation(configured: bool, stored: bool) -> Finding {
    match (configured, stored) {
        (false, false) => Finding::well(SEPARATION, "nobody approves what they asked for"),
        (true, true) => Finding::doubtful(
            SEPARATION,
            "one person may approve what they asked for",
            "[approvals] single_operator = false, then start again",
        ),
        (false, true) => Finding::doubtful(
            SEPARATION,
            "one person may approve what they asked for until the next start, which takes it away",
            "start again",
        ),
        (true, false) => Finding::sick(
            SEPARATION,
            "single_operator = true, and the installation was not set up so: it does not start",
            "[approvals] single_operator = false, or: bursar init --single-operator",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Health;

    #[test]
    fn what_holds_is_said_and_not_what_was_written() {
        for (configured, stored, health, says) in [
            (false, false, Health::Well, "nobody approves"),
            (true, true, Health::Doubtful, "may approve what they asked for"),
            (false, true, Health::Doubtful, "until the next start"),
            (true, false, Health::Sick, "does not start"),
        ] {
            let finding = separation(configured, stored);
            assert!(finding.health == health && finding.found.contains(says), "{finding:?}");
        }
    }
}
