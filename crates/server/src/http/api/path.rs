//! One segment of a path, decoded. What is no text names nothing that could be there.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::http::problem::Problem;

#[derive(Debug)]
pub struct Path(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Path {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let decoded = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        decoded.map(|axum::extract::Path(text)| Self(text)).map_err(|_| Problem::not_found("page"))
    }
}
