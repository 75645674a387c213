//! The record of a request, in the making.
//!
//! Invariant: what is noted here is names, codes, numbers and commitments: never a value, and an
//! identifier only on its way into a commitment.

use std::time::Instant;

use super::call::{Call, Known};
use super::world::World;
use crate::audit::record::{Draft, Object};
use crate::base::{Code, FieldRefusal};
use crate::catalogue::Ask;
use crate::policy::{FieldVerdict, Verdict};

/// The record of one request, growing as the request gets on.
pub struct Trail {
    draft: Draft,
    fields: Vec<Object>,
    started: Instant,
    asked: bool,
}

impl Trail {
    /// The record of a request of a known caller.
    pub fn new(kind: &'static str, call: &Call<impl Known>) -> Self {
        let mut draft = Draft::new(kind);
        let members = draft.members();
        members.text("request_id", &call.request_id.to_string());
        members.text("trace", &call.trace);
        members.object("caller", &call.caller.describe());
        Self { draft, fields: Vec::new(), started: Instant::now(), asked: false }
    }

    /// Under which versions it is decided.
    pub fn world(&mut self, world: &World) {
        let members = self.draft.members();
        members.number("catalogue_version", world.catalogue_version);
        members.number("policy_version", world.policy_version);
    }

    /// Which dataset it asks: one that exists, so the name is ours and not the caller's.
    pub fn dataset(&mut self, dataset: &str) {
        self.draft.members().text("dataset", dataset);
    }

    /// What it asks.
    pub fn ask(&mut self, ask: &Ask) {
        let members = self.draft.members();
        members.text("purpose", ask.purpose.as_str());
        members.text("case", &ask.case);
        members.text("operator", &ask.operator);
        let kind = ask.dataset.entry.subject.identifier.as_str();
        for subject in &ask.subjects {
            self.draft.subject(kind, subject.reveal().as_str().unwrap_or_default());
        }
    }

    /// What was decided; a later decision takes the place of an earlier one.
    pub fn verdict(&mut self, verdict: &Verdict) {
        self.fields = verdict.fields.iter().map(field).collect();
    }

    /// That the provider was asked, through the adapter of this name: from here on something was
    /// done with a person's data, and no budget keeps that out of the log.
    pub fn asked(&mut self, adapter: Option<&str>) {
        self.asked = true;
        if let Some(adapter) = adapter {
            self.draft.members().text("adapter", adapter);
        }
    }

    /// Was the provider asked?
    pub fn was_asked(&self) -> bool {
        self.asked
    }

    /// A fact of its own: a name of ours.
    pub fn note(&mut self, name: &'static str, value: &str) {
        self.draft.members().text(name, value);
    }

    /// A number of its own.
    pub fn count(&mut self, name: &'static str, value: u64) {
        self.draft.members().number(name, value);
    }

    /// Names a person whom an act other than a query is about.
    pub fn subject(&mut self, kind: &str, identifier: &str) {
        self.draft.subject(kind, identifier);
    }

    /// The record, ended by the code that the caller sees.
    pub fn end(mut self, outcome: Code) -> Draft {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        if !self.fields.is_empty() {
            self.draft.members().objects("fields", &self.fields);
        }
        self.draft.members().text("outcome", outcome.as_str()).number("duration_us", micros);
        self.draft
    }
}

fn field(verdict: &FieldVerdict) -> Object {
    let mut object = Object::new();
    match verdict {
        FieldVerdict::Given { name, form, rule, .. } => {
            object.text("field", name.as_str()).text("form", form.as_str()).text("rule", rule.as_str());
        }
        FieldVerdict::Refused(FieldRefusal { field, code, rule, .. }) => {
            object.text("field", field.as_str()).text("code", code.as_str());
            if let Some(rule) = rule {
                object.text("rule", rule.as_str());
            }
        }
    }
    object
}
