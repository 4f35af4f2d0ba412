//! `Stripe-Signature`: proof that Stripe sent exactly these bytes, lately.
//!
//! Promises: nothing of the body is parsed; comparison takes the same time wherever texts differ; work is
//! bounded before any hashing; whatever is not provably right is refused, an unconfigured secret included.
//! Header: `t=<unix seconds>,v1=<hex>[,v1=<hex>…][,v0=…]`, signed text `t.body`, HMAC-SHA256 with the whole
//! `whsec_…` text as key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How far the timestamp may lie from our clock, either way.
pub const TOLERANCE_S: i64 = 300;
/// Longer headers are refused unread. Stripe's own is near 150 bytes, and 90 more per secret being rolled.
pub const HEADER_BYTES_MAX: usize = 4096;
/// Stripe sends one `v1` for each active secret of the endpoint.
pub const SIGNATURES_MAX: usize = 16;

/// Seconds up to the year 33658; more digits are nonsense.
const TIMESTAMP_DIGITS_MAX: usize = 12;
const SIGNATURE_HEX_LENGTH: usize = 64;

/// Why a delivery is not believed. [`SignatureError::reason`] is the label for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature header is empty")]
    HeaderEmpty,
    #[error("the signature header is longer than {HEADER_BYTES_MAX} bytes")]
    HeaderTooLong,
    #[error("the signature header is not a list of scheme=value items")]
    HeaderMalformed,
    #[error("the signature header has no timestamp")]
    TimestampMissing,
    #[error("the signature header has more than one timestamp")]
    TimestampRepeated,
    #[error("the timestamp is not a plain number of seconds")]
    TimestampMalformed,
    #[error("the signature header has no v1 signature")]
    SignatureMissing,
    #[error("the signature header has more than {SIGNATURES_MAX} v1 signatures")]
    TooManySignatures,
    #[error("no v1 signature is 64 lower-case hex digits")]
    SignatureMalformed,
    #[error("no usable webhook secret is configured")]
    SecretMissing,
    #[error("no signature matches: another secret, or a changed body")]
    Mismatch,
    /// The signature is right: a replay, or clocks that disagree.
    #[error("the signature is right but {age_s} s old")]
    TooOld { age_s: i64 },
    #[error("the signature is right but {ahead_s} s in the future")]
    TooNew { ahead_s: i64 },
}

impl SignatureError {
    /// A stable name for metrics and logs.
    pub fn reason(self) -> &'static str {
        match self {
            SignatureError::HeaderEmpty => "header_empty",
            SignatureError::HeaderTooLong => "header_too_long",
            SignatureError::HeaderMalformed => "header_malformed",
            SignatureError::TimestampMissing => "timestamp_missing",
            SignatureError::TimestampRepeated => "timestamp_repeated",
            SignatureError::TimestampMalformed => "timestamp_malformed",
            SignatureError::SignatureMissing => "signature_missing",
            SignatureError::TooManySignatures => "too_many_signatures",
            SignatureError::SignatureMalformed => "signature_malformed",
            SignatureError::SecretMissing => "secret_missing",
            SignatureError::Mismatch => "mismatch",
            SignatureError::TooOld { .. } => "too_old",
            SignatureError::TooNew { .. } => "too_new",
        }
    }

    /// The signature itself was right and only the clock was not.
    pub fn is_skew(self) -> bool {
        matches!(self, SignatureError::TooOld { .. } | SignatureError::TooNew { .. })
    }
}

/// Checks the raw body against the header with any of the endpoint's active secrets.
///
/// `now_s` is machine time. The signature is judged before the timestamp, so that a skew reported is one
/// of a genuine delivery. One empty secret among `secrets` refuses everything: it is a broken set-up.
pub fn verify(header: &str, body: &[u8], secrets: &[&str], now_s: i64) -> Result<(), SignatureError> {
    let header = Header::parse(header)?;
    if secrets.is_empty() || secrets.iter().any(|secret| secret.trim().is_empty()) {
        return Err(SignatureError::SecretMissing);
    }
    let matched = secrets.iter().fold(subtle::Choice::from(0), |matched, secret| {
        let expected = digest(secret, header.timestamp, body);
        header.signatures.iter().fold(matched, |matched, given| matched | given.ct_eq(&expected))
    });
    if !bool::from(matched) {
        return Err(SignatureError::Mismatch);
    }
    check_age(header.timestamp_s, now_s)
}

/// The header value Stripe would send for this body: for the simulator and for tests.
pub fn sign(secret: &str, timestamp_s: i64, body: &[u8]) -> String {
    let signature = hex::encode(digest(secret, &timestamp_s.to_string(), body));
    format!("t={timestamp_s},v1={signature}")
}

fn check_age(timestamp_s: i64, now_s: i64) -> Result<(), SignatureError> {
    let age_s = now_s.saturating_sub(timestamp_s);
    if age_s > TOLERANCE_S {
        return Err(SignatureError::TooOld { age_s });
    }
    if age_s < -TOLERANCE_S {
        return Err(SignatureError::TooNew { ahead_s: age_s.saturating_neg() });
    }
    Ok(())
}

/// HMAC-SHA256 over the timestamp exactly as written, a point, and the body.
fn digest(secret: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

struct Header<'a> {
    /// As written, because that text was signed.
    timestamp: &'a str,
    timestamp_s: i64,
    /// The well-formed `v1` signatures, at least one.
    signatures: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Header<'a>, SignatureError> {
        if text.is_empty() {
            return Err(SignatureError::HeaderEmpty);
        }
        if text.len() > HEADER_BYTES_MAX {
            return Err(SignatureError::HeaderTooLong);
        }
        let mut timestamp = None;
        let mut signatures = Vec::new();
        let mut v1_count = 0;
        for item in text.split(',') {
            let (scheme, value) = item.split_once('=').ok_or(SignatureError::HeaderMalformed)?;
            match scheme {
                "t" if timestamp.is_some() => return Err(SignatureError::TimestampRepeated),
                "t" => timestamp = Some(value),
                "v1" => {
                    v1_count += 1;
                    if v1_count > SIGNATURES_MAX {
                        return Err(SignatureError::TooManySignatures);
                    }
                    signatures.extend(decode_signature(value));
                }
                // v0 is a fake scheme of test events, and later ones are not known to us.
                _ => {}
            }
        }
        let timestamp = timestamp.ok_or(SignatureError::TimestampMissing)?;
        let timestamp_s = parse_timestamp(timestamp)?;
        match (v1_count, signatures.is_empty()) {
            (0, _) => Err(SignatureError::SignatureMissing),
            (_, true) => Err(SignatureError::SignatureMalformed),
            _ => Ok(Header { timestamp, timestamp_s, signatures }),
        }
    }
}

fn parse_timestamp(text: &str) -> Result<i64, SignatureError> {
    let plain = !text.is_empty()
        && text.len() <= TIMESTAMP_DIGITS_MAX
        && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain {
        return Err(SignatureError::TimestampMalformed);
    }
    text.parse().map_err(|_| SignatureError::TimestampMalformed)
}

/// Exactly what Stripe writes: 64 digits, lower case.
fn decode_signature(text: &str) -> Option<[u8; 32]> {
    if text.len() != SIGNATURE_HEX_LENGTH || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut signature = [0; 32];
    hex::decode_to_slice(text, &mut signature).ok()?;
    Some(signature)
}

#[cfg(test)]
mod tests;
