//! An existing REST/JSON interface, mapped: one call for each subject.
//!
//! Invariant: an identifier enters a URL only percent-encoded and a body only JSON-escaped; what
//! the mapping does not name does not come out; an answer that the mapping does not understand
//! is invalid, never "no record".

mod convert;

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Uri};
use serde_json::{Map, Value as Json};

use super::link::Link;
use super::query::Query;
use super::{DataFault, OurFault, Record};
use crate::base::ids::{DatasetId, FieldName};
use crate::base::{Code, Error, Result};
use crate::config::adapter::{Equals, RestDataset, RestSource};
use crate::config::read_private;

/// What stands for the identifier in a template.
const SUBJECT: &str = "{subject}";

/// A mapped interface.
#[derive(Debug)]
pub struct Rest {
    parallel: u32,
    headers: HeaderMap,
    datasets: BTreeMap<DatasetId, RestDataset>,
}

impl Rest {
    /// From the configuration, reading the file of headers.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub fn new(source: &RestSource) -> Result<Self, (String, String)> {
        let headers = source.headers_file.as_deref().map_or(Ok(HeaderMap::new()), read_headers)?;
        for (id, dataset) in &source.datasets {
            check(dataset).map_err(|(what, fix)| (format!("dataset `{id}`: {what}"), fix.to_owned()))?;
        }
        Ok(Self { parallel: source.parallel.get(), headers, datasets: source.datasets.clone() })
    }

    /// Calls at once for a query of so many subjects.
    pub fn parallel(&self, subjects: usize) -> u32 {
        u32::try_from(subjects).unwrap_or(u32::MAX).clamp(1, self.parallel)
    }

    /// Asks for each subject, `places` calls at once, and returns the records in order.
    pub async fn fetch(&self, link: &Link, query: &Query<'_>, places: usize) -> Result<Vec<Option<Record>>> {
        let dataset = self.datasets.get(query.dataset).ok_or(Code::Internal)?;
        let calls: Vec<_> =
            query.subjects.iter().map(|subject| self.one(link, query, dataset, subject)).collect();
        stream::iter(calls).buffered(places).try_collect().await
    }

    async fn one(
        &self,
        link: &Link,
        query: &Query<'_>,
        dataset: &RestDataset,
        subject: &str,
    ) -> Result<Option<Record>> {
        let path = dataset.path.replace(SUBJECT, &percent_encoded(subject));
        let uri: Uri =
            path.parse().map_err(|_| Error::new(Code::Internal).because("the path is not a URI"))?;
        let mut request = Request::new(Full::default());
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        query.trace(request.headers_mut());
        *request.uri_mut() = uri;
        if let Some(template) = &dataset.body {
            *request.method_mut() = Method::POST;
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Full::new(Bytes::from(template.replace(SUBJECT, &json_escaped(subject))));
        }
        let answer = link.call(request).await?;
        super::check_status(answer.status)?;
        record(dataset, query.fields, &answer.body)
    }
}

/// The record in an answer's body, reduced to `fields`; none when the interface has none.
///
/// # Errors
/// `provider-answer-invalid`, or `provider-failed` when the answer does not say `success`.
pub fn record(dataset: &RestDataset, fields: &[&FieldName], body: &[u8]) -> Result<Option<Record>> {
    let body: &Json = &serde_json::from_slice(body)
        .map_err(|_| Error::new(Code::ProviderInvalid).because("the answer is not JSON"))?;
    if dataset.absent.as_ref().is_some_and(|absent| holds(absent, body)) {
        return Ok(None);
    }
    if dataset.success.as_ref().is_some_and(|success| !holds(success, body)) {
        return Err(Error::new(Code::ProviderFailed).because("the answer does not say `success`"));
    }
    let record = match body.pointer(&dataset.record) {
        None => return Err(DataFault::error("the answer has nothing at `record`")),
        Some(Json::Null) => return Ok(None),
        Some(Json::Array(rows)) => match rows.as_slice() {
            [] => return Ok(None),
            [row] => row,
            _ => return Err(DataFault::error("the answer has several records for one subject")),
        },
        Some(record) => record,
    };
    if !record.is_object() {
        return Err(DataFault::error("the record is not an object"));
    }
    let mut reduced = Map::with_capacity(fields.len());
    for &field in fields {
        let Some(mapping) = dataset.fields.get(field) else {
            return Err(Error::new(Code::ProviderFailed).because(OurFault::Unmapped(field.clone())));
        };
        let value = convert::value(mapping, record.pointer(&mapping.pointer))
            .ok_or_else(|| DataFault::error(format!("field `{field}` does not have its type")))?;
        reduced.insert(field.as_str().to_owned(), value);
    }
    Ok(Some(reduced))
}

fn holds(equals: &Equals, body: &Json) -> bool {
    body.pointer(&equals.pointer).and_then(convert::text).is_some_and(|text| text == equals.equals)
}

/// Everything but the unreserved characters as `%XX` (RFC 3986 section 2.3).
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            // Writing to a String cannot fail.
            other => write!(out, "%{other:02X}").unwrap_or_default(),
        }
    }
    out
}

/// As it stands inside a JSON string.
fn json_escaped(text: &str) -> String {
    let quoted = Json::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

fn check(dataset: &RestDataset) -> Result<(), (String, &'static str)> {
    const TEMPLATE: &str = "write {subject} where the identifier goes";
    const POINTER: &str = "write a JSON Pointer (RFC 6901), such as /data/0";
    if !dataset.path.starts_with('/') {
        return Err((
            "`path` does not begin with /".into(),
            "write path and query, such as /query?id={subject}",
        ));
    }
    let probe = dataset.path.replace(SUBJECT, "0");
    if probe.parse::<Uri>().is_err() {
        return Err(("`path` is not a URI".into(), "percent-encode what is not ASCII"));
    }
    let body = dataset.body.as_deref().unwrap_or_default();
    if !dataset.path.contains(SUBJECT) && !body.contains(SUBJECT) {
        return Err(("neither `path` nor `body` names the subject".into(), TEMPLATE));
    }
    // A bare `x` is JSON nowhere but inside a string: elsewhere an identifier could add members.
    if dataset.body.is_some() && serde_json::from_str::<Json>(&body.replace(SUBJECT, "x")).is_err() {
        return Err((
            "`body` is not JSON with the subject inside a string".into(),
            "write it as {\"id\": \"{subject}\"}",
        ));
    }
    let matches = [&dataset.absent, &dataset.success].into_iter().flatten().map(|equals| &equals.pointer);
    let fields = dataset.fields.values().map(|field| &field.pointer);
    match matches.chain(fields).chain([&dataset.record]).find(|p| !p.is_empty() && !p.starts_with('/')) {
        Some(pointer) => Err((format!("`{pointer}` is not a JSON Pointer"), POINTER)),
        None => Ok(()),
    }
}

/// `Name: value` lines. Neither names nor values are repeated in the error: they are secret.
fn read_headers(file: &Path) -> Result<HeaderMap, (String, String)> {
    let text =
        read_private(file).map_err(|finding| (format!("{}: {}", finding.file, finding.what), finding.fix))?;
    let mut headers = HeaderMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let header = line.split_once(':').and_then(|(name, value)| {
            let mut value: HeaderValue = value.trim().parse().ok()?;
            value.set_sensitive(true);
            Some((name.trim().parse::<HeaderName>().ok()?, value))
        });
        let (name, value) = header.ok_or_else(|| {
            let what = format!("{}:{}: not a header", file.display(), number + 1);
            (what, "write one `Name: value` a line".to_owned())
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
