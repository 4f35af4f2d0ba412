//! Versions of Stripe's API: the one we pin, and how any two compare.

/// Sent with every call; what answers are written in.
pub const PINNED: &str = "2026-10-28.endive";

/// From 2025-03-31 on, invoices and subscriptions have their present shape.
const BASIL_DATE: &str = "2025-03-31";

/// Whether objects of this version have the shapes that came with basil. A preview version counts by its
/// date; what is no version is taken for old, since old shapes must then be looked for.
pub fn is_basil_or_later(version: &str) -> bool {
    date_of(version).is_some_and(|date| date >= BASIL_DATE)
}

/// Orders two versions by date; nothing when one of them is no version.
pub fn compare(left: &str, right: &str) -> Option<std::cmp::Ordering> {
    Some(date_of(left)?.cmp(date_of(right)?))
}

/// The `YYYY-MM-DD` a version begins with.
fn date_of(version: &str) -> Option<&str> {
    let (date, name) = version.split_once('.').unwrap_or((version, "release"));
    let digits = |range: std::ops::Range<usize>| {
        date.get(range).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let hyphens = date.len() == 10 && date.as_bytes()[4] == b'-' && date.as_bytes()[7] == b'-';
    (hyphens && !name.is_empty() && digits(0..4) && digits(5..7) && digits(8..10)).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_date() {
        let table = [
            ("2024-06-20", false),
            ("2025-02-24.acacia", false),
            ("2025-03-31.basil", true),
            ("2025-03-31.preview", true),
            (PINNED, true),
            ("", false),
            ("latest", false),
            ("2025-03-31.", false),
            ("9999/99/99", false),
        ];
        for (version, basil) in table {
            assert_eq!(is_basil_or_later(version), basil, "{version:?}");
        }
        assert_eq!(compare("2024-06-20", PINNED), Some(std::cmp::Ordering::Less));
        assert_eq!(compare("2026-10-28.endive", "2026-10-28.preview"), Some(std::cmp::Ordering::Equal));
        assert_eq!(compare("", PINNED), None);
    }
}
