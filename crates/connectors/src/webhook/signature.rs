//! The signature of Standard Webhooks: HMAC-SHA256 over id, time and body, one for each key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::Error;

const PREFIX: &str = "whsec_";
/// What the standard asks of a key.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

pub(super) struct Key(Zeroizing<Vec<u8>>);

impl Key {
    pub(super) fn parse(secret: &SecretString) -> Result<Self, Error> {
        let refused = |why| Error::WebhookSecret { why };
        let text = secret.expose_secret().trim();
        let encoded = text.strip_prefix(PREFIX).ok_or_else(|| refused("does not begin with whsec_"))?;
        let bytes = STANDARD.decode(encoded).map_err(|_| refused("is not Base64 after whsec_"))?;
        if BYTES.contains(&bytes.len()) {
            Ok(Self(Zeroizing::new(bytes)))
        } else {
            Err(refused("is not 24 to 64 bytes long: whsec_ and what `openssl rand -base64 32` prints"))
        }
    }

    fn sign(&self, signed: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(signed);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// `v1,…` of each key, with a space between them: a receiver that knows one of them is content.
pub(super) fn header(keys: &[Key], id: &str, at_s: i64, body: &[u8]) -> String {
    let mut signed = format!("{id}.{at_s}.").into_bytes();
    signed.extend_from_slice(body);
    keys.iter().map(|key| key.sign(&signed)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn key(secret: &str) -> Result<Key, String> {
        Key::parse(&secret.into()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_published_vector_comes_out() {
        let keys = [key(SECRET).unwrap()];
        let signed = header(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_replaced_both_sign() {
        let (old, new) = (key(SECRET).unwrap(), key(&format!("whsec_{}", STANDARD.encode([7; 32]))).unwrap());
        let signed = header(&[new, old], "msg_1", 1, b"{}");
        let parts: Vec<&str> = signed.split(' ').collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[1], header(&[key(SECRET).unwrap()], "msg_1", 1, b"{}"));
        assert_ne!(parts[0], parts[1]);
    }

    #[test]
    fn a_secret_that_is_none_is_refused_and_not_shown() {
        for bad in ["", "whsec_", "whsec_c2hvcnQ=", "hunter2hunter2hunter2hunter2", "whsec_hunter2!hunter2"] {
            let why = key(bad).err().unwrap();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
}
