//! The grants of `policies/grants.toml`: those that no application came to.
//!
//! Invariant: a file with a fault in it is refused whole, with the line; and no grant of the file
//! has an id such as applications give.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::grant::{Fault, Gift, Grant, GrantedField, People, holder, no_field};
use super::groups::Groups;
use crate::base::ids::{DatasetId, DepartmentId, PurposeId, RuleId, SystemId};
use crate::base::locate::line_at;
use crate::base::{Finding, Findings, Sources, Timestamp};
use crate::catalogue::Catalogue;

/// Where they are authored.
pub(super) const GRANTS: &str = "policies/grants.toml";

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
    distinct_per_day: Option<u32>,
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

    fn note(&mut self, held: Result<(), Fault>) {
        if let Err((code, what, fix)) = held {
            self.error(code, what, fix);
        }
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
            || entry.distinct_per_day == Some(0)
            || entry.basis.trim().is_empty()
        {
            let what = "a grant names systems, fields, a volume per day and its legal basis".into();
            self.error("grant-incomplete", what, "add what is missing");
        }
        for system in &entry.systems {
            self.note(holder(system, &entry.department, groups));
        }
        for given in &entry.fields {
            let held = match dataset.field(given.field.as_str()) {
                Some(field) => {
                    Gift { given, field, dataset, purpose: &entry.purpose, to: &entry.department }.hold()
                }
                None => Err(no_field(&entry.dataset, given)),
            };
            self.note(held);
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
        let Some(rule) = Grant::rule(&entry.id) else {
            self.error("grant-id", format!("`{}` is too long", entry.id), "shorten the id");
            return None;
        };
        if belongs_to_applications(&entry.id) {
            let what = format!("`{}` is how a grant that came of an application is called", entry.id);
            self.error("grant-id-taken", what, "write `G-2026-0001`, say");
        }
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
            people: entry.distinct_per_day.map(People::ADay),
            condition: None,
            basis: entry.basis,
            line: self.line,
        })
    }
}

/// Is it an id that the gateway itself gives: `G-2026-000001`, or `E-…` for emergency access?
fn belongs_to_applications(id: &RuleId) -> bool {
    let mut parts = id.as_str().split('-');
    let (kind, number) = (parts.next(), parts.nth(1));
    kind == Some("E") || kind == Some("G") && number.is_some_and(|number| number.len() == 6)
}

/// The first moment of a day in Asia/Shanghai.
fn midnight(day: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{day}T00:00:00+08:00"))
}
