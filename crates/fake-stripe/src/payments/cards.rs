//! Stripe's documented test cards: what each number, and each `pm_card_…`, does when it is charged.

use serde_json::{Value, json};

use super::declines::{Decline, decline};
use crate::doc::Doc as _;
use crate::world::{Kind, Tx, ids};

/// How the issuer of a card behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    Approves,
    /// Says no, to a new card at once and to a kept one at every charge.
    Declines(Decline),
    /// Wants the customer: succeeds only on-session and authenticated.
    Authenticates {
        then: Option<Decline>,
    },
    /// Stripe itself does not send it.
    Blocked,
    RiskLevel(&'static str),
    /// Succeeds, and is disputed.
    Disputed {
        reason: &'static str,
        inquiry: bool,
        copies: u8,
    },
    FraudWarned,
    RefundPends,
    RefundFails,
    /// Succeeds, and the money is there at once.
    AvailableAtOnce,
    /// Succeeds; a check of CVC or address fails.
    FailsCheck(&'static str),
}

/// One documented card.
#[derive(Debug)]
pub struct TestCard {
    pub number: &'static str,
    /// The name after `pm_card_`.
    pub name: &'static str,
    pub brand: &'static str,
    /// As [`behaviour`] reads it.
    pub acts: &'static str,
    /// A card that cannot even be kept for a customer.
    pub keeps: bool,
}

const fn card(number: &'static str, name: &'static str, brand: &'static str, acts: &'static str) -> TestCard {
    TestCard { number, name, brand, acts, keeps: true }
}

const fn refused(number: &'static str, name: &'static str, acts: &'static str) -> TestCard {
    TestCard { number, name, brand: "visa", acts, keeps: false }
}

/// The cards of Stripe's testing page, copy of 2026-08-07.
pub const TEST_CARDS: &[TestCard] = &[
    card("4242424242424242", "visa", "visa", "approve"),
    card("4000056655665556", "visa_debit", "visa", "approve"),
    card("5555555555554444", "mastercard", "mastercard", "approve"),
    card("378282246310005", "amex", "amex", "approve"),
    refused("4000000000000002", "visa_chargeDeclined", "decline:generic_decline"),
    refused("4000000000009995", "visa_chargeDeclinedInsufficientFunds", "decline:insufficient_funds"),
    refused("4000000000009987", "visa_chargeDeclinedLostCard", "decline:lost_card"),
    refused("4000000000009979", "visa_chargeDeclinedStolenCard", "decline:stolen_card"),
    refused("4000000000000069", "chargeDeclinedExpiredCard", "decline:expired_card"),
    refused("4000000000000127", "chargeDeclinedIncorrectCvc", "decline:incorrect_cvc"),
    refused("4000000000000119", "chargeDeclinedProcessingError", "decline:processing_error"),
    refused("4242424242424241", "", "decline:incorrect_number"),
    refused("4000000000006975", "visa_chargeDeclinedVelocityLimitExceeded", "decline:card_velocity_exceeded"),
    card("4000000000000341", "chargeCustomerFail", "visa", "decline:generic_decline"),
    card("4100000000000019", "radarBlock", "visa", "block"),
    card("4000000000004954", "riskLevelHighest", "visa", "risk:highest"),
    card("4000000000009235", "riskLevelElevated", "visa", "risk:elevated"),
    card("4000000000000101", "cvcCheckFail", "visa", "check:cvc_check"),
    card("4000000000000036", "avsZipFail", "visa", "check:address_postal_code_check"),
    card("4000000000000028", "avsLine1Fail", "visa", "check:address_line1_check"),
    card("4000000000000010", "avsFail", "visa", "check:address"),
    card("4000000000000044", "avsUnchecked", "visa", "approve"),
    card("4000002500003155", "authenticationRequiredOnSetup", "visa", "authenticate"),
    card("4000002760003184", "authenticationRequired", "visa", "authenticate"),
    card("4000003800000446", "authenticationRequiredSetupForOffSession", "visa", "approve"),
    card(
        "4000008260003178",
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        "visa",
        "authenticate:insufficient_funds",
    ),
    card("4000000000003220", "threeDSecure2Required", "visa", "authenticate"),
    card("4000008400001629", "threeDSecureRequiredChargeDeclined", "visa", "authenticate:generic_decline"),
    card("4000008400001280", "threeDSecureRequiredProcessingError", "visa", "authenticate:processing_error"),
    card("4000000000003055", "threeDSecureOptional", "visa", "approve"),
    card("4000000000003097", "threeDSecureOptionalProcessingError", "visa", "approve"),
    card("4000000000000259", "createDispute", "visa", "dispute:fraudulent"),
    card("4000000000002685", "createDisputeProductNotReceived", "visa", "dispute:product_not_received"),
    card("4000000000001976", "createDisputeInquiry", "visa", "inquiry:fraudulent"),
    card("4000000000005423", "createIssuerFraudRecord", "visa", "warn"),
    card("4000000404000079", "createMultipleDisputes", "visa", "disputes:fraudulent"),
    card("4000000404000038", "createCe3EligibleDispute", "visa", "dispute:fraudulent"),
    card("4000008400000779", "createComplianceDispute", "visa", "dispute:noncompliant"),
    card("5105008400000002", "createMastercardComplianceDispute", "mastercard", "dispute:noncompliant"),
    card("4000000001000043", "createAutoRepresentmentEligibleDispute", "visa", "dispute:fraudulent"),
    card("4000000000007726", "pendingRefund", "visa", "refund:pending"),
    card("4000000000005126", "refundFail", "visa", "refund:fail"),
    card("4000000000000077", "bypassPending", "visa", "available"),
    card("4000003720000278", "bypassPendingInternational", "visa", "available"),
];

/// The card that a `pm_card_…` or `tok_…` name stands for.
pub fn named(id: &str) -> Option<&'static TestCard> {
    let name = id.strip_prefix("pm_card_").or_else(|| id.strip_prefix("tok_"))?;
    TEST_CARDS.iter().find(|card| card.name == name && !name.is_empty())
}

