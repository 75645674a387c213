//! What emergency access gives, and how it becomes a grant.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::base::ids::{AccountId, DatasetId, FieldName, PurposeId, RuleId, SystemId, hex};
use crate::catalogue::Form;
use crate::policy::{Condition, Grant, GrantedField, People};
use crate::store::state::grants::{GrantState, StandingGrant};

/// Subjects a day, repeated ones counted: not the bound that is meant, which is on different ones.
const PER_DAY: u32 = 1000;

/// What one emergency access gives. What it is a digest of is this text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct EmergencyTerms {
    pub dataset: DatasetId,
    pub purpose: PurposeId,
    pub system: SystemId,
    pub case: String,
    pub operator: AccountId,
    pub fields: Vec<EmergencyGift>,
    /// Different subjects in all.
    pub subjects: u32,
    pub until: Timestamp,
}

/// One field, in one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct EmergencyGift {
    pub field: FieldName,
    pub form: Form,
}

impl EmergencyTerms {
    /// As text, and the text's digest.
    pub fn written(&self) -> (String, String) {
        let text = serde_json::to_string(self).unwrap_or_default();
        let digest = hash(&text);
        (text, digest)
    }

    /// The grant of a row; none when its terms are not those of its digest.
    pub fn grant(row: &StandingGrant) -> Option<Grant> {
        if hash(&row.terms) != row.digest {
            return None;
        }
        let terms: EmergencyTerms = serde_json::from_str(&row.terms).ok()?;
        let given =
            |gift: EmergencyGift| GrantedField { field: gift.field, form: gift.form, compare: vec![] };
        Some(Grant {
            rule: Grant::rule(&row.id)?,
            id: row.id.clone(),
            dataset: terms.dataset,
            department: row.requester.clone(),
            systems: vec![terms.system],
            purpose: terms.purpose,
            fields: terms.fields.into_iter().map(given).collect(),
            from: row.since,
            until: terms.until,
            suspended: row.state != GrantState::Active,
            per_day: PER_DAY,
            people: Some(People::InAll(terms.subjects)),
            condition: Some(Condition { case: terms.case, operator: terms.operator.to_string() }),
            basis: String::new(),
            line: 0,
        })
    }
}

/// Is it the id of emergency access?
pub(in crate::app) fn is_emergency(id: &RuleId) -> bool {
    id.as_str().starts_with("E-")
}

fn hash(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}
