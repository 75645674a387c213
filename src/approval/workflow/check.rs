//! What is wrong with the rules of the workflow: what they say and cannot mean.
//!
//! Invariant: a template that comes through here can be passed, and never without a vote of the
//! department that owns the data; the one exception is what it shares unconditionally.

use std::collections::BTreeSet;

use toml::Spanned;

use super::{Answer, EmergencyAccess, GrantRules, Lapse, PeopleRules, Reason, WORKFLOW};
use crate::approval::event::Stage;
use crate::base::ids::{DatasetId, FieldName};
use crate::base::locate::line_at;
use crate::base::{Finding, Findings};
use crate::catalogue::{Catalogue, Class, Form, IdentifierKind};
use crate::identity::Role;

/// Roles that people of the provider vote in.
pub(in crate::approval) const REVIEWERS: [Role; 4] =
    [Role::SectionHead, Role::Leader, Role::ConfidentialityOfficer, Role::SharingLead];

/// Words of a code that speak of what is missing: for that, an application is sent back.
const NO_REASONS: [&str; 4] = ["incomplete", "missing", "material", "document"];

/// The check of one file.
pub(super) struct Check<'a> {
    pub text: &'a str,
    pub catalogue: &'a Catalogue,
    pub findings: &'a mut Findings,
}

