//! Public error codes. A code never changes its meaning, and each has a page that `bursar explain` prints.

use std::fmt;
use std::str::FromStr;

use super::exit::Exit;

macro_rules! codes {
    ($($name:ident = $code:literal, $exit:ident;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($name,)* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// As people read and search it: `BUR-CFG-012`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// The exit code of a command that fails so, unless the cause says otherwise.
            pub fn exit(self) -> Exit {
                match self { $(Code::$name => Exit::$exit,)* }
            }

            /// What it means, what did not happen to money, what to try: a page of Markdown.
            pub fn page(self) -> &'static str {
                match self {
                    $(Code::$name => include_str!(concat!("../../../../docs/reference/errors/", $code, ".md")),)*
                }
            }
        }
    };
}

codes! {
    // The configuration.
    ConfigUnreadable = "BUR-CFG-001", Configuration;
    ConfigNotToml = "BUR-CFG-002", Configuration;
    ConfigUnknownKey = "BUR-CFG-012", Configuration;
    ConfigWrongValue = "BUR-CFG-013", Configuration;
    ConfigSecretInClear = "BUR-CFG-014", Configuration;
    ConfigSecretUnreadable = "BUR-CFG-015", Configuration;
    ConfigNoDataDir = "BUR-CFG-016", Configuration;

    // Talking to a running installation.
    NotRunning = "BUR-API-001", Failed;
    NoToken = "BUR-API-002", Unauthorised;
    NotAllowed = "BUR-API-003", Unauthorised;
    NotFound = "BUR-API-004", NotFound;
    AnswerNotUnderstood = "BUR-API-005", Failed;
    RequestRefused = "BUR-API-006", Failed;
    Busy = "BUR-API-007", Failed;

    // Acting on money.
    AmountDiffers = "BUR-ACT-001", Usage;
    NotConfirmed = "BUR-ACT-002", Usage;
    DeniedByPolicy = "BUR-ACT-005", DeniedByPolicy;
    Stale = "BUR-ACT-009", Conflict;
    RejectedOrExpired = "BUR-ACT-010", Rejected;
    KeyUsedOtherwise = "BUR-IDEMP-004", Conflict;
    StripeUnavailable = "BUR-STR-001", StripeUnavailable;
    StripeRefusesKey = "BUR-STR-002", Unauthorised;

    // This machine.
    CannotWrite = "BUR-SYS-001", Failed;
    NotInThisVersion = "BUR-SYS-002", Failed;
    DoctorFoundProblems = "BUR-SYS-003", DoctorFoundProblems;
    CannotRead = "BUR-SYS-004", Failed;
    CannotListen = "BUR-SYS-005", Failed;
    CannotStart = "BUR-SYS-006", Failed;
    AlertUndelivered = "BUR-SYS-007", Failed;
    AuditBroken = "BUR-AUD-001", Failed;
    DatabaseUnsound = "BUR-DB-001", Failed;
    OwnTools = "BUR-DB-002", Failed;
    CopyUnusable = "BUR-DB-003", Failed;
    Outdated = "BUR-DB-004", Failed;
    NodesRun = "BUR-DB-005", Failed;
    SimulatorUnreachable = "BUR-SIM-001", Failed;
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Small letters do, and so does the number without `BUR-`.
impl FromStr for Code {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let given = text.trim().to_ascii_uppercase();
        let matches =
            |code: &&Code| code.as_str() == given || code.as_str().strip_prefix("BUR-") == Some(&given);
        Code::ALL.iter().find(matches).copied().ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code), "{code} twice?");
        }
        assert_eq!("cfg-012".parse(), Ok(Code::ConfigUnknownKey));
        assert_eq!("BUR-CFG-999".parse::<Code>(), Err(()));
    }

    #[test]
    fn every_page_says_what_happened_to_money_and_what_to_try() {
        for code in Code::ALL {
            let page = code.page();
            assert!(page.starts_with(&format!("# {code}: ")), "{code}");
            for part in ["## What it means", "## What did not happen", "## What to try"] {
                assert!(page.contains(part), "{code} lacks {part}");
            }
        }
    }
}
