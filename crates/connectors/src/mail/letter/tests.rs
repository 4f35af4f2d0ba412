use bursar_domain::time::BusinessTime;

use super::*;

fn letter() -> Letter {
    Letter {
        to: "Zoë Müller <zoe@example.com>".to_owned(),
        subject: "Ihre Zahlung über 12,00 € ist fehlgeschlagen 💳".to_owned(),
        text: "Grüße,\n.\nBursar\n".to_owned(),
        html: Some("<p>Grüße</p>".to_owned()),
    }
}

fn seal_letter(message: Letter) -> Result<Sealed, Refusal> {
    let delivery =
        Delivery { key: "exec_1".parse().unwrap(), at: BusinessTime::from_unix_s(1_790_000_000), message };
    seal(&correspondent("Bürsar <billing@northwind.example>").unwrap(), None, &delivery)
}

fn text_of(sealed: &Sealed) -> String {
    String::from_utf8(sealed.bytes.clone()).unwrap()
}

#[test]
fn every_attempt_has_the_same_bytes_and_id() {
    let (first, second) = (seal_letter(letter()).unwrap(), seal_letter(letter()).unwrap());
    assert_eq!(first.bytes, second.bytes);
    assert_eq!(first.message_id, "<exec_1@northwind.example>");
    let text = text_of(&first);
    assert!(text.contains("Message-ID: <exec_1@northwind.example>\r\n"), "{text}");
    assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
    assert!(text.contains("Date: Mon, 21 Sep 2026"), "{text}");
    assert!(text.is_ascii(), "unicode travels encoded: {text}");
}

#[test]
fn headers_cannot_be_injected() {
    for evil in
        ["Hi\r\nBcc: eve@evil.example", "Hi\nX: y", "Hi\rX: y", "Hi\0", "Hi\u{2028}Bcc: eve@evil.example"]
    {
        let refusal = seal_letter(Letter { subject: evil.to_owned(), ..letter() }).unwrap_err();
        assert_eq!(refusal, Refusal::ControlCharacter("subject"), "{evil:?}");
    }
    for evil in ["ada@example.com\r\nRCPT TO:<eve@evil.example>", "A\r\nB <ada@example.com>"] {
        let refusal = seal_letter(Letter { to: evil.to_owned(), ..letter() }).unwrap_err();
        assert_eq!(refusal, Refusal::ControlCharacter("address"), "{evil:?}");
    }
}

#[test]
fn one_letter_has_one_recipient() {
    for evil in [
        "",
        "ada",
        "ada@example.com, eve@evil.example",
        "ada@example.com> <eve@evil.example>, x",
        "ada@example.com> NOTIFY=NEVER",
        "<ada@example.com>> ",
        "ada@@example.com",
        "a b@example.com",
        "ada@example.com eve@evil.example",
    ] {
        assert_eq!(
            seal_letter(Letter { to: evil.to_owned(), ..letter() }).unwrap_err(),
            Refusal::Address,
            "{evil:?}"
        );
    }
}

#[test]
fn a_body_can_neither_end_the_message_nor_a_part() {
    let sealed =
        seal_letter(Letter { text: format!("a\r.\r\n--{BOUNDARY}--\n\n.\nQUIT"), ..letter() }).unwrap();
    let text = text_of(&sealed);
    assert!(!has_bare_line_break(&sealed.bytes));
    assert_eq!(text.matches(&format!("--{BOUNDARY}\r\n")).count(), 2, "{text}");
    assert_eq!(text.matches(&format!("--{BOUNDARY}--")).count(), 1, "{text}");
    assert!(text.ends_with("\r\n"));
}

#[test]
fn lines_stay_short_whatever_the_words() {
    let sealed = seal_letter(Letter { text: "é".repeat(5000), html: None, ..letter() }).unwrap();
    assert!(text_of(&sealed).split("\r\n").all(|line| line.len() <= 78));
}

#[test]
fn empty_and_huge_words_are_refused() {
    let refused = |letter: Letter| seal_letter(letter).unwrap_err();
    assert_eq!(refused(Letter { subject: "  ".to_owned(), ..letter() }), Refusal::Empty("subject"));
    assert_eq!(refused(Letter { text: String::new(), ..letter() }), Refusal::Empty("text"));
    assert_eq!(refused(Letter { html: Some("\n".to_owned()), ..letter() }), Refusal::Empty("HTML text"));
    assert_eq!(
        refused(Letter { text: "x".repeat(BODY_BYTES_MAX + 1), ..letter() }),
        Refusal::TooLong("text")
    );
    assert_eq!(refused(Letter { subject: "é".repeat(501), ..letter() }), Refusal::TooLong("subject"));
}

#[test]
fn dates_outside_the_calendar_of_mail_are_refused() {
    assert!(header_date(0).is_ok());
    assert_eq!(header_date(-1), Err(Refusal::Date));
    assert_eq!(header_date(253_402_300_800), Err(Refusal::Date));
}

#[test]
fn bare_line_breaks_are_seen_at_both_ends() {
    for bad in [&b"\na"[..], b"a\n", b"a\r", b"a\rb", b"a\r\r\n"] {
        assert!(has_bare_line_break(bad), "{bad:?}");
    }
    assert!(!has_bare_line_break(b"a\r\n\r\nb\r\n"));
}
