//! Asking for a refund from a case. What is typed is read in the charge's currency; the gate decides what becomes of it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use bursar_domain::proposal::ProposalState;
use bursar_engine::{RefundRequest, Submitted};
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use serde::Deserialize;

use super::case;
use super::posted::Posted;
use super::said::Said;
use super::visit::Visit;
use super::wording;
use crate::http::denial;
use crate::http::problem::Problem;

#[derive(Deserialize)]
pub struct Wish {
    charge: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    reason: String,
}

pub async fn ask(Path(id): Path<String>, posted: Posted<Wish>) -> Response {
    let Posted { visit, fields } = posted;
    let visit = visit.back_to(&format!("/cases/{id}"));
    let asked = submit(&visit, &id, fields).await;
    visit.answer(asked).await
}

async fn submit(visit: &Visit, id: &str, wish: Wish) -> Result<Response, Problem> {
    let document = case::read(visit, id).await?;
    let offered = document.refundable.filter(|offered| offered.charge == wish.charge);
    let offered = offered.ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "not_refundable",
            "nothing of this charge is left to refund; nothing was sent",
        )
    })?;
    let request = RefundRequest {
        amount: typed(&wish.amount, &offered.currency)?,
        charge: wish.charge,
        currency: Some(offered.currency),
        reason: wish.reason,
        lane: Some(document.lane),
    };
    let caller = &visit.caller;
    let submitted =
        visit.engine().request_refund(caller.actor.clone(), caller.roles.clone(), request).await?;
    let to_case = || format!("/cases/{}", submitted.case);
    let (said, place) = match (&submitted.approval, submitted.state) {
        (_, ProposalState::Denied) => return Err(denied(&submitted)),
        (Some(approval), _) if submitted.repeated => (Said::RefundRepeated, format!("/approvals/{approval}")),
        (Some(approval), _) => (Said::RefundAsked, format!("/approvals/{approval}")),
        (None, _) if submitted.repeated => (Said::RefundRepeated, to_case()),
        (None, _) => (Said::RefundAllowed, to_case()),
    };
    Ok(said.with(Redirect::to(&place).into_response()))
}

/// Minor units of what a person typed; nothing for an empty field, which means all that is left.
fn typed(text: &str, currency: &str) -> Result<Option<i64>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let currency = Currency::parse(currency)
        .map_err(|_| Problem::unprocessable("amount", "the currency is not known"))?;
    let money = Money::parse_decimal(text, currency)
        .map_err(|error| Problem::unprocessable("amount", format!("{error}; nothing was sent")))?;
    if money.amount <= 0 {
        return Err(Problem::unprocessable("amount", "the amount must be more than zero; nothing was sent"));
    }
    Ok(Some(money.amount))
}

/// What said no, and what policy would have said yes to where that is known.
fn denied(submitted: &Submitted) -> Problem {
    let why = wording::capitalised(&denial::why(&submitted.verdict));
    Problem::new(
        StatusCode::FORBIDDEN,
        "blocked_by_policy",
        format!("{why}. The request is filed; nothing was sent."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_read_in_the_charges_currency() {
        assert_eq!(typed(" 40.00 ", "usd").unwrap(), Some(4_000));
        assert_eq!(typed("500", "jpy").unwrap(), Some(500));
        assert_eq!(typed("", "usd").unwrap(), None);
        for bad in ["40.001", "-1", "0", "1e3", "40,00", "٤٠", "99999999999999999999"] {
            assert!(typed(bad, "usd").is_err(), "{bad}");
        }
        assert!(typed("10.50", "jpy").is_err());
    }
}
