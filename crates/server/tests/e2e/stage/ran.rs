//! A command that ran to its end.

use std::process::Output;

use serde_json::Value;

#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            exit: output.status.code().expect("ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Its document, having exited so.
    #[track_caller]
    pub fn json(&self, exit: i32) -> Value {
        assert_eq!(self.exit, exit, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// One document a line, having exited with 0.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        assert_eq!(self.exit, 0, "{self:?}");
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
