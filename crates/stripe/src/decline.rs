//! What a declined payment allows next, from a dated table of Stripe's decline codes.
//!
//! The class is ours, the codes and what Stripe suggests are Stripe's. There is no agreed list in the trade,
//! so every row says where it comes from, and a code we do not know goes to a person.

mod table;

pub use table::{ROWS, Row, Source};

/// What may be done with the same payment method after a decline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineClass {
    /// Never again with this payment method.
    Never,
    /// Not before its details change: a new card, another expiry date.
    NeedsNewDetails,
    /// The customer must do something with it: authenticate, enter a PIN.
    NeedsCustomer,
    /// The same payment may work another day.
    RetryLater,
    /// A person must look before anything else happens.
    Human,
}

impl DeclineClass {
    /// A stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            DeclineClass::Never => "never",
            DeclineClass::NeedsNewDetails => "needs_new_details",
            DeclineClass::NeedsCustomer => "needs_customer",
            DeclineClass::RetryLater => "retry_later",
            DeclineClass::Human => "human",
        }
    }
}

/// The class of a decline, from what Stripe says about it: `decline_code` (on a charge `outcome.reason`),
/// the error's `code` (on a charge `failure_code`), and the issuer's `advice_code`, which beats the table.
/// A network's own codes, where stricter, are for the caller to weigh.
pub fn classify(decline_code: Option<&str>, code: Option<&str>, advice_code: Option<&str>) -> DeclineClass {
    let advised = advice_code.and_then(advice);
    let listed = || [decline_code, code].into_iter().flatten().find_map(table::find).map(|row| row.class);
    advised.or_else(listed).unwrap_or(DeclineClass::Human)
}

/// Whether the customer may be told this code. Stripe asks that some stay untold (a thief reads along), and
/// what we do not know is not told either: say that the payment was declined.
pub fn customer_visible(code: &str) -> bool {
    table::find(code).is_some_and(|row| row.told)
}

/// Stripe's three advice codes; source: the API description of 2026-10-28.
fn advice(advice_code: &str) -> Option<DeclineClass> {
    match advice_code {
        "do_not_try_again" => Some(DeclineClass::Never),
        "try_again_later" => Some(DeclineClass::RetryLater),
        "confirm_card_data" => Some(DeclineClass::NeedsNewDetails),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_beats_the_table() {
        let never = Some("do_not_try_again");
        assert_eq!(classify(Some("insufficient_funds"), None, never), DeclineClass::Never);
        let later = Some("try_again_later");
        assert_eq!(classify(Some("expired_card"), None, later), DeclineClass::RetryLater);
        let data = Some("confirm_card_data");
        assert_eq!(classify(None, None, data), DeclineClass::NeedsNewDetails);
        // Advice newer than this table says nothing.
        assert_eq!(classify(Some("expired_card"), None, Some("dance")), DeclineClass::NeedsNewDetails);
    }

    #[test]
    fn the_decline_code_comes_before_the_error_code() {
        let table = [
            (Some("insufficient_funds"), Some("card_declined"), DeclineClass::RetryLater),
            (Some("lost_card"), Some("card_declined"), DeclineClass::Never),
            (Some("authentication_required"), Some("card_declined"), DeclineClass::NeedsCustomer),
            (Some("duplicate_transaction"), None, DeclineClass::Human),
            (None, Some("expired_card"), DeclineClass::NeedsNewDetails),
            (None, Some("invoice_payment_intent_requires_action"), DeclineClass::NeedsCustomer),
            (Some("brand_new_code"), Some("card_declined"), DeclineClass::Human),
            (Some("brand_new_code"), Some("expired_card"), DeclineClass::NeedsNewDetails),
            (None, Some("card_declined"), DeclineClass::Human),
            (None, None, DeclineClass::Human),
        ];
        for (decline_code, code, class) in table {
            assert_eq!(classify(decline_code, code, None), class, "{decline_code:?} {code:?}");
        }
    }

    #[test]
    fn what_stripe_never_retries_is_never_retried_here() {
        // Hard codes of Smart Retries, 2026-09; authentication needs the customer, not another card.
        let hard = [
            "incorrect_number",
            "lost_card",
            "pickup_card",
            "stolen_card",
            "revocation_of_authorization",
            "revocation_of_all_authorizations",
            "highest_risk_level",
            "transaction_not_allowed",
        ];
        for code in hard {
            assert_eq!(classify(Some(code), None, None), DeclineClass::Never, "{code}");
        }
    }

    #[test]
    fn some_codes_stay_untold() {
        for code in ["lost_card", "stolen_card", "fraudulent", "merchant_blacklist", "brand_new_code"] {
            assert!(!customer_visible(code), "{code}");
        }
        assert!(customer_visible("insufficient_funds"));
        assert!(customer_visible("expired_card"));
    }
}
