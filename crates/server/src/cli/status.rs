//! `bursar status`: how the running installation is doing.

use serde_json::Value;

use super::Outcome;
use super::exit::Exit;
use super::fields;
use super::installation::Identity;
use super::instant;
use super::runtime;
use super::session::Session;
use super::table::{Column, Table};
use crate::held;

#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    identity: Identity,
}

pub fn run(args: &StatusArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let status = client.get("/status", &[]).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&status)?;
        } else if !session.globals.quiet {
            output.table(&table(&status))?;
        }
        Ok(exit(&status))
    })
}

/// `--quiet` is for health checks: the exit code says it all, 0 for well and 1 for degraded.
fn exit(status: &Value) -> Exit {
    let word = fields::text(status, &["/status", "/state"]);
    let well = matches!(word.as_str(), "" | "ok" | "healthy" | "ready" | "running");
    if well { Exit::Done } else { Exit::Failed }
}

/// What people want to know, a line each; `--json` has every value.
fn table(status: &Value) -> Table {
    let mut table = Table::new([Column::Text("what"), Column::Text("now")], "nothing to report");
    let mut say = |what: &str, now: String| {
        if !now.is_empty() {
            table.row([what.to_owned(), now]);
        }
    };
    say("status", fields::text(status, &["/status", "/state"]));
    for trouble in elements(status, "troubles") {
        say("look at", fields::text(trouble, &[""]));
    }
    let simulated = if status.get("demo") == Some(&Value::Bool(true)) { ", simulated" } else { "" };
    say("version", fields::text(status, &["/version"]));
    let time = shown(status.get("business_time"));
    say("time", if time.is_empty() { time } else { format!("{time}{simulated}") });
    for lane in elements(status, "lanes") {
        say(&fields::text(lane, &["/lane"]), source(lane));
    }
    // One process is not worth a line: it is the one that answers.
    let nodes: Vec<&Value> = elements(status, "nodes").collect();
    for one in nodes.iter().filter(|_| nodes.len() > 1) {
        say(&fields::text(one, &["/node"]), node(one));
    }
    for name in elements(status, "unconnected") {
        say(&fields::text(name, &[""]), "has not answered yet: bursar doctor --only stripe".to_owned());
    }
    let last = age(status, "/last_event_age_s", "the last", " ago");
    say("events", counted(status, "/events", "kept", &last));
    let later = counted(status, "/queue/later", "planned for later", "");
    say(
        "work",
        counted(status, "/queue/due", "due", &age(status, "/oldest_due_age_s", "the oldest waits", "")),
    );
    say("", later);
    say("gave up", troubling(status, "/queue/dead", "bursar events dead"));
    say(
        "waits for Stripe",
        troubling(status, "/executions_waiting", "sent and not answered yet; it goes on by itself"),
    );
    say("in doubt", troubling(status, "/executions_in_doubt", "a person must look: bursar case list"));
    let oldest = age(status, "/oldest_approval_age_s", "the oldest waits", "");
    say("approvals", counted(status, "/approvals_pending", "wait for people", &oldest));
    say(
        "quarantined",
        troubling(status, "/quarantined", "signed, but not believed; see the console's health page"),
    );
    let unsealed = counted(status, "/audit_unsealed", "not sealed yet", "");
    say("history", history(status));
    say("audit", counted(status, "/audit_head", "entries", &unsealed));
    for hole in elements(status, "gaps") {
        say(&format!("gap from {}", shown(hole.get("from"))), gap(hole));
    }
    for thrown in elements(status, "kill_switches") {
        say(&format!("kill switch {}", fields::text(thrown, &["/0"])), fields::text(thrown, &["/1"]));
    }
    if status.get("mail") == Some(&Value::Bool(false)) {
        say("mail", "no mail server is configured: letters wait".to_owned());
    }
    if status.get("single_operator") == Some(&Value::Bool(true)) {
        say("people", "one person may decide on what they asked for".to_owned());
    }
    table
}

/// One process among several: `version 0.1.0, up 3 h, heard of 2 s ago`.
fn node(node: &Value) -> String {
    let version = fields::text(node, &["/version"]);
    let heard_of = if node.get("answers") == Some(&Value::Bool(true)) {
        "answers this".to_owned()
    } else {
        age(node, "/heard_of_age_s", "heard of", " ago")
    };
    format!("version {version}, {}, {heard_of}", age(node, "/up_s", "up", ""))
}

/// How far the history that was asked for is read; nothing where nobody asked.
fn history(status: &Value) -> String {
    let (objects, since) =
        (fields::text(status, &["/history/objects"]), shown(status.pointer("/history/since")));
    match fields::text(status, &["/history/state"]).as_str() {
        "done" => format!("{objects} objects, back to {since}"),
        "reading" => {
            let percent = fields::text(status, &["/history/done_percent"]);
            let left = age(status, "/history/remaining_s", ", about", " left");
            format!("{objects} objects, {percent} % of the way to {since}{left}")
        }
        _ => String::new(),
    }
}

