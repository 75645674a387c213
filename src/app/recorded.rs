//! A record read back: what of it may explain a request or tell its story.
//!
//! Invariant: names, codes, versions and times. What was found, by whom it was operated and whom it
//! was about are not read, so nobody who uses this can tell them.

use serde::Deserialize;

/// The members of a record that others than auditors may be told of. Absent ones read as empty.
#[derive(Debug, Deserialize)]
pub(super) struct Recorded {
    pub index: u64,
    pub time: String,
    pub kind: String,
    #[serde(default)]
    pub request_id: String,
    #[serde(default)]
    pub outcome: String,
    #[serde(default)]
    pub caller: RecordedCaller,
    pub dataset: Option<String>,
    pub purpose: Option<String>,
    pub catalogue_version: Option<u64>,
    pub policy_version: Option<u64>,
    #[serde(default)]
    pub fields: Vec<RecordedField>,
}

/// Who asked; nobody in records that have no caller.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RecordedCaller {
    pub department: String,
}

/// One field of a query, given or not.
#[derive(Debug, Deserialize)]
pub(super) struct RecordedField {
    pub field: String,
    pub form: Option<String>,
    pub rule: Option<String>,
    pub code: Option<String>,
}
