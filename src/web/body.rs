//! Reads request bodies: bounded in size and in time.
//!
//! Invariant: at most [`MAX_BODY`] bytes of a body are ever held, and none is waited for longer
//! than the configuration says. What the bytes mean is not looked at here.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;

use super::server::Worker;
use crate::base::{Code, Error, Result};

/// The size of the largest body, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// A JSON body that has not been read yet: a handler first decides who is asking.
pub struct Body {
    payload: Payload,
    announced: Result<usize>,
    within: Duration,
}

/// The same for what an HTML form sends.
pub struct FormBody(Body);

impl FromRequest for Body {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Self::of(req, payload, is_json))
    }
}

impl FormBody {
    /// The body of a request that is to be a form.
    ///
    /// # Errors
    /// `internal` when the request did not come through the entrance.
    pub fn of(req: &HttpRequest, payload: &mut Payload) -> Result<Self> {
        Body::of(req, payload, is_form).map(Self)
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// As for [`Body::read`].
    pub async fn read(self) -> Result<Bytes> {
        self.0.read().await
    }
}

impl Body {
    fn of(req: &HttpRequest, payload: &mut Payload, is_right: fn(&str) -> bool) -> Result<Self> {
        Worker::of(req).map(|worker| Self {
            payload: payload.take(),
            announced: announced(req.headers(), is_right),
            within: worker.body_time,
        })
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// `unsupported-media-type`, `too-large`, `request-timeout`; `malformed-request` when the
    /// body ends early or is framed wrongly.
    pub async fn read(self) -> Result<Bytes> {
        let size = self.announced?;
        let reading = collect(self.payload, size);
        tokio::time::timeout(self.within, reading).await.unwrap_or_else(|_| Err(Code::RequestTimeout.into()))
    }
}

async fn collect(mut payload: Payload, announced: usize) -> Result<Bytes> {
    let mut body = BytesMut::with_capacity(announced);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|e| Error::new(Code::MalformedRequest).because(e))?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Code::TooLarge.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The size that the headers announce, 0 where they do not, if they announce the right type as it is.
fn announced(headers: &HeaderMap, is_right: fn(&str) -> bool) -> Result<usize> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let plain = text(header::CONTENT_ENCODING).is_none_or(|coding| coding.eq_ignore_ascii_case("identity"));
    if !plain || !text(header::CONTENT_TYPE).is_some_and(is_right) {
        return Err(Code::UnsupportedMediaType.into());
    }
    let size = text(header::CONTENT_LENGTH).map_or(Some(0), |length| length.parse().ok());
    match size {
        Some(size) if size <= MAX_BODY => Ok(size),
        Some(_) => Err(Code::TooLarge.into()),
        None => Err(Code::MalformedRequest.into()),
    }
}

/// What a form sends where it is not told otherwise (HTML, section 4.10.21.8).
fn is_form(media_type: &str) -> bool {
    is_in_utf8("application/x-www-form-urlencoded", media_type)
}

/// `application/json`, with UTF-8 as the only charset that may be named (RFC 8259 section 11).
fn is_json(media_type: &str) -> bool {
    is_in_utf8("application/json", media_type)
}

fn is_in_utf8(wanted: &str, media_type: &str) -> bool {
    let (essence, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
    let parameters = parameters.trim().to_ascii_lowercase();
    essence.trim().eq_ignore_ascii_case(wanted)
        && matches!(parameters.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn announced_by(headers: &[(&str, &str)]) -> std::result::Result<usize, Code> {
        let request = headers.iter().fold(TestRequest::post(), |r, header| r.append_header(*header));
        announced(request.to_http_request().headers(), is_json).map_err(|e| e.code)
    }

    #[test]
    fn json_in_utf_8_without_coding_is_read() {
        for json in ["application/json", "Application/JSON", "application/json; charset=UTF-8"] {
            assert_eq!(announced_by(&[("content-type", json)]), Ok(0), "{json}");
        }
        let full =
            [("content-type", "application/json"), ("content-encoding", "identity"), ("content-length", "7")];
        assert_eq!(announced_by(&full), Ok(7));
    }

    #[test]
    fn anything_else_is_not() {
        for other in
            ["text/json", "application/json; charset=gbk", "application/json-seq", "", "application/jsonp"]
        {
            assert_eq!(announced_by(&[("content-type", other)]), Err(Code::UnsupportedMediaType), "{other}");
        }
        assert_eq!(announced_by(&[]), Err(Code::UnsupportedMediaType));
        let zipped = [("content-type", "application/json"), ("content-encoding", "gzip")];
        assert_eq!(announced_by(&zipped), Err(Code::UnsupportedMediaType));
    }

    #[test]
    fn a_body_announced_too_large_is_not_even_begun() {
        let of =
            |length: &str| announced_by(&[("content-type", "application/json"), ("content-length", length)]);
        assert_eq!(of("262144"), Ok(MAX_BODY));
        assert_eq!(of("262145"), Err(Code::TooLarge));
        assert_eq!(of("99999999999999999999999"), Err(Code::MalformedRequest));
    }
}
