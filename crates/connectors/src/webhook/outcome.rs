//! What an answer to a webhook, or none, means for the delivery. Only the status counts: the words of the other side are
//! not read.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::{DeliveryOutcome, silence};

/// It was not there, or had a bad moment.
const AFTER_ABSENCE: Duration = Duration::from_secs(30);
/// It does not want what it gets: somebody has to change something first.
const AFTER_MISCONFIGURATION: Duration = Duration::from_mins(5);
/// However long it asks us to wait.
const AFTER_MAX: Duration = Duration::from_hours(1);

pub(super) fn of_answer(status: u16, headers: &HeaderMap) -> DeliveryOutcome {
    let retry = |after: Duration, why: String| DeliveryOutcome::Retry { after, why };
    match status {
        200..=299 => DeliveryOutcome::Delivered { reference: status.to_string() },
        300..=399 => {
            retry(AFTER_MISCONFIGURATION, format!("answered {status}, and redirects are not followed"))
        }
        408 | 425 | 429 | 500..=599 => {
            let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let after = asked.map_or(AFTER_ABSENCE, Duration::from_secs).clamp(AFTER_ABSENCE, AFTER_MAX);
            retry(after, format!("answered {status}"))
        }
        // It is gone for good, and says so in the standard's words.
        410 => DeliveryOutcome::Refused { code: Some(status), text: "answered 410: gone".to_owned() },
        _ => retry(AFTER_MISCONFIGURATION, format!("answered {status}")),
    }
}

/// A repeat is harmless, so that it does not matter whether this one arrived.
pub(super) fn of_silence(error: &reqwest::Error) -> DeliveryOutcome {
    DeliveryOutcome::Retry { after: AFTER_ABSENCE, why: silence::why(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, retry_after: &str) -> DeliveryOutcome {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, retry_after.parse().unwrap())]);
        of_answer(status, &headers)
    }

    #[test]
    fn only_a_two_hundred_is_a_yes() {
        assert!(matches!(answered(204, ""), DeliveryOutcome::Delivered { .. }));
        for status in [101, 302, 307, 400, 401, 404, 409, 429, 500, 503] {
            assert!(matches!(answered(status, ""), DeliveryOutcome::Retry { .. }), "{status}");
        }
        assert!(matches!(answered(410, ""), DeliveryOutcome::Refused { code: Some(410), .. }));
    }

    #[test]
    fn a_wish_to_wait_is_honoured_within_bounds() {
        for (asked, seconds) in [("120", 120), ("0", 30), ("99999999", 3_600), ("-5", 30), ("soon", 30)] {
            let DeliveryOutcome::Retry { after, .. } = answered(503, asked) else { panic!("{asked}") };
            assert_eq!(after.as_secs(), seconds, "{asked}");
        }
    }
}
