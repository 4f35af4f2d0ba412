//! What an execution waits for, in words of ours.

use bursar_domain::action::Action;
use bursar_domain::execution::ExecutionState;
use bursar_store::executions::Execution;

use super::outcome::{LOOKING_AGAIN, TAKEN_ON, TOO_MUCH};

/// What a waiting execution waits for, where it waits.
pub(crate) fn told(execution: &Execution, action: &Action) -> Option<String> {
    let why = execution.waiting_for.as_deref()?;
    // There it is known by the name of what came of it.
    let parked = execution.state == ExecutionState::WaitingAtStripe;
    Some(words(action, if parked { TAKEN_ON } else { why }))
}

/// `the refund waits for Stripe, which answers 503; tried again by itself`.
pub(crate) fn words(action: &Action, why: &str) -> String {
    let what = match action {
        Action::RefundCharge { .. } => "the refund",
        Action::PayInvoice { .. } => "the payment",
        Action::CreatePortalSession { .. } => "the link",
        Action::SendMail(_) => "the letter",
        Action::CreateTask { .. } => "the task",
    };
    // What has left, or may not leave, is not tried again.
    let rests = [TOO_MUCH, LOOKING_AGAIN, TAKEN_ON].contains(&why) || why.contains(" is stopped: ");
    let how = if rests { "it goes on by itself" } else { "tried again by itself" };
    format!("{what} waits{}; {how}", reason(why))
}

fn reason(why: &str) -> String {
    let is_code = !why.is_empty() && why.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match why {
        "rate_limit" | "http_429" => " for Stripe, which asks to slow down".to_owned(),
        "idempotency_key_in_use" | "lock_timeout" => " for Stripe, which is still busy with it".to_owned(),
        _ if is_code => {
            let answer = why.strip_prefix("http_").map_or_else(|| why.replace('_', " "), str::to_owned);
            format!(" for Stripe, which answers {answer}")
        }
        "" => String::new(),
        _ => format!(": {why}"),
    }
}

#[cfg(test)]
mod tests {
    use bursar_stripe::currency::Currency;
    use bursar_stripe::money::Money;

    use super::*;

    #[test]
    fn a_code_becomes_a_sentence() {
        let action = Action::PayInvoice {
            invoice: "in_1".parse().unwrap(),
            amount: Money::new(4_900, Currency::USD),
            payment_method: None,
        };
        for (why, told) in [
            ("http_503", "the payment waits for Stripe, which answers 503; tried again by itself"),
            ("rate_limit", "the payment waits for Stripe, which asks to slow down; tried again by itself"),
            (
                "lock_timeout",
                "the payment waits for Stripe, which is still busy with it; tried again by itself",
            ),
            ("api_error", "the payment waits for Stripe, which answers api error; tried again by itself"),
            (
                "Stripe does not answer: no route",
                "the payment waits: Stripe does not answer: no route; tried again by itself",
            ),
            ("all is stopped: drill", "the payment waits: all is stopped: drill; it goes on by itself"),
        ] {
            assert_eq!(words(&action, why), told);
        }
    }
}
