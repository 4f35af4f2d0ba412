//! Instants of the API as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// RFC 3339 text, or microseconds since the epoch as they stand in a card.
pub fn read(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(micros) => Timestamp::from_microsecond(micros.as_i64()?).ok(),
        _ => None,
    }
}

/// `2026-11-21 14:02` in this machine's zone for people, RFC 3339 for programs, nothing for what is no instant.
pub fn shown(value: &Value, for_people: bool) -> String {
    let Some(instant) = read(value) else { return String::new() };
    if for_people { local(instant, TimeZone::system()) } else { instant.to_string() }
}

fn local(instant: Timestamp, zone: TimeZone) -> String {
    instant.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_are_read_and_shown() {
        let written = json!("2026-11-21T14:02:05Z");
        let counted = json!(1_795_269_725_000_000_i64);
        assert_eq!(read(&written), read(&counted));
        assert_eq!(shown(&written, false), "2026-11-21T14:02:05Z");
        assert_eq!(shown(&json!(null), true), "");
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(local(read(&written).unwrap(), berlin), "2026-11-21 15:02");
    }
}
