//! What each kind of value takes, refuses and writes back.

use super::*;

fn written<T: FromStr + fmt::Display>(text: &str) -> Option<String> {
    text.parse::<T>().ok().map(|value| value.to_string())
}

#[test]
fn spans() {
    for (text, back) in
        [("10s", "10s"), ("90s", "90s"), ("120s", "2m"), ("24h", "1d"), ("1h30m", "90m"), ("36h", "36h")]
    {
        assert_eq!(written::<Span>(text).as_deref(), Some(back), "{text}");
    }
    for bad in ["", "10", "s", "0s", "1.5h", "-1s", "10 s", "1y", "99999999999999999999s", "999999d"] {
        assert!(written::<Span>(bad).is_none(), "{bad}");
    }
}

#[test]
fn decimals_keep_their_digits_and_never_pass_a_float() {
    for text in ["1.0850", "0.9", "110", "0.000000001"] {
        assert_eq!(written::<Decimal>(text).as_deref(), Some(text));
    }
    assert_eq!("1.0850".parse(), Ok(Decimal { units: 10850, scale: 4 }));
    for bad in ["", "0", "0.0", "-1", "1.", ".5", "1e3", "1,5", "1.0000000001", "99999999999999999999"] {
        assert!(written::<Decimal>(bad).is_none(), "{bad}");
    }
}

#[test]
fn addresses() {
    assert_eq!(written::<ListenAddress>("7171").as_deref(), Some("127.0.0.1:7171"));
    assert_eq!(written::<ListenAddress>("localhost:0").as_deref(), Some("127.0.0.1:0"));
    assert_eq!(written::<ListenAddress>("[::1]:80").as_deref(), Some("[::1]:80"));
    for bad in ["", "example.com:80", "127.0.0.1", "70000", ":"] {
        assert!(written::<ListenAddress>(bad).is_none(), "{bad}");
    }
    assert_eq!(written::<HttpUrl>("https://a.example/b/").as_deref(), Some("https://a.example/b"));
    for bad in
        ["", "a.example", "ftp://a", "http://", "http://u:p@a", "http://a?x=1", "http://:80", "http://a b"]
    {
        assert!(written::<HttpUrl>(bad).is_none(), "{bad}");
    }
}

#[test]
fn a_refused_url_does_not_show_the_password_in_it() {
    let error = "https://user:hunter2@a".parse::<HttpUrl>().unwrap_err();
    assert!(!error.contains("hunter2"));
}

#[test]
fn storage_currencies_zones_and_days() {
    assert_eq!(written::<StorageUrl>("sqlite:///a/bursar.db").as_deref(), Some("sqlite:///a/bursar.db"));
    assert_eq!(written::<StorageUrl>("postgres://u@h:5433/db").as_deref(), Some("postgres://u@h:5433/db"));
    for bad in
        ["postgres://u:hunter2@h/db", "postgres://u:hun/ter?2@h/db", "postgres://h/db?password=hunter2"]
    {
        let error = bad.parse::<StorageUrl>().unwrap_err();
        assert!(error.contains("storage.password") && !error.contains("hunter2"), "{error}");
    }
    assert!("postgres://h".parse::<StorageUrl>().unwrap_err().contains("names no database"));
    for bad in ["", "sqlite://", "/a/bursar.db", "sqlite:///a/b.db", "sqlite:///a/bursar.db?mode=ro"] {
        assert!(written::<StorageUrl>(bad).is_none(), "{bad}");
    }
    assert_eq!(written::<CurrencyCode>("USD").as_deref(), Some("usd"));
    assert!(written::<CurrencyCode>("xxx").is_none());
    assert_eq!(written::<Zone>("Europe/Berlin").as_deref(), Some("Europe/Berlin"));
    assert_eq!(written::<Zone>("UTC").as_deref(), Some("UTC"));
    assert!(written::<Zone>("Europe/Bärlin").is_none());
    assert_eq!(written::<Day>("2026-11-20").as_deref(), Some("2026-11-20"));
    assert!(written::<Day>("2026-02-30").is_none());
}
