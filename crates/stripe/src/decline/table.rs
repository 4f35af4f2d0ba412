//! The table of decline codes. Sorted by code; every row names its source.

use super::DeclineClass::{self, Human, NeedsCustomer, NeedsNewDetails, Never, RetryLater};

/// Where a row comes from, and when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// docs.stripe.com/declines/codes, card declines, 2026-10.
    CardDeclines,
    /// docs.stripe.com/declines/codes, other payment methods, 2026-10.
    OtherMethods,
    /// docs.stripe.com Smart Retries, codes that are never retried, 2026-09.
    SmartRetries,
    /// docs.stripe.com/error-codes, 2026-10.
    ErrorCodes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub code: &'static str,
    pub class: DeclineClass,
    /// Whether the customer may be told.
    pub told: bool,
    pub source: Source,
}

pub(super) fn find(code: &str) -> Option<&'static Row> {
    ROWS.binary_search_by(|row| row.code.cmp(code)).ok().map(|index| &ROWS[index])
}

const fn card(code: &'static str, class: DeclineClass) -> Row {
    Row { code, class, told: true, source: Source::CardDeclines }
}

const fn untold(code: &'static str, class: DeclineClass) -> Row {
    Row { code, class, told: false, source: Source::CardDeclines }
}

const fn other(code: &'static str, class: DeclineClass) -> Row {
    Row { code, class, told: true, source: Source::OtherMethods }
}

const fn hard(code: &'static str) -> Row {
    Row { code, class: Never, told: true, source: Source::SmartRetries }
}

const fn error(code: &'static str, class: DeclineClass) -> Row {
    Row { code, class, told: true, source: Source::ErrorCodes }
}

/// Codes that stand in two of the sources have the row of the stricter one.
pub const ROWS: &[Row] = &[
    card("approve_with_id", RetryLater),
    card("authentication_not_handled", NeedsCustomer),
    card("authentication_required", NeedsCustomer),
    card("call_issuer", RetryLater),
    // Stripe itself stops a card declined too often; it works again after 24 hours.
    error("card_decline_rate_limit_exceeded", RetryLater),
    card("card_not_supported", NeedsNewDetails),
    card("card_velocity_exceeded", RetryLater),
    other("compliance_violation", Never),
    card("currency_not_supported", NeedsNewDetails),
    card("do_not_honor", RetryLater),
    card("do_not_try_again", Never),
    // Perhaps paid already: look for the earlier payment.
    card("duplicate_transaction", Human),
    card("expired_card", NeedsNewDetails),
    other("expired_payment_information", NeedsNewDetails),
    untold("fraudulent", Never),
    card("generic_decline", RetryLater),
    // Stripe never sent it to the network, because it looks like fraud.
    Row { code: "highest_risk_level", class: Never, told: false, source: Source::SmartRetries },
    card("incorrect_address", NeedsNewDetails),
    card("incorrect_cvc", NeedsNewDetails),
    hard("incorrect_number"),
    card("incorrect_pin", NeedsNewDetails),
    card("incorrect_zip", NeedsNewDetails),
    card("insufficient_funds", RetryLater),
    card("invalid_account", NeedsNewDetails),
    // Likely our own mistake.
    card("invalid_amount", Human),
    other("invalid_authorization", Never),
    other("invalid_billing_agreement", Never),
    other("invalid_business_account", NeedsNewDetails),
    other("invalid_customer_account", NeedsNewDetails),
    card("invalid_cvc", NeedsNewDetails),
    card("invalid_expiry_month", NeedsNewDetails),
    card("invalid_expiry_year", NeedsNewDetails),
    card("invalid_number", NeedsNewDetails),
    other("invalid_payment_information", Never),
    card("invalid_pin", NeedsNewDetails),
    error("invoice_payment_intent_requires_action", NeedsCustomer),
    card("issuer_not_available", RetryLater),
    untold("lost_card", Never),
    untold("merchant_blacklist", Never),
    card("mobile_device_authentication_required", NeedsCustomer),
    card("new_account_information_available", NeedsNewDetails),
    card("no_action_taken", RetryLater),
    card("not_permitted", NeedsNewDetails),
    card("offline_pin_required", NeedsCustomer),
    card("online_or_offline_pin_required", NeedsCustomer),
    other("partner_generic_decline", RetryLater),
    other("partner_high_risk_customer", NeedsCustomer),
    other("partner_payment_not_found", NeedsCustomer),
    // Money may be contested already.
    other("payment_disputed", Human),
    other("payment_limit_exceeded", RetryLater),
    hard("pickup_card"),
    card("pin_try_exceeded", NeedsNewDetails),
    card("processing_error", RetryLater),
    card("reenter_transaction", RetryLater),
    card("restricted_card", NeedsNewDetails),
    hard("revocation_of_all_authorizations"),
    hard("revocation_of_authorization"),
    card("security_violation", NeedsNewDetails),
    card("service_not_allowed", NeedsNewDetails),
    untold("stolen_card", Never),
    // The customer withdrew the mandate as well.
    card("stop_payment_order", Never),
    // A test card where a real one is needed: configuration.
    card("testmode_decline", Human),
    hard("transaction_not_allowed"),
    card("try_again_later", RetryLater),
    card("withdrawal_count_limit_exceeded", RetryLater),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_without_doubles() {
        assert!(ROWS.is_sorted_by(|a, b| a.code < b.code));
        for row in ROWS {
            assert_eq!(find(row.code), Some(row));
        }
    }
}
