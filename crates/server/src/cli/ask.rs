//! Asking the person at the terminal. Nothing is ever asked of a program.

use std::io::{BufRead, IsTerminal, Write};

use super::code::Code;
use super::failure::Failure;

/// Somebody is there to answer.
pub fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Only a clear yes is one.
pub fn yes(question: &str) -> Result<bool, Failure> {
    let answer = line(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// One line, without its end. An end of input is an empty answer.
pub fn line(prompt: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Code::CannotWrite, format!("the terminal does not answer: {error}"))
    };
    let mut terminal = anstream::stderr();
    write!(terminal, "{prompt}").and_then(|()| terminal.flush()).map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim().to_owned())
}

/// One line that the terminal does not show.
pub fn unseen(prompt: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Code::CannotRead, format!("the terminal does not answer: {error}"))
    };
    let terminal = console::Term::stderr();
    terminal.write_str(prompt).map_err(failed)?;
    let typed = terminal.read_secure_line().map_err(failed)?;
    Ok(typed.trim().to_owned())
}

/// Words that somebody else will read, without the space around them; nothing is no reason.
pub fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why in a few words".to_owned()),
        words => Ok(words.to_owned()),
    }
}