impl Check<'_> {
    /// Notes an error at a byte of the file; 0 is the file as a whole.
    pub fn error(&mut self, code: &'static str, at: usize, what: String, fix: &str) {
        let line = if at == 0 { 0 } else { line_at(self.text, at) };
        self.findings.push(Finding::error(code, WORKFLOW, line, what, fix));
    }

    pub fn bounds(&mut self, at: usize, members: &[(&str, u16, u16, u16)]) {
        for (name, value, least, most) in members {
            if value < least || value > most {
                let what = format!("`{name}` is {value}, not {least} to {most}");
                self.error("out-of-bounds", at, what, "correct the number");
            }
        }
    }

    pub fn answer(&mut self, entry: &Spanned<Answer>) {
        let (at, answer) = (entry.span().start, entry.get_ref());
        self.bounds(
            at,
            &[
                ("unconditional", answer.unconditional, 1, 250),
                ("conditional", answer.conditional, 1, 250),
                ("extension", answer.extension, 0, 250),
                ("remind", answer.remind, 0, answer.conditional.max(1) - 1),
            ],
        );
    }

    pub fn lapse(&mut self, entry: &Spanned<Lapse>) {
        let (at, lapse) = (entry.span().start, entry.get_ref());
        self.bounds(
            at,
            &[
                ("draft", lapse.draft, 1, 250),
                ("consent", lapse.consent, 1, 250),
                ("returned", lapse.returned, 1, 250),
                ("offered", lapse.offered, 1, 250),
            ],
        );
    }

    pub fn grant(&mut self, entry: &Spanned<GrantRules>) {
        let (at, grant) = (entry.span().start, entry.get_ref());
        self.bounds(
            at,
            &[
                ("longest", grant.longest, 1, 3660),
                ("renewal", grant.renewal, 1, 365),
                ("resume", grant.resume.into(), 2, 5),
            ],
        );
    }

    pub fn people(&mut self, entry: &Spanned<PeopleRules>) {
        let (at, people) = (entry.span().start, entry.get_ref());
        self.bounds(at, &[("ring", people.ring, 1, 3660), ("delegation", people.delegation, 1, 366)]);
    }

    /// A template that cannot be passed, or passes without the department that owns the data.
    pub fn template(&mut self, at: usize, stages: &[Stage], may_be_empty: bool) {
        if stages.is_empty() && !may_be_empty {
            let fix = "name the roles that must approve; silence approves nothing";
            self.error("stages-empty", at, "nobody has to approve".to_owned(), fix);
        }
        let mut seen = BTreeSet::new();
        for stage in stages {
            if stage.roles.is_empty() {
                self.error("stage-empty", at, "a stage has no role".to_owned(), "name its roles, or drop it");
            }
            for role in &stage.roles {
                let name = role.as_str();
                if !REVIEWERS.contains(role) {
                    let what = format!("nobody of a provider votes as {name}");
                    let fix = "section_head, leader, confidentiality_officer and sharing_lead vote";
                    self.error("stage-role", at, what, fix);
                }
                if !seen.insert(role) {
                    let what = format!("{name} stands there twice");
                    self.error("stage-role-twice", at, what, "a role votes once");
                }
            }
        }
        let last = stages.last();
        if last.is_some_and(|stage| !stage.roles.contains(&Role::SharingLead)) {
            let fix = "the last stage has the sharing_lead, who answers for the department (Art. 20)";
            self.error("stages-without-lead", at, "the sharing lead does not vote last".to_owned(), fix);
        }
    }

    pub fn dataset(&mut self, at: usize, dataset: &DatasetId) {
        if !self.catalogue.datasets.contains_key(dataset) {
            let what = format!("there is no dataset `{dataset}`");
            self.error("unknown-dataset", at, what, "name one of schemas/");
        }
    }

    pub fn name(&mut self, at: usize, name: &str) {
        let ordinary = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(ordinary) {
            self.error("name", at, "not a name".to_owned(), "1 to 64 of a-z 0-9 and -");
        }
    }

    pub fn reason(&mut self, at: usize, code: &str, reason: &Reason) {
        self.name(at, code);
        let texts = [&reason.title.zh, &reason.title.en, &reason.basis];
        if texts.iter().any(|text| text.trim().is_empty()) {
            let what = format!("`{code}` lacks a text");
            self.error("reason-text", at, what, "say it in both languages, and cite the law");
        }
        if NO_REASONS.iter().any(|word| code.contains(word)) || reason.title.zh.contains("材料") {
            let what = format!("`{code}`: nothing is refused for what is missing");
            let fix = "an application is sent back for that, once (Art. 21): remove the reason";
            self.error("reason-incomplete", at, what, fix);
        }
    }

    /// The fields that are written `dataset.field`.
    pub fn named(&mut self, names: &[Spanned<String>], forms: &[Form]) -> BTreeSet<(DatasetId, FieldName)> {
        let mut fields = BTreeSet::new();
        for name in names {
            let (at, name) = (name.span().start, name.get_ref());
            let found = name.rsplit_once('.').and_then(|(dataset, field)| {
                let dataset = self.catalogue.datasets.get(dataset)?;
                Some((dataset.id().clone(), dataset.field(field)?))
            });
            let Some((dataset, field)) = found else {
                let what = format!("there is no field `{name}`");
                self.error("unknown-field", at, what, "write dataset.field, as in the catalogue");
                continue;
            };
            if !forms.iter().any(|form| field.sharing.forms.contains_key(form)) {
                let what = format!("`{name}` is given in none of the forms");
                self.error("toxic-form", at, what, "name a form that its owner lists, or drop the field");
            }
            fields.insert((dataset, field.name.clone()));
        }
        fields
    }

    /// The fields whose values follow the standard.
    pub fn following(&self, kind: IdentifierKind) -> BTreeSet<(DatasetId, FieldName)> {
        let datasets = self.catalogue.datasets.values();
        datasets
            .flat_map(|dataset| dataset.fields.iter().map(|field| (dataset.id(), field)))
            .filter(|(_, field)| field.identifier == Some(kind))
            .map(|(dataset, field)| (dataset.clone(), field.name.clone()))
            .collect()
    }

    /// Emergency access that the catalogue does not allow.
    pub fn emergency(&mut self, at: usize, open: &EmergencyAccess) {
        let Some(dataset) = self.catalogue.datasets.get(&open.dataset) else {
            return self.dataset(at, &open.dataset);
        };
        if !dataset.entry.purposes.contains(&open.purpose) {
            let what = format!("`{}` does not serve purpose `{}`", open.dataset, open.purpose);
            self.error("unknown-purpose", at, what, "name one of its `x-dataset.purposes`");
        }
        if open.fields.is_empty() {
            self.error("emergency-empty", at, "no field is named".to_owned(), "name fields, or drop it");
        }
        for asked in &open.fields {
            let name = &asked.field;
            let Some(field) = dataset.field(name.as_str()) else {
                let what = format!("`{}` has no field `{name}`", open.dataset);
                self.error("unknown-field", at, what, "name a field of its schema");
                continue;
            };
            let form = asked.form;
            if !field.sharing.forms.get(&form).is_some_and(|terms| terms.serves(&open.purpose)) {
                let what = format!("the catalogue does not list `{form}` for `{name}` and that purpose");
                self.error("form-not-listed", at, what, "name a form that its owner allows");
            }
            if field.sharing.class == Class::Withheld && form == Form::Plain {
                let what = format!("`{name}` is withheld: nobody but its owner may have it in plain");
                self.error("withheld-in-plain", at, what, "name a lesser form");
            }
        }
    }
}
