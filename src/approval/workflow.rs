//! The rules of the workflow: who has to approve, within which time, what must be justified.
//!
//! Invariant: read whole, checked whole against the catalogue, and from then on immutable. Nothing
//! of the law is a constant in code: `policies/workflow.toml` and `policies/calendar.toml` say it.

mod calendar;
mod check;
mod load;

pub(super) use check::REVIEWERS;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::calendar::Calendar;
use super::event::Stage;
use super::terms::Terms;
use crate::base::Text;
use crate::base::ids::{DatasetId, FieldName, PurposeId};
use crate::catalogue::{Catalogue, Class, Dataset, Form, Level};
use crate::identity::Role;

/// Where the rules of the workflow are authored.
pub const WORKFLOW: &str = "policies/workflow.toml";
/// Where working days are authored.
pub const CALENDAR: &str = "policies/calendar.toml";

/// The rules of the workflow, in one version.
#[derive(Debug)]
pub struct Workflow {
    /// Working days.
    pub calendar: Calendar,
    /// Who votes.
    pub stages: Templates,
    /// The provider's clock.
    pub answer: Answer,
    /// How long an application waits for the requester.
    pub lapse: Lapse,
    /// What holds of every grant.
    pub grant: GrantRules,
    /// What holds of people.
    pub people: PeopleRules,
    /// Why an application may be refused or a field left out, by code.
    pub reasons: BTreeMap<String, Reason>,
    /// Sets of fields that identify a person together.
    pub toxic: Vec<Toxic>,
    /// What may be asked for in an emergency.
    pub emergency: Emergency,
}

/// Templates of stages.
#[derive(Debug, Clone)]
pub struct Templates {
    /// For nothing but unconditional fields.
    pub unconditional: Vec<Stage>,
    /// By the level of the dataset.
    pub levels: BTreeMap<Level, Vec<Stage>>,
    /// For datasets that go another way.
    pub datasets: BTreeMap<DatasetId, Vec<Stage>>,
}

/// The provider's clock, in working days (Decree 809 Art. 21).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// To an application for nothing but unconditional fields.
    pub unconditional: u16,
    /// To every other.
    pub conditional: u16,
    /// Granted in addition, at most.
    pub extension: u16,
    /// A reminder so long before any deadline.
    pub remind: u16,
}

/// Working days that an application waits for the requester before it lapses.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lapse {
    /// While it is written.
    pub draft: u16,
    /// For the requester's sharing lead.
    pub consent: u16,
    /// For what is missing.
    pub returned: u16,
    /// For the acceptance of an offer.
    pub offered: u16,
}

/// What holds of every grant.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRules {
    /// The longest validity, in calendar days.
    pub longest: u16,
    /// Its renewal is offered so many calendar days before its end.
    pub renewal: u16,
    /// People who have to say so before it is in force again.
    pub resume: u8,
}

/// What holds of people.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleRules {
    /// Calendar days within which two who approve each other's applications are a ring.
    pub ring: u16,
    /// The longest delegation, in calendar days.
    pub delegation: u16,
}

/// Why an application may be refused, or a field left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// In words.
    pub title: Text,
    /// The law that it mostly rests on; a refusal cites its own.
    pub basis: String,
}

/// Fields that identify a person together (组合识别).
#[derive(Debug, Clone)]
pub struct Toxic {
    /// Its name.
    pub name: String,
    /// In words.
    pub title: Text,
    /// Each of which must be there for the set to be.
    pub parts: Vec<ToxicPart>,
}

/// One part of a toxic combination.
#[derive(Debug, Clone)]
pub struct ToxicPart {
    /// Any of these fields is it,
    pub fields: BTreeSet<(DatasetId, FieldName)>,
    /// in any of these forms.
    pub forms: Vec<Form>,
}

/// Emergency access (应急).
#[derive(Debug, Clone)]
pub struct Emergency {
    /// How long it is open, in minutes.
    pub minutes: u16,
    /// Different subjects at most.
    pub subjects: u16,
    /// Working days within which the provider reviews it.
    pub review: u16,
    /// What may be asked for, by dataset.
    pub access: BTreeMap<DatasetId, EmergencyAccess>,
}

/// What may be asked of one dataset in an emergency.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyAccess {
    /// The dataset.
    pub dataset: DatasetId,
    /// The purpose.
    pub purpose: PurposeId,
    /// The fields, each with its form.
    pub fields: Vec<EmergencyField>,
}

/// One field that may be asked for in an emergency.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyField {
    /// The field.
    pub field: FieldName,
    /// The form.
    pub form: Form,
}

impl Workflow {
    /// The stages that an application for these terms has to pass.
    pub fn stages(&self, terms: &Terms, catalogue: &Catalogue) -> Vec<Stage> {
        // A dataset that is gone is nobody's to approve: everybody must.
        let Some(dataset) = catalogue.datasets.get(&terms.dataset) else { return self.strictest() };
        if let Some(own) = self.stages.datasets.get(&terms.dataset) {
            return own.clone();
        }
        if is_unconditional(terms, dataset) {
            return self.stages.unconditional.clone();
        }
        self.stages.levels.get(&dataset.level()).cloned().unwrap_or_else(|| self.strictest())
    }

    /// Working days within which the provider must answer.
    pub fn answer_days(&self, terms: &Terms, catalogue: &Catalogue) -> u16 {
        let unconditional =
            catalogue.datasets.get(&terms.dataset).is_some_and(|d| is_unconditional(terms, d));
        if unconditional { self.answer.unconditional } else { self.answer.conditional }
    }

    fn strictest(&self) -> Vec<Stage> {
        let every = [Role::SectionHead, Role::Leader, Role::ConfidentialityOfficer, Role::SharingLead];
        vec![Stage { roles: every.to_vec() }]
    }
}

/// Does it ask for nothing but what is shared unconditionally?
fn is_unconditional(terms: &Terms, dataset: &Dataset) -> bool {
    let class = |name: &FieldName| dataset.field(name.as_str()).map(|field| field.sharing.class);
    terms.fields.iter().all(|asked| class(&asked.field) == Some(Class::Unconditional))
}
