//! The exact request of each action. The bytes are made once, stored with the intent and never made again.

use bursar_domain::action::Action;
use bursar_domain::canonical::hash_hex;
use bursar_domain::id::ProposalId;
use bursar_store::planted::{Bug, planted};
use bursar_stripe::api_version::PINNED;

use crate::stripe_api::encode;
use crate::{Error, Result};

/// How an action reaches the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Stripe {
        path: String,
        body: Vec<u8>,
    },
    /// The letter itself lies in the proposal; what is stored is its address to the connector.
    Mail {
        body: Vec<u8>,
    },
    /// A row of ours: the intent's transaction is the effect.
    Task,
}

impl Request {
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Request::Stripe { .. } => "POST",
            Request::Mail { .. } => "SMTP",
            Request::Task => "INSERT",
        }
    }

    pub(crate) fn path(&self) -> &str {
        match self {
            Request::Stripe { path, .. } => path,
            Request::Mail { .. } => "mail",
            Request::Task => "tasks",
        }
    }

    pub(crate) fn api_version(&self) -> &'static str {
        match self {
            Request::Stripe { .. } => PINNED,
            Request::Mail { .. } | Request::Task => "",
        }
    }

    pub(crate) fn body(&self) -> &[u8] {
        match self {
            Request::Stripe { body, .. } | Request::Mail { body } => body,
            Request::Task => &[],
        }
    }
}

/// What will be sent for an action.
pub(crate) fn of(action: &Action, proposal: &ProposalId) -> Result<Request> {
    let stripe = |path: String, pairs: &[(&str, &str)]| Request::Stripe {
        path,
        body: encode(pairs.iter().copied()).into_bytes(),
    };
    Ok(match action {
        Action::RefundCharge { charge, amount, reason } => {
            let minor = through_a_float(amount.amount).to_string();
            stripe(
                "/v1/refunds".to_owned(),
                &[
                    ("charge", charge.as_str()),
                    ("amount", &minor),
                    ("reason", reason.as_str()),
                    ("metadata[bursar_action]", proposal.as_str()),
                    ("expand[]", "charge"),
                ],
            )
        }
        Action::PayInvoice { invoice, payment_method, .. } => {
            // The payments show what was taken now; the invoice alone only what was taken in all.
            let mut pairs = vec![("off_session", "true"), ("expand[]", "payments")];
            if let Some(method) = payment_method {
                pairs.push(("payment_method", method.as_str()));
            }
            stripe(format!("/v1/invoices/{}/pay", invoice.as_str()), &pairs)
        }
        Action::CreatePortalSession { customer } => {
            stripe("/v1/billing_portal/sessions".to_owned(), &[("customer", customer.as_str())])
        }
        Action::SendMail(mail) => Request::Mail {
            body: serde_json::to_vec(mail).map_err(|error| Error::Broken(error.to_string()))?,
        },
        Action::CreateTask { .. } => Request::Task,
    })
}

/// The idempotency key: from the installation and the action, never from chance or time.
pub(crate) fn idempotency_key(installation: &str, proposal: &ProposalId) -> String {
    format!("bursar_{}", &hash_hex(format!("{installation}\n{proposal}").as_bytes())[..40])
}

/// The key as some bugs would make it: [`Bug::KeyFromAmount`].
pub(crate) fn planted_key(key: String, action: &Action) -> String {
    match action.amount() {
        Some(amount) if planted(Bug::KeyFromAmount) => {
            format!("bursar_{}", &hash_hex(amount.to_string().as_bytes())[..40])
        }
        _ => key,
    }
}

/// Unchanged, but for [`Bug::FloatMoney`]: in major units and back.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "that is the bug")]
fn through_a_float(amount: i64) -> i64 {
    if planted(Bug::FloatMoney) { (amount as f64 / 100.0 * 100.0) as i64 } else { amount }
}

#[cfg(test)]
mod tests {
    use bursar_domain::action::RefundReason;
    use bursar_stripe::currency::Currency;
    use bursar_stripe::money::Money;

    use super::*;

    #[test]
    fn a_refund_says_its_amount_and_carries_our_mark() {
        let action = Action::RefundCharge {
            charge: "ch_1".parse().unwrap(),
            amount: Money::new(64_000, Currency::USD),
            reason: RefundReason::Duplicate,
        };
        let proposal = ProposalId::from_entropy([1; 16]);
        let request = of(&action, &proposal).unwrap();
        assert_eq!(request.path(), "/v1/refunds");
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        assert_eq!(
            body,
            format!(
                "charge=ch_1&amount=64000&reason=duplicate&metadata[bursar_action]={proposal}&expand[]=charge"
            )
        );
    }

    #[test]
    fn a_payment_asks_to_see_what_was_taken() {
        let action = Action::PayInvoice {
            invoice: "in_1".parse().unwrap(),
            amount: Money::new(4_900, Currency::USD),
            payment_method: Some("pm_1".parse().unwrap()),
        };
        let request = of(&action, &ProposalId::from_entropy([1; 16])).unwrap();
        assert_eq!(request.path(), "/v1/invoices/in_1/pay");
        assert_eq!(request.body(), b"off_session=true&expand[]=payments&payment_method=pm_1");
    }

    #[test]
    fn the_key_depends_on_installation_and_action_only() {
        let (one, other) = (ProposalId::from_entropy([1; 16]), ProposalId::from_entropy([2; 16]));
        assert_eq!(idempotency_key("inst_1", &one), idempotency_key("inst_1", &one));
        assert_ne!(idempotency_key("inst_1", &one), idempotency_key("inst_1", &other));
        assert_ne!(idempotency_key("inst_1", &one), idempotency_key("inst_2", &one));
    }
}
