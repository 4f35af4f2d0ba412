//! What a notice says: the same to a person and to a program. Codes, counts, our names for things, and a link.

use bursar_connectors::mail::Letter;
use bursar_domain::time::BusinessTime;
use bursar_store::alerts::Alert;
use serde_json::{Value, json};

use crate::cards::rfc3339;

/// Which of an alert's moments is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Opened,
    StillOpen,
    Closed,
}

impl Moment {
    fn kind(self) -> &'static str {
        match self {
            Moment::Opened => "alert.opened",
            Moment::StillOpen => "alert.still_open",
            Moment::Closed => "alert.closed",
        }
    }
}

/// The document that is posted. Letters are made of it.
pub(super) fn document(
    alert: &Alert,
    moment: Moment,
    at: i64,
    installation: &str,
    console: Option<&str>,
) -> Value {
    let shown = |micros: i64| rfc3339(BusinessTime::from_micros(micros));
    json!({
        "type": moment.kind(),
        "timestamp": shown(at),
        "data": {
            "object": "alert",
            "id": alert.id.as_str(),
            "code": alert.code,
            "about": alert.about,
            "text": headline(&alert.code, &alert.about, &alert.facts),
            "facts": alert.facts,
            "opened_at": shown(alert.opened_at.unwrap_or(at)),
            "closed_at": (moment == Moment::Closed).then(|| shown(at)),
            "next": next(&alert.code),
            "link": link(console),
            "installation": installation,
        },
    })
}

/// What `bursar alerts test` sends.
pub(super) fn test(at: i64, installation: &str, console: Option<&str>) -> Value {
    let shown = rfc3339(BusinessTime::from_micros(at));
    json!({
        "type": "alert.test",
        "timestamp": shown,
        "data": {
            "object": "alert",
            "id": null,
            "code": "test",
            "about": "",
            "text": "A test: nothing is wrong, and notices of this installation reach you",
            "facts": {},
            "opened_at": shown,
            "closed_at": null,
            "next": "nothing to do",
            "link": link(console),
            "installation": installation,
        },
    })
}

fn link(console: Option<&str>) -> Option<String> {
    console.map(|console| format!("{}/health", console.trim_end_matches('/')))
}

/// The same as a letter.
pub(super) fn letter(to: &str, document: &Value) -> Letter {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let before = match text("/type") {
        "alert.still_open" => "Still: ",
        "alert.closed" => "Over: ",
        _ => "",
    };
    let headline = text("/data/text");
    let mut lines = vec![format!("{before}{headline}."), String::new()];
    let mut say = |what: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{what:<14}{value}"));
        }
    };
    say("since", text("/data/opened_at"));
    say("until", text("/data/closed_at"));
    if text("/type") != "alert.closed" {
        say("look", text("/data/next"));
    }
    say("console", text("/data/link"));
    say("alert", text("/data/id"));
    say("code", text("/data/code"));
    say("installation", text("/data/installation"));
    Letter {
        to: to.to_owned(),
        subject: format!("[bursar] {before}{headline}"),
        text: lines.join("\n") + "\n",
        html: None,
    }
}

