//! `bursar init`: writes what an installation begins with and says what it wrote. Nothing that exists is touched.

mod files;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::code::Code;
use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use super::{Outcome, ask};
use crate::config::paths::FILE_NAME;
use crate::config::{self, CliOptions};
use crate::setup::{self, FirstPeople};

const EXAMPLES: &str = "\
Examples:
  bursar init
  bursar init --yes --data-dir /var/lib/bursar --config /etc/bursar/bursar.toml";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct InitArgs {
    /// One person may approve what they asked for; shown on every card
    #[arg(long)]
    single_operator: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What becomes of one file.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Written,
    /// It was there and is as it was.
    Kept,
}

pub fn run(args: &InitArgs, session: &Session) -> Outcome {
    let config = session.globals.config.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let folder = config.parent().map(Path::to_owned).unwrap_or_default();
    let data_dir = session.data_dir_for_init(&config)?;
    let plan = files::plan(&config, &folder, &data_dir, args.single_operator);
    if !args.yes && ask::somebody_is_there() {
        let place = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        if !ask::yes(&format!("Write {} files to {}?", plan.len(), place.display()))? {
            return Err(Failure::new(Code::NotConfirmed, "nothing was written").exits(Exit::Failed));
        }
    }
    setup::make_data_dir(&data_dir).map_err(|error| cannot_write(&data_dir, &error))?;
    let mut fates = Vec::new();
    for (path, text) in &plan {
        fates.push((path, write_new(path, text)?));
    }
    let store = store_of(session, &config, &data_dir)?;
    let people = super::runtime::block_on_threads(first_people(store, args.single_operator))?;
    report(session, &fates, &data_dir, people.as_ref(), args.single_operator)
}

/// Whoever runs an installation for the first time needs somebody who may decide.
async fn first_people(
    store: bursar_store::Options,
    single_operator: bool,
) -> Result<Option<FirstPeople>, Failure> {
    setup::create_people(store, single_operator).await.map_err(|error| super::serve::cannot_start(&error))
}

/// Where the installation that is being made keeps its data: the file may name a database that is elsewhere.
fn store_of(session: &Session, file: &Path, data_dir: &Path) -> Result<bursar_store::Options, Failure> {
    let node = crate::service::node_name();
    let options = CliOptions { config: Some(file.to_owned()), ..session.options() };
    match config::is_elsewhere(&options, &session.environment) {
        Ok(true) => {
            let loaded = config::load(&options, &session.environment);
            loaded
                .map_err(|mut errors| errors.0.pop().expect("errors hold at least one"))?
                .store_options(node)
        }
        _ => Ok(bursar_store::Options::sqlite(data_dir, node)),
    }
}

fn report(
    session: &Session,
    fates: &[(&PathBuf, Fate)],
    data_dir: &Path,
    people: Option<&FirstPeople>,
    single_operator: bool,
) -> Outcome {
    let output = &session.output;
    let of = |fate: Fate| {
        let paths = fates.iter().filter(move |(_, its)| *its == fate);
        paths.map(|(path, _)| path.display().to_string()).collect::<Vec<_>>()
    };
    let (written, kept) = (of(Fate::Written), of(Fate::Kept));
    if output.is_json() {
        let data_dir = data_dir.display().to_string();
        let people_file = people.map(|people| people.file.display().to_string());
        output.document(&json!({"object": "init", "written": written, "kept": kept, "data_dir": data_dir,
            "people_file": people_file}))?;
        return Ok(Exit::Done);
    }
    for path in &written {
        output.line(format_args!("wrote  {path}"))?;
    }
    for path in &kept {
        output.line(format_args!("kept   {path}"))?;
    }
    if let Some(people) = people {
        output.note(format_args!(
            "people {}\n       passwords and tokens: {} (hand them over, then delete it)",
            people.names.join(", "),
            people.file.display()
        ));
    }
    if people.is_none() && single_operator {
        output.note("from the next start people may decide on what they asked for, where [approvals] single_operator is true");
    }
    output.note(format_args!(
        "data   {}\n\nNext:\n  bursar connect stripe\n  bursar doctor\n  bursar serve",
        data_dir.display()
    ));
    Ok(Exit::Done)
}

fn write_new(path: &Path, text: &str) -> Result<Fate, Failure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    }
    if path.exists() {
        return Ok(Fate::Kept);
    }
    // Under another name until it is whole: a file that is there is never half of one, and half a policy is another policy.
    let mut beside = path.file_name().unwrap_or_default().to_owned();
    beside.push(".new");
    let beside = path.with_file_name(beside);
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map(|()| Fate::Written).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::CannotWrite, format!("{} cannot be written: {error}", path.display()))
        .help("choose a folder that this user may write: --config, --data-dir")
}
