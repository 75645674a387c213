//! Problems: how an error looks to a client (RFC 9457).
//!
//! Invariant: this is the only place that renders an [`Error`], and it renders the code's texts,
//! pointers and names of the catalogue: never the internal cause, a value or a stack.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::view::FieldProblem;
use crate::base::ids::RequestId;
use crate::base::{Code, Error, Invalid, Lang};

/// What begins the `type` of a problem; its code follows.
pub const TYPE_PREFIX: &str = "urn:sluice:problem:";

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The body of every answer that is not a success (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A stable URI for the kind of problem: `urn:sluice:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:sluice:problem:refused")]
    pub kind: String,
    /// What happened, in a few words, in the language asked for.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable code, which decides; texts may change.
    #[schema(example = "refused")]
    pub code: &'static str,
    /// What to do about it, in the language asked for.
    pub detail: &'static str,
    /// The id of this request, to quote to the administrator.
    pub request_id: String,
    /// Faults of single members of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<MemberProblem>,
    /// Fields that are not given, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldProblem>,
}

/// A fault of one member of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberProblem {
    /// JSON Pointer (RFC 6901) to the member.
    #[schema(example = "/subjects/0/id_number")]
    pub pointer: String,
    /// A stable code.
    #[schema(example = "id-check-digit")]
    pub code: &'static str,
    /// What is wrong, in the language asked for.
    pub detail: &'static str,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

impl Problem {
    fn new(error: &Error, request_id: &RequestId, lang: Lang) -> Self {
        let code = error.code;
        Self {
            kind: format!("{TYPE_PREFIX}{}", code.as_str()),
            title: code.title(lang),
            status: code.status(),
            code: code.as_str(),
            detail: code.detail(lang),
            request_id: request_id.to_string(),
            errors: error.invalid.iter().map(|fault| member(fault, lang)).collect(),
            fields: error.fields.iter().map(FieldProblem::from).collect(),
        }
    }
}

fn member(fault: &Invalid, lang: Lang) -> MemberProblem {
    MemberProblem {
        pointer: fault.pointer.clone(),
        code: fault.code.as_str(),
        detail: fault.code.detail(lang),
        expected: fault.expected.clone(),
    }
}

/// The answer that tells `error` to a client.
pub fn render(error: &Error, request_id: &RequestId, lang: Lang) -> HttpResponse {
    let mut answer = HttpResponse::build(status(error.code));
    answer
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)))
        .insert_header((header::CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag())))
        .insert_header((header::VARY, HeaderValue::from_static("Accept-Language")));
    if let Some(seconds) = wait(error) {
        answer.insert_header((header::RETRY_AFTER, seconds));
    }
    if let Some(bound) = &error.bound {
        // draft-ietf-httpapi-ratelimit-headers: what remains of the quota until it is renewed.
        let (name, quota, remaining, window) =
            (bound.name, bound.quota, bound.remaining, bound.window_seconds);
        let left = error.retry_after.unwrap_or(window);
        answer
            .insert_header(("RateLimit-Policy", format!("\"{name}\";q={quota};w={window}")))
            .insert_header(("RateLimit", format!("\"{name}\";r={remaining};t={left}")));
    }
    if body_unread(error.code) {
        // What remains of the body must not be read as the next request.
        answer.force_close();
    }
    // Strings, numbers and lists of them: this cannot fail.
    let body = serde_json::to_vec(&Problem::new(error, request_id, lang)).unwrap_or_default();
    answer.body(body)
}

/// When to come again. 429 and 503 always say so (RFC 9110 section 10.2.3): in a second, where
/// nothing better is known.
fn wait(error: &Error) -> Option<u32> {
    error.retry_after.or_else(|| matches!(error.code.status(), 429 | 503).then_some(1))
}

/// Was the body possibly left unread?
pub(super) fn body_unread(code: Code) -> bool {
    matches!(
        code,
        Code::TooLarge | Code::RequestTimeout | Code::UnsupportedMediaType | Code::MalformedRequest
    )
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Lets handlers end in an [`Error`]. The language and the id of the request are not known here:
/// the entrance, which knows them, renders the answer.
impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        status(self.code)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::http::ConnectionType;
    use insta::assert_snapshot;

    use super::*;
    use crate::base::FieldRefusal;
    use crate::base::ids::{FieldName, RuleId};

    fn rendered(error: &Error, lang: Lang) -> String {
        use std::fmt::Write;
        let id = RequestId::parse("00112233445566778899aabbccddeeff").unwrap();
        let answer = render(error, &id, lang);
        let mut text = format!("{}\n", answer.status().as_u16());
        let mut headers: Vec<_> = answer
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        headers.iter().for_each(|line| writeln!(text, "{line}").unwrap());
        let body =
            actix_web::rt::System::new().block_on(to_bytes(answer.into_body())).map_err(|_| "body").unwrap();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        text.push_str(&serde_json::to_string_pretty(&json).unwrap());
        text
    }

    #[test]
    fn a_refusal_names_each_field_and_how_to_apply() {
        let error = Error::refused(vec![FieldRefusal {
            field: FieldName::parse("monthly_income").unwrap(),
            code: Code::GrantRequired,
            rule: Some(RuleId::parse("CS-010").unwrap()),
            permitted: None,
            apply: Some("/v1/applications?dataset=civil.subsistence&field=monthly_income".into()),
        }])
        .because("the cause is for the operator alone");
        assert_snapshot!(rendered(&error, Lang::En), @r#"
        403
        content-language: en
        content-type: application/problem+json
        vary: Accept-Language
        {
          "type": "urn:sluice:problem:refused",
          "title": "Query refused",
          "status": 403,
          "code": "refused",
          "detail": "At least one field may not be given; `fields` says why for each. With on_refusal=omit the others are answered.",
          "request_id": "00112233445566778899aabbccddeeff",
          "fields": [
            {
              "field": "monthly_income",
              "code": "grant-required",
              "rule": "CS-010",
              "apply": "/v1/applications?dataset=civil.subsistence&field=monthly_income"
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_fault_of_a_member_is_told_in_the_language_asked_for() {
        let error = Error::at(Code::InvalidRequest, "/subjects/0/id_number", Code::IdCheckDigit);
        assert_snapshot!(rendered(&error, Lang::Zh), @r#"
        422
        content-language: zh-CN
        content-type: application/problem+json
        vary: Accept-Language
        {
          "type": "urn:sluice:problem:invalid-request",
          "title": "请求未通过校验",
          "status": 422,
          "code": "invalid-request",
          "detail": "请求与接口模式不符，errors 逐项指出位置与原因。",
          "request_id": "00112233445566778899aabbccddeeff",
          "errors": [
            {
              "pointer": "/subjects/0/id_number",
              "code": "id-check-digit",
              "detail": "标识的校验码不符，多为输入有误。"
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_spent_quota_says_when_to_come_again() {
        let bound =
            crate::base::Bound { name: "grant-day", quota: 500, remaining: 3, window_seconds: 86_400 };
        let error = Error::new(Code::QuotaExhausted).retry_after(3_600).bound(bound);
        assert_snapshot!(rendered(&error, Lang::En), @r#"
        429
        content-language: en
        content-type: application/problem+json
        ratelimit-policy: "grant-day";q=500;w=86400
        ratelimit: "grant-day";r=3;t=3600
        retry-after: 3600
        vary: Accept-Language
        {
          "type": "urn:sluice:problem:quota-exhausted",
          "title": "Quota used up",
          "status": 429,
          "code": "quota-exhausted",
          "detail": "The grant's volume for today is used up. Try again after Retry-After, or apply for more.",
          "request_id": "00112233445566778899aabbccddeeff"
        }
        "#);
    }

    #[test]
    fn whoever_is_to_come_again_is_told_when() {
        let id = RequestId::parse("00112233445566778899aabbccddeeff").unwrap();
        for code in Code::ALL {
            let answer = render(&Error::new(*code), &id, Lang::En);
            let told = answer.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(told, matches!(code.status(), 429 | 503), "{code:?}");
        }
    }

    #[test]
    fn a_body_left_unread_ends_the_connection() {
        let id = RequestId::parse("00112233445566778899aabbccddeeff").unwrap();
        for code in Code::ALL {
            let answer = render(&Error::new(*code), &id, Lang::En);
            let closes = answer.head().connection_type() == ConnectionType::Close;
            assert_eq!(closes, body_unread(*code), "{code:?}");
        }
    }
}
