//! One line of an account's balance: what came in or went out, and Stripe's fee on it.

use serde_json::Value;

use super::ObjectError;
use super::expandable::expands;
use super::fields::Fields;
use super::open_enum::open_enum;
use crate::currency::Currency;
use crate::id::BalanceTransactionId;
use crate::money::Money;

open_enum! {
    BalanceTransactionStatus { Available = "available", Pending = "pending" }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeDetail {
    pub amount: Money,
    /// `stripe_fee`, `application_fee`, `tax`, …
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceTransaction {
    pub id: BalanceTransactionId,
    pub currency: Currency,
    /// Below zero when money leaves the balance.
    pub amount: Money,
    pub fee: Money,
    /// `amount - fee`, as Stripe says it.
    pub net: Money,
    pub fee_details: Vec<FeeDetail>,
    /// `charge`, `refund`, `adjustment`, … over fifty of them.
    pub kind: String,
    /// What accounting goes by; splits adjustments. Absent before 2019.
    pub reporting_category: Option<String>,
    /// The object that caused it, of any kind.
    pub source: Option<String>,
    pub status: BalanceTransactionStatus,
    pub created_s: i64,
    pub available_on_s: i64,
}

expands!(BalanceTransaction, BalanceTransactionId);

impl BalanceTransaction {
    pub fn from_value(value: &Value) -> Result<BalanceTransaction, ObjectError> {
        let fields = Fields::of(value, "balance_transaction")?;
        let currency = fields.currency()?;
        let fee_details = fields.list("fee_details")?.iter().map(FeeDetail::from_part);
        Ok(BalanceTransaction {
            id: fields.id("id")?,
            currency,
            amount: fields.money("amount", currency)?,
            fee: fields.money("fee", currency)?,
            net: fields.money("net", currency)?,
            fee_details: fee_details.collect::<Result<_, _>>()?,
            kind: fields.text("type")?,
            reporting_category: fields.optional_text("reporting_category")?,
            source: fields.optional_id("source")?,
            status: fields.choice("status")?,
            created_s: fields.integer("created")?,
            available_on_s: fields.integer("available_on")?,
        })
    }
}

impl FeeDetail {
    fn from_part(value: &Value) -> Result<FeeDetail, ObjectError> {
        let fields = Fields::of_part(value, "fee_detail")?;
        let currency = fields.currency()?;
        Ok(FeeDetail { amount: fields.money("amount", currency)?, kind: fields.text("type")? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_of_the_balance_reads() {
        let value = json!({
            "id": "txn_A", "object": "balance_transaction", "amount": -2_000, "fee": -58, "net": -1_942,
            "currency": "eur", "type": "refund", "reporting_category": "refund", "status": "available",
            "created": 1_790_000_000, "available_on": 1_790_086_400,
            "source": {"id": "re_A", "object": "refund"},
            "fee_details": [{"amount": -58, "currency": "eur", "type": "stripe_fee", "application": null}],
        });
        let line = BalanceTransaction::from_value(&value).expect("reads");
        assert_eq!(line.net, Money::new(-1_942, Currency::EUR));
        assert_eq!(line.source.as_deref(), Some("re_A"));
        assert_eq!(line.fee_details[0].kind, "stripe_fee");
    }
}
