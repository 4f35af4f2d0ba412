//! Passwords: Argon2id with the library's defaults, off the async threads, and the same work whether or not the account
//! exists.

use std::sync::OnceLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// Longer ones are refused before any work.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// A finished hash for `NewPerson::password_hash`. `salt` is fresh randomness.
pub fn hash(password: &str, salt: [u8; 16]) -> Option<String> {
    let hash: PasswordHash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Whether the password fits. Without a hash the work is done all the same, and the answer is no.
pub async fn fits(password: String, kept: Option<String>) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    tokio::task::spawn_blocking(move || {
        let known = kept.is_some();
        let kept = kept.or_else(nobody).unwrap_or_default();
        let fits = PasswordHash::new(&kept)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        fits && known
    })
    .await
    .unwrap_or(false)
}

/// The hash of a password that nobody has, to be as slow for strangers as for people.
fn nobody() -> Option<String> {
    static NOBODY: OnceLock<Option<String>> = OnceLock::new();
    NOBODY.get_or_init(|| hash("a password that nobody has", [0; 16])).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_somebody_fits() {
        let kept = hash("correct horse", [7; 16]);
        assert!(kept.as_deref().is_some_and(|hash| hash.starts_with("$argon2id$")));
        assert!(fits("correct horse".to_owned(), kept.clone()).await);
        assert!(!fits("correct horse ".to_owned(), kept.clone()).await);
        assert!(!fits("a password that nobody has".to_owned(), None).await);
        assert!(!fits("x".repeat(PASSWORD_BYTES_MAX + 1), kept).await);
    }
}
