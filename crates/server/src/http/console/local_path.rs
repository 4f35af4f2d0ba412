//! Where a form may lead back to: a path of this console and nothing else. What a browser sends back is not trusted.

/// The path as it was given, or `otherwise` when it could lead anywhere but here.
pub(super) fn local_or<'p>(path: &'p str, otherwise: &'p str) -> &'p str {
    if is_local(path) { path } else { otherwise }
}

/// One slash at the start and not two; nothing that browsers rewrite into a slash or drop while reading.
fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 500
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_paths_are_followed() {
        for own in ["/inbox", "/inbox?view=all&selected=case_1", "/approvals/apreq_1#x"] {
            assert_eq!(local_or(own, "/inbox?other"), own);
        }
        for other in [
            "",
            "inbox",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\n/evil.example",
            "/\t/evil.example",
            "/inbox\r\nSet-Cookie: x=y",
            " /inbox",
            "/ü",
        ] {
            assert_eq!(local_or(other, "/safe"), "/safe", "{other:?}");
        }
    }
}
