//! Runs a future to its end, or until somebody presses Ctrl-C.

use super::Outcome;
use super::code::Code;
use super::exit::Exit;
use super::failure::Failure;

/// For commands that talk to a running installation: one thread is enough.
pub fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| no_runtime(&error))?;
    runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        }
    })
}

/// For what serves: as many threads as there are cores. What it runs ends by itself on a signal.
pub fn block_on_threads<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| no_runtime(&error))?
        .block_on(work)
}

fn no_runtime(error: &std::io::Error) -> Failure {
    Failure::new(Code::CannotWrite, format!("this machine gives no threads or timers: {error}"))
}
