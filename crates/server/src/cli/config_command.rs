//! `bursar config`: what is in force and where it comes from, whether it is sound, and what could be written.

use bursar_policy::PolicySet;
use serde_json::{Value, json};

use super::Outcome;
use super::code::Code;
use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use super::table::{Column, Table};
use crate::config::Config;
use crate::config::schema::ConfigSchema;
use crate::config::show::{self, Line};
use crate::service;

const EXAMPLES: &str = "\
Examples:
  bursar config show --origin
  bursar config check --config /etc/bursar/bursar.toml
  bursar config schema > bursar.schema.json";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum ConfigCommand {
    /// Every effective setting; secrets show their kind and last four characters
    Show(ShowArgs),
    /// Read everything as `serve` would, policies too, and say what is wrong
    Check,
    /// The JSON Schema of bursar.toml, for editors
    Schema,
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Also where each value comes from
    #[arg(long)]
    origin: bool,
}

pub fn run(command: ConfigCommand, session: &Session) -> Outcome {
    match command {
        ConfigCommand::Show(args) => show(&args, session),
        ConfigCommand::Check => check(session),
        ConfigCommand::Schema => {
            session.output.document(ConfigSchema::new().as_json())?;
            Ok(Exit::Done)
        }
    }
}

fn show(args: &ShowArgs, session: &Session) -> Outcome {
    let config = session.config(Vec::new())?;
    session.note_no_demo(&config.data_dir);
    let lines = show::lines(&config).map_err(|error| Failure::new(Code::CannotWrite, error.to_string()))?;
    let output = &session.output;
    if output.is_json() {
        let entry = |line: &Line| json!({"key": line.path, "value": line.value, "origin": line.origin});
        let data: Vec<Value> = lines.iter().map(entry).collect();
        output.document(&json!({"object": "list", "data": data, "has_more": false}))?;
    } else if args.origin {
        let columns = [Column::Text("key"), Column::Text("value"), Column::Text("origin")];
        let mut table = Table::new(columns, "nothing is set");
        for line in lines {
            table.row([line.path, written(&line.value), line.origin]);
        }
        output.table(&table)?;
    } else {
        for line in lines {
            output.line(format_args!("{} = {}", line.path, super::inert::inert(&line.value.to_string())))?;
        }
    }
    output.warnings(&config.warnings);
    Ok(Exit::Done)
}

fn check(session: &Session) -> Outcome {
    let config = session.config(Vec::new())?;
    let output = &session.output;
    let mut problems = rules_in_order(&config);
    if let Some(last) = problems.pop() {
        for problem in &problems {
            output.failure(problem);
        }
        return Err(last);
    }
    let file = config.file.as_ref().map(|file| file.display().to_string());
    if output.is_json() {
        let warnings: Vec<Value> = config.warnings.iter().map(Failure::to_json).collect();
        output
            .document(&json!({"object": "config_check", "ok": true, "file": file, "warnings": warnings}))?;
    } else {
        output.warnings(&config.warnings);
        output.line(format_args!(
            "{} is in order",
            file.unwrap_or_else(|| "the default configuration".to_owned())
        ))?;
    }
    Ok(Exit::Done)
}

/// What is wrong with the policies and the playbooks' settings beside the configuration.
fn rules_in_order(config: &Config) -> Vec<Failure> {
    let wrong = |message: String| Failure::new(Code::ConfigWrongValue, message);
    let settings = match service::engine_settings(config) {
        Ok(settings) => settings,
        Err(error) => return vec![wrong(format!("{error:#}"))],
    };
    let complaints = PolicySet::load(&settings.policies).err().unwrap_or_default();
    complaints
        .into_iter()
        .map(|complaint| match &complaint.help {
            Some(help) => wrong(complaint.to_string()).help(help.clone()),
            None => wrong(complaint.to_string()),
        })
        .collect()
}

/// Text without its quotes, anything else as JSON.
fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
