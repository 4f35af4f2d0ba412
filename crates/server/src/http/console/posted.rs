//! A form that changes something: sent by a signed-in person, from a page of this origin, with the token of their session.
//!
//! Three locks, each enough by itself in today's browsers: cookies are `SameSite=Lax`; `Sec-Fetch-Site` and `Origin` must
//! name this origin where a browser sends them; and the form carries the session's token, which no other origin can read.

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::notice;
use super::visit::Visit;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Who sent it, and the fields besides the token.
pub struct Posted<T> {
    pub(super) visit: Visit,
    pub(super) fields: T,
}

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
pub struct Nothing {}

#[derive(Deserialize)]
struct Sealed<T> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    fields: T,
}

impl<T: DeserializeOwned + Send> FromRequest<AppState> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        if let Err(problem) = from_here(request.headers()) {
            return Err(notice::outside(state, &problem));
        }
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, state).await?;
        let form = Form::<Sealed<T>>::from_request(Request::from_parts(parts, body), state).await;
        let problem = match form {
            Ok(Form(sealed)) if same(&sealed.csrf, &visit.session.csrf) => {
                return Ok(Self { visit, fields: sealed.fields });
            }
            Ok(_) => Problem::new(
                StatusCode::FORBIDDEN,
                "form_expired",
                "This form belongs to another session. Open the page again and send it from there.",
            ),
            Err(_) => Problem::new(StatusCode::BAD_REQUEST, "parameter_invalid", "The form is not complete."),
        };
        Err(notice::inside(&visit, &problem).await)
    }
}

/// Equal without telling where they differ.
fn same(one: &str, other: &str) -> bool {
    !other.is_empty() && bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

/// Whether a browser says that the request comes from a page of ours. A client that is no browser says nothing.
pub(super) fn from_here(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site_is_ours = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin_is_ours = text("origin").is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(scheme, authority)| {
            matches!(scheme, "http" | "https") && !host.is_empty() && authority.eq_ignore_ascii_case(host)
        })
    });
    if site_is_ours && origin_is_ours {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "cross_origin",
        "This form was sent from another site. Nothing was changed.",
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_our_own_pages_send_forms() {
        let host = ("host", "127.0.0.1:7171");
        for ours in [
            headers(&[host]),
            headers(&[host, ("origin", "http://127.0.0.1:7171"), ("sec-fetch-site", "same-origin")]),
            headers(&[("host", "Bursar.example"), ("origin", "https://bursar.example")]),
            headers(&[host, ("sec-fetch-site", "none")]),
        ] {
            assert!(from_here(&ours).is_ok(), "{ours:?}");
        }
        for other in [
            headers(&[host, ("origin", "http://127.0.0.1:9999")]),
            headers(&[host, ("origin", "http://evil.example")]),
            headers(&[host, ("origin", "null")]),
            headers(&[host, ("sec-fetch-site", "cross-site")]),
            headers(&[host, ("sec-fetch-site", "same-site")]),
            headers(&[host, ("origin", "http://127.0.0.1:7171"), ("sec-fetch-site", "cross-site")]),
            headers(&[("origin", "http://127.0.0.1:7171")]),
        ] {
            assert!(from_here(&other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn an_empty_token_is_never_the_right_one() {
        assert!(!same("", ""));
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd"));
    }
}
