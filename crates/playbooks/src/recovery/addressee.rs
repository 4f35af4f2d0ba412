//! What of a customer's own words may stand in a letter: an address, a name, a language, a link. Everything here is
//! hostile until it looks like what it should be.

/// Longest address mail servers must take.
const ADDRESS_CHARACTERS_MAX: usize = 254;
const NAME_CHARACTERS_MAX: usize = 80;
const LINK_CHARACTERS_MAX: usize = 2000;

/// An address that a letter can go to: one `@`, no spaces, no second recipient, no header.
pub(super) fn address(text: &str) -> Option<&str> {
    let (mailbox, domain) = text.split_once('@')?;
    let legal = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    let domain_legal = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
    let whole = text.len() <= ADDRESS_CHARACTERS_MAX
        && !mailbox.is_empty()
        && mailbox.chars().all(legal)
        && domain.contains('.')
        && domain.chars().all(domain_legal)
        && domain.split('.').all(|label| !label.is_empty());
    whole.then_some(text)
}

/// The customer's name on one line, without what cannot be seen or turns text around. For pages.
pub(super) fn one_line(name: &str) -> Option<String> {
    let visible = name.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_whitespace() { ' ' } else { c });
    let line: String = visible.take(NAME_CHARACTERS_MAX).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// The name to greet by. A name that mail programs would turn into a link is no name: others could make our letters
/// point to their pages by signing up under it.
pub(super) fn greeting(name: &str) -> Option<String> {
    let line = one_line(name)?;
    let dotted = line
        .as_bytes()
        .windows(3)
        .any(|w| w[0] == b'.' && w[1].is_ascii_alphabetic() && w[2].is_ascii_alphabetic());
    let linkish =
        line.contains(['@', '/', '\\', ':']) || line.to_ascii_lowercase().contains("www.") || dotted;
    (!linkish && name.chars().count() <= NAME_CHARACTERS_MAX).then_some(line)
}

fn is_invisible(c: char) -> bool {
    let turns_or_hides = matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E0FFF}');
    turns_or_hides || (c.is_control() && !c.is_whitespace())
}

/// Stripe's page where the invoice can be paid: encrypted, or on this very machine, as a simulated Stripe is.
pub(super) fn link(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| {
        let local = url.strip_prefix("http://")?;
        let host = local.split(['/', '?', '#']).next()?;
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(host, "127.0.0.1" | "localhost" | "[::1]").then_some(local)
    })?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = url.chars().all(|c| c.is_ascii_graphic() && !"\"'<>\\`{}|^".contains(c));
    (url.len() <= LINK_CHARACTERS_MAX && plain && !host.is_empty() && !host.contains('@')).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_recipient_and_nothing_else() {
        for good in ["ada@example.com", "a.b+c@mail.example.co.uk", "jürgen@müller.example"] {
            assert_eq!(address(good), Some(good));
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "ada@example..com",
            "a@b.c, d@e.f",
            "a@b.c\r\nBcc: d@e.f",
            "Ada <ada@example.com>",
            "ada@exam ple.com",
            "a@b@c.d",
            long.as_str(),
        ] {
            assert_eq!(address(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_printed_or_left_out_but_never_a_link() {
        for (name, greeted) in [
            ("Ada Lovelace", Some("Ada Lovelace")),
            ("J. R. Hartley", Some("J. R. Hartley")),
            ("{{7*7}}", Some("{{7*7}}")),
            ("Ada\r\nBcc: x", None),
            ("Ada\nLovelace", Some("Ada Lovelace")),
            ("\u{202E}adA", Some("adA")),
            ("You won, see evil.example", None),
            ("http://evil", None),
            ("WWW.evil", None),
            ("a@b", None),
            ("  \u{200B} ", None),
        ] {
            assert_eq!(greeting(name).as_deref(), greeted, "{name:?}");
        }
        assert_eq!(greeting(&"n".repeat(81)), None);
        assert_eq!(one_line(&"n".repeat(81)).map(|line| line.len()), Some(80));
    }

    #[test]
    fn a_link_is_encrypted_or_local_and_cannot_leave_its_attribute() {
        for good in [
            "https://invoice.stripe.com/i/acct_1/test_x?s=ap",
            "http://127.0.0.1:7173/_sim/invoice/in_1",
            "http://localhost/i",
        ] {
            assert_eq!(link(good), Some(good));
        }
        for bad in [
            "http://invoice.stripe.com/i",
            "javascript:alert(1)",
            "https://",
            "https://a\"onclick=x",
            "https://invoice.stripe.com@evil.example/",
            "http://127.0.0.1.evil.example/",
            "http://localhost@evil.example/",
            "https://a b",
            "https://a\n",
        ] {
            assert_eq!(link(bad), None, "{bad:?}");
        }
    }
}
