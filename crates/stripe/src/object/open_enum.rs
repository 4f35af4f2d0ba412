//! Enums of Stripe's, which Stripe may add to: what we do not know is kept as text.

/// Declares an enum with an `Unknown(String)` variant, `as_str`, and serde as the string itself.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$note])* $variant,)+
            /// A value newer than this table.
            Unknown(String),
        }

        impl $name {
            /// As Stripe writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Ok(Self::from(text.as_ref()))
            }
        }
    };
}

pub(super) use open_enum;

#[cfg(test)]
mod tests {
    open_enum! {
        /// Only for this test.
        Light { Red = "red", Green = "green" }
    }

    #[test]
    fn unknown_values_survive_a_round_trip() {
        for text in ["\"red\"", "\"green\"", "\"ultraviolet\""] {
            let light: Light = serde_json::from_str(text).expect("parses");
            assert_eq!(serde_json::to_string(&light).expect("serialises"), text);
        }
        assert_eq!(Light::from("red"), Light::Red);
        assert_eq!(Light::from("RED"), Light::Unknown("RED".into()));
    }
}
