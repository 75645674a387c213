//! What one fetch asks for, whatever kind of interface answers it.
//!
//! Invariant: it names only fields that the caller may have; it is never printed, for it holds
//! identifiers.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use crate::base::ids::{DatasetId, FieldName, RequestId};

/// See the module.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// The dataset.
    pub dataset: &'a DatasetId,
    /// The fields asked for, and no others.
    pub fields: &'a [&'a FieldName],
    /// The identifiers.
    pub subjects: &'a [&'a str],
    /// The request this belongs to.
    pub request_id: &'a RequestId,
    /// The W3C trace context, passed on as it is.
    pub traceparent: Option<&'a str>,
}

impl Query<'_> {
    /// Adds the trace context to a request's headers.
    pub fn trace(&self, headers: &mut HeaderMap) {
        const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
        if let Some(value) = self.traceparent.and_then(|trace| HeaderValue::from_str(trace).ok()) {
            headers.insert(TRACEPARENT, value);
        }
    }
}
