//! A link that Stripe sends as an id, or as the whole object when asked to expand it.

use serde_json::Value;

use super::ObjectError;

/// An object others link to.
pub trait Expand: Sized {
    type Id: std::str::FromStr + Clone;

    fn expand(value: &Value) -> Result<Self, ObjectError>;

    fn id(&self) -> &Self::Id;
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expandable<T: Expand> {
    Id(T::Id),
    Object(Box<T>),
}

impl<T: Expand> Expandable<T> {
    pub fn id(&self) -> &T::Id {
        match self {
            Expandable::Id(id) => id,
            Expandable::Object(object) => object.id(),
        }
    }

    /// The object itself, if Stripe sent it.
    pub fn object(&self) -> Option<&T> {
        match self {
            Expandable::Id(_) => None,
            Expandable::Object(object) => Some(object),
        }
    }
}

/// Lets a view with a field `id` stand where Stripe may expand a link.
macro_rules! expands {
    ($name:ident, $id:ident) => {
        impl super::Expand for $name {
            type Id = $id;

            fn expand(value: &serde_json::Value) -> Result<Self, super::ObjectError> {
                Self::from_value(value)
            }

            fn id(&self) -> &$id {
                &self.id
            }
        }
    };
}

pub(super) use expands;
