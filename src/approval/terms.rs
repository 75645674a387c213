//! What an application asks for, and what an offer gives.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use time::Date;

use crate::base::ids::{DatasetId, FieldName, PurposeId, SystemId, hex};
use crate::catalogue::{Form, Predicate};

/// What is asked for or offered: the whole content of a revision (Decree 809 Art. 20).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The dataset.
    pub dataset: DatasetId,
    /// What for.
    pub purpose: PurposeId,
    /// The law, and where in it, that the requester acts under.
    pub basis: String,
    /// In which business, at which step of it, the data is needed.
    pub scenario: String,
    /// Who will use it, and for whom.
    pub scope: String,
    /// How it is shared; the dataset's mode, `service`.
    pub mode: String,
    /// The systems that will ask.
    pub systems: Vec<SystemId>,
    /// Each field in the form wanted, and why that form.
    pub fields: Vec<FieldTerms>,
    /// Subjects a day at most, repeated ones counted each time.
    pub per_day: u32,
    /// Different subjects a day at most.
    pub distinct_per_day: u32,
    /// The last day, in Asia/Shanghai.
    pub until: Date,
    /// Why fields that identify a person together are all needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxic_reason: Option<String>,
}

/// One field in the form wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldTerms {
    /// The field.
    pub field: FieldName,
    /// The form.
    pub form: Form,
    /// For `predicate`: the comparisons wanted, each with its fixed constant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compare: Vec<Predicate>,
    /// Why this form is needed.
    pub reason: String,
}

/// The SHA-256 of terms as JSON: what votes are bound to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revision(String);

impl Revision {
    /// In hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Terms {
    /// The hash of exactly these terms. Members stand in the order of the type, so equal terms
    /// have equal text.
    pub fn revision(&self) -> Revision {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Revision(hex(digest(&SHA256, &text).as_ref()))
    }
}
