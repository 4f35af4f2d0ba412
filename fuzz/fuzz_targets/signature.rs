//! The header that says who sent a delivery. The first line is the header, in which `GOOD` stands for what is right for its
//! first timestamp; the rest is the body. A delivery is believed if and only if another reading of Stripe's rules, with another
//! HMAC, says so; what is believed is believed for no changed body; what Stripe would send is believed.
#![no_main]

use bursar_stripe::signature::{HEADER_BYTES_MAX, SIGNATURES_MAX, TOLERANCE_S, sign, verify};
use libfuzzer_sys::fuzz_target;
use ring::hmac;

const SECRET: &str = "whsec_0123456789abcdef";
const NOW_S: i64 = 1_795_219_200;

fuzz_target!(
    init: bursar_fuzz::seeds([
        "t=1795219200,v1=GOOD\n{}",
        "t=1795218900,v1=GOOD,v0=abc\n{\"id\":\"evt_1\"}",
        "t=1795219501,v1=GOOD\n{}",
        "t=1795219200,v1=00,v1=GOOD\n",
        "v1=GOOD,t=1795219200,t=1795219200\n{}",
        "t=+1795219200, v1=GOOD\n\u{feff}",
        "t=1795219200,v1=GOOD,v1,v2=GOOD\n{}",
    ]),
    |bytes: &[u8]| {
        let cut = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let body = bytes.get(cut + 1..).unwrap_or_default();
        let Ok(head) = std::str::from_utf8(&bytes[..cut]) else { return };
        let timestamp = values(head, "t").next().unwrap_or_default();
        let good = hex::encode(signed(timestamp, body));
        let header = head.replace("GOOD", &good);
        let believed = verify(&header, body, &[SECRET], NOW_S);
        assert_eq!(believed.is_ok(), is_right(&header, body), "{header:?} {believed:?}");
        if believed.is_ok() {
            only_this(&header, body);
        }
        what_is_sent(body);
    }
);

fn values<'a>(header: &'a str, scheme: &'a str) -> impl Iterator<Item = &'a str> {
    header
        .split(',')
        .filter_map(|item| item.split_once('='))
        .filter(move |(name, _)| *name == scheme)
        .map(|(_, value)| value)
}

/// The rules once more.
fn is_right(header: &str, body: &[u8]) -> bool {
    let timestamps: Vec<&str> = values(header, "t").collect();
    let signatures: Vec<&str> = values(header, "v1").collect();
    let [timestamp] = timestamps[..] else { return false };
    let digits = (1..=12).contains(&timestamp.len()) && timestamp.chars().all(|digit| digit.is_ascii_digit());
    let at_s: i64 = if digits { timestamp.parse().expect("twelve digits fit") } else { return false };
    let right = hex::encode(signed(timestamp, body));
    header.len() <= HEADER_BYTES_MAX
        && header.split(',').all(|item| item.contains('='))
        && (1..=SIGNATURES_MAX).contains(&signatures.len())
        && signatures.contains(&right.as_str())
        && (NOW_S - TOLERANCE_S..=NOW_S + TOLERANCE_S).contains(&at_s)
}

/// As Stripe's documentation has it.
fn signed(timestamp: &str, body: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::sign(&key, &[timestamp.as_bytes(), b".", body].concat()).as_ref().to_vec()
}

/// No other body, no other secret.
fn only_this(header: &str, body: &[u8]) {
    let refused = |body: &[u8]| {
        assert!(verify(header, body, &[SECRET], NOW_S).is_err(), "{header:?} also goes with {body:?}")
    };
    for place in 0..body.len().min(64) {
        let mut changed = body.to_vec();
        changed[place] ^= 1 << (place % 8);
        refused(&changed);
    }
    refused(&[body, b"\n"].concat());
    if let Some((_, shorter)) = body.split_last() {
        refused(shorter);
    }
    assert_eq!(
        verify(header, body, &["whsec_other"], NOW_S).map_err(|error| error.reason()),
        Err("mismatch")
    );
    assert!(verify(header, body, &[SECRET, ""], NOW_S).is_err(), "an empty secret is a broken set-up");
}

fn what_is_sent(body: &[u8]) {
    let at_s = i64::from(u32::try_from(body.len()).unwrap_or(0)) * 1_000_003;
    let sent = sign(SECRET, at_s, body);
    assert_eq!(verify(&sent, body, &["whsec_other", SECRET], at_s + TOLERANCE_S), Ok(()));
    assert!(verify(&sent, body, &[SECRET], at_s + TOLERANCE_S + 1).is_err_and(|error| error.is_skew()));
    assert!(verify(&sent, body, &[SECRET], at_s - TOLERANCE_S - 1).is_err_and(|error| error.is_skew()));
}