/// How long a hole in the events was and what it held.
fn gap(gap: &Value) -> String {
    let text = |pointer| fields::text(gap, &[pointer]);
    let held = held::in_words(&gap["held"]);
    let what =
        format!("{} s long on {}, held {} events: {held}", text("/length_s"), text("/lane"), text("/events"));
    what.trim_end_matches([':', ' ']).to_owned()
}

fn elements<'a>(status: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    status.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// How one account is read: `by poll and webhook, last answer 4 s ago, complete to …, mode automate`.
fn source(lane: &Value) -> String {
    let text = |pointer: &str| fields::text(lane, &[pointer]);
    if !text("/stopped").is_empty() {
        return format!("stopped: {}", text("/stopped"));
    }
    if !text("/last_error").is_empty() {
        return format!("cannot be read: {}", text("/last_error"));
    }
    let sources: Vec<String> = elements(lane, "sources").map(|source| fields::text(source, &[""])).collect();
    let complete = shown(lane.get("complete_to"));
    let parts = [
        if sources.is_empty() { String::new() } else { format!("by {}", sources.join(" and ")) },
        age(lane, "/polled_age_s", "last answer", " ago"),
        if complete.is_empty() { complete } else { format!("complete to {complete}") },
        if text("/mode").is_empty() { String::new() } else { format!("mode {}", text("/mode")) },
    ];
    let told: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    told.join(", ")
}

/// A number with its words and what else there is to say; nothing where the installation does not tell it.
fn counted(status: &Value, pointer: &str, words: &str, more: &str) -> String {
    let number = fields::text(status, &[pointer]);
    match (number.is_empty(), more.is_empty()) {
        (true, _) => number,
        (false, true) => format!("{number} {words}"),
        (false, false) => format!("{number} {words}, {more}"),
    }
}

/// Said only where there are any.
fn troubling(status: &Value, pointer: &str, what: &str) -> String {
    let number = fields::text(status, &[pointer]);
    if number.is_empty() || number == "0" { String::new() } else { format!("{number}: {what}") }
}

/// `the last 4 s ago`; nothing where there is none.
fn age(status: &Value, pointer: &str, before: &str, after: &str) -> String {
    let Some(seconds) = status.pointer(pointer).and_then(Value::as_u64) else { return String::new() };
    let length = match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    };
    format!("{before} {length}{after}")
}

/// Business time is Stripe's, and Stripe's is UTC.
fn shown(at: Option<&Value>) -> String {
    let read = at.and_then(instant::read);
    read.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_is_told_in_words_and_units() {
        let status = json!({"object": "status", "status": "degraded", "version": "0.1.0", "demo": true,
            "business_time": "2026-11-21T14:02:05Z",
            "nodes": [{"node": "node_a", "version": "0.1.0", "answers": true, "up_s": 90, "heard_of_age_s": 0},
                {"node": "node_b", "version": "0.1.0", "answers": false, "up_s": 7200, "heard_of_age_s": 2}],
            "lanes": [{"lane": "acct_1/test", "sources": ["poll", "webhook"], "polled_age_s": 4, "mode": "automate",
                "complete_to": "2026-11-21T14:02:00Z", "last_error": null, "stopped": null},
                {"lane": "acct_2/live", "last_error": "401"}],
            "unconnected": ["other"], "queue": {"due": 3, "leased": 0, "later": 14, "dead": 2,
                "oldest_due": 1_795_269_725_000_000_i64}, "oldest_due_age_s": 75, "events": 18_204, "last_event_age_s": 7_300,
            "quarantined": 0, "approvals_pending": 2, "oldest_approval_age_s": 172_800, "executions_waiting": 1,
            "executions_in_doubt": 0, "audit_head": 99, "history": {"state": "reading", "objects": 4_200,
                "since": "2024-11-21T00:00:00Z", "done_percent": 37, "remaining_s": 240}, "audit_unsealed": 0, "kill_switches": [["all", "drill"]], "mail": false});
        insta::assert_snapshot!(table(&status).for_programs(), @r"
        status	degraded
        version	0.1.0
        time	2026-11-21 14:02 UTC, simulated
        acct_1/test	by poll and webhook, last answer 4 s ago, complete to 2026-11-21 14:02 UTC, mode automate
        acct_2/live	cannot be read: 401
        node_a	version 0.1.0, up 1 min, answers this
        node_b	version 0.1.0, up 2 h, heard of 2 s ago
        other	has not answered yet: bursar doctor --only stripe
        events	18204 kept, the last 2 h ago
        work	3 due, the oldest waits 1 min
        	14 planned for later
        gave up	2: bursar events dead
        waits for Stripe	1: sent and not answered yet; it goes on by itself
        approvals	2 wait for people, the oldest waits 2 d
        history	4200 objects, 37 % of the way to 2024-11-21 00:00 UTC, about 4 min left
        audit	99 entries, 0 not sealed yet
        kill switch all	drill
        mail	no mail server is configured: letters wait
        ");
    }

    #[test]
    fn the_exit_code_is_for_health_checks() {
        assert_eq!(exit(&json!({"status": "ok"})), Exit::Done);
        assert_eq!(exit(&json!({"status": "degraded"})), Exit::Failed);
    }
}
