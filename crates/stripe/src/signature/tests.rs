use proptest::prelude::*;

use super::*;

const SECRET: &str = "whsec_test_of_this_file";
const NOW_S: i64 = 1_790_000_000;
const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;

fn check(header: &str) -> Result<(), SignatureError> {
    verify(header, BODY, &[SECRET], NOW_S)
}

/// The 64 hex digits of a good signature.
fn good() -> String {
    let header = sign(SECRET, NOW_S, BODY);
    header.rsplit('=').next().expect("has a value").to_owned()
}

#[test]
fn a_known_signature_holds() {
    // echo -n '1790000000.{"id":"evt_1","object":"event"}' | openssl dgst -sha256 -hmac whsec_test_of_this_file
    let header = "t=1790000000,v1=c72119df1f109370afc499f5d20718b56660c18eac297c0fc37135016a18269b";
    assert_eq!(sign(SECRET, NOW_S, BODY), header);
    assert_eq!(check(header), Ok(()));
}

#[test]
fn malformed_headers_are_refused() {
    let good = good();
    let table = [
        (String::new(), "header_empty"),
        (" ".to_owned(), "header_malformed"),
        ("garbage".to_owned(), "header_malformed"),
        (format!("t={NOW_S},v1={good},"), "header_malformed"),
        ("t=".to_owned(), "timestamp_malformed"),
        (format!("t={NOW_S}"), "signature_missing"),
        (format!("v1={good}"), "timestamp_missing"),
        (format!("t=abc,v1={good}"), "timestamp_malformed"),
        (format!("t=-1,v1={good}"), "timestamp_malformed"),
        (format!("t=+1,v1={good}"), "timestamp_malformed"),
        (format!("t= {NOW_S},v1={good}"), "timestamp_malformed"),
        (format!("t=1.5,v1={good}"), "timestamp_malformed"),
        (format!("t=99999999999999999999,v1={good}"), "timestamp_malformed"),
        (format!("t={NOW_S},t={NOW_S},v1={good}"), "timestamp_repeated"),
        (format!("t={NOW_S},v0={good}"), "signature_missing"),
        (format!("t={NOW_S}, v1={good}"), "signature_missing"),
        (format!("t={NOW_S},V1={good}"), "signature_missing"),
        (format!("t={NOW_S},v1={}", good.to_uppercase()), "signature_malformed"),
        (format!("t={NOW_S},v1={}", &good[..63]), "signature_malformed"),
        (format!("t={NOW_S},v1={good}0"), "signature_malformed"),
        (format!("t={NOW_S},v1="), "signature_malformed"),
        (format!("t={NOW_S},v1={}", "g".repeat(64)), "signature_malformed"),
        (format!("t={NOW_S},v1={}", "ä".repeat(32)), "signature_malformed"),
        (format!("t={NOW_S},v1={}", "0".repeat(64)), "mismatch"),
    ];
    for (header, reason) in table {
        assert_eq!(check(&header).map_err(SignatureError::reason), Err(reason), "{header:?}");
    }
}

#[test]
fn one_good_signature_among_others_is_enough() {
    let (good, bad) = (good(), "0".repeat(64));
    for header in [
        format!("t={NOW_S},v1={bad},v1={good}"),
        format!("t={NOW_S},v1={good},v1={bad}"),
        format!("t={NOW_S},v1=short,v1={good}"),
        format!("v1={good},v0={bad},t={NOW_S}"),
        format!("t={NOW_S},v1={good},v2=later"),
    ] {
        assert_eq!(check(&header), Ok(()), "{header}");
    }
}

#[test]
fn many_signatures_are_refused_unread() {
    let item = format!(",v1={}", good());
    let many = format!("t={NOW_S}{}", item.repeat(10_000));
    assert_eq!(check(&many), Err(SignatureError::HeaderTooLong));
    let short = format!("t={NOW_S}{}", ",v1=0".repeat(500));
    assert_eq!(check(&short), Err(SignatureError::TooManySignatures));
    let most = format!("t={NOW_S}{}", item.repeat(SIGNATURES_MAX));
    assert_eq!(check(&most), Ok(()));
    assert_eq!(check(&(most + &item)), Err(SignatureError::TooManySignatures));
}

