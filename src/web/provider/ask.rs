//! A request of the adapter protocol, parsed.
//!
//! Invariant: an [`Ask`] names one dataset, up to 64 different fields (none: who only wants to
//! know whether there is a record) and 1 to 100 subjects, in the version that is spoken here. It is never printed: it holds identifiers.

use serde::Deserialize;

use super::PROTOCOL;
use crate::base::ids::{FieldName, RequestId};
use crate::base::{Code, Error, Invalid, Result};

const MAX_FIELDS: usize = 64;
const MAX_SUBJECTS: usize = 100;
/// The longest identifier, in bytes.
const MAX_SUBJECT: usize = 256;

/// See the module.
pub struct Ask {
    /// The gateway's id of the request.
    pub request_id: RequestId,
    /// The dataset.
    pub dataset: String,
    /// The fields.
    pub fields: Vec<FieldName>,
    subjects: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    protocol: String,
    request_id: String,
    dataset: String,
    fields: Vec<FieldName>,
    subjects: Vec<String>,
}

impl Ask {
    /// Parses a body.
    ///
    /// # Errors
    /// `malformed-json`, or `invalid-request` with the member that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self> {
        // The parser's message can quote the request: only its place may be told.
        let wire: Wire = serde_json::from_slice(body).map_err(|error| {
            let code = match error.classify() {
                serde_json::error::Category::Data => Code::InvalidRequest,
                _ => Code::MalformedJson,
            };
            Error::new(code).because(format!("at line {} column {}", error.line(), error.column()))
        })?;
        if wire.protocol != PROTOCOL {
            return Err(wrong("/protocol", Code::NotAllowedValue, Some(PROTOCOL)));
        }
        let request_id = RequestId::parse(&wire.request_id)
            .ok_or_else(|| wrong("/request_id", Code::WrongPattern, Some("32 hex digits")))?;
        if wire.fields.len() > MAX_FIELDS {
            return Err(wrong("/fields", Code::TooManyItems, None));
        }
        match wire.subjects.len() {
            0 => return Err(wrong("/subjects", Code::TooFewItems, None)),
            1..=MAX_SUBJECTS => {}
            _ => return Err(wrong("/subjects", Code::TooManyItems, None)),
        }
        if let Some((at, _)) = wire
            .fields
            .iter()
            .enumerate()
            .find(|(at, field)| wire.fields.iter().take(*at).any(|earlier| earlier == *field))
        {
            return Err(wrong(&format!("/fields/{at}"), Code::DuplicateItem, None));
        }
        if let Some(at) = wire.subjects.iter().position(|subject| subject.len() > MAX_SUBJECT) {
            return Err(wrong(&format!("/subjects/{at}"), Code::OutOfBounds, None));
        }
        Ok(Self { request_id, dataset: wire.dataset, fields: wire.fields, subjects: wire.subjects })
    }

    /// The identifiers.
    pub fn subjects(&self) -> Vec<&str> {
        self.subjects.iter().map(String::as_str).collect()
    }
}

fn wrong(pointer: &str, code: Code, expected: Option<&str>) -> Error {
    let expected = expected.map(Into::into);
    Error::invalid(Code::InvalidRequest, vec![Invalid { pointer: pointer.into(), code, expected }])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn body() -> Json {
        json!({
            "protocol": "sluice-adapter/1", "request_id": "00112233445566778899aabbccddeeff",
            "dataset": "civil.subsistence", "fields": ["status"], "subjects": ["A"]
        })
    }

    fn fault(change: impl FnOnce(&mut Json)) -> (Code, Option<String>) {
        let mut changed = body();
        change(&mut changed);
        let error = Ask::parse(changed.to_string().as_bytes()).map(|_| ()).unwrap_err();
        (error.code, error.invalid.into_iter().next().map(|invalid| invalid.pointer))
    }

    #[test]
    fn a_request_of_the_documentation_is_understood() {
        let ask = Ask::parse(body().to_string().as_bytes()).unwrap();
        assert_eq!((ask.dataset.as_str(), ask.subjects()), ("civil.subsistence", vec!["A"]));
    }

    #[test]
    fn no_field_at_all_asks_whether_there_is_a_record() {
        let mut bare = body();
        bare["fields"] = json!([]);
        assert!(Ask::parse(bare.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn what_is_not_exactly_the_protocol_is_refused_with_its_place() {
        let at = |pointer: &str| (Code::InvalidRequest, Some(pointer.to_owned()));
        assert_eq!(fault(|b| b["protocol"] = json!("sluice-adapter/2")), at("/protocol"));
        assert_eq!(fault(|b| b["request_id"] = json!("x")), at("/request_id"));
        assert_eq!(
            fault(|b| b["fields"] = json!((0..65).map(|n| format!("f{n}")).collect::<Vec<_>>())),
            at("/fields")
        );
        assert_eq!(fault(|b| b["fields"] = json!(["a", "b", "a"])), at("/fields/2"));
        assert_eq!(fault(|b| b["subjects"] = json!([])), at("/subjects"));
        assert_eq!(fault(|b| b["subjects"] = json!(vec!["A"; 101])), at("/subjects"));
        assert_eq!(fault(|b| b["subjects"] = json!(["A", "x".repeat(257)])), at("/subjects/1"));
        assert_eq!(fault(|b| b["subjects"] = json!([1])), (Code::InvalidRequest, None));
        assert_eq!(fault(|b| b["fields"] = json!(["a b"])), (Code::InvalidRequest, None));
        assert_eq!(fault(|b| b["more"] = json!(1)), (Code::InvalidRequest, None));
    }

    #[test]
    fn broken_json_is_malformed_and_duplicate_members_are_refused() {
        for (text, code) in [
            ("", Code::MalformedJson),
            ("{", Code::MalformedJson),
            (r#"{"dataset":"a" "#, Code::MalformedJson),
            ("[]", Code::InvalidRequest),
            (r#"{"dataset":"a","dataset":"b"}"#, Code::InvalidRequest),
        ] {
            assert_eq!(Ask::parse(text.as_bytes()).map(|_| ()).unwrap_err().code, code, "{text}");
        }
    }
}
