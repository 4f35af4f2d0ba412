//! `/cases/{id}`: one problem on one object, its story, its money, what is proposed and what is to do.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use bursar_domain::id::CaseId;
use bursar_domain::lane::Lane;
use bursar_domain::role::Role;
use bursar_stripe::id::AccountId;

use super::documents::{self, CaseDocument, ProposalDocument, TaskDocument};
use super::posted::{Nothing, Posted};
use super::reading::{Reading, amount_of, micros};
use super::said::Said;
use super::view::{
    self, Amount, CaseFile, CasePage, DoubtForm, Inert, LaneLabel, MoneyLine, ObjectRow, ProposalRow,
    RefundForm, Section, Stamp, TaskRow,
};
use super::visit::Visit;
use super::wording;
use crate::http::api::proposals::LOOKERS;
use crate::http::problem::Problem;

mod story;

pub async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    let page = page(&visit, &id).await.map(|page| view::page(&page));
    visit.answer(page).await
}

async fn page(visit: &Visit, id: &str) -> Result<CasePage, Problem> {
    let document = read(visit, id).await?;
    let survey = visit.survey().await?;
    let heading = format!("{}, {}", title(&document), subject(&document));
    let shell = visit.shell(Inert::capped(&heading, 80).text(), Section::Inbox, &survey);
    Ok(CasePage { shell, file: file(visit, document) })
}

pub(super) async fn read(visit: &Visit, id: &str) -> Result<CaseDocument, Problem> {
    let id: CaseId = id.parse().map_err(|_| Problem::not_found("case"))?;
    documents::read(visit.engine().case(&id).await?)
}

/// Whom it is about: by name where there is one.
pub(super) fn subject(case: &CaseDocument) -> &str {
    case.customer_name.as_deref().or(case.customer.as_deref()).unwrap_or(&case.about.id)
}

/// What happened, in a few words of ours.
pub(super) fn title(case: &CaseDocument) -> String {
    case.class.as_deref().map_or_else(|| wording::words(&case.playbook), wording::class)
}

/// One line more for the queue.
pub(super) fn summary(case: &CaseDocument, reading: Reading) -> String {
    if let Some(what) = &case.blocked_on {
        return if is_waiting(what) { what.clone() } else { format!("not known: {what}") };
    }
    let until = case.waiting_until.as_deref().and_then(micros);
    // The playbook's own line is `2,400.00 EUR unpaid: declined for now (…)`; the amount stands beside it.
    let told = case.title.split_once(": ").map_or("", |(_, rest)| rest);
    match (until, told) {
        (Some(at), "") => format!("looks again {}", reading.when(at).text),
        (Some(at), told) => format!("{told} · looks again {}", reading.when(at).text),
        (None, "") => case.about.id.clone(),
        (None, told) => told.to_owned(),
    }
}

/// The file as pages show it.
pub(super) fn file(visit: &Visit, case: CaseDocument) -> CaseFile {
    let reading = visit.reading();
    let lane = visit.lane_of(&case.lane);
    let when = |at: &str| micros(at).map(|at| reading.when(at)).unwrap_or_default();
    let asks = case.proposals.iter().any(|proposal| proposal.state == "asking");
    let open_task = case.tasks.iter().any(|task| task.state == "open");
    let state = if open_task { "needs_person" } else { case.state.as_str() };
    CaseFile {
        title: title(&case),
        subject: Inert::capped(subject(&case), 80),
        subject_id: case.customer.clone(),
        amount: asked_amount(&case).or_else(|| amount_of(case.amount, case.currency.as_deref())),
        status: wording::case_status(state, case.class.as_deref(), case.outcome.as_deref(), asks),
        class: case.class.as_deref().map(wording::words),
        class_rule: case.decisions.last().map(|decision| decision.rule.clone()),
        waiting_for: waiting_for(&case, reading),
        owner: None,
        opened: when(&case.opened_at),
        due: case.due_at.as_deref().filter(|_| case.state != "closed").map(when),
        money: case.money.iter().filter_map(money_line).collect(),
        timeline: case.timeline.iter().map(|line| story::entry(line, reading)).collect(),
        refund: refund_form(&case),
        tasks: case
            .tasks
            .iter()
            .filter(|task| task.state == "open")
            .map(|task| task_row(visit, task))
            .collect(),
        objects: objects(visit, &case, &lane),
        // What is to do inside Bursar stands among the tasks.
        proposals: case
            .proposals
            .iter()
            .rev()
            .filter(|proposal| proposal.verb != "task.create")
            .map(|proposal| proposal_row(visit, proposal))
            .collect(),
        facts: case.facts.into_iter().map(|fact| fact.into_fact(&reading)).collect(),
        id: case.id,
        lane,
    }
}

/// What an open approval is about, where one is: the case may have had other requests since.
fn asked_amount(case: &CaseDocument) -> Option<Amount> {
    let amount = &case.proposals.iter().find(|proposal| proposal.state == "asking")?.params["amount"];
    amount_of(amount["amount"].as_i64(), amount["currency"].as_str())
}

/// An execution says in a sentence what it waits for; a decision only names what is not known.
fn is_waiting(what: &str) -> bool {
    what.ends_with(" by itself")
}

