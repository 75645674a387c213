//! What the interface answers, as types: the one source of the JSON and of the OpenAPI document.
//!
//! Invariant: nothing in here holds a department's value; those travel only in the `data` of a
//! query's answer.

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::FieldRefusal;

/// The answer to a query.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueryAnswer {
    /// The id of this request: ask for its explanation or its record by it.
    pub request_id: String,
    /// The dataset asked.
    pub dataset: String,
    /// The version of the catalogue under which it was decided.
    pub catalogue_version: u64,
    /// The version of the policies under which it was decided.
    pub policy_version: u64,
    /// The form that each given field took.
    #[schema(value_type = Object, example = json!({"status": "plain", "monthly_income": "predicate"}))]
    pub forms: serde_json::Map<String, serde_json::Value>,
    /// One for each subject, in the order asked.
    pub results: Vec<SubjectResult>,
    /// With `on_refusal: "omit"`, the fields that were not given, and why.
    pub withheld: Vec<FieldProblem>,
    /// The proof that this answer is recorded: added last, once it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = true, nullable = false)]
    pub receipt: Option<ReceiptView>,
}

/// What was found about one subject.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectResult {
    /// The subject's place in the request, from 0.
    pub subject: usize,
    /// Is there a record?
    pub found: bool,
    /// The fields in their forms; empty where nothing was found.
    #[schema(value_type = Object)]
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// Why one field is not given.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The field.
    pub field: String,
    /// A stable code.
    pub code: String,
    /// The rule or grant that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The most revealing form that may be asked for instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permitted: Option<String>,
    /// Where to apply, where applying can help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply: Option<String>,
}

impl From<&FieldRefusal> for FieldProblem {
    fn from(refusal: &FieldRefusal) -> Self {
        Self {
            field: refusal.field.to_string(),
            code: refusal.code.as_str().to_owned(),
            rule: refusal.rule.as_ref().map(ToString::to_string),
            permitted: refusal.permitted.map(str::to_owned),
            apply: refusal.apply.clone(),
        }
    }
}

/// The receipt of a record in the log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReceiptView {
    /// The log's name: the origin of its checkpoints.
    pub log: String,
    /// The record's index in the log.
    pub index: u64,
    /// The RFC 6962 leaf hash of the record, in base64.
    pub leaf_hash: String,
    /// The signed checkpoint that covers it (C2SP tlog-checkpoint).
    pub checkpoint: String,
    /// 32 random bytes in hex. The record's `response` is the HMAC-SHA256 under them of this
    /// answer's text without its `receipt` member: with them, and only with them, the answer can
    /// be shown to be the one that was recorded.
    pub response_key: String,
}

/// The datasets that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatasetList {
    /// The version of the catalogue.
    pub catalogue_version: u64,
    /// One line for each.
    pub datasets: Vec<DatasetLine>,
}

/// A dataset in the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatasetLine {
    /// Its id.
    pub dataset: String,
    /// The department that owns it.
    pub provider: String,
    /// Its name in the language asked for.
    pub title: String,
    /// The sharing class: the strictest of its fields.
    pub class: String,
    /// The level: the highest of its fields.
    pub level: String,
    /// Is there any field that the caller may ask for, for some purpose?
    pub askable: bool,
}

/// One dataset, as the caller may ask it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatasetView {
    /// The version of the catalogue.
    pub catalogue_version: u64,
    /// The version of the policies.
    pub policy_version: u64,
    /// Its id.
    pub dataset: String,
    /// The department that owns it.
    pub provider: String,
    /// Its name in the language asked for.
    pub title: String,
    /// What it holds.
    pub summary: String,
    /// How often it is brought up to date.
    pub update_cycle: String,
    /// How it is shared.
    pub mode: String,
    /// Conditions of use.
    pub conditions: String,
    /// The sharing class: the strictest of its fields.
    pub class: String,
    /// The level: the highest of its fields.
    pub level: String,
    /// How a subject is named.
    pub subject: SubjectView,
    /// The purposes that it serves.
    pub purposes: Vec<PurposeView>,
    /// Its fields.
    pub fields: Vec<FieldView>,
    /// The JSON Schema of a query of it.
    #[schema(value_type = Object)]
    pub request_schema: serde_json::Value,
}

