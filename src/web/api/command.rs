//! What all requests that change something have in common: the version, the key, the answer.

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::applications::{Asked, Given};
use crate::base::{Code, Error, Result};
use crate::web::body::Body;

/// The header by which a command that is sent twice is done once.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request that changes something.
pub(super) async fn asked(req: &HttpRequest, body: Body) -> Asked {
    let text = |name: &HeaderName| req.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    Asked {
        key: text(&KEY).map(str::to_owned),
        if_match: text(&header::IF_MATCH).map(version),
        body: body.read().await.map(|bytes| bytes.to_vec()),
    }
}

/// The version that `If-Match` names; what is none of ours matches none (RFC 9110 section 13.1.1).
fn version(text: &str) -> u32 {
    let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    bare.and_then(|t| t.parse().ok()).unwrap_or(0)
}

/// The answer, with the version as its `ETag`.
pub(super) fn given(mut answer: HttpResponse, given: &Given) -> Result<HttpResponse> {
    tag(&mut answer, given.version);
    let body = serde_json::to_vec(given).map_err(|e| Error::new(Code::Internal).because(e))?;
    Ok(answer.set_body(actix_web::body::BoxBody::new(body)))
}

/// Adds the version as the `ETag`.
pub(super) fn tag(answer: &mut HttpResponse, version: u32) {
    // Digits in quotes: always a valid header value.
    if let Ok(tag) = header::HeaderValue::from_str(&format!("\"{version}\"")) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_in_quotes_and_anything_else_matches_none() {
        assert_eq!(version("\"7\""), 7);
        for other in ["7", "*", "W/\"7\"", "\"\"", "\"x\"", "\"1\", \"2\""] {
            assert_eq!(version(other), 0, "{other}");
        }
    }
}
