//! `bursar status`: how the running installation is doing.

use serde_json::Value;

use super::Outcome;
use super::exit::Exit;
use super::fields;
use super::installation::Identity;
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

/// `--quiet` is for health checks: the exit code says it all.
fn exit(status: &Value) -> Exit {
    let word = fields::text(status, &["/status", "/state"]);
    let well = matches!(word.as_str(), "" | "ok" | "healthy" | "ready" | "running");
    if well { Exit::Done } else { Exit::Failed }
}

/// Every plain value of the document, by its name.
fn table(status: &Value) -> Table {
    let mut table = Table::new([Column::Text("what"), Column::Text("now")], "nothing to report");
    let mut flat = Vec::new();
    let mut plain = status.clone();
    let gaps = plain.as_object_mut().and_then(|plain| plain.remove("gaps")).unwrap_or_default();
    flatten("", &plain, &mut flat);
    flat.extend(gaps.as_array().into_iter().flatten().map(gap));
    flat.sort();
    for (name, value) in flat {
        table.row([name, value]);
    }
    table
}

/// A hole in the events, on one line: when, how long, what it held.
fn gap(gap: &Value) -> (String, String) {
    let text = |pointer| fields::text(gap, &[pointer]);
    let held = held::in_words(&gap["held"]);
    let what =
        format!("{} s on {}, held {} events: {held}", text("/length_s"), text("/lane"), text("/events"));
    (format!("gap from {}", text("/from")), what.trim_end_matches([':', ' ']).to_owned())
}

fn flatten(name: &str, value: &Value, flat: &mut Vec<(String, String)>) {
    let below = |key: &str| {
        if name.is_empty() { key.replace('_', " ") } else { format!("{name} {}", key.replace('_', " ")) }
    };
    match value {
        Value::Object(map) => {
            // Lanes and other named things are called by their names.
            let own = ["lane", "name", "id"].iter().find_map(|key| map.get(*key)?.as_str());
            let named_by = |value: &Value| name.ends_with(']') && own.is_some() && value.as_str() == own;
            for (key, value) in map.iter().filter(|(key, value)| *key != "object" && !named_by(value)) {
                match own {
                    Some(own) if name.ends_with(']') => {
                        flatten(&format!("{own} {}", key.replace('_', " ")), value, flat);
                    }
                    _ => flatten(&below(key), value, flat),
                }
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                flatten(&format!("{name}[{index}]"), value, flat);
            }
        }
        Value::Null => {}
        _ => flat.push((name.to_owned(), fields::text(value, &[""]))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_is_laid_out_by_name() {
        let gap = json!({"object": "gap", "lane": "acct_1/test", "from": "2026-11-21T00:00:00Z", "length_s": 250,
            "events": 4, "held": {"invoice.paid": 1, "charge.succeeded": 3}});
        let status = json!({"object": "status", "status": "ok", "approvals": {"pending": 2}, "gaps": [gap],
            "lanes": [{"lane": "acct_1/test", "last_event_age_s": 4, "gap": null}], "troubles": ["one job gave up"]});
        assert_eq!(exit(&status), Exit::Done);
        insta::assert_snapshot!(table(&status).for_programs(), @r"
        acct_1/test last event age s	4
        approvals pending	2
        gap from 2026-11-21T00:00:00Z	250 s on acct_1/test, held 4 events: 3 charge.succeeded, 1 invoice.paid
        status	ok
        troubles[0]	one job gave up
        ");
        assert_eq!(exit(&json!({"status": "degraded"})), Exit::Failed);
    }
}
