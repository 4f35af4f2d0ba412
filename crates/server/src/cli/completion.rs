//! `bursar completion SHELL`: a script for the shell, on standard output.

use clap::CommandFactory;
use clap_complete::Shell;

use super::exit::Exit;
use super::session::Session;
use super::{Cli, Outcome};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  bursar completion bash > ~/.local/share/bash-completion/completions/bursar"
)]
pub struct CompletionArgs {
    shell: Shell,
}

pub fn run(args: &CompletionArgs, session: &Session) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bursar", &mut script);
    session.output.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Done)
}