#[test]
fn long_headers_are_refused() {
    let padded = |length: usize| {
        let header = format!("t={NOW_S},v1={},v9=", good());
        format!("{header}{}", "x".repeat(length - header.len()))
    };
    assert_eq!(check(&padded(HEADER_BYTES_MAX)), Ok(()));
    assert_eq!(check(&padded(HEADER_BYTES_MAX + 1)), Err(SignatureError::HeaderTooLong));
    assert_eq!(check(&padded(65_536)), Err(SignatureError::HeaderTooLong));
}

#[test]
fn time_is_bounded_both_ways() {
    let table = [
        (-301, Err(SignatureError::TooOld { age_s: 301 })),
        (-300, Ok(())),
        (0, Ok(())),
        (300, Ok(())),
        (301, Err(SignatureError::TooNew { ahead_s: 301 })),
    ];
    for (offset_s, expected) in table {
        let header = sign(SECRET, NOW_S + offset_s, BODY);
        assert_eq!(check(&header), expected, "{offset_s}");
        assert_eq!(expected.is_err_and(SignatureError::is_skew), offset_s.abs() > 300);
    }
}

#[test]
fn a_forged_old_delivery_is_a_mismatch_and_no_skew() {
    let header = sign("whsec_other", NOW_S - 10_000, BODY);
    assert_eq!(check(&header), Err(SignatureError::Mismatch));
}

#[test]
fn every_byte_of_the_body_counts() {
    let header = sign(SECRET, NOW_S, BODY);
    let spaced = br#"{"id": "evt_1", "object": "event"}"#;
    let with_bom = [b"\xef\xbb\xbf", BODY].concat();
    let with_newline = [BODY, b"\n"].concat();
    for body in [&spaced[..], &with_bom, &with_newline, b""] {
        assert_eq!(verify(&header, body, &[SECRET], NOW_S), Err(SignatureError::Mismatch));
    }
}

#[test]
fn any_active_secret_will_do_and_no_other() {
    let header = sign(SECRET, NOW_S, BODY);
    assert_eq!(verify(&header, BODY, &["whsec_new", SECRET], NOW_S), Ok(()));
    assert_eq!(verify(&header, BODY, &[SECRET, "whsec_new"], NOW_S), Ok(()));
    assert_eq!(verify(&header, BODY, &["whsec_live"], NOW_S), Err(SignatureError::Mismatch));
}

#[test]
fn a_missing_secret_fails_closed() {
    let with_empty_key = sign("", NOW_S, BODY);
    for secrets in [&[][..], &[""], &[" "], &["", SECRET], &[SECRET, ""]] {
        for header in [&with_empty_key, &sign(SECRET, NOW_S, BODY)] {
            let answer = verify(header, BODY, secrets, NOW_S);
            assert_eq!(answer, Err(SignatureError::SecretMissing), "{secrets:?}");
        }
    }
}

proptest! {
    #[test]
    fn what_was_signed_verifies(secret in "whsec_[a-zA-Z0-9]{1,40}", body in prop::collection::vec(any::<u8>(), 0..300),
        at_s in 0..999_999_999_999_i64) {
        prop_assert_eq!(verify(&sign(&secret, at_s, &body), &body, &[&secret], at_s), Ok(()));
    }

    #[test]
    fn one_changed_bit_is_noticed(body in prop::collection::vec(any::<u8>(), 1..100), index in any::<prop::sample::Index>(), bit in 0..8) {
        let header = sign(SECRET, NOW_S, &body);
        let mut changed = body.clone();
        changed[index.index(body.len())] ^= 1_u8 << bit;
        prop_assert_eq!(verify(&header, &changed, &[SECRET], NOW_S), Err(SignatureError::Mismatch));
    }

    #[test]
    fn no_header_is_believed_by_chance(header in "(t=|v1=|v0=|,|=|[0-9a-f]){0,40}") {
        prop_assert!(verify(&header, BODY, &[SECRET], NOW_S).is_err());
    }
}
