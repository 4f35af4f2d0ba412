//! Declines: what an issuer says, as Stripe words it. The texts are Stripe's sense in our words; network
//! codes are examples of what a network sends with such a decline.

/// One way a card can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the fields keep Stripe's names")]
pub struct Decline {
    /// `error.code`
    pub code: &'static str,
    pub decline_code: &'static str,
    pub message: &'static str,
    pub advice_code: Option<&'static str>,
    pub network_decline_code: Option<&'static str>,
}

const DECLINED: &str = "Your card was declined.";
const UNSUPPORTED: &str = "Your card does not support this type of purchase.";

const fn declined(decline_code: &'static str, advice: &'static str, network: &'static str) -> Decline {
    spoken("card_declined", decline_code, DECLINED, advice, network)
}

const fn spoken(
    code: &'static str,
    decline_code: &'static str,
    message: &'static str,
    advice: &'static str,
    network: &'static str,
) -> Decline {
    let advice_code = if advice.is_empty() { None } else { Some(advice) };
    Decline { code, decline_code, message, advice_code, network_decline_code: Some(network) }
}

const LATER: &str = "try_again_later";
const NEVER: &str = "do_not_try_again";
const CHECK: &str = "confirm_card_data";

/// By decline code, in alphabetical order.
pub const DECLINES: &[Decline] = &[
    declined("approve_with_id", LATER, "02"),
    spoken(
        "authentication_required",
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
        "",
        "1A",
    ),
    declined("call_issuer", LATER, "01"),
    spoken("card_declined", "card_not_supported", UNSUPPORTED, "", "57"),
    spoken(
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
        LATER,
        "65",
    ),
    spoken("card_declined", "currency_not_supported", "Your card does not support this currency.", "", "57"),
    declined("do_not_honor", LATER, "05"),
    declined("do_not_try_again", NEVER, "R1"),
    declined("duplicate_transaction", "", "94"),
    spoken("expired_card", "expired_card", "Your card has expired.", CHECK, "54"),
    declined("fraudulent", NEVER, "59"),
    declined("generic_decline", LATER, "05"),
    spoken("incorrect_address", "incorrect_address", "Your card's address is incorrect.", CHECK, "82"),
    spoken("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", CHECK, "N7"),
    spoken("incorrect_number", "incorrect_number", "Your card number is incorrect.", NEVER, "14"),
    spoken("incorrect_zip", "incorrect_zip", "Your card's postal code is incorrect.", CHECK, "82"),
    spoken("card_declined", "insufficient_funds", "Your card has insufficient funds.", LATER, "51"),
    declined("invalid_account", NEVER, "46"),
    declined("invalid_amount", "", "13"),
    declined("issuer_not_available", LATER, "91"),
    declined("lost_card", NEVER, "41"),
    declined("merchant_blacklist", NEVER, "59"),
    declined("new_account_information_available", CHECK, "82"),
    declined("no_action_taken", LATER, "21"),
    declined("not_permitted", "", "57"),
    declined("pickup_card", NEVER, "04"),
    declined("pin_try_exceeded", "", "75"),
    spoken(
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
        LATER,
        "96",
    ),
    declined("reenter_transaction", LATER, "19"),
    declined("restricted_card", "", "62"),
    declined("revocation_of_all_authorizations", NEVER, "R3"),
    declined("revocation_of_authorization", NEVER, "R1"),
    declined("security_violation", "", "63"),
    declined("service_not_allowed", "", "58"),
    declined("stolen_card", NEVER, "43"),
    declined("stop_payment_order", NEVER, "R0"),
    declined("testmode_decline", "", "05"),
    declined("transaction_not_allowed", NEVER, "57"),
    declined("try_again_later", LATER, "91"),
    declined("withdrawal_count_limit_exceeded", LATER, "65"),
];

/// Codes after which Stripe plans retries but carries none out until there is another method.
const HARD: [&str; 9] = [
    "incorrect_number",
    "lost_card",
    "pickup_card",
    "stolen_card",
    "revocation_of_authorization",
    "revocation_of_all_authorizations",
    "authentication_required",
    "highest_risk_level",
    "transaction_not_allowed",
];

/// The decline with this code.
pub fn decline(decline_code: &str) -> Option<Decline> {
    DECLINES.iter().copied().find(|decline| decline.decline_code == decline_code)
}

/// Whether Stripe skips its own retries after this code.
pub fn is_hard(code: &str) -> bool {
    HARD.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_single() {
        assert!(DECLINES.windows(2).all(|pair| pair[0].decline_code < pair[1].decline_code));
    }
}
