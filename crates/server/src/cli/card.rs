//! The approval card in a terminal: the same document that every other surface shows and that the digest covers.

use std::fmt::Write;

use bursar_stripe::Money;
use serde_json::Value;

use super::fields;
use super::inert::inert;
use super::instant;

/// What the action would move, where it moves money.
pub fn money(approval: &Value) -> Option<Money> {
    let title = approval.pointer("/card/title")?;
    fields::money(title).or_else(|| fields::money(approval))
}

/// `Refund 640.00 USD to Lumen Labs (cus_…)`
pub fn headline(approval: &Value) -> String {
    let id = fields::text(approval, &["/card/title/counterparty_id"]);
    let id = if id.is_empty() { id } else { format!(" ({})", inert(&id)) };
    headline_without_id(approval) + &id
}

/// `Refund 640.00 USD to Lumen Labs`, for a column of a list.
pub fn headline_without_id(approval: &Value) -> String {
    let Some(title) = approval.pointer("/card/title") else {
        return fields::text(approval, &["/title", "/action", "/id"]);
    };
    if let Some(title) = title.as_str() {
        return inert(title);
    }
    let amount = money(approval).map(|money| format!(" {}", fields::grouped(money))).unwrap_or_default();
    let verb = inert(&fields::text(title, &["/verb"]));
    let preposition = match inert(&fields::text(title, &["/preposition"])) {
        word if word.is_empty() => "to".to_owned(),
        word => word,
    };
    let whom = inert(&fields::text(title, &["/counterparty"]));
    format!("{verb}{amount} {preposition} {whom}")
}

/// The whole card, several lines.
pub fn text(approval: &Value) -> String {
    let mut out = Lines::default();
    let card = approval.get("card").unwrap_or(&Value::Null);
    let id = fields::text(approval, &["/id"]);
    let status = fields::text(approval, &["/status"]);
    out.line(format!("APPROVAL {}  {}", inert(&id), inert(&status)));
    out.line(headline(approval));
    out.words("", &fields::text(card, &["/title/subject"]));
    risk(&mut out, card);
    requester(&mut out, card);
    why(&mut out, card);
    facts(&mut out, card);
    changes(&mut out, card);
    budget(&mut out, card);
    out.section("IF WRONG");
    out.words("", &fields::text(card, &["/if_wrong/headline"]));
    out.words("", &fields::text(card, &["/if_wrong/compensation"]));
    who(&mut out, card);
    votes(&mut out, approval);
    let at = card.pointer("/expiry/at").or_else(|| approval.get("expires_at"));
    if let Some(at) = at.filter(|_| status == "pending") {
        let then = fields::text(card, &["/expiry/then"]);
        out.line(format!("Expires {}. {}", instant::shown(at, true), inert(&then)));
    }
    out.line(format!("digest {}", inert(&fields::text(approval, &["/digest", "/card/digest"]))));
    for link in elements(card, "links") {
        out.line(format!(
            "{}  {}",
            inert(&fields::text(link, &["/label"])),
            inert(&fields::text(link, &["/url"]))
        ));
    }
    receipt(&mut out, approval);
    out.0
}

fn risk(out: &mut Lines, card: &Value) {
    let tier = fields::text(card, &["/risk/tier"]);
    if tier.is_empty() {
        return;
    }
    let reasons = card.pointer("/risk/reasons").and_then(Value::as_array).into_iter().flatten();
    let reasons: Vec<String> = reasons.map(|reason| inert(&fields::text(reason, &[""]))).collect();
    let colon = if reasons.is_empty() { "" } else { ": " };
    out.line(format!("risk {}{colon}{}", inert(&tier), reasons.join("; ")));
}

fn budget(out: &mut Lines, card: &Value) {
    let Some(budget) = card.get("budget").filter(|budget| budget.is_object()) else { return };
    out.section("BUDGET");
    out.words("", &fields::text(budget, &["/label"]));
    for line in elements(budget, "lines") {
        let part = |pointer: &str| inert(&fields::text(line, &[pointer]));
        out.line(format!("  {:<30} {} → {}", part("/scope"), part("/before"), part("/after")));
    }
}

fn requester(out: &mut Lines, card: &Value) {
    let Some(requester) = card.get("requester") else { return };
    let name = fields::text(requester, &["/name", "/id"]);
    let kind = fields::text(requester, &["/kind"]).replace('_', " ");
    let behalf = fields::text(requester, &["/on_behalf_of"]);
    let behalf = if behalf.is_empty() { behalf } else { format!(" for {}", inert(&behalf)) };
    out.line(format!("asked by {} {}{behalf}", inert(&kind), inert(&name)));
    let claim = fields::text(requester, &["/claim"]);
    if !claim.is_empty() {
        out.line(format!("  they say, unchecked: “{}”", inert(&claim)));
    }
}

fn why(out: &mut Lines, card: &Value) {
    out.section("WHY IT ASKS");
    for why in elements(card, "why") {
        let place = format!("{}:{}", fields::text(why, &["/file"]), fields::text(why, &["/line"]));
        out.line(format!("  {} ({})", inert(&fields::text(why, &["/policy"])), inert(&place)));
        if let Some(fired) = why.get("comparison").filter(|fired| fired.is_object()) {
            let part = |pointer: &str| inert(&fields::text(fired, &[pointer]));
            out.line(format!(
                "    {} {} {} {}",
                inert(&fields::text(fired, &["/label", "/fact"])),
                part("/value"),
                part("/operator"),
                part("/limit")
            ));
        }
        out.words("  ", &fields::text(why, &["/condition"]));
        out.words("  ", &fields::text(why, &["/counterfactual"]));
    }
    for also in elements(card, "also") {
        out.words("", &fields::text(also, &[""]));
    }
}

