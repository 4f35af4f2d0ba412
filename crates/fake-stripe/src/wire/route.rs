//! A route: what a call looks like, which permission it needs and who answers it.

use super::Params;
use crate::error::{ApiError, ApiResult};
use crate::world::Tx;

/// The ids from the path and the parameters.
#[derive(Debug, Default)]
pub struct Args {
    pub ids: Vec<String>,
    pub params: Params,
}

impl Args {
    /// The first id in the path.
    pub fn id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }
}

pub type Handler = fn(&mut Tx<'_>, &Args) -> ApiResult;

/// One line of a resource's page.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    /// `/v1/charges/{id}/capture`
    pub path: &'static str,
    /// What a restricted key needs read or write permission for.
    pub resource: &'static str,
    pub required: &'static [&'static str],
    pub optional: &'static [&'static str],
    /// Whether it takes a list's parameters too.
    pub lists: bool,
    pub run: Handler,
}

impl Route {
    pub const fn get(path: &'static str, resource: &'static str, run: Handler) -> Self {
        Self { method: "GET", path, resource, required: &[], optional: &[], lists: false, run }
    }

    pub const fn list(
        path: &'static str,
        resource: &'static str,
        filters: &'static [&'static str],
        run: Handler,
    ) -> Self {
        Self { method: "GET", path, resource, required: &[], optional: filters, lists: true, run }
    }

    pub const fn post(
        path: &'static str,
        resource: &'static str,
        required: &'static [&'static str],
        optional: &'static [&'static str],
        run: Handler,
    ) -> Self {
        Self { method: "POST", path, resource, required, optional, lists: false, run }
    }

    pub const fn delete(path: &'static str, resource: &'static str, run: Handler) -> Self {
        Self { method: "DELETE", path, resource, required: &[], optional: &[], lists: false, run }
    }

    /// With further parameters.
    #[must_use]
    pub const fn with(mut self, optional: &'static [&'static str]) -> Self {
        self.optional = optional;
        self
    }

    /// The ids in the path, if it is this route's.
    pub fn matches(&self, method: &str, path: &str) -> Option<Vec<String>> {
        if self.method != method {
            return None;
        }
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        let mut ids = Vec::new();
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(ids),
                (Some("{id}"), Some(id)) if !id.is_empty() => ids.push(id.to_owned()),
                (Some(want), Some(have)) if want == have => {}
                _ => return None,
            }
        }
    }

    /// Stripe's complaint about a parameter it does not know or does not get.
    pub fn check(&self, params: &Params) -> ApiResult<()> {
        let known = |name: &str| {
            name == "expand"
                || self.optional.contains(&name)
                || self.required.contains(&name)
                || (self.lists && super::list::LIST.contains(&name))
        };
        if let Some(unknown) = params.names().find(|name| !known(name)) {
            return Err(ApiError::unknown(unknown));
        }
        match self.required.iter().find(|name| !params.has(name)) {
            Some(missing) => Err(ApiError::missing(missing)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn paths_match_segment_by_segment() {
        let route = Route::get("/v1/charges/{id}/refunds/{id}", "charges", |_, _| Ok(Value::Null));
        let ids = route.matches("GET", "/v1/charges/ch_1/refunds/re_1");
        assert_eq!(ids, Some(vec!["ch_1".to_owned(), "re_1".to_owned()]));
        for (method, path) in [
            ("POST", "/v1/charges/ch_1/refunds/re_1"),
            ("GET", "/v1/charges/ch_1/refunds"),
            ("GET", "/v1/charges//refunds/re_1"),
            ("GET", "/v1/charges/a/refunds/b/c"),
        ] {
            assert_eq!(route.matches(method, path), None, "{method} {path}");
        }
    }
}
