//! Stripe's ids, one type each, checked when parsed: prefix, characters and length.
//!
//! Promises: an id that parsed is safe in a path, a log line and a page; ids of two kinds never mix.

use std::fmt;

/// Stripe promises ids of at most this many characters.
pub const ID_LENGTH_MAX: usize = 255;

/// The text is not an id of the wanted kind. Never repeats the text, which may be hostile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{kind} is empty or longer than {ID_LENGTH_MAX} characters")]
    Length { kind: &'static str },
    #[error("{kind} must start with one of {prefixes:?} and go on after it")]
    Prefix { kind: &'static str, prefixes: &'static [&'static str] },
    #[error("{kind} holds a character that no id of Stripe's has")]
    Character { kind: &'static str },
}

/// What a kind of id may look like. No prefixes means that merchants choose the id themselves.
struct Shape {
    kind: &'static str,
    prefixes: &'static [&'static str],
}

impl Shape {
    fn check(&self, text: &str) -> Result<(), IdError> {
        let kind = self.kind;
        if text.is_empty() || text.len() > ID_LENGTH_MAX {
            return Err(IdError::Length { kind });
        }
        if self.prefixes.is_empty() {
            return check_characters(text, b"_-.:", kind);
        }
        let rest = self.prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
        match rest {
            Some(rest) if !rest.is_empty() => check_characters(rest, b"_", kind),
            _ => Err(IdError::Prefix { kind, prefixes: self.prefixes }),
        }
    }
}

/// Letters, digits and `extra`; a chosen id must not be a path step (`.`, `..`).
fn check_characters(text: &str, extra: &[u8], kind: &'static str) -> Result<(), IdError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || extra.contains(&byte);
    let only_dots = text.bytes().all(|byte| byte == b'.');
    if text.bytes().all(legal) && !only_dots { Ok(()) } else { Err(IdError::Character { kind }) }
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, [$($prefix:literal),*]) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// How such an id may begin; empty where merchants choose ids.
            pub const PREFIXES: &'static [&'static str] = &[$($prefix),*];

            pub fn parse(text: &str) -> Result<Self, IdError> {
                Shape { kind: stringify!($name), prefixes: Self::PREFIXES }.check(text)?;
                Ok(Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type!(AccountId, ["acct_"]);
id_type!(BalanceTransactionId, ["txn_"]);
id_type!(
    /// `py_` is a charge by another method than a card.
    ChargeId, ["ch_", "py_"]
);
id_type!(CreditNoteId, ["cn_"]);
id_type!(CustomerId, ["cus_"]);
id_type!(DisputeId, ["dp_", "du_"]);
id_type!(EventId, ["evt_"]);
id_type!(InvoiceId, ["in_"]);
id_type!(InvoicePaymentId, ["inpay_"]);
id_type!(PaymentIntentId, ["pi_"]);
id_type!(
    /// Sources and bank accounts of older integrations stand where a payment method does.
    PaymentMethodId, ["pm_", "card_", "src_", "ba_"]
);
id_type!(PortalSessionId, ["bps_"]);
id_type!(
    /// `price_` by default; a plan of older days has an id its merchant chose.
    PriceId, []
);
id_type!(
    /// `prod_` by default; merchants may choose their own.
    ProductId, []
);
id_type!(
    /// `pyr_` is a refund of a charge by another method than a card.
    RefundId, ["re_", "pyr_"]
);
id_type!(SubscriptionId, ["sub_"]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_checked() {
        assert!(ChargeId::parse("ch_1").is_ok());
        assert!(ChargeId::parse("py_1").is_ok());
        for bad in ["", "ch_", "ch", "pi_1", "CH_1", " ch_1", "xch_1"] {
            assert!(ChargeId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(matches!(ChargeId::parse("ch_"), Err(IdError::Prefix { .. })));
    }

    #[test]
    fn hostile_characters_and_lengths_are_refused() {
        for bad in ["in_../x", "in_%2e%2e", "in_a b", "in_a\u{0}", "in_ä", "in_a\n", "in_a?b", "in_<b>"] {
            assert!(InvoiceId::parse(bad).is_err(), "{bad:?}");
        }
        let longest = format!("in_{}", "a".repeat(ID_LENGTH_MAX - 3));
        assert!(InvoiceId::parse(&longest).is_ok());
        assert!(InvoiceId::parse(&format!("{longest}a")).is_err());
    }

    #[test]
    fn merchants_choose_ids_of_products_and_prices() {
        assert!(ProductId::parse("gold-plan.v2").is_ok());
        assert!(PriceId::parse("price_1PgafmB7WZ01").is_ok());
        for bad in ["", "..", ".", "a/b", "a b", "a%2e"] {
            assert!(PriceId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn serde_checks_too() {
        let id: EventId = serde_json::from_str("\"evt_1\"").expect("parses");
        assert_eq!(serde_json::to_string(&id).expect("serialises"), "\"evt_1\"");
        assert!(serde_json::from_str::<EventId>("\"ch_1\"").is_err());
    }
}