/// One line for people, without a full stop.
pub(super) fn headline(code: &str, about: &str, facts: &Value) -> String {
    let number = |name: &str| facts[name].as_i64().unwrap_or(0);
    let of = |one: &str, many: &str| match number("count") {
        1 => format!("One {one}"),
        count => format!("{count} {many}"),
    };
    match code {
        "no_events" => format!("No event has come from Stripe for {}", span(number("for_s"))),
        "queue_late" => {
            format!("Work is late: {} due, the oldest for {}", number("due"), span(number("oldest_s")))
        }
        "dead_letters" => of("job gave up", "jobs gave up"),
        "quarantined" => of(
            "event of Stripe's cannot be used and was set aside",
            "events of Stripe's cannot be used and were set aside",
        ),
        "in_doubt" => of(
            "execution is in doubt: nobody can tell what became of it",
            "executions are in doubt: nobody can tell what became of them",
        ),
        "sealing_stopped" => format!(
            "The audit has not been sealed for {}: {}",
            span(number("for_s")),
            match number("count") {
                1 => "one entry waits".to_owned(),
                count => format!("{count} entries wait"),
            }
        ),
        "event_gap" => format!(
            "A hole of {} in the events of {about} was found and filled; it held {}",
            span(number("length_s")),
            number("events")
        ),
        "kill_switch" => format!("The kill switch of {about} is thrown"),
        "clock" => "The clock cannot be right: nothing is sent until it is".to_owned(),
        "restored_copy" => {
            "The database is a copy that was put back: nothing leaves until a person lifts the hold"
                .to_owned()
        }
        "key_refused" => format!("Stripe refuses the key of [stripe.{about}]"),
        "stripe_unconnected" => format!("[stripe.{about}] has not answered since the start"),
        "stripe_unreadable" => {
            let lanes = facts["lanes"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let named: Vec<&str> = lanes.collect();
            let more = number("count") - i64::try_from(named.len()).unwrap_or(0);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("[stripe.{about}] cannot be read: {}{more}", named.join(", "))
        }
        // Of another version, on the same database.
        other => format!("{other} {about}").trim().to_owned(),
    }
}

/// What a person does next.
fn next(code: &str) -> &'static str {
    match code {
        "dead_letters" => "bursar events dead; bursar events retry ID",
        "quarantined" => "bursar events quarantine list",
        "in_doubt" => "bursar case list",
        "event_gap" => "bursar events gaps",
        "key_refused" => "make a new key at Stripe, put it where [stripe] api_key says, restart bursar serve",
        "stripe_unconnected" | "stripe_unreadable" => "bursar doctor --only stripe",
        "no_events" => "bursar status; bursar doctor --only stripe",
        "clock" => "bursar doctor",
        "restored_copy" => "bursar db reconcile",
        _ => "bursar status",
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use bursar_domain::id::AlertId;

    use super::*;

    fn alert(code: &str, about: &str, facts: Value) -> Alert {
        Alert {
            id: AlertId::from_entropy([7; 16]),
            code: code.to_owned(),
            about: about.to_owned(),
            facts,
            first_seen_at: 1_795_219_200_000_000,
            last_seen_at: 1_795_219_200_000_000,
            opened_at: Some(1_795_219_200_000_000),
            told_at: None,
            closed_at: None,
            notices: 1,
        }
    }

    #[test]
    fn a_letter_says_what_since_when_and_where_to_look() {
        let sick = alert("dead_letters", "", json!({"count": 3}));
        let at = 1_795_222_800_000_000;
        let document = document(&sick, Moment::StillOpen, at, "inst_1", Some("https://bursar.example.com/"));
        let letter = letter("ops@example.com", &document);
        assert_eq!(letter.subject, "[bursar] Still: 3 jobs gave up");
        assert_eq!(
            letter.text,
            "Still: 3 jobs gave up.\n\n\
             since         2026-11-21T00:00:00Z\n\
             look          bursar events dead; bursar events retry ID\n\
             console       https://bursar.example.com/health\n\
             alert         alert_070W3GE1R70W3GE1R70W3GE1R7\n\
             code          dead_letters\n\
             installation  inst_1\n"
        );
    }

    #[test]
    fn an_end_says_so_to_people_and_to_programs() {
        let over = document(
            &alert("kill_switch", "all", json!({})),
            Moment::Closed,
            1_795_222_800_000_000,
            "i",
            None,
        );
        assert_eq!(over["type"], "alert.closed");
        assert_eq!(over["data"]["closed_at"], "2026-11-21T01:00:00Z");
        let letter = letter("ops@example.com", &over);
        assert_eq!(letter.subject, "[bursar] Over: The kill switch of all is thrown");
        assert!(letter.text.contains("until         2026-11-21T01:00:00Z") && !letter.text.contains("look "));
    }

    #[test]
    fn every_code_has_its_words() {
        for (code, about, facts, words) in [
            ("no_events", "", json!({"for_s": 90_000}), "No event has come from Stripe for 25 h"),
            (
                "queue_late",
                "",
                json!({"oldest_s": 720, "due": 4}),
                "Work is late: 4 due, the oldest for 12 min",
            ),
            ("dead_letters", "", json!({"count": 1}), "One job gave up"),
            (
                "quarantined",
                "",
                json!({"count": 2}),
                "2 events of Stripe's cannot be used and were set aside",
            ),
            (
                "in_doubt",
                "",
                json!({"count": 1}),
                "One execution is in doubt: nobody can tell what became of it",
            ),
            (
                "sealing_stopped",
                "",
                json!({"for_s": 61, "count": 1}),
                "The audit has not been sealed for 1 min: one entry waits",
            ),
            (
                "event_gap",
                "acct_1/test",
                json!({"length_s": 59, "events": 9}),
                "A hole of 59 s in the events of acct_1/test was found and filled; it held 9",
            ),
            ("key_refused", "main", json!({}), "Stripe refuses the key of [stripe.main]"),
            ("stripe_unconnected", "main", json!({}), "[stripe.main] has not answered since the start"),
            (
                "stripe_unreadable",
                "main",
                json!({"count": 7, "lanes": ["a/test", "b/test"]}),
                "[stripe.main] cannot be read: a/test, b/test and 5 more",
            ),
            ("clock", "", json!({}), "The clock cannot be right: nothing is sent until it is"),
            (
                "restored_copy",
                "",
                json!({}),
                "The database is a copy that was put back: nothing leaves until a person lifts the hold",
            ),
            ("of_tomorrow", "x", json!({}), "of_tomorrow x"),
        ] {
            assert_eq!(headline(code, about, &facts), words);
        }
    }
}
