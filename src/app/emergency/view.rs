//! What people read about emergency access.

use serde::Serialize;
use utoipa::ToSchema;

use super::terms::EmergencyTerms;
use crate::base::{Code, Error, Result, Timestamp};
use crate::store::state::emergency::Emergency;

/// Emergency access.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmergencyView {
    /// Its id: decisions name it `grant:E-2026-000001`.
    #[schema(example = "E-2026-000001")]
    pub emergency: String,
    /// The dataset.
    pub dataset: String,
    /// The department that owns the dataset.
    pub provider: String,
    /// Who opened it; queries name this account as their operator.
    pub account: String,
    /// The department of that person.
    pub department: String,
    /// The system that may ask.
    pub system: String,
    /// What for.
    pub purpose: String,
    /// The case that every query names.
    pub case: String,
    /// What is given.
    pub fields: Vec<EmergencyFieldView>,
    /// Different subjects at most; one in a query.
    pub subjects: u32,
    /// Why it was opened.
    pub reason: String,
    /// From when, UTC.
    pub since: String,
    /// Until when, UTC.
    pub until: String,
    /// `active` or `ended`.
    pub state: String,
    /// The day by whose end the provider reviews it, in Asia/Shanghai.
    pub review_due: String,
    /// What the review found: `proper` or `misuse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The reviewer's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The account of the reviewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<String>,
    /// Was it not reviewed in time?
    pub overdue: bool,
}

/// One field and the form that it is given in.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmergencyFieldView {
    /// The field.
    pub field: String,
    /// The form.
    pub form: String,
}

/// Emergency access that concerns the reader, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmergencyList {
    /// The reader's own, and for reviewers those of their department's datasets.
    pub emergencies: Vec<EmergencyView>,
}

/// An enrolment for emergency access.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrolmentView {
    /// The account.
    pub account: String,
    /// The dataset.
    pub dataset: String,
    /// `active` or `withdrawn`.
    pub state: String,
}

pub(super) fn view(emergency: Emergency) -> Result<EmergencyView> {
    let terms: EmergencyTerms =
        serde_json::from_str(&emergency.terms).map_err(|e| Error::new(Code::Internal).because(e))?;
    let fields = terms.fields.iter();
    Ok(EmergencyView {
        fields: fields
            .map(|gift| EmergencyFieldView {
                field: gift.field.to_string(),
                form: gift.form.as_str().to_owned(),
            })
            .collect(),
        emergency: emergency.id,
        dataset: emergency.dataset,
        provider: emergency.provider,
        account: emergency.account,
        department: emergency.department,
        system: terms.system.to_string(),
        purpose: terms.purpose.to_string(),
        case: terms.case,
        subjects: terms.subjects,
        reason: emergency.reason,
        since: Timestamp::from_micros(emergency.since).to_string(),
        until: Timestamp::from_micros(emergency.until).to_string(),
        state: emergency.state,
        review_due: emergency.review_due,
        verdict: emergency.verdict,
        note: emergency.note,
        reviewer: emergency.reviewer,
        overdue: emergency.overdue,
    })
}
