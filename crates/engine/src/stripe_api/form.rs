//! Form bodies with Stripe's bracket notation, in a fixed order: the bytes of a request are part of what was approved.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What `application/x-www-form-urlencoded` leaves as it is.
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// `[("metadata[a]", "1")]` as `metadata[a]=1`, brackets readable, everything else escaped.
pub(crate) fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    const KEEP_KEY: &AsciiSet = &KEEP.remove(b'[').remove(b']');
    let mut body = String::new();
    for (key, value) in pairs {
        if !body.is_empty() {
            body.push('&');
        }
        body.extend(utf8_percent_encode(key, KEEP_KEY));
        body.push('=');
        body.extend(utf8_percent_encode(value, KEEP));
    }
    body
}

#[cfg(test)]
mod tests {
    #[test]
    fn brackets_stay_and_the_rest_is_escaped() {
        let body = super::encode([("metadata[bursar_action]", "a&b=c"), ("amount", "640"), ("x", "ü ")]);
        assert_eq!(body, "metadata[bursar_action]=a%26b%3Dc&amount=640&x=%C3%BC%20");
    }
}
