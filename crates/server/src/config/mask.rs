//! Secrets as people may see them: enough to recognise one, never enough to use it.

/// `rk_test_…4x7Q` for keys that name their kind, `…` for anything else.
pub fn secret(value: &str) -> String {
    let known = ["sk_test_", "sk_live_", "rk_test_", "rk_live_", "pk_test_", "pk_live_", "whsec_", "bursar_"];
    let Some(prefix) = known.into_iter().find(|prefix| value.starts_with(prefix)) else {
        return "…".to_owned();
    };
    let rest: Vec<char> = value[prefix.len()..].chars().collect();
    if rest.len() < 12 {
        return format!("{prefix}…");
    }
    let last: String = rest[rest.len() - 4..].iter().collect();
    format!("{prefix}…{last}")
}

/// A line of a configuration file that may be printed: every text that could be a secret is masked, by what it looks like, by
/// the key before it, or as the password of a URL. The line keeps its length, so that a pointer below it stays right.
pub fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let suspicious = text.split('=').next().is_some_and(names_a_secret);
    while let Some(start) = rest.find(['"', '\'']) {
        let quote = rest[start..].chars().next().unwrap_or('"');
        let (before, quoted) = rest.split_at(start + 1);
        shown.push_str(&stars_for_secrets(before));
        let end = quoted.find(quote).unwrap_or(quoted.len());
        let value = &quoted[..end];
        let is_reference = names_a_reference(before);
        if looks_secret(value) || (suspicious && !is_reference) {
            shown.push_str(&stars(value));
        } else {
            shown.push_str(&stars_for_secrets(&stars_for_password(value)));
        }
        rest = &quoted[end..];
        if let Some(after) = rest.strip_prefix(quote) {
            shown.push(quote);
            rest = after;
        }
    }
    shown.push_str(&stars_for_secrets(rest));
    shown
}

/// A message of somebody else's that may quote a value: every word that looks like a secret is masked.
pub fn words(text: &str) -> String {
    replaced(text, secret)
}

fn stars_for_secrets(text: &str) -> String {
    replaced(text, stars)
}

fn stars(text: &str) -> String {
    "*".repeat(text.chars().count())
}

/// A URL with stars for the password in it, wherever it stands: `postgres://user:****@host/database?password=****`.
fn stars_for_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    let user = user.map_or(String::new(), |user| match user.split_once(':') {
        Some((name, password)) => format!("{name}:{}@", stars(password)),
        None => format!("{user}@"),
    });
    let option = |option: &str| {
        let (told, next) = option.split_at(option.trim_end_matches(['?', '&']).len());
        match told.split_once('=') {
            Some((name, password)) if name.contains("password") => {
                format!("{name}={}{next}", stars(password))
            }
            _ => option.to_owned(),
        }
    };
    let place: Vec<String> = place.split_inclusive(['?', '&']).map(option).collect();
    format!("{scheme}://{user}{}", place.concat())
}

/// The text with something else in place of each word that looks like a secret.
fn replaced(text: &str, by: fn(&str) -> String) -> String {
    let boundary = |character: char| !(character.is_ascii_alphanumeric() || character == '_');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(boundary).unwrap_or(rest.len());
        let word = &rest[..end];
        shown.push_str(&if looks_secret(word) { by(word) } else { word.to_owned() });
        let next = rest[end..].chars().next().map_or(0, char::len_utf8);
        shown.push_str(&rest[end..end + next]);
        rest = &rest[end + next..];
    }
    shown
}

fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["key", "secret", "password", "token"].iter().any(|word| key.contains(word))
}

/// Whether the text before a quote ends in `file =` or `env =`: a name, no secret.
fn names_a_reference(before: &str) -> bool {
    let before = before.trim_end_matches(['"', '\'']).trim_end().trim_end_matches('=').trim_end();
    let word = before.rsplit(|character: char| !character.is_ascii_alphanumeric()).next();
    matches!(word, Some("file" | "env"))
}

fn looks_secret(value: &str) -> bool {
    let prefixes =
        ["sk_", "rk_", "whsec_", "bursar_user_", "bursar_agent_", "bursar_sess_", "xoxb-", "xapp-"];
    prefixes.iter().any(|prefix| value.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_key_shows_its_kind_and_last_four() {
        assert_eq!(secret("rk_test_51Habcdefghij4x7Q"), "rk_test_…4x7Q");
        assert_eq!(secret("whsec_abcdefghijklmnop"), "whsec_…mnop");
        assert_eq!(secret("sk_live_short"), "sk_live_…", "last four of a short one would be too much");
        assert_eq!(secret("hunter2"), "…");
        assert_eq!(secret(""), "…");
    }

    #[test]
    fn a_line_is_masked_by_look_and_by_key() {
        assert_eq!(line("api_kye = \"sk_live_abc\""), "api_kye = \"***********\"");
        assert_eq!(line("passwort = \"a\""), "passwort = \"a\"", "an unknown word and no look: not known");
        assert_eq!(line("password = \"añb\" # 'x'"), "password = \"***\" # '*'");
        assert_eq!(line("api_key = { file = \"/run/key\" }"), "api_key = { file = \"/run/key\" }");
        assert_eq!(line("secrets = [{ env = 'A' }, \"b\"]"), "secrets = [{ env = 'A' }, \"*\"]");
        assert_eq!(line("mode = \"sk_test_unclosed"), "mode = \"****************");
        assert_eq!(line("listen = \"127.0.0.1:1\""), "listen = \"127.0.0.1:1\"");
        assert_eq!(
            line("listen = \"at sk_a\" # rk_b"),
            "listen = \"at ****\" # ****",
            "anywhere in the line"
        );
    }

    #[test]
    fn a_password_in_a_url_is_masked() {
        for (shown, masked) in [
            ("postgres://u:hunter2@h:5433/db", "postgres://u:*******@h:5433/db"),
            ("postgres://u:hun/t@r?2@h/db", "postgres://u:*********@h/db"),
            ("postgres://h/db?a=b&password=hunter2&c=d", "postgres://h/db?a=b&password=*******&c=d"),
            ("smtps://u@h:465", "smtps://u@h:465"),
        ] {
            assert_eq!(line(&format!("url = '{shown}'")), format!("url = '{masked}'"));
        }
    }

    #[test]
    fn words_that_look_like_secrets_are_masked() {
        let message = "unknown variant `sk_live_0123456789abcdef`, expected `observe`";
        assert_eq!(words(message), "unknown variant `sk_live_…cdef`, expected `observe`");
        assert_eq!(words("key: „rk_test_x“"), "key: „rk_test_…“");
    }
}
