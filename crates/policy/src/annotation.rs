//! What a policy says about itself: `@id("refunds.automatic")`, `@ask("controller")`, `@quorum("2")`, `@expires("24h")`,
//! `@description("…")`. Anything else is refused: a mistyped `@aks` would turn a question into an automatic yes.

use bursar_domain::role::Role;
use bursar_domain::verdict::Requirement;
use cedar_policy::{Effect, Policy};

/// How long a question stays open unless the policy says otherwise.
pub const EXPIRES_DEFAULT_S: i64 = 24 * 3600;
const EXPIRES_MAX_S: i64 = 90 * 24 * 3600;
const QUORUM_MAX: u32 = 20;
const ID_LENGTH_MAX: usize = 80;

/// Who is asked by a permit that asks, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// All of them together.
    pub requirements: Vec<Requirement>,
    pub expires_s: i64,
}

/// What is wrong with an annotation, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub message: String,
    pub help: String,
}

fn complaint<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint { message: message.into(), help: help.into() })
}

/// The id, checked for its form; that it is unique is for the set to say.
pub(crate) fn id(policy: &Policy) -> Result<String, Complaint> {
    const HELP: &str =
        "write @id(\"refunds.automatic\") above it: lower-case words with dots, unique in the set";
    let Some(id) = policy.annotation("id") else {
        return complaint("the policy has no @id", HELP);
    };
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if id.is_empty() || id.len() > ID_LENGTH_MAX || !id.bytes().all(legal) {
        return complaint(format!("`{}` is not a policy id", shortened(id)), HELP);
    }
    Ok(id.to_owned())
}

/// Who is asked, where the policy asks; everything about its annotations that is wrong otherwise.
pub(crate) fn asking(policy: &Policy) -> Result<Option<Asking>, Complaint> {
    for (name, _) in policy.annotations() {
        if !["id", "ask", "quorum", "expires", "description"].contains(&name) {
            let help = "the annotations are @id, @ask, @quorum, @expires and @description";
            return complaint(format!("unknown annotation @{}", shortened(name)), help);
        }
    }
    let Some(ask) = policy.annotation("ask") else {
        return match ["quorum", "expires"].into_iter().find(|name| policy.annotation(name).is_some()) {
            Some(name) => {
                complaint(format!("@{name} without @ask"), "add @ask(\"controller\") or leave it out")
            }
            None => Ok(None),
        };
    };
    if policy.effect() == Effect::Forbid {
        let help = "a forbid asks nobody; to ask, write a permit with @ask";
        return complaint("@ask on a forbid", help);
    }
    let quorum = policy.annotation("quorum").map_or(Ok(1), quorum)?;
    let expires_s = policy.annotation("expires").map_or(Ok(EXPIRES_DEFAULT_S), span_s)?;
    let mut requirements = Vec::new();
    for name in ask.split(',') {
        let role: Role = name.trim().parse().or_else(|error: bursar_domain::role::UnknownRole| {
            complaint(
                format!("@ask: {error}"),
                "name roles, as in @ask(\"controller\") or @ask(\"operator,controller\")",
            )
        })?;
        if requirements.iter().any(|known: &Requirement| known.role == role) {
            return complaint(
                format!("@ask names {role} twice"),
                "for two people of one role write @quorum(\"2\")",
            );
        }
        requirements.push(Requirement { role, quorum });
    }
    Ok(Some(Asking { requirements, expires_s }))
}

fn quorum(text: &str) -> Result<u32, Complaint> {
    match digits(text).and_then(|count| u32::try_from(count).ok()) {
        Some(count) if (1..=QUORUM_MAX).contains(&count) => Ok(count),
        _ => complaint(
            format!("@quorum(\"{}\") is no number of people", shortened(text)),
            format!("write a whole number from 1 to {QUORUM_MAX}, as in @quorum(\"2\")"),
        ),
    }
}

/// `30m`, `24h` or `7d` in seconds.
fn span_s(text: &str) -> Result<i64, Complaint> {
    let unit_s = match text.bytes().last() {
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 24 * 3600,
        _ => 0,
    };
    let count = text.get(..text.len().saturating_sub(1)).and_then(digits);
    match count.and_then(|count| count.checked_mul(unit_s)) {
        Some(span_s) if (60..=EXPIRES_MAX_S).contains(&span_s) => Ok(span_s),
        _ => complaint(
            format!("@expires(\"{}\") is no span of time", shortened(text)),
            "write minutes, hours or days up to 90 days, as in @expires(\"30m\"), @expires(\"24h\") or @expires(\"7d\")",
        ),
    }
}

fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(annotations: &str, effect: &str) -> Policy {
        Policy::parse(None, format!("{annotations} {effect}(principal, action, resource);")).unwrap()
    }

    fn asked(annotations: &str) -> Option<Asking> {
        asking(&policy(annotations, "permit")).unwrap()
    }

    #[test]
    fn who_is_asked_and_for_how_long() {
        assert_eq!(asked("@id(\"a\")"), None);
        let both = asked("@ask(\"operator, controller\") @quorum(\"2\") @expires(\"7d\")").unwrap();
        let seat = |role| Requirement { role, quorum: 2 };
        assert_eq!(both.requirements, [seat(Role::Operator), seat(Role::Controller)]);
        assert_eq!(both.expires_s, 7 * 86_400);
        assert_eq!(asked("@ask(\"support\")").unwrap().expires_s, EXPIRES_DEFAULT_S);
        assert_eq!(asked("@ask(\"support\") @expires(\"30m\")").unwrap().expires_s, 1800);
    }

    #[test]
    fn wrong_annotations_are_refused() {
        for bad in [
            "@aks(\"controller\")",
            "@ask",
            "@ask(\"\")",
            "@ask(\"boss\")",
            "@ask(\"controller,\")",
            "@ask(\"controller,controller\")",
            "@quorum(\"2\")",
            "@expires(\"24h\")",
            "@ask(\"controller\") @quorum(\"0\")",
            "@ask(\"controller\") @quorum(\"-1\")",
            "@ask(\"controller\") @quorum(\"+2\")",
            "@ask(\"controller\") @quorum(\"99999999999999999999\")",
            "@ask(\"controller\") @expires(\"0h\")",
            "@ask(\"controller\") @expires(\"24\")",
            "@ask(\"controller\") @expires(\"h\")",
            "@ask(\"controller\") @expires(\"1.5h\")",
            "@ask(\"controller\") @expires(\"9999d\")",
            "@ask(\"controller\") @expires(\"9223372036854775807d\")",
            "@ask(\"controller\") @expires(\"ä\")",
        ] {
            assert!(asking(&policy(bad, "permit")).is_err(), "{bad}");
        }
        assert!(asking(&policy("@ask(\"controller\")", "forbid")).is_err());
        for bad in ["", "@id", "@id(\"\")", "@id(\"Refunds\")", "@id(\"a b\")", "@id(\"a\\u{202e}\")"] {
            assert!(id(&policy(bad, "permit")).is_err(), "{bad}");
        }
        assert_eq!(id(&policy("@id(\"refunds.over_100\")", "permit")).unwrap(), "refunds.over_100");
    }
}
