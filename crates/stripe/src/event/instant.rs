//! Instants in text (RFC 3339) to whole seconds since the epoch, as thin events need them.

/// `2026-09-17T06:20:52.246Z` or with an offset. Parts of a second are dropped, a leap second is refused.
pub fn seconds_of(text: &str) -> Option<i64> {
    if !text.is_ascii() || text.len() > 64 {
        return None;
    }
    let (date, time) = (text.get(..10)?, text.get(11..19)?);
    if !matches!(text.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let in_range =
        (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day) && hour < 24 && minute < 60;
    if !in_range || second > 59 {
        return None;
    }
    let offset_s = offset_seconds(without_fraction(text.get(19..)?)?)?;
    Some(days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s)
}

fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut values = [0; 3];
    for (value, width) in values.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        if !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

fn without_fraction(rest: &str) -> Option<&str> {
    let Some(fraction) = rest.strip_prefix('.') else {
        return Some(rest);
    };
    let after = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
    (after.len() < fraction.len()).then_some(after)
}

fn offset_seconds(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'Z' | b'z' => return (text.len() == 1).then_some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let [hours, minutes, _] = numbers(&format!("{}:00", text.get(1..)?), ':', [2, 2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts whole years, then months, then days; years are those of the Gregorian calendar, 0 to 9999.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_BEFORE_1970: i64 = 719_527;
    let leap_days = match year {
        0 => 0,
        _ => (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1,
    };
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    year * 365 + leap_days + months + day - 1 - DAYS_BEFORE_1970 - 1
}

#[cfg(test)]
mod tests {
    use super::seconds_of;

    #[test]
    fn instants_become_seconds() {
        let table = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2024-09-17T06:20:52.246Z", 1_726_554_052),
            ("2024-09-17T08:20:52+02:00", 1_726_554_052),
            ("2024-09-17T01:50:52-04:30", 1_726_554_052),
            ("2026-12-31T23:59:59.999999Z", 1_798_761_599),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ];
        for (text, seconds) in table {
            assert_eq!(seconds_of(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        let table = [
            "",
            "2024-09-17",
            "2024-09-17T06:20:52",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-09-17T24:00:00Z",
            "2024-09-17T06:20:52.Z",
            "2024-09-17T06:20:52ZZ",
            "2024-09-17T06:20:52+2:00",
            "2024-09-17x06:20:52Z",
            "1726554052",
            "２024-09-17T06:20:52Z",
        ];
        for text in table {
            assert_eq!(seconds_of(text), None, "{text:?}");
        }
    }
}