pub fn numbered(number: &str) -> Option<&'static TestCard> {
    TEST_CARDS.iter().find(|card| card.number == number)
}

/// Reads what [`TestCard::acts`] or a kept issuer record says. Unknown words approve.
pub fn behaviour(acts: &str) -> Behaviour {
    let (verb, what) = acts.split_once(':').unwrap_or((acts, ""));
    match verb {
        "decline" => decline(what).map_or(Behaviour::Approves, Behaviour::Declines),
        "authenticate" => Behaviour::Authenticates { then: decline(what) },
        "block" => Behaviour::Blocked,
        "risk" if what == "highest" => Behaviour::RiskLevel("highest"),
        "risk" => Behaviour::RiskLevel("elevated"),
        "dispute" | "inquiry" | "disputes" => Behaviour::Disputed {
            reason: REASONS.iter().copied().find(|reason| *reason == what).unwrap_or("fraudulent"),
            inquiry: verb == "inquiry",
            copies: if verb == "disputes" { 2 } else { 1 },
        },
        "warn" => Behaviour::FraudWarned,
        "refund" if what == "pending" => Behaviour::RefundPends,
        "refund" => Behaviour::RefundFails,
        "available" => Behaviour::AvailableAtOnce,
        "check" if what == "cvc_check" => Behaviour::FailsCheck("cvc_check"),
        "check" if what == "address_line1_check" => Behaviour::FailsCheck("address_line1_check"),
        "check" => Behaviour::FailsCheck("address_postal_code_check"),
        _ => Behaviour::Approves,
    }
}

/// The reasons a dispute can have.
pub const REASONS: [&str; 15] = [
    "bank_cannot_process",
    "check_returned",
    "credit_not_processed",
    "customer_initiated",
    "debit_not_authorized",
    "duplicate",
    "fraudulent",
    "general",
    "incorrect_account_details",
    "insufficient_funds",
    "noncompliant",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
];

/// The fingerprint that every card of this number has.
pub fn fingerprint(number: &str) -> String {
    let seed = number.bytes().fold(0u64, |sum, digit| ids::mix(sum ^ u64::from(digit)));
    ids::letters(seed, 1, 16)
}

/// How the issuer of this payment method behaves now.
pub fn issuer(tx: &Tx<'_>, payment_method: &Value) -> Behaviour {
    let fingerprint = payment_method.text("card.fingerprint");
    let platform = tx.world.platform.clone();
    let Some(record) = tx.world.get(&platform, Kind::IssuerCard, fingerprint) else {
        return Behaviour::Approves;
    };
    if record.maybe_int("until").is_some_and(|until| until <= tx.now) {
        return Behaviour::Approves;
    }
    behaviour(record.text("acts"))
}

/// Lets the issuer of this fingerprint act so from now on, until a business time if one is given.
pub fn instruct(tx: &mut Tx<'_>, fingerprint: &str, acts: &str, until: Option<i64>) {
    let platform = tx.world.platform.clone();
    tx.put_on(&platform, Kind::IssuerCard, json!({"id": fingerprint, "acts": acts, "until": until}));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_card_reads_as_what_it_says() {
        for card in TEST_CARDS {
            let plain = card.acts == "approve";
            assert_eq!(behaviour(card.acts) == Behaviour::Approves, plain, "{}", card.number);
        }
        assert!(named("pm_card_chargeCustomerFail").unwrap().keeps);
        assert!(!numbered("4000000000009995").unwrap().keeps);
        assert!(named("pm_card_").is_none());
    }
}
