//! What pages load, embedded in the binary: one stylesheet, our own small scripts, pictures.
//!
//! `url` names a file with the hash of its content, so a browser keeps it for ever and still sees the next release at
//! once. A request under an old hash, or none, gets today's bytes and is told to ask again.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "assets"]
struct Embedded;

/// The version a browser names in `?v=`.
#[derive(serde::Deserialize)]
pub struct Version {
    v: Option<String>,
}

/// `/assets/<name>?v=<hash>`. A name that is not embedded yields a path that answers 404; a test walks the templates
/// so that none does.
pub fn url(name: &str) -> String {
    match Embedded::get(name) {
        Some(file) => format!("/assets/{name}?v={}", hash(&file)),
        None => format!("/assets/{name}"),
    }
}

/// Serves `GET /assets/{*name}`.
pub async fn serve(Path(name): Path<String>, Query(version): Query<Version>, headers: HeaderMap) -> Response {
    let (Some(file), Some(mime)) = (Embedded::get(&name), mime(&name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let hash = hash(&file);
    let tag = format!("\"{hash}\"");
    let keep = if version.v.as_deref() == Some(hash.as_str()) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers.get(IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, mime)], file.data.into_owned()).into_response()
    };
    let answer = response.headers_mut();
    answer.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.insert(ETAG, tag);
    }
    response
}

/// The first 64 bits of the content's SHA-256: enough to tell releases apart.
fn hash(file: &EmbeddedFile) -> String {
    let head = file.metadata.sha256_hash().first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
    format!("{head:016x}")
}

/// Only these kinds are ours; anything else under `assets/` is not served.
fn mime(name: &str) -> Option<&'static str> {
    let (_, kind) = name.rsplit_once('.')?;
    match kind {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(name: &str, version: Option<&str>, headers: HeaderMap) -> Response {
        serve(Path(name.to_owned()), Query(Version { v: version.map(str::to_owned) }), headers).await
    }

    fn version_of(name: &str) -> String {
        url(name).split_once("?v=").expect("embedded").1.to_owned()
    }

    #[tokio::test]
    async fn todays_hash_is_kept_for_ever_and_any_other_is_asked_again() {
        let version = version_of("console.css");
        let kept = get("console.css", Some(&version), HeaderMap::new()).await;
        assert_eq!(kept.status(), StatusCode::OK);
        assert_eq!(kept.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
        assert!(kept.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        for old in [Some("0000000000000000"), None] {
            let asked = get("console.css", old, HeaderMap::new()).await;
            assert_eq!(asked.headers()[CACHE_CONTROL], "no-cache");
        }
    }

    #[tokio::test]
    async fn a_browser_that_has_the_bytes_is_not_sent_them_again() {
        let first = get("live.js", None, HeaderMap::new()).await;
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(get("live.js", None, headers).await.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn nothing_outside_the_embedded_folder_answers() {
        for name in ["../Cargo.toml", "missing.css", "console", ""] {
            assert_eq!(get(name, None, HeaderMap::new()).await.status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}
