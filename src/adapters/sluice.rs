//! The adapter protocol as the gateway speaks it: `docs/adapter-protocol.md`.
//!
//! Invariant: of an answer only the fields that were asked for are ever built in memory;
//! everything else is skipped by the parser. An answer that is not exactly as the protocol has
//! it is invalid as a whole; only one that is not JSON at all counts against the adapter.

use std::fmt;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode};
use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::link::Link;
use super::query::Query;
use super::{DataFault, Record};
use crate::base::ids::{FieldName, RequestId};
use crate::base::{Code, Error, Result};

/// The version spoken.
pub const PROTOCOL: &str = "sluice-adapter/1";

#[derive(Serialize)]
struct Ask<'a> {
    protocol: &'static str,
    request_id: &'a RequestId,
    dataset: &'a str,
    fields: &'a [&'a FieldName],
    subjects: &'a [&'a str],
}

/// Asks the adapter at the other end of `link`.
pub async fn fetch(link: &Link, query: &Query<'_>) -> Result<Vec<Option<Record>>> {
    let ask = Ask {
        protocol: PROTOCOL,
        request_id: query.request_id,
        dataset: query.dataset.as_str(),
        fields: query.fields,
        subjects: query.subjects,
    };
    let body = serde_json::to_vec(&ask).map_err(|error| Error::new(Code::Internal).because(error))?;
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = hyper::Method::POST;
    *request.uri_mut() = hyper::Uri::from_static("/v1/fetch");
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    query.trace(request.headers_mut());
    let answer = link.call(request).await?;
    if answer.status == StatusCode::CONFLICT {
        return Err(DataFault::error("the adapter reports a data fault"));
    }
    super::check_status(answer.status)?;
    records(&answer.body, query.fields, query.subjects.len())
}

/// The records of an answer's body, each reduced to `fields`: one or none for each of `count`
/// subjects.
///
/// # Errors
/// `provider-answer-invalid` when the body is not exactly as the protocol has it.
pub fn records(body: &[u8], fields: &[&FieldName], count: usize) -> Result<Vec<Option<Record>>> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    let records = AnswerSeed { fields, count }
        .deserialize(&mut parser)
        .and_then(|records| parser.end().map(|()| records))
        // The parser's message can quote the answer: only where it stopped may be told.
        .map_err(|error| {
            let place = format!("at line {} column {}", error.line(), error.column());
            match error.is_data() {
                true => DataFault::error(format!("answer not as the protocol has it, {place}")),
                false => Error::new(Code::ProviderInvalid).because(format!("answer not JSON, {place}")),
            }
        })?;
    Ok(records)
}

/// `{"records": […]}`.
#[derive(Clone, Copy)]
struct AnswerSeed<'a> {
    fields: &'a [&'a FieldName],
    count: usize,
}

impl<'de> DeserializeSeed<'de> for AnswerSeed<'_> {
    type Value = Vec<Option<Record>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnswerSeed<'_> {
    type Value = Vec<Option<Record>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `records`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut records = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            match &*name {
                "records" if records.is_some() => return Err(A::Error::custom("`records` twice")),
                "records" => records = Some(map.next_value_seed(RecordsSeed(self))?),
                // A later minor version may add members.
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        records.ok_or_else(|| A::Error::custom("no `records`"))
    }
}

/// One record or null for each subject, no more and no fewer.
struct RecordsSeed<'a>(AnswerSeed<'a>);

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_> {
    type Value = Vec<Option<Record>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_> {
    type Value = Vec<Option<Record>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let AnswerSeed { fields, count } = self.0;
        let mut records = Vec::with_capacity(count);
        while let Some(record) = seq.next_element_seed(RecordSeed { fields })? {
            if records.len() == count {
                return Err(A::Error::custom("more records than subjects"));
            }
            records.push(record);
        }
        match records.len() == count {
            true => Ok(records),
            false => Err(A::Error::custom("fewer records than subjects")),
        }
    }
}

/// An object that names every asked field once, or null.
struct RecordSeed<'a> {
    fields: &'a [&'a FieldName],
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = Option<Record>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = Option<Record>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut record = Map::with_capacity(self.fields.len());
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            match self.fields.iter().find(|field| field.as_str() == name) {
                Some(field) => {
                    if record.insert(field.as_str().to_owned(), map.next_value::<Json>()?).is_some() {
                        return Err(A::Error::custom("a field twice"));
                    }
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match record.len() == self.fields.len() {
            true => Ok(Some(record)),
            false => Err(A::Error::custom("a field that was asked for is missing")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(body: &str, count: usize) -> Result<Vec<Option<Record>>, Code> {
        let status = FieldName::parse("status").unwrap();
        records(body.as_bytes(), &[&status], count).map_err(|error| error.code)
    }

    #[test]
    fn records_come_back_in_place_and_null_means_none() {
        let answer = read(r#"{"records":[{"status":"receiving"},null]}"#, 2).unwrap();
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"[{"status":"receiving"},null]"#);
    }

    #[test]
    fn fields_that_were_not_asked_for_are_dropped() {
        let answer =
            read(r#"{"note":{"a":[1]},"records":[{"name":"x","status":null,"y":{"z":[]}}]}"#, 1).unwrap();
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"[{"status":null}]"#);
    }

    #[test]
    fn an_answer_not_as_the_protocol_has_it_is_invalid_as_a_whole() {
        let deep = format!(r#"{{"records":[{{"status":{}1{}}}]}}"#, "[".repeat(200), "]".repeat(200));
        for body in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"records":null}"#,
            r#"{"records":{}}"#,
            r#"{"records":[]}"#,
            r#"{"records":[null,null]}"#,
            r#"{"records":[{}]}"#,
            r#"{"records":[[]]}"#,
            r#"{"records":["receiving"]}"#,
            r#"{"records":[{"status":1,"status":2}]}"#,
            r#"{"records":[null],"records":[null]}"#,
            r#"{"records":[null]}{"#,
            r#"{"records":[{"status":"receiv"#,
            "{\"records\":[{\"status\":\"\u{0}\"}]}",
            &deep,
        ] {
            assert_eq!(read(body, 1), Err(Code::ProviderInvalid), "{body}");
        }
    }

    #[test]
    fn the_cause_of_an_invalid_answer_quotes_nothing_of_it() {
        let status = FieldName::parse("status").unwrap();
        let error = records(br#"{"records":["canary"]}"#, &[&status], 1).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}
