use proptest::prelude::*;
use serde_json::json;

use super::*;

fn mask(text: &str) -> String {
    let mut value = json!(text);
    mask_card_numbers(&mut value);
    value.as_str().expect("still a text").to_owned()
}

#[test]
fn card_numbers_lose_all_but_four_digits() {
    let table = [
        ("4111111111111111", "************1111"),
        ("card 4111 1111 1111 1111, thanks", "card **** **** **** 1111, thanks"),
        ("4111-1111-1111-1111", "****-****-****-1111"),
        ("3782 822463 10005", "**** ****** *0005"),
        ("378282246310005", "***********0005"),
        ("6011111111111117.", "************1117."),
        ("2223003122003222", "************3222"),
        ("4222222222222", "*********2222"),
        ("a: 5555555555554444 b: 4242424242424242", "a: ************4444 b: ************4242"),
        ("número 4111111111111111 ✓", "número ************1111 ✓"),
    ];
    for (text, masked) in table {
        assert_eq!(mask(text), masked, "{text}");
    }
}

#[test]
fn what_is_no_card_number_stays() {
    let table = [
        "",
        "4111111111111112",
        "411111111111",
        "41111111111111111111",
        "0000000000000000",
        "1790000000000",
        "2026-09-17 06:20:52",
        "ch_4111111111111111",
        "4111111111111111abc",
        "in_1Pgc6tB7WZ01zgkWu9fdqL6I",
        "+49 30 1234567",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    ];
    for text in table {
        assert_eq!(mask(text), text);
    }
}

#[test]
fn values_are_masked_wherever_they_stand() {
    let mut value = json!({"description": "4111111111111111", "amount": 4_111_111_111_111_111_i64,
        "lines": [{"metadata": {"note": "pay 4242 4242 4242 4242"}}], "id": "ch_A"});
    assert!(mask_card_numbers(&mut value));
    assert_eq!(
        value,
        json!({"description": "************1111", "amount": 4_111_111_111_111_111_i64,
            "lines": [{"metadata": {"note": "pay **** **** **** 4242"}}], "id": "ch_A"})
    );
    assert!(!mask_card_numbers(&mut value));
}

fn mask_body(body: &str) -> String {
    String::from_utf8(mask_card_numbers_in_bytes(body.as_bytes()).into_owned()).expect("still UTF-8")
}

#[test]
fn documents_keep_their_numbers_and_their_structure() {
    let document =
        r#"{"a":"4111111111111111","n":4111111111111111,"k\"":"x\\","b":["\n4242424242424242\""]}"#;
    let masked = r#"{"a":"************1111","n":4111111111111111,"k\"":"x\\","b":["\n************4242\""]}"#;
    assert_eq!(mask_body(document), masked);
    let escaped = r#"["\u00e94111111111111111","\u00e94111 1111 1111 1111"]"#;
    assert_eq!(mask_body(escaped), r#"["\u00e9************1111","\u00e9**** **** **** 1111"]"#);
}

#[test]
fn bodies_that_are_no_json_are_masked_all_over() {
    assert_eq!(mask_body("card=4111111111111111&x=1"), "card=************1111&x=1");
    assert_eq!(&*mask_card_numbers_in_bytes(b"\xff 4111111111111111"), b"\xff ************1111");
}

#[test]
fn a_clean_body_is_not_copied() {
    let clean = [
        r#"{"id":"evt_1","created":1790000000,"text":"a\nb"}"#,
        "",
        "\"",
        "\"\\",
        "\"\\u",
        "[4111111111111111]",
    ];
    for body in clean {
        assert!(matches!(mask_card_numbers_in_bytes(body.as_bytes()), Cow::Borrowed(_)), "{body}");
    }
}

/// Digits with a check digit that makes them a card number.
fn any_card() -> impl Strategy<Value = String> {
    ("[3-6][0-9]{11,17}").prop_map(|digits| {
        let check = (b'0'..=b'9').find(|check| {
            let with_check: Vec<u8> = digits.bytes().chain([*check]).map(|byte| byte - b'0').collect();
            luhn(&with_check)
        });
        format!("{digits}{}", char::from(check.expect("one of ten digits fits")))
    })
}

proptest! {
    #[test]
    fn no_card_number_stays(before in "[a-zé ]{0,9}[ :(]", card in any_card(), after in "[ .,)é][a-z ]{0,9}") {
        let text = format!("{before}{card}{after}");
        let masked = mask(&text);
        prop_assert!(!masked.contains(&card), "{}", masked);
        prop_assert!(masked.contains(&card[card.len() - 4..]));
        prop_assert_eq!(masked.len(), text.len());
        let document = json!({ "text": text }).to_string();
        let read: Value = serde_json::from_str(&mask_body(&document)).expect("still JSON");
        prop_assert_eq!(read, json!({ "text": masked }));
    }

    #[test]
    fn any_document_stays_json(text in any::<String>(), digits in "[0-9 \\\\\"-]{0,40}") {
        let value = json!([{ text.as_str(): digits }, text]);
        let document = value.to_string();
        prop_assert!(serde_json::from_str::<Value>(&mask_body(&document)).is_ok());
    }

    #[test]
    fn masking_twice_is_masking_once(text in any::<String>(), near in "[0-9 -]{0,60}", card in any_card()) {
        for text in [format!("{text} {near} {card} {near}"), format!("{near}{text}")] {
            let once = mask(&text);
            prop_assert_eq!(mask(&once), once);
            let document = json!([text]).to_string();
            let once = mask_body(&document);
            prop_assert_eq!(mask_body(&once), once);
        }
    }
}
