//! Reading the fields of one object: absent and null are the same, another type is an error with its place.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::{Expand, Expandable, ObjectError};
use crate::currency::Currency;
use crate::money::Money;

/// One JSON object and the kind it was read as. A field may be a path: `parent.subscription_details`.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    kind: &'static str,
    object: &'a Map<String, Value>,
}

type Field<T> = Result<T, ObjectError>;

impl<'a> Fields<'a> {
    /// The fields of a whole resource, which must say it is of this kind and not be deleted.
    pub(super) fn of(value: &'a Value, kind: &'static str) -> Field<Fields<'a>> {
        if super::is_deleted(value) {
            return Err(ObjectError::Deleted { kind });
        }
        Fields::of_maybe_deleted(value, kind)
    }

    pub(super) fn of_maybe_deleted(value: &'a Value, kind: &'static str) -> Field<Fields<'a>> {
        let fields = Fields::of_part(value, kind)?;
        match fields.get("object").and_then(Value::as_str) {
            Some(found) if found == kind => Ok(fields),
            _ => Err(ObjectError::OtherKind { kind }),
        }
    }

    /// The fields of a part that carries no `object` of its own.
    pub(super) fn of_part(value: &'a Value, kind: &'static str) -> Field<Fields<'a>> {
        let object = value.as_object().ok_or(ObjectError::OtherKind { kind })?;
        Ok(Fields { kind, object })
    }

    pub(super) fn get(&self, path: &str) -> Option<&'a Value> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let mut value = self.object.get(first)?;
        for step in rest.split('.').filter(|step| !step.is_empty()) {
            value = value.get(step)?;
        }
        Some(value).filter(|value| !value.is_null())
    }

    /// Names the field when what was read of it is absent.
    pub(super) fn required<T>(&self, field: &'static str, read: Option<T>) -> Field<T> {
        read.ok_or(ObjectError::Missing { kind: self.kind, field })
    }

    pub(super) fn optional_text(&self, field: &'static str) -> Field<Option<String>> {
        self.convert(field, |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn text(&self, field: &'static str) -> Field<String> {
        self.required(field, self.optional_text(field)?)
    }

    pub(super) fn optional_integer(&self, field: &'static str) -> Field<Option<i64>> {
        self.convert(field, Value::as_i64)
    }

    pub(super) fn integer(&self, field: &'static str) -> Field<i64> {
        self.required(field, self.optional_integer(field)?)
    }

    pub(super) fn optional_flag(&self, field: &'static str) -> Field<Option<bool>> {
        self.convert(field, Value::as_bool)
    }

    pub(super) fn flag(&self, field: &'static str) -> Field<bool> {
        Ok(self.optional_flag(field)?.unwrap_or(false))
    }

    /// The id of a link, whether Stripe sent the id or the object.
    pub(super) fn optional_id<T: FromStr>(&self, field: &'static str) -> Field<Option<T>> {
        self.convert(field, |value| {
            let id = if value.is_object() { value.get("id")? } else { value };
            id.as_str()?.parse().ok()
        })
    }

    pub(super) fn id<T: FromStr>(&self, field: &'static str) -> Field<T> {
        self.required(field, self.optional_id(field)?)
    }

    pub(super) fn expandable<T: Expand>(&self, field: &'static str) -> Field<Option<Expandable<T>>> {
        match self.get(field) {
            Some(value @ Value::Object(_)) => Ok(Some(Expandable::Object(Box::new(T::expand(value)?)))),
            _ => Ok(self.optional_id(field)?.map(Expandable::Id)),
        }
    }

    /// One of Stripe's enums; a value we do not know is kept.
    pub(super) fn optional_choice<T: for<'t> From<&'t str>>(&self, field: &'static str) -> Field<Option<T>> {
        self.convert(field, |value| value.as_str().map(T::from))
    }

    pub(super) fn choice<T: for<'t> From<&'t str>>(&self, field: &'static str) -> Field<T> {
        self.required(field, self.optional_choice(field)?)
    }

    pub(super) fn optional_currency(&self, field: &'static str) -> Field<Option<Currency>> {
        self.convert(field, |value| Currency::parse(value.as_str()?).ok())
    }

    pub(super) fn currency(&self) -> Field<Currency> {
        self.required("currency", self.optional_currency("currency")?)
    }

    pub(super) fn optional_money(&self, field: &'static str, currency: Currency) -> Field<Option<Money>> {
        Ok(self.optional_integer(field)?.map(|amount| Money::new(amount, currency)))
    }

    pub(super) fn money(&self, field: &'static str, currency: Currency) -> Field<Money> {
        self.required(field, self.optional_money(field, currency)?)
    }

    pub(super) fn metadata(&self) -> Field<BTreeMap<String, String>> {
        let read = self.convert("metadata", |value| {
            let pairs = value.as_object()?.iter();
            pairs.map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        })?;
        Ok(read.unwrap_or_default())
    }

    /// The items of a list, written `{data: […]}` or plainly `[…]`.
    pub(super) fn list(&self, field: &'static str) -> Field<&'a [Value]> {
        let Some(value) = self.get(field) else {
            return Ok(&[]);
        };
        let items = value.get("data").unwrap_or(value).as_array();
        items.map(Vec::as_slice).ok_or(ObjectError::Invalid { kind: self.kind, field })
    }

    fn convert<T>(&self, field: &'static str, read: impl FnOnce(&'a Value) -> Option<T>) -> Field<Option<T>> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or(ObjectError::Invalid { kind: self.kind, field })
    }
}
