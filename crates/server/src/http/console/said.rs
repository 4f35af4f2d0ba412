//! What is said once after a form was sent. It travels in a short-lived cookie that names one of our sentences, so that
//! nobody can put words of their own on a page.

use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::Response;

use super::view::{Flash, Tone};
use crate::http::auth::cookie;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Approved,
    Counted,
    Rejected,
    RefundAsked,
    RefundAllowed,
    RefundRepeated,
    TaskDone,
    LookingAgain,
    Settled,
    Retried,
    Verified,
    SignedOut,
}

const ALL: [Said; 12] = [
    Said::Approved,
    Said::Counted,
    Said::Rejected,
    Said::RefundAsked,
    Said::RefundAllowed,
    Said::RefundRepeated,
    Said::TaskDone,
    Said::LookingAgain,
    Said::Settled,
    Said::Retried,
    Said::Verified,
    Said::SignedOut,
];

const NAME: &str = "bursar_said";

impl Said {
    fn as_str(self) -> &'static str {
        match self {
            Said::Approved => "approved",
            Said::Counted => "counted",
            Said::Rejected => "rejected",
            Said::RefundAsked => "refund-asked",
            Said::RefundAllowed => "refund-allowed",
            Said::RefundRepeated => "refund-repeated",
            Said::TaskDone => "task-done",
            Said::LookingAgain => "looking-again",
            Said::Settled => "settled",
            Said::Retried => "retried",
            Said::Verified => "verified",
            Said::SignedOut => "signed-out",
        }
    }

    pub(super) fn flash(self) -> Flash {
        let (tone, text) = match self {
            Said::Approved => (Tone::Good, "Approved. What becomes of it stands below."),
            Said::Counted => (Tone::Good, "Your yes is counted. It still needs others."),
            Said::Rejected => (Tone::Quiet, "Rejected. Nothing was sent."),
            Said::RefundAsked => {
                (Tone::Warn, "The refund is asked for. Somebody else decides; nothing was sent yet.")
            }
            Said::RefundAllowed => {
                (Tone::Good, "Policy allows this refund by itself. What becomes of it stands below.")
            }
            Said::RefundRepeated => (Tone::Quiet, "The same refund was asked for already: this is that one."),
            Said::TaskDone => (Tone::Good, "Done. It no longer waits for you."),
            Said::LookingAgain => (Tone::Active, "Looking again. What is found stands here in a moment."),
            Said::Settled => (Tone::Good, "Recorded in your name. Nothing was sent."),
            Said::Retried => (Tone::Active, "Queued again."),
            Said::Verified => (Tone::Quiet, "The whole audit was checked."),
            Said::SignedOut => (Tone::Quiet, "You are signed out."),
        };
        Flash { tone, text: text.to_owned() }
    }

    /// What a request carries, if anything.
    pub(super) fn of(parts: &Parts) -> Option<Said> {
        let word = cookie(parts, NAME)?;
        ALL.into_iter().find(|said| said.as_str() == word)
    }

    /// Says it on the page that the answer leads to.
    pub(super) fn with(self, mut response: Response) -> Response {
        set(&mut response, &format!("{NAME}={}; Max-Age=30; Path=/; HttpOnly; SameSite=Lax", self.as_str()));
        response
    }
}

/// Once is enough.
pub(super) fn forget(response: &mut Response) {
    set(response, &format!("{NAME}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"));
}

fn set(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
