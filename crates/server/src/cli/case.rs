//! `bursar case`: problems under way.

mod doubt;

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
  bursar case show case_…
  bursar case look-again prop_…
  bursar case settle prop_… --happened --reason 'in the dashboard'";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum CaseCommand {
    /// Cases, newest first
    List(ListArgs),
    /// One case with its timeline and proposals
    Show(ShowArgs),
    /// Look once more for what is in doubt; nothing is sent
    LookAgain(doubt::LookAgainArgs),
    /// Say whether what is in doubt happened; nothing is sent
    Settle(doubt::SettleArgs),
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
        CaseCommand::LookAgain(args) => doubt::look_again(&args, session),
        CaseCommand::Settle(args) => doubt::settle(&args, session),
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
            fields::text(case, &["/about/id"]),
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
        let entries = case.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !entries.is_empty() {
            lines.extend([String::new(), heading.to_owned()]);
        }
        lines.extend(entries.iter().map(|entry| format!("  {}", entry_text(entry, for_people))));
    }
    lines.join("\n")
}

/// When, who, what, and in brackets what became of it.
fn entry_text(entry: &Value, for_people: bool) -> String {
    let part = |pointers: &[&str]| inert(&fields::text(entry, pointers));
    let at = instant::shown(instants(entry, &["at", "proposed_at"]), for_people);
    let who = part(&["/actor/label", "/requested_by/label"]);
    let what = match part(&["/kind"]).as_str() {
        "decision" => format!("{}: {}", part(&["/data/class"]), part(&["/data/rule", "/data/incomplete"])),
        "vote" => format!("{} {}", part(&["/data/choice"]), part(&["/data/reason"])).trim_end().to_owned(),
        kind => match part(&["/data/headline", "/data/type", "/headline", "/data/text"]) {
            text if text.is_empty() => kind.replace('_', " "),
            text => text,
        },
    };
    let outcome = part(&["/data/state", "/data/ruling", "/state"]);
    // Who is to say what became of it needs its name.
    let doubted = if outcome == "in_doubt" { part(&["/id"]) } else { String::new() };
    let outcome = if outcome.is_empty() { outcome } else { format!("  [{outcome}]") };
    let outcome = if doubted.is_empty() { outcome } else { format!("{outcome}  {doubted}") };
    format!("{at}  {who:<18}  {what}{outcome}")
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
            "timeline": [
                {"at": "2026-11-21T14:02:05Z", "kind": "event", "actor": {"label": "Bursar"},
                    "data": {"type": "invoice.payment_failed", "opened": true}},
                {"at": "2026-11-21T14:02:06Z", "kind": "decision", "actor": {"label": "playbook recovery"},
                    "data": {"class": "temporary_failure", "rule": "insufficient_funds"}},
                {"at": "2026-11-21T14:05:00Z", "kind": "vote", "actor": {"label": "Carl Brandt"},
                    "data": {"choice": "reject", "reason": "called\nthem"}}],
            "proposals": [{"id": "prop_1", "headline": "Pay in_1", "state": "rejected",
                "proposed_at": "2026-11-21T14:02:06Z", "requested_by": {"label": "playbook recovery"}},
                {"id": "prop_2", "headline": "Pay in_1", "state": "in_doubt",
                "proposed_at": "2026-11-21T14:02:07Z", "requested_by": {"label": "playbook recovery"}}]});
        insta::assert_snapshot!(text(&case, false), @r"
        CASE case_1  open
        recovery · temporary_failure · 2400.00 EUR · cus_1

        TIMELINE
          2026-11-21T14:02:05Z  Bursar              invoice.payment_failed
          2026-11-21T14:02:06Z  playbook recovery   temporary_failure: insufficient_funds
          2026-11-21T14:05:00Z  Carl Brandt         reject called them

        PROPOSALS
          2026-11-21T14:02:06Z  playbook recovery   Pay in_1  [rejected]
          2026-11-21T14:02:07Z  playbook recovery   Pay in_1  [in_doubt]  prop_2
        ");
        let list = json!({"object": "list", "data": [case]});
        assert_eq!(
            table(&list, false).for_programs(),
            "case_1\topen\trecovery\ttemporary_failure\t2400.00 EUR\t\tcus_1\t"
        );
    }
}
