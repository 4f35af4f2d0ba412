//! Exit codes: what a script may rely on. They never change their meaning.

use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    /// The command line was not understood.
    Usage = 2,
    NotFound = 3,
    /// No token, a token that is not accepted, or one whose roles do not suffice.
    Unauthorised = 4,
    DeniedByPolicy = 5,
    /// Filed or still open: a person has to decide.
    PendingApproval = 8,
    /// Something changed since, or the same key was used for something else.
    Conflict = 9,
    /// Rejected, expired or void: it will not happen.
    Rejected = 10,
    DoctorFoundProblems = 11,
    StripeUnavailable = 12,
    /// The configuration is not usable; nothing was started.
    Configuration = 78,
    Interrupted = 130,
}

impl Exit {
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_a_promise() {
        let promised = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::NotFound, 3),
            (Exit::Unauthorised, 4),
            (Exit::DeniedByPolicy, 5),
            (Exit::PendingApproval, 8),
            (Exit::Conflict, 9),
            (Exit::Rejected, 10),
            (Exit::DoctorFoundProblems, 11),
            (Exit::StripeUnavailable, 12),
            (Exit::Configuration, 78),
            (Exit::Interrupted, 130),
        ];
        for (exit, number) in promised {
            assert_eq!(exit.code(), number, "{exit:?}");
        }
    }
}