/// How a subject is named.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectView {
    /// The member of a subject object.
    pub member: String,
    /// The standard of the identifier.
    pub identifier: String,
}

/// A purpose.
#[derive(Debug, Serialize, ToSchema)]
pub struct PurposeView {
    /// Its id.
    pub purpose: String,
    /// Its name in the language asked for.
    pub title: String,
    /// Its legal basis.
    pub basis: String,
}

/// A field, and what the caller may have of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldView {
    /// Its name.
    pub field: String,
    /// Its title in the language asked for.
    pub title: String,
    /// Its JSON type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its sharing class.
    pub class: String,
    /// Its level.
    pub level: String,
    /// The law that the class rests on, where cited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// What the caller may have, for each purpose.
    pub permitted: Vec<PermittedView>,
    /// Where to apply, when some purpose is not yet permitted and applying can help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply: Option<String>,
}

/// What the caller may have of a field for a purpose.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct PermittedView {
    /// The purpose.
    pub purpose: String,
    /// The form that is given when none is asked for: the most revealing permitted.
    pub form: String,
    /// All forms that may be asked for.
    pub forms: Vec<String>,
    /// The rule or grant that permits it.
    pub rule: String,
    /// The comparisons to choose from, where `predicate` is among the forms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub compare: Vec<crate::catalogue::Predicate>,
}

/// How a past request was decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// The request.
    pub request_id: String,
    /// When it was recorded, UTC.
    pub time: String,
    /// Its record's index in the log.
    pub index: u64,
    /// Its outcome: a problem code, or `ok`.
    pub outcome: String,
    /// What the outcome means, in the language asked for.
    pub meaning: String,
    /// The dataset asked, where it got that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The version of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalogue_version: Option<u64>,
    /// The version of the policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<u64>,
    /// Each field, with what decided it.
    pub fields: Vec<FieldExplanation>,
}

/// How one field was decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldExplanation {
    /// The field.
    pub field: String,
    /// Where its sharing facts stand: a JSON Pointer into the dataset's schema.
    pub schema_pointer: String,
    /// The form it was given in, when it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// The rule or grant that decided, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why it was not given, when it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What that code means, in the language asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
}

/// Records of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordPage {
    /// The records, by index.
    pub records: Vec<RecordLine>,
    /// Ask with `after` set to this for the next page; none when there is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Records that are in the log and not yet in its search index.
    pub index_lag: u64,
    /// The department whose own records these are; none where the whole log was searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
}

/// A person was erased from the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureView {
    /// Records that named the person.
    pub records: usize,
    /// What tied them to the person, and is deleted.
    pub openings: usize,
    /// Receipts of the records that say so.
    pub receipts: Vec<ErasureReceipt>,
}

/// The receipt of a record that says by whom and why somebody was erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureReceipt {
    /// The log's name: the origin of its checkpoints.
    pub log: String,
    /// The record's index in the log.
    pub index: u64,
    /// The RFC 6962 leaf hash of the record, in base64.
    pub leaf_hash: String,
    /// The signed checkpoint that covers it (C2SP tlog-checkpoint).
    pub checkpoint: String,
}

/// One record of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordLine {
    /// Its index.
    pub index: u64,
    /// The record: the exact text whose hash is in the tree (RFC 6962).
    pub leaf: String,
}

/// Who asked about a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryPage {
    /// What happened, by index.
    pub events: Vec<HistoryEvent>,
    /// Ask with `after` set to this for the next page; none when there is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Records that are in the log and not yet in its search index.
    pub index_lag: u64,
}

/// One time that somebody asked about a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryEvent {
    /// The index of its record in the log.
    pub index: u64,
    /// The id of the request, to refer to it by.
    pub request_id: String,
    /// When, UTC.
    pub time: String,
    /// What it was: `query`, `subject-history`, `history-consent`.
    pub kind: String,
    /// The department that asked.
    pub department: String,
    /// Its name in the language asked for.
    pub department_title: String,
    /// The dataset asked; absent for one that the reader may not know of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Why it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The fields asked, with the form of those that were given.
    pub fields: Vec<HistoryField>,
}

/// A field of such a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryField {
    /// The field.
    pub field: String,
    /// The form it was given in, when it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
}
