//! The first commands of an installation, killed at random instants, and given again: it comes to be as if nothing had
//! happened, and the passwords and tokens that were written down are those of its people.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bursar_domain::canonical::hash_hex;
use bursar_store::{Database, Options, PostgresUrl, Store, people};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use super::draw::Draw;
use super::name;
use super::postgres::Scratch;
use super::program::{killed_after, said};
use crate::goals::{Effort, Run};
use crate::report::Row;

const INIT: &str = "init --yes";
const SERVE: &str = "serve --listen 127.0.0.1:0";

/// A machine on which there was nothing yet.
struct Place {
    folder: TempDir,
    database: Option<Scratch>,
}

pub(super) async fn killed(run: &Run, database: Database) -> anyhow::Result<Row> {
    let times = run.times.unwrap_or(if run.effort == Effort::Quick { 5 } else { 300 });
    let place = Place::new(run, database, u64::MAX).await?;
    let began = Instant::now();
    place.says(run, INIT).await?;
    let whole = began.elapsed();
    let files = place.files()?;
    place.close().await?;
    let mut draw = Draw::new(run.seed, "first start", 0);
    let (mut failures, mut cut_short) = (0, 0);
    for number in 0..times {
        let place = Place::new(run, database, number).await?;
        // Mostly once, now and then again and again.
        for _ in 0..=draw.below(3) {
            let line = if draw.below(3) == 0 { SERVE } else { INIT };
            let after = Duration::from_millis(draw.below(u64::try_from(whole.as_millis())?.max(1)));
            cut_short +=
                u64::from(killed_after(&run.bursar, place.folder.path(), &whole_line(line), after).await?);
        }
        match place.is_whole(run, &files).await {
            Ok(()) => place.close().await?,
            Err(error) => {
                failures += 1;
                let kept = place.folder.keep();
                eprintln!("  BROKEN G24: {error:#}; kept in {}", kept.display());
            }
        }
    }
    eprintln!("  {}: {cut_short} first starts of {whole:?} killed on {times} machines", name(database));
    Ok(Row::new("G24-FIRST", name(database), times, failures))
}

fn whole_line(line: &str) -> String {
    format!("{line} --json --config bursar.toml --data-dir data")
}

impl Place {
    async fn new(run: &Run, database: Database, number: u64) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("bursar-prove-").tempdir()?;
        let database = match (database, &run.postgres) {
            (Database::Postgres, Some(server)) => {
                let name = format!("first_{}_{}_{}", std::process::id(), run.seed, number % 100_000);
                let made = Scratch::new(server, &name).await?;
                let text = format!("[storage]\nurl = \"{}\"\n", made.url());
                std::fs::write(folder.path().join("bursar.toml"), text)?;
                Some(made)
            }
            _ => None,
        };
        Ok(Self { folder, database })
    }

    async fn says(&self, run: &Run, line: &str) -> anyhow::Result<Value> {
        let (code, document) = said(&run.bursar, self.folder.path(), &whole_line(line)).await?;
        anyhow::ensure!(code == 0, "{line} ended with {code}: {document}");
        Ok(document)
    }

    /// Whatever lies beside the data.
    fn files(&self) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let mut found = BTreeMap::new();
        gather(self.folder.path(), self.folder.path(), &mut found)?;
        Ok(found)
    }

    /// Once more without a kill: everything is there, once.
    async fn is_whole(&self, run: &Run, files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
        self.says(run, INIT).await?;
        anyhow::ensure!(self.files()? == *files, "other files than without a kill");
        for line in ["db check", "audit verify"] {
            self.says(run, line).await?;
        }
        let text = std::fs::read(self.folder.path().join("data/people.json")).context("people.json")?;
        let handed_over: Value = serde_json::from_slice(&text)?;
        let mut options = Options::sqlite(self.folder.path().join("data"), "checker");
        options.postgres =
            self.database.as_ref().map(|database| PostgresUrl { url: database.url(), password: None });
        let store = Store::open_read_only(&options).await?;
        let mut db = store.read().await?;
        let all = people::all(&mut db).await?;
        let members = handed_over["people"].as_array().context("nobody")?;
        anyhow::ensure!(all.len() == members.len() && members.len() == 4, "{} people", all.len());
        for member in members {
            let token = member["token"].as_str().context("no token")?;
            let known = people::token_by_hash(&mut db, &hash_hex(token.as_bytes())).await?;
            let known = known.with_context(|| format!("the token of {} opens nothing", member["email"]))?;
            let person = all.iter().find(|person| person.id == known.person).context("of nobody")?;
            anyhow::ensure!(member["email"] == person.email.as_str(), "a token of somebody else");
        }
        Ok(())
    }

    async fn close(self) -> anyhow::Result<()> {
        match self.database {
            Some(database) => database.drop().await,
            None => Ok(()),
        }
    }
}

fn gather(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let inside = path.strip_prefix(root)?.display().to_string();
        if path.is_dir() && inside != "data" {
            gather(root, &path, found)?;
        } else if path.is_file() && inside != "bursar.toml" {
            found.insert(inside, std::fs::read(&path)?);
        }
    }
    Ok(())
}
