//! JSON in one pass, stricter than JSON: no key twice, bounded depth, exact amounts, known currencies.
//!
//! Works while the value is built, so that a hostile body costs no more than a good one. Amounts and
//! currencies are known by their key; what merchants write themselves (`metadata`, a meter event's
//! `payload`) is theirs and not judged.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::EventError;
use crate::currency::Currency;
use crate::json;

/// Objects and arrays inside one another. Stripe's own stay below 15.
pub const DEPTH_MAX: u32 = 64;

pub(super) fn parse(text: &str) -> Result<Value, EventError> {
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let strict = Strict { depth: 0, rule: Rule::Any, fault: &fault };
    let parsed = strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    parsed.map_err(|error| {
        fault.take().unwrap_or(EventError::NotJson { line: error.line(), column: error.column() })
    })
}

/// What a value must satisfy because of the key it stands under.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Any,
    /// A number here is money; so is nothing else but null and structured amounts.
    Amount,
    /// A number here is money; text may be a kind (`amount_type`) or an exact decimal.
    AmountOrText,
    Currency,
    /// The merchant's own keys and values, all the way down.
    Merchants,
}

impl Rule {
    fn under(self, key: &str) -> Rule {
        match key {
            _ if self == Rule::Merchants => Rule::Merchants,
            "metadata" | "payload" => Rule::Merchants,
            "currency" => Rule::Currency,
            "amount"
            | "amount_due"
            | "amount_paid"
            | "amount_remaining"
            | "amount_captured"
            | "amount_refunded"
            | "amount_capturable"
            | "amount_received"
            | "amount_requested"
            | "amount_overpaid"
            | "amount_shipping"
            | "amount_subtotal"
            | "amount_total"
            | "amount_off"
            | "application_fee_amount"
            | "unit_amount"
            | "net"
            | "subtotal"
            | "total" => Rule::Amount,
            _ if key.starts_with("amount_") => Rule::AmountOrText,
            _ => Rule::Any,
        }
    }

    fn is_money(self) -> bool {
        matches!(self, Rule::Amount | Rule::AmountOrText)
    }
}

struct Strict<'a> {
    depth: u32,
    rule: Rule,
    /// The first thing wrong, kept beside serde's own error, which has only words for it.
    fault: &'a Cell<Option<EventError>>,
}

impl<'a> Strict<'a> {
    fn refuse<T, E: serde::de::Error>(&self, error: EventError) -> Result<T, E> {
        let refusal = E::custom(&error);
        self.fault.set(Some(error));
        Err(refusal)
    }

    /// The seed for what stands inside this value.
    fn inner<E: serde::de::Error>(&self, rule: Rule) -> Result<Strict<'a>, E> {
        if self.depth >= DEPTH_MAX {
            return self.refuse(EventError::TooDeep);
        }
        Ok(Strict { depth: self.depth + 1, rule, fault: self.fault })
    }

    fn text<E: serde::de::Error>(&self, text: String) -> Result<Value, E> {
        match self.rule {
            Rule::Amount => self.refuse(EventError::AmountNotInteger),
            Rule::Currency if Currency::parse(&text).is_err() => self.refuse(EventError::UnknownCurrency),
            _ => Ok(Value::String(text)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if self.rule.is_money() && i64::try_from(value).is_err() {
            return self.refuse(EventError::AmountNotInteger);
        }
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if self.rule.is_money() {
            return self.refuse(EventError::AmountNotInteger);
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.text(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.inner::<A::Error>(self.rule)?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let outer = if self.rule == Rule::Merchants { Rule::Merchants } else { Rule::Any };
        let mut fields = Map::new();
        while let Some(key) = entries.next_key::<String>()?.map(json::field) {
            let value = entries.next_value_seed(self.inner::<A::Error>(outer.under(&key))?)?;
            if fields.insert(key, value).is_some() {
                return self.refuse(EventError::DuplicateKey);
            }
        }
        Ok(Value::Object(fields))
    }
}
