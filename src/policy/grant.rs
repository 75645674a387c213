//! What an approved application permits (授权).
//!
//! Invariant: a grant names everything it gives: which systems, which fields, each in one form,
//! for one purpose and time; and it gives nothing that the catalogue does not list today. Whether
//! it is in force is asked at every decision and never remembered. How much of its volume is used
//! is not known here: the store counts.

use std::sync::Arc;

use serde::Deserialize;

use super::groups::Groups;
use crate::base::Timestamp;
use crate::base::ids::{DatasetId, DepartmentId, FieldName, PurposeId, RuleId, SystemId};
use crate::catalogue::{Ask, Catalogue, Class, Dataset, Field, Form, Predicate};

/// What an approved application permits.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// Its id, such as `G-2026-0001`: what its volume is counted under.
    pub id: RuleId,
    /// How decisions name it: `grant:G-2026-0001`.
    pub rule: RuleId,
    /// The dataset.
    pub dataset: DatasetId,
    /// The department it was given to.
    pub department: DepartmentId,
    /// The systems of that department that may use it.
    pub systems: Vec<SystemId>,
    /// What for.
    pub purpose: PurposeId,
    /// What it gives.
    pub fields: Vec<GrantedField>,
    /// In force from this moment.
    pub from: Timestamp,
    /// No longer in force from this moment: the end of its last day in Asia/Shanghai.
    pub until: Timestamp,
    /// Stopped for the time being by the owner or the security administrator.
    pub suspended: bool,
    /// Subjects a day at most, repeated ones counted each time.
    pub per_day: u32,
    /// Different subjects at most, where that is bounded too.
    pub people: Option<People>,
    /// What it asks of every query beside the rest.
    pub condition: Option<Condition>,
    /// The legal basis.
    pub basis: String,
    /// The line of its file; 0 where it stands in none.
    pub line: usize,
}

/// A bound on different subjects, each counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum People {
    /// So many a day.
    ADay(u32),
    /// So many in all the time that the grant is in force.
    InAll(u32),
}

/// What emergency access (应急) asks of every query: one subject, in this case, by this person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The case.
    pub case: String,
    /// The account of the person, as the query's operator.
    pub operator: String,
}

impl Condition {
    fn holds(&self, ask: &Ask) -> bool {
        ask.case == self.case && ask.operator == self.operator && ask.subjects.len() == 1
    }
}

/// One field that a grant gives.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantedField {
    /// The field.
    pub field: FieldName,
    /// The form.
    pub form: Form,
    /// For `predicate`: fewer comparisons than the catalogue lists; none means all of those.
    #[serde(default)]
    pub compare: Vec<Predicate>,
}

impl Grant {
    /// How decisions name the grant of that id; none for an id that is too long.
    pub fn rule(id: &RuleId) -> Option<RuleId> {
        RuleId::parse(&format!("grant:{id}"))
    }

    /// May it be used at `now`?
    pub fn in_force(&self, now: Timestamp) -> bool {
        !self.suspended && self.from <= now && now < self.until
    }

    /// May it be used for `ask`? Without an ask, a grant with a condition may for none.
    pub(super) fn is_for(&self, ask: Option<&Ask>) -> bool {
        self.condition.as_ref().is_none_or(|condition| ask.is_some_and(|ask| condition.holds(ask)))
    }

