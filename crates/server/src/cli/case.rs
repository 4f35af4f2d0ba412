//! `bursar case`: problems under way.

use serde_json::Value;

use super::exit::Exit;
use super::inert::inert;
use super::installation::Identity;
use super::session::Session;
use super::table::{Column, Table};
use super::{Outcome, client, fields, instant, runtime};

const EXAMPLES: &str = "\
Examples:
  bursar case list
  bursar case list --object in_…
  bursar case show case_…";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum CaseCommand {
    /// Cases, newest first
    List(ListArgs),
    /// One case with its timeline and proposals
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// About this object of Stripe's, such as in_… or ch_…
    #[arg(long)]
    object: Option<String>,
    /// In this state
    #[arg(long)]
    state: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    /// Go on after this case
    #[arg(long, value_name = "ID")]
    starting_after: Option<String>,
    #[command(flatten)]
    identity: Identity,
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(command: CaseCommand, session: &Session) -> Outcome {
    match command {
        CaseCommand::List(args) => list(&args, session),
        CaseCommand::Show(args) => show(&args, session),
    }
}

fn list(args: &ListArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    let limit = args.limit.to_string();
    let query = [
        ("object", args.object.as_deref().unwrap_or_default()),
        ("state", args.state.as_deref().unwrap_or_default()),
        ("starting_after", args.starting_after.as_deref().unwrap_or_default()),
        ("limit", &limit),
    ];
    runtime::block_on(async {
        let answer = client.get("/cases", &query).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.table(&table(&answer, output.is_terminal()))?;
        }
        Ok(Exit::Done)
    })
}

fn show(args: &ShowArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let case = client.get(&format!("/cases/{}", client::part(&args.id)), &[]).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&case)?;
        } else {
            output.line(text(&case, output.is_terminal()))?;
        }
        Ok(Exit::Done)
    })
}

fn table(answer: &Value, for_people: bool) -> Table {
    let columns = [
        Column::Text("case"),
        Column::Text("state"),
        Column::Text("playbook"),
        Column::Text("class"),
        Column::Number("amount"),
        Column::Text("object"),
        Column::Text("customer"),
        Column::Text("changed"),
    ];
    let mut table = Table::new(columns, "No case.");
    for case in fields::list(answer) {
        table.row([
            fields::text(case, &["/id"]),
            fields::text(case, &["/state", "/status"]),
            fields::text(case, &["/playbook"]),
            fields::text(case, &["/class"]),
            fields::money_text(case),
            fields::text(case, &["/stripe_object", "/subject", "/key"]),
            fields::text(case, &["/customer_name", "/customer"]),
            instant::shown(instants(case, &["updated_at", "updated", "opened_at", "created"]), for_people),
        ]);
    }
    table
}

/// Heading, then what happened in order, then what is proposed.
fn text(case: &Value, for_people: bool) -> String {
    let part = |pointers: &[&str]| inert(&fields::text(case, pointers));
    let mut lines = vec![format!("CASE {}  {}", part(&["/id"]), part(&["/state", "/status"]))];
    let title = part(&["/title", "/headline"]);
    let about = [
        part(&["/playbook"]),
        part(&["/class"]),
        fields::money_text(case),
        part(&["/customer_name", "/customer"]),
    ];
    lines.extend((!title.is_empty()).then_some(title));
    lines.push(
        about.iter().filter(|word| !word.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" · "),
    );
    for (heading, key) in [("TIMELINE", "timeline"), ("PROPOSALS", "proposals")] {
        let held = case.get(key).map(|held| held.get("data").unwrap_or(held));
        let entries = held.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !entries.is_empty() {
            lines.push(String::new());
            lines.push(heading.to_owned());
        }
        for entry in entries {
            let at = instant::shown(instants(entry, &["at", "created", "created_at"]), for_people);
            let what = fields::text(entry, &["/text", "/title", "/summary", "/what", "/kind", "/id"]);
            let state = fields::text(entry, &["/state", "/status", "/verdict"]);
            let state = if state.is_empty() { state } else { format!("  [{}]", inert(&state)) };
            lines.push(format!("  {at}  {}{state}", inert(&what)));
        }
    }
    lines.join("\n")
}

fn instants<'a>(document: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().find_map(|key| document.get(*key)).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_case_reads_from_top_to_bottom() {
        let case = json!({"id": "case_1", "object": "case", "state": "open", "playbook": "recovery",
            "class": "temporary_failure", "amount": 240_000, "currency": "eur", "customer": "cus_1",
            "timeline": [{"at": "2026-11-21T14:02:05Z", "kind": "event", "text": "invoice.payment_failed"}],
            "proposals": {"object": "list", "data": [{"id": "prop_1", "title": "Pay the invoice", "status": "asked"}]}});
        insta::assert_snapshot!(text(&case, false), @r"
        CASE case_1  open
        recovery · temporary_failure · 2400.00 EUR · cus_1

        TIMELINE
          2026-11-21T14:02:05Z  invoice.payment_failed

        PROPOSALS
            Pay the invoice  [asked]
        ");
        let list = json!({"object": "list", "data": [case]});
        assert_eq!(
            table(&list, false).for_programs(),
            "case_1\topen\trecovery\ttemporary_failure\t2400.00 EUR\t\tcus_1\t"
        );
    }
}
