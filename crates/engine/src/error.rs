//! What went wrong, by what the caller does about it. Messages name the thing and say what did not happen; they hold no
//! secret and no whole Stripe object.

use std::time::Duration;

use bursar_domain::approval::VoteError;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] bursar_store::Error),
    /// Stripe or another outside thing does not answer: nothing happened, it will be tried again.
    #[error("{on} does not answer: {why}")]
    Unavailable { on: &'static str, why: String, after: Duration },
    /// Stripe says no for good: a key, a permission, a parameter of ours. Its words hold part of a key where they are
    /// about one, so they are shown to whoever asked, and neither kept nor logged.
    #[error("Stripe refused a read with {}", refusal(*.status, .code))]
    StripeRefused { status: u16, code: String, message: String },
    /// The key is good and may not do this. Somebody widens it, and what waits goes on by itself.
    #[error("Stripe's key lacks the permission to {access} {resource}")]
    PermissionMissing { access: &'static str, resource: String },
    #[error("no such {what}: {id}")]
    NotFound { what: &'static str, id: String },
    /// The request cannot be meant: nothing was done.
    #[error("{message}")]
    Invalid { param: &'static str, message: String },
    #[error("{0}")]
    Forbidden(String),
    #[error("{message}")]
    Conflict { code: &'static str, message: String },
    /// Policy says no: nothing was sent.
    #[error("{message}")]
    Denied { message: String, policies: Vec<String> },
    #[error(transparent)]
    Vote(#[from] VoteError),
    /// What the clock says cannot be: nothing leaves until it is right.
    #[error("the clock cannot be trusted ({0}); nothing is sent until it is right")]
    Clock(String),
    /// The database is a copy that does not know everything that was done: nothing leaves until a person has cleared it.
    #[error(
        "the database is a restored copy: nothing is decided before it was compared with Stripe, or sent before it was cleared (bursar db reconcile)"
    )]
    Restored,
    /// A rule of ours is broken: the case is parked for a person, nothing is guessed.
    #[error("broken invariant: {0}")]
    Broken(String),
    #[error("the engine is stopping")]
    Stopping,
}

fn refusal(status: u16, code: &str) -> String {
    if code.is_empty() { status.to_string() } else { format!("{status} ({code})") }
}

/// What becomes of a job that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Later, by itself. Waiting for the outside is no failure of the job.
    Wait { after: Duration, counts: bool },
    /// A person must look.
    Park,
    /// Somebody else holds the job now.
    Leave,
}

impl Error {
    pub(crate) fn fate(&self, attempts: i64) -> Fate {
        match self {
            Error::Store(bursar_store::Error::Fenced(_)) | Error::Stopping => Fate::Leave,
            Error::Unavailable { after, .. } => Fate::Wait { after: *after, counts: false },
            // The key, or what it may do: somebody mends it, and everything goes on by itself.
            Error::StripeRefused { status: 401 | 403, .. } | Error::PermissionMissing { .. } => {
                Fate::Wait { after: KEY_LOOK_EVERY, counts: false }
            }
            Error::Restored => Fate::Wait { after: RESTORED_LOOK_EVERY, counts: false },
            Error::Clock(_) => Fate::Wait { after: CLOCK_LOOK_EVERY, counts: false },
            Error::Store(
                bursar_store::Error::Busy(_) | bursar_store::Error::Full(_) | bursar_store::Error::Closing,
            ) => Fate::Wait { after: Duration::from_secs(1), counts: false },
            // Somebody was faster: look again soon.
            Error::Store(bursar_store::Error::Conflict(_)) | Error::Conflict { .. }
                if attempts < ATTEMPTS_MAX =>
            {
                Fate::Wait { after: Duration::from_millis(200), counts: true }
            }
            _ if attempts < ATTEMPTS_MAX => Fate::Wait { after: backoff(attempts), counts: true },
            _ => Fate::Park,
        }
    }

    /// The text of an error that may be kept in the open or logged: never words of Stripe's, of a mail server's or of a
    /// person's, and of bounded length.
    pub fn for_keeping(&self) -> String {
        self.to_string().chars().take(KEPT_CHARS_MAX).collect()
    }

    /// Whether Stripe does not know the key, or no longer.
    pub(crate) fn is_key_refused(&self) -> bool {
        matches!(self, Error::StripeRefused { status: 401, .. })
    }

    pub(crate) fn invalid(param: &'static str, message: impl Into<String>) -> Self {
        Error::Invalid { param, message: message.into() }
    }

    pub(crate) fn not_found(what: &'static str, id: impl Into<String>) -> Self {
        Error::NotFound { what, id: id.into() }
    }
}

/// The same of a text that was kept.
pub(crate) fn says_key_refused(kept: &str) -> bool {
    kept.strip_prefix(KEY_REFUSED).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

const KEY_REFUSED: &str = "Stripe refused a read with 401";

/// How often work that waits for a right clock is tried.
const CLOCK_LOOK_EVERY: Duration = Duration::from_secs(10);

/// How often work that waits for a restored copy to be cleared is tried.
const RESTORED_LOOK_EVERY: Duration = Duration::from_secs(10);

/// How often work that Stripe's key does not allow is tried.
const KEY_LOOK_EVERY: Duration = Duration::from_mins(1);

const KEPT_CHARS_MAX: usize = 500;

/// Failures before a job parks itself.
pub(crate) const ATTEMPTS_MAX: i64 = 5;

/// 1 s, 2 s, 4 s … at most a minute.
pub(crate) fn backoff(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 7) - 1).unwrap_or(0);
    Duration::from_secs((1_u64 << doublings).min(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_or_logged_holds_nothing_of_a_key() {
        let message = "Invalid API Key provided: rk_live_********************Ab12".to_owned();
        let refused = |status, code: &str| {
            let (code, message) = (code.to_owned(), message.clone());
            Error::StripeRefused { status, code, message }.for_keeping()
        };
        assert_eq!(refused(401, ""), "Stripe refused a read with 401");
        assert!(says_key_refused(&refused(401, "")) && says_key_refused(&refused(401, "api_key_expired")));
        assert!(!says_key_refused(&refused(403, "")) && !says_key_refused("Stripe refused a read with 4011"));
        assert_eq!(
            refused(403, "more_permissions_required"),
            "Stripe refused a read with 403 (more_permissions_required)"
        );
        assert_eq!(Error::Broken("x".repeat(9_000)).for_keeping().len(), KEPT_CHARS_MAX);
    }

    #[test]
    fn waiting_for_the_outside_never_parks_and_failures_do() {
        let down = Error::Unavailable { on: "Stripe", why: "refused".into(), after: Duration::from_secs(9) };
        assert_eq!(down.fate(1_000), Fate::Wait { after: Duration::from_secs(9), counts: false });
        let revoked = Error::StripeRefused { status: 401, code: String::new(), message: String::new() };
        assert_eq!(revoked.fate(1_000), Fate::Wait { after: KEY_LOOK_EVERY, counts: false });
        let narrow = Error::PermissionMissing { access: "read", resource: "payment_methods".into() };
        assert_eq!(narrow.fate(1_000), Fate::Wait { after: KEY_LOOK_EVERY, counts: false });
        assert_eq!(narrow.to_string(), "Stripe's key lacks the permission to read payment_methods");
        let unreadable = Error::StripeRefused { status: 400, code: String::new(), message: String::new() };
        assert_eq!(unreadable.fate(ATTEMPTS_MAX), Fate::Park);
        assert_eq!(
            Error::Broken("x".into()).fate(1),
            Fate::Wait { after: Duration::from_secs(1), counts: true }
        );
        assert_eq!(Error::Broken("x".into()).fate(ATTEMPTS_MAX), Fate::Park);
        assert_eq!(Error::Store(bursar_store::Error::Fenced("j".into())).fate(1), Fate::Leave);
    }
}
