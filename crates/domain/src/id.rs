//! Our ids: a prefix that says the kind and 26 characters of Crockford base 32 over 128 bits. Checked when parsed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BODY_LEN: usize = 26;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {prefix}… id")]
pub struct InvalidId {
    pub prefix: &'static str,
    pub given: String,
}

/// Writes 128 bits as 26 characters, most significant first.
pub fn encode(entropy: [u8; 16]) -> String {
    let value = u128::from_be_bytes(entropy);
    (0..BODY_LEN)
        .rev()
        .map(|place| {
            let digit = (value >> (place * 5)) & 31;
            char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)])
        })
        .collect()
}

fn check(prefix: &'static str, given: &str) -> Result<(), InvalidId> {
    let body = given.strip_prefix(prefix);
    let fits =
        body.is_some_and(|body| body.len() == BODY_LEN && body.bytes().all(|byte| ALPHABET.contains(&byte)));
    // An id from outside is echoed at most in part: it may be anything.
    fits.then_some(()).ok_or_else(|| InvalidId { prefix, given: given.chars().take(40).collect() })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// A new id from 128 bits that the caller drew or derived.
            pub fn from_entropy(entropy: [u8; 16]) -> Self {
                Self(format!("{}{}", $prefix, encode(entropy)))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(given: &str) -> Result<Self, InvalidId> {
                check($prefix, given).map(|()| Self(given.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(given: String) -> Result<Self, InvalidId> {
                check($prefix, &given).map(|()| Self(given))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// One problem on one object that people can follow.
    CaseId = "case_";
    /// An action somebody wants.
    ProposalId = "prop_";
    /// The question put to people about one digest.
    ApprovalId = "apreq_";
    /// One person's yes or no.
    VoteId = "vote_";
    /// Making an approved action true.
    ExecutionId = "exec_";
    /// One run of a playbook with its recorded inputs.
    DecisionId = "dec_";
    /// Work to be done once, leased.
    JobId = "job_";
    /// An entry of the audit chain.
    AuditId = "aud_";
    /// A person.
    PersonId = "usr_";
    /// A bearer token's row (never the token itself).
    TokenId = "tok_";
    /// Something a person should do.
    TaskId = "task_";
    /// Bytes that Stripe signed and we could not use.
    QuarantineId = "quar_";
    /// A hole in the event stream that polling found.
    GapId = "gap_";
    /// A trouble that operators are told about.
    AlertId = "alert_";
    /// One thing told about an alert, by one way.
    NoticeId = "notice_";
    /// A database that turned out to be an old or another copy.
    RestoreId = "rst_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text() {
        let id = ApprovalId::from_entropy([0xff; 16]);
        assert_eq!(id.as_str(), "apreq_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        assert_eq!(id.as_str().parse::<ApprovalId>(), Ok(id));
        assert_eq!(CaseId::from_entropy([0; 16]).as_str(), "case_00000000000000000000000000");
    }

    #[test]
    fn other_kinds_paths_and_lengths_are_refused() {
        for bad in [
            "case_00000000000000000000000000",
            "apreq_../../../etc/passwd00000",
            "apreq_0",
            "",
            "apreq_0000000000000000000000000u",
        ] {
            assert!(bad.parse::<ApprovalId>().is_err(), "{bad}");
        }
        assert!("x".repeat(500).parse::<CaseId>().unwrap_err().given.len() <= 40);
    }
}