fn facts(out: &mut Lines, card: &Value) {
    out.section("FACTS  ● Stripe  ○ derived  ◇ claimed");
    for fact in elements(card, "facts") {
        let mark = match fields::text(fact, &["/source"]).as_str() {
            "stripe" => "●",
            "derived" => "○",
            _ => "◇",
        };
        let (label, value) = (fields::text(fact, &["/label"]), fields::text(fact, &["/value"]));
        let about = fields::text(fact, &["/about"]);
        let about = if about.is_empty() { about } else { format!(" (about {})", inert(&about)) };
        out.line(format!("  {mark} {:<28} {}{about}", inert(&label), inert(&value)));
    }
    let mut rates: Vec<String> =
        elements(card, "facts").map(|fact| inert(&fields::text(fact, &["/rate"]))).collect();
    rates.sort();
    rates.dedup();
    for rate in rates.iter().filter(|rate| !rate.is_empty()) {
        out.line(format!("  {rate}"));
    }
}

fn changes(out: &mut Lines, card: &Value) {
    out.section("WHAT WILL CHANGE");
    for change in elements(card, "changes") {
        let mark = match fields::text(change, &["/kind"]).as_str() {
            "create" => "+",
            "change" => "~",
            "unchanged" => "=",
            _ => "✉",
        };
        let (object, what) = (fields::text(change, &["/object"]), fields::text(change, &["/what"]));
        out.line(format!("  {mark} {:<28} {}", inert(&object), inert(&what)));
    }
    out.words("", &fields::text(card, &["/request/line"]));
}

fn who(out: &mut Lines, card: &Value) {
    out.section("WHO DECIDES");
    for asked in card.pointer("/who/requirements").and_then(Value::as_array).into_iter().flatten() {
        let people: Vec<String> =
            elements(asked, "people").map(|name| inert(&fields::text(name, &[""]))).collect();
        let (quorum, role) = (fields::text(asked, &["/quorum"]), fields::text(asked, &["/role"]));
        let colon = if people.is_empty() { "" } else { ": " };
        out.line(format!("  {} of {}{colon}{}", inert(&quorum), inert(&role), people.join(", ")));
    }
    if card.get("single_operator") == Some(&Value::Bool(true)) {
        out.line("  ! one-person installation: people may decide on what they asked for themselves");
    }
    for left_out in card.pointer("/who/excluded").and_then(Value::as_array).into_iter().flatten() {
        let (name, why) = (fields::text(left_out, &["/name"]), fields::text(left_out, &["/why"]));
        out.line(format!("  not {}: {}", inert(&name), inert(&why)));
    }
}

fn votes(out: &mut Lines, approval: &Value) {
    for vote in elements(approval, "votes") {
        let part = |pointer: &str| inert(&fields::text(vote, &[pointer]));
        let did = if part("/choice") == "approve" { "approved" } else { "rejected" };
        let at = vote.get("at").map(|at| instant::shown(at, true)).unwrap_or_default();
        let reason = part("/reason");
        let reason = if reason.is_empty() { reason } else { format!(": “{reason}”") };
        out.line(format!("  {} ({}) {did} {at}{reason}", part("/name"), part("/role")));
    }
}

fn receipt(out: &mut Lines, approval: &Value) {
    if let Some(next) = approval.get("superseded_by").filter(|next| next.is_object()) {
        let id = fields::text(next, &["/approval", "/proposal"]);
        out.line(format!("void: the world changed; asked for again as {}", inert(&id)));
    }
    let Some(receipt) = approval.get("receipt").filter(|receipt| !receipt.is_null()) else { return };
    out.section("RECEIPT");
    out.words("", &fields::text(receipt, &["/headline", "/outcome", "/status"]));
    for row in elements(receipt, "rows") {
        let part = |pointer: &str| inert(&fields::text(row, &[pointer]));
        let mark = if part("/predicted") == part("/actual") { "=" } else { "≠" };
        out.line(format!(
            "  {mark} {}: predicted {}, actual {}",
            part("/what"),
            part("/predicted"),
            part("/actual")
        ));
    }
    let request = fields::text(receipt, &["/request_id", "/stripe_request_id"]);
    if !request.is_empty() {
        out.line(format!("  Stripe's request {}", inert(&request)));
    }
    let booked = fields::text(receipt, &["/balance_transaction"]);
    if !booked.is_empty() {
        out.line(format!("  balance transaction {}", inert(&booked)));
    }
}

fn elements<'a>(document: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    document.get(key).and_then(Value::as_array).into_iter().flatten()
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, text: impl AsRef<str>) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        // Writing into a text cannot fail.
        let _ = write!(self.0, "{gap}{}", text.as_ref().trim_end());
    }

    fn section(&mut self, title: &str) {
        self.line("");
        self.line(title);
    }

    /// A line of words from outside, where there are any.
    fn words(&mut self, indent: &str, text: &str) {
        if !text.is_empty() {
            self.line(format!("  {indent}{}", inert(text)));
        }
    }
}

#[cfg(test)]
mod tests;
