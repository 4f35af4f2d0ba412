//! A charge: one attempt to take money, and what was given back of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expandable::expands;
use super::fields::Fields;
use super::open_enum::open_enum;
use super::{BalanceTransaction, Card, Expandable, ObjectError, Outcome};
use crate::currency::Currency;
use crate::id::{ChargeId, CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId};
use crate::money::Money;

open_enum! {
    ChargeStatus { Succeeded = "succeeded", Pending = "pending", Failed = "failed" }
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are Stripe's, each by its own name")]
pub struct Charge {
    pub id: ChargeId,
    pub status: ChargeStatus,
    pub currency: Currency,
    pub amount: Money,
    pub amount_captured: Money,
    /// A total over all refunds, not the last one.
    pub amount_refunded: Money,
    pub paid: bool,
    pub captured: bool,
    /// Wholly refunded.
    pub refunded: bool,
    pub disputed: bool,
    pub customer: Option<CustomerId>,
    /// Only in shapes before basil; since then ask for the invoice payments of the payment intent.
    pub invoice: Option<InvoiceId>,
    pub payment_intent: Option<PaymentIntentId>,
    pub payment_method: Option<PaymentMethodId>,
    /// `card`, `sepa_debit`, …
    pub payment_method_type: Option<String>,
    pub card: Option<Card>,
    pub outcome: Option<Outcome>,
    pub failure_code: Option<String>,
    pub failure_message: Option<String>,
    pub balance_transaction: Option<Expandable<BalanceTransaction>>,
    pub created_s: i64,
    pub livemode: bool,
    pub metadata: BTreeMap<String, String>,
}

expands!(Charge, ChargeId);

impl Charge {
    pub fn from_value(value: &Value) -> Result<Charge, ObjectError> {
        let fields = Fields::of(value, "charge")?;
        let currency = fields.currency()?;
        let amount = fields.money("amount", currency)?;
        let captured = fields.flag("captured")?;
        // Before captures could be partial there was only the flag.
        let whole = if captured { amount } else { Money::zero(currency) };
        Ok(Charge {
            id: fields.id("id")?,
            status: fields.choice("status")?,
            currency,
            amount,
            amount_captured: fields.optional_money("amount_captured", currency)?.unwrap_or(whole),
            amount_refunded: fields.money("amount_refunded", currency)?,
            paid: fields.flag("paid")?,
            captured,
            refunded: fields.flag("refunded")?,
            disputed: fields.optional_flag("disputed")?.unwrap_or(fields.get("dispute").is_some()),
            customer: fields.optional_id("customer")?,
            invoice: fields.optional_id("invoice")?,
            payment_intent: fields.optional_id("payment_intent")?,
            payment_method: fields.optional_id("payment_method")?,
            payment_method_type: fields.optional_text("payment_method_details.type")?,
            card: fields.get("payment_method_details.card").map(Card::from_part).transpose()?,
            outcome: fields.get("outcome").map(Outcome::from_part).transpose()?,
            failure_code: fields.optional_text("failure_code")?,
            failure_message: fields.optional_text("failure_message")?,
            balance_transaction: fields.expandable("balance_transaction")?,
            created_s: fields.integer("created")?,
            livemode: fields.flag("livemode")?,
            metadata: fields.metadata()?,
        })
    }

    /// What can still be given back: captured less refunded, which is not the amount after a partial capture.
    pub fn refundable(&self) -> Money {
        let left = self.amount_captured.amount.saturating_sub(self.amount_refunded.amount);
        Money::new(left.max(0), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::{AdviceCode, OutcomeType};

    fn declined() -> Value {
        json!({
            "id": "ch_A1", "object": "charge", "amount": 64_000, "amount_captured": 0, "amount_refunded": 0,
            "currency": "usd", "status": "failed", "paid": false, "captured": false, "refunded": false,
            "disputed": false, "created": 1_790_000_000, "livemode": true, "customer": "cus_A",
            "payment_intent": "pi_A", "payment_method": "pm_A", "metadata": {"order": "7"},
            "failure_code": "card_declined", "failure_message": "Your card has insufficient funds.",
            "balance_transaction": null,
            "outcome": {"type": "issuer_declined", "reason": "insufficient_funds",
                "network_decline_code": "51", "advice_code": "try_again_later",
                "network_advice_code": null, "risk_level": "normal"},
            "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "0341",
                "fingerprint": "fpA", "country": "US", "funding": "debit", "exp_month": 4, "exp_year": 2031}},
        })
    }

    #[test]
    fn a_declined_charge_tells_why() {
        let charge = Charge::from_value(&declined()).expect("reads");
        let outcome = charge.outcome.as_ref().expect("has an outcome");
        assert_eq!(outcome.kind, Some(OutcomeType::IssuerDeclined));
        assert_eq!(outcome.advice_code, Some(AdviceCode::TryAgainLater));
        assert_eq!(charge.card.as_ref().and_then(|card| card.fingerprint.as_deref()), Some("fpA"));
        assert_eq!(charge.invoice, None);
        assert!(charge.refundable().is_zero());
    }

    #[test]
    fn refundable_is_captured_less_refunded() {
        let mut value = declined();
        let table = [
            (json!(10_000), 0, true, 10_000),
            (json!(6_000), 1_500, true, 4_500),
            (json!(6_000), 6_000, true, 0),
            (json!(6_000), 6_001, true, 0),
            (json!(0), 0, false, 0),
            // Shapes of 2019 and before have no amount_captured.
            (json!(null), 4_000, true, 60_000),
            (json!(null), 0, false, 0),
        ];
        for (captured_amount, refunded, captured, left) in table {
            value["amount_captured"] = captured_amount.clone();
            value["amount_refunded"] = json!(refunded);
            value["captured"] = json!(captured);
            let charge = Charge::from_value(&value).expect("reads");
            assert_eq!(charge.refundable().amount, left, "{captured_amount} - {refunded}");
        }
    }

    #[test]
    fn old_and_expanded_links_read_alike() {
        let mut value = declined();
        value["invoice"] = json!("in_A");
        value["customer"] = json!({"id": "cus_A", "object": "customer", "deleted": true});
        value["balance_transaction"] = json!({"id": "txn_A", "object": "balance_transaction", "amount": 5,
            "fee": 1, "net": 4, "currency": "usd", "type": "charge", "created": 1, "available_on": 2,
            "status": "pending"});
        let charge = Charge::from_value(&value).expect("reads");
        assert_eq!(charge.invoice.as_ref().map(InvoiceId::as_str), Some("in_A"));
        assert_eq!(charge.customer.as_ref().map(CustomerId::as_str), Some("cus_A"));
        let transaction = charge.balance_transaction.as_ref().and_then(Expandable::object);
        assert_eq!(transaction.map(|transaction| transaction.net.amount), Some(4));
    }

    #[test]
    fn what_would_make_money_wrong_is_refused() {
        let table = [
            ("amount", json!("64000")),
            ("amount", json!(640.5)),
            ("amount", json!(null)),
            ("currency", json!("USD")),
            ("currency", json!("xxx")),
            ("id", json!("pi_A")),
            ("object", json!("refund")),
            ("status", json!(1)),
            ("customer", json!("../customers")),
        ];
        for (field, bad) in table {
            let mut value = declined();
            value[field] = bad.clone();
            assert!(Charge::from_value(&value).is_err(), "{field} = {bad}");
        }
    }
}
