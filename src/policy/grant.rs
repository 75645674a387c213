//! What an approved application permits (授权).
//!
//! Invariant: a grant names everything it gives: which systems, which fields, each in one form,
//! for one purpose and time. Whether it is in force is asked at every decision and never
//! remembered. How much of its daily volume is used is not known here: the store counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::groups::Groups;
use crate::base::ids::{DatasetId, DepartmentId, FieldName, PurposeId, RuleId, SystemId};
use crate::base::locate::line_at;
use crate::base::{Finding, Findings, Sources, Timestamp};
use crate::catalogue::{Catalogue, Class, Dataset, Field, Form, Predicate};

/// Where grants are authored until the workflow writes them.
pub(super) const GRANTS: &str = "policies/grants.toml";

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
    /// Subjects a day at most.
    pub per_day: u32,
    /// The legal basis.
    pub basis: String,
    /// The line of its file.
    pub line: usize,
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
    /// May it be used at `now`?
    pub fn in_force(&self, now: Timestamp) -> bool {
        !self.suspended && self.from <= now && now < self.until
    }

    /// The comparisons that it narrows the catalogue's to; none where it does not.
    pub fn compare(&self, field: &FieldName) -> &[Predicate] {
        let given = self.fields.iter().find(|f| f.field == *field && f.form == Form::Predicate);
        given.map(|f| f.compare.as_slice()).unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    grant: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: RuleId,
    dataset: DatasetId,
    department: DepartmentId,
    systems: Vec<SystemId>,
    purpose: PurposeId,
    fields: Vec<GrantedField>,
    valid_from: String,
    valid_until: String,
    #[serde(default)]
    suspended: bool,
    per_day: u32,
    basis: String,
}

/// The grants of `sources`, in the order of the file. What is wrong with one is among the findings.
pub(super) fn load(
    sources: &Sources,
    catalogue: &Catalogue,
    groups: &Groups,
    findings: &mut Findings,
) -> Vec<Arc<Grant>> {
    let Some(text) = sources.file(GRANTS) else { return Vec::new() };
    let entries = sources.toml::<File>(GRANTS, findings).map(|f| f.grant).unwrap_or_default();
    let mut ids = BTreeSet::new();
    let mut grants = Vec::new();
    for entry in entries {
        let line = line_at(text, entry.span().start);
        let mut check = Check { line, findings: &mut *findings };
        let entry = entry.into_inner();
        if !ids.insert(entry.id.clone()) {
            check.error(
                "grant-twice",
                format!("grant `{}` stands here twice", entry.id),
                "give each its own id",
            );
        }
        grants.extend(check.grant(entry, catalogue, groups).map(Arc::new));
    }
    grants
}

/// The check of one grant.
struct Check<'a> {
    line: usize,
    findings: &'a mut Findings,
}

impl Check<'_> {
    fn error(&mut self, code: &'static str, what: String, fix: &str) {
        self.findings.push(Finding::error(code, GRANTS, self.line, what, fix));
    }

    fn grant(&mut self, entry: Entry, catalogue: &Catalogue, groups: &Groups) -> Option<Grant> {
        let Some(dataset) = catalogue.datasets.get(&entry.dataset) else {
            self.error(
                "unknown-dataset",
                format!("there is no dataset `{}`", entry.dataset),
                "name one of schemas/",
            );
            return None;
        };
        if !dataset.entry.purposes.contains(&entry.purpose) {
            let what = format!("`{}` does not serve purpose `{}`", entry.dataset, entry.purpose);
            self.error("unknown-purpose", what, "name one of its `x-dataset.purposes`");
        }
        if entry.systems.is_empty()
            || entry.fields.is_empty()
            || entry.per_day == 0
            || entry.basis.trim().is_empty()
        {
            let what = "a grant names systems, fields, a volume per day and its legal basis".into();
            self.error("grant-incomplete", what, "add what is missing");
        }
        let department = format!("dep:{}", entry.department);
        for system in &entry.systems {
            // The second name above a system is its department.
            match groups.above(system.as_str()).get(1) {
                Some(own) if **own == *department => {}
                Some(own) => {
                    let what = format!("system `{system}` is of `{own}`, the grant of `{department}`");
                    self.error("foreign-system", what, "name systems of the department it was given to");
                }
                None => self.error(
                    "unknown-system",
                    format!("there is no system `{system}`"),
                    "name one of systems.toml",
                ),
            }
        }
        for given in &entry.fields {
            match dataset.field(given.field.as_str()) {
                Some(field) => self.field(given, field, dataset, &entry),
                None => {
                    let what = format!("`{}` has no field `{}`", entry.dataset, given.field);
                    self.error("unknown-field", what, "name a field of its schema");
                }
            }
        }
        let (Some(from), Some(last)) = (midnight(&entry.valid_from), midnight(&entry.valid_until)) else {
            self.error(
                "grant-date",
                "a date is written 2026-01-31".into(),
                "correct valid_from or valid_until",
            );
            return None;
        };
        let until = last.plus_seconds(24 * 60 * 60);
        if until <= from {
            self.error(
                "grant-ends-before-start",
                "it ends before it starts".into(),
                "correct valid_from or valid_until",
            );
        }
        let Some(rule) = RuleId::parse(&format!("grant:{}", entry.id)) else {
            self.error("grant-id", format!("`{}` is too long", entry.id), "shorten the id");
            return None;
        };
        Some(Grant {
            id: entry.id,
            rule,
            dataset: entry.dataset,
            department: entry.department,
            systems: entry.systems,
            purpose: entry.purpose,
            fields: entry.fields,
            from,
            until,
            suspended: entry.suspended,
            per_day: entry.per_day,
            basis: entry.basis,
            line: self.line,
        })
    }

    fn field(&mut self, given: &GrantedField, field: &Field, dataset: &Dataset, entry: &Entry) {
        let (name, form) = (&given.field, given.form);
        let Some(terms) = field.sharing.forms.get(&form) else {
            let what = format!("the catalogue does not list `{form}` for `{name}`");
            return self.error("form-not-listed", what, "grant a form that its owner allows");
        };
        if !terms.serves(&entry.purpose) {
            let what = format!("`{name}` may not be `{form}` for purpose `{}`", entry.purpose);
            self.error("form-not-for-purpose", what, "grant a form that its owner allows for the purpose");
        }
        if let Some(foreign) = given.compare.iter().find(|p| !terms.compare.contains(p)) {
            let what = format!(
                "`{name} {} {}` is none of the catalogue's comparisons",
                foreign.op.as_str(),
                foreign.value
            );
            self.error("predicate-not-listed", what, "choose among those its owner fixed");
        }
        let withheld = field.sharing.class == Class::Withheld && form == Form::Plain;
        if withheld && entry.department != dataset.entry.provider {
            let what = format!("`{name}` is withheld: nobody but its owner may have it in plain");
            self.error("withheld-in-plain", what, "grant a lesser form");
        }
    }
}

/// The first moment of a day in Asia/Shanghai.
fn midnight(day: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{day}T00:00:00+08:00"))
}