    /// What of it holds under the catalogue of today, with a word on each thing that does not: its
    /// owner may have changed what is allowed since. None when nothing is left.
    pub(super) fn narrowed(
        self: &Arc<Self>,
        catalogue: &Catalogue,
        groups: &Groups,
    ) -> (Option<Arc<Self>>, Vec<String>) {
        let dataset = catalogue.datasets.get(&self.dataset);
        let Some(dataset) = dataset.filter(|dataset| dataset.entry.purposes.contains(&self.purpose)) else {
            return (None, vec![format!("`{}` does not serve purpose `{}`", self.dataset, self.purpose)]);
        };
        let gift = |given: &GrantedField| {
            let field = dataset.field(given.field.as_str()).ok_or_else(|| no_field(&self.dataset, given))?;
            Gift { given, field, dataset, purpose: &self.purpose, to: &self.department }.hold()
        };
        let mut left_out = Vec::new();
        let mut holds = |held: Result<(), Fault>| held.map_err(|(_, what, _)| left_out.push(what)).is_ok();
        let fields: Vec<_> = self.fields.iter().filter(|given| holds(gift(given))).cloned().collect();
        let systems: Vec<_> = self
            .systems
            .iter()
            .filter(|system| holds(holder(system, &self.department, groups)))
            .cloned()
            .collect();
        if left_out.is_empty() {
            return (Some(Arc::clone(self)), left_out);
        }
        let rest = !fields.is_empty() && !systems.is_empty();
        (rest.then(|| Arc::new(Grant { fields, systems, ..Grant::clone(self) })), left_out)
    }

    /// The comparisons that it narrows the catalogue's to; none where it does not.
    pub fn compare(&self, field: &FieldName) -> &[Predicate] {
        let given = self.fields.iter().find(|f| f.field == *field && f.form == Form::Predicate);
        given.map(|f| f.compare.as_slice()).unwrap_or_default()
    }
}

/// What is wrong: code, words, and what to do about it.
pub(super) type Fault = (&'static str, String, &'static str);

/// May the system hold a grant of that department?
pub(super) fn holder(system: &SystemId, department: &DepartmentId, groups: &Groups) -> Result<(), Fault> {
    // The second name above a system is its department.
    match groups.above(system.as_str()).get(1) {
        Some(own) if own.strip_prefix("dep:") == Some(department.as_str()) => Ok(()),
        Some(own) => {
            let what = format!("system `{system}` is of `{own}`, the grant of `dep:{department}`");
            Err(("foreign-system", what, "name systems of the department it was given to"))
        }
        None => Err(("unknown-system", format!("there is no system `{system}`"), "name one of systems.toml")),
    }
}

/// One field that a grant is to give.
pub(super) struct Gift<'a> {
    pub given: &'a GrantedField,
    pub field: &'a Field,
    pub dataset: &'a Dataset,
    pub purpose: &'a PurposeId,
    pub to: &'a DepartmentId,
}

impl Gift<'_> {
    /// Does its owner allow it?
    pub fn hold(&self) -> Result<(), Fault> {
        let (name, form) = (&self.given.field, self.given.form);
        let Some(terms) = self.field.sharing.forms.get(&form) else {
            let what = format!("the catalogue does not list `{form}` for `{name}`");
            return Err(("form-not-listed", what, "grant a form that its owner allows"));
        };
        if !terms.serves(self.purpose) {
            let what = format!("`{name}` may not be `{form}` for purpose `{}`", self.purpose);
            return Err(("form-not-for-purpose", what, "grant a form that its owner allows for the purpose"));
        }
        if let Some(foreign) = self.given.compare.iter().find(|p| !terms.compare.contains(p)) {
            let (op, value) = (foreign.op.as_str(), &foreign.value);
            let what = format!("`{name} {op} {value}` is none of the catalogue's comparisons");
            return Err(("predicate-not-listed", what, "choose among those its owner fixed"));
        }
        let withheld = self.field.sharing.class == Class::Withheld && form == Form::Plain;
        if withheld && *self.to != self.dataset.entry.provider {
            let what = format!("`{name}` is withheld: nobody but its owner may have it in plain");
            return Err(("withheld-in-plain", what, "grant a lesser form"));
        }
        Ok(())
    }
}

/// That a dataset has no such field.
pub(super) fn no_field(dataset: &DatasetId, given: &GrantedField) -> Fault {
    ("unknown-field", format!("`{dataset}` has no field `{}`", given.field), "name a field of its schema")
}