/// What is waiting for what.
fn waiting_for(case: &CaseDocument, reading: Reading) -> Option<String> {
    if let Some(task) = case.tasks.iter().find(|task| task.state == "open") {
        return Some(format!("Waits for somebody with the role {} to do what stands below.", task.role));
    }
    match case.state.as_str() {
        "waiting" => {
            let at = micros(case.waiting_until.as_deref()?)?;
            Some(format!(
                "Waits until {}, then looks again. Stripe's own retries go on meanwhile.",
                reading.when(at).text
            ))
        }
        "blocked" => Some(match case.blocked_on.as_deref()? {
            what if is_waiting(what) => format!("{}.", wording::capitalised(what)),
            what => format!("Stands still: {what} is not known. It looks again by itself."),
        }),
        "needs_person" if case.proposals.iter().any(|proposal| proposal.state == "in_doubt") => Some(
            "Nobody knows whether it happened. Look at Stripe, then say below what became of it.".to_owned(),
        ),
        "needs_person" => Some("Waits for a decision.".to_owned()),
        _ => None,
    }
}

fn money_line(line: &documents::MoneyDocument) -> Option<MoneyLine> {
    let amount = amount_of(Some(line.amount), Some(&line.currency))?;
    Some(MoneyLine { label: line.label.clone(), amount, total: line.total })
}

fn refund_form(case: &CaseDocument) -> Option<RefundForm> {
    let left = case.refundable.as_ref()?;
    Some(RefundForm {
        charge: left.charge.clone(),
        refundable: amount_of(Some(left.amount), Some(&left.currency))?,
        hint: Some("Policy decides whether it goes through by itself or somebody is asked first.".to_owned()),
    })
}

fn task_row(visit: &Visit, task: &TaskDocument) -> TaskRow {
    TaskRow {
        id: task.id.clone(),
        title: Inert::line(&task.body.title),
        body: Inert::block(task.body.body.trim(), 1_000),
        role: task.role.clone(),
        at: visit.reading().when(task.created_at),
        mine: visit.caller.roles.iter().any(|role| role.as_str() == task.role),
    }
}

fn proposal_row(visit: &Visit, proposal: &ProposalDocument) -> ProposalRow {
    let reading = visit.reading();
    let doubt = (proposal.state == "in_doubt").then(|| DoubtForm {
        proposal: proposal.id.clone(),
        may_look: visit.caller.require(LOOKERS).is_ok(),
        may_settle: visit.caller.require(&[Role::Controller]).is_ok(),
    });
    let reason = proposal.why.as_deref().filter(|why| !why.is_empty()).unwrap_or(&proposal.reason);
    ProposalRow {
        title: Inert::line(&proposal.headline),
        reason: Inert::line(reason),
        status: wording::proposal_status(&proposal.state),
        href: proposal.approval.as_ref().map(|id| format!("/approvals/{id}")),
        at: micros(&proposal.proposed_at).map_or_else(Stamp::default, |at| reading.when(at)),
        doubt,
    }
}

fn objects(visit: &Visit, case: &CaseDocument, lane: &LaneLabel) -> Vec<ObjectRow> {
    let about = Some((case.about.kind.as_str(), case.about.id.as_str()));
    let charge = case.refundable.as_ref().map(|left| ("charge", left.charge.as_str()));
    let customer = case.customer.as_deref().map(|id| ("customer", id));
    let mut rows: Vec<ObjectRow> = Vec::new();
    for (kind, id) in [about, charge, customer].into_iter().flatten() {
        if rows.iter().all(|row| row.id != id) {
            // The demo's Stripe has no dashboard.
            let href = if visit.state.demo.is_some() { None } else { dashboard(kind, id, lane) };
            rows.push(ObjectRow { kind: kind.replace('_', " "), id: id.to_owned(), href });
        }
    }
    rows
}

/// Stripe's own page of an object.
fn dashboard(kind: &str, id: &str, lane: &LaneLabel) -> Option<String> {
    let lane = Lane::new(AccountId::parse(&lane.account).ok()?, lane.livemode);
    bursar_engine::cards::dashboard(&lane, kind, id)
}

pub async fn finish_task(Path((case, task)): Path<(String, String)>, posted: Posted<Nothing>) -> Response {
    let visit = posted.visit.back_to(&format!("/cases/{case}"));
    let done = finish(&visit, &case, &task).await;
    visit.answer(done).await
}

/// Whoever holds the role of the task may tick it off.
async fn finish(visit: &Visit, case: &str, task: &str) -> Result<Response, Problem> {
    let document = read(visit, case).await?;
    let known = document.tasks.iter().find(|known| known.id == task);
    let known = known.ok_or_else(|| Problem::not_found("task"))?;
    if !visit.caller.roles.iter().any(|role| role.as_str() == known.role) {
        return Err(Problem::forbidden(format!(
            "this task is for the role {}; nothing was changed",
            known.role
        )));
    }
    visit.engine().finish_task(&visit.caller.actor, task).await?;
    Ok(Said::TaskDone.with(Redirect::to(&format!("/cases/{}", document.id)).into_response()))
}
