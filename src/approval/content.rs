//! Can an application be for these terms? What the catalogue, the registry and the rules of the
//! workflow say of them.
//!
//! Invariant: terms that pass hold nothing that its owner does not allow and no number of a person.
//! What was sent is never repeated in a fault, only where it stood.

use std::collections::HashSet;

use super::facts::Facts;
use super::terms::{FieldTerms, Terms};
use crate::base::ids::DepartmentId;
use crate::base::{Code, Error, Invalid, Result};
use crate::catalogue::{Class, Dataset, Form, reference};

/// The longest text, in characters.
pub const MAX_TEXT: usize = 2_000;
/// The most systems that one grant is for.
const MAX_SYSTEMS: usize = 16;
/// The most faults that one answer lists.
const MAX_FAULTS: usize = 32;

/// Are these terms whole, and does the catalogue allow them?
///
/// # Errors
/// `invalid-request` with a pointer, beginning with `/terms`, to each fault.
pub(super) fn check(terms: &Terms, requester: &DepartmentId, facts: &Facts<'_>) -> Result<()> {
    let mut faults = Faults { list: Vec::new(), facts };
    match facts.catalogue.datasets.get(&terms.dataset) {
        None => faults.add("/terms/dataset", Code::NotAllowedValue),
        Some(own) if own.entry.provider == *requester => {
            faults.expect("/terms/dataset", Code::NotAllowedValue, "a dataset of another department");
        }
        Some(dataset) => faults.against(terms, dataset),
    }
    faults.texts(terms);
    faults.systems(terms, requester);
    faults.bounds(terms);
    faults.done()
}

/// Is a text there, short enough and without a number of a person?
///
/// # Errors
/// `invalid-request` with its pointer.
pub(super) fn text(pointer: &str, text: &str, facts: &Facts<'_>) -> Result<()> {
    let mut faults = Faults { list: Vec::new(), facts };
    faults.text(pointer, text);
    faults.done()
}

/// No faults, or all of them.
///
/// # Errors
/// `invalid-request` when there are some.
pub(super) fn none(mut faults: Vec<Invalid>) -> Result<()> {
    faults.truncate(MAX_FAULTS);
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(Code::InvalidRequest, faults)) }
}

struct Faults<'a> {
    list: Vec<Invalid>,
    facts: &'a Facts<'a>,
}

impl Faults<'_> {
    fn done(self) -> Result<()> {
        none(self.list)
    }

    fn add(&mut self, pointer: impl Into<String>, code: Code) {
        self.list.push(Invalid { pointer: pointer.into(), code, expected: None });
    }

    fn expect(&mut self, pointer: impl Into<String>, code: Code, expected: &str) {
        self.list.push(Invalid { pointer: pointer.into(), code, expected: Some(expected.to_owned()) });
    }

    fn text(&mut self, pointer: &str, text: &str) {
        if text.trim().is_empty() {
            self.add(pointer, Code::MissingMember);
        } else if text.chars().count() > MAX_TEXT {
            self.add(pointer, Code::OutOfBounds);
        } else if reference::names_somebody(text, self.facts.now.day()) {
            self.expect(pointer, Code::NotAllowedValue, "a text without anybody's number");
        }
    }

    fn texts(&mut self, terms: &Terms) {
        self.text("/terms/basis", &terms.basis);
        self.text("/terms/scenario", &terms.scenario);
        self.text("/terms/scope", &terms.scope);
        if let Some(reason) = &terms.toxic_reason {
            self.text("/terms/toxic_reason", reason);
        }
        // More fields than a dataset can have are a fault of their own.
        for (i, field) in terms.fields.iter().enumerate().take(MAX_FAULTS) {
            self.text(&format!("/terms/fields/{i}/reason"), &field.reason);
        }
    }

    fn systems(&mut self, terms: &Terms, requester: &DepartmentId) {
        self.number("/terms/systems", terms.systems.len(), MAX_SYSTEMS);
        let mut seen = HashSet::new();
        for (i, id) in terms.systems.iter().enumerate().take(MAX_SYSTEMS) {
            let own = self.facts.registry.system(id.as_str()).is_some_and(|s| s.department == *requester);
            let pointer = format!("/terms/systems/{i}");
            if !own {
                self.expect(pointer, Code::NotAllowedValue, "a system of the own department");
            } else if !seen.insert(id) {
                self.add(pointer, Code::DuplicateItem);
            }
        }
    }

    fn bounds(&mut self, terms: &Terms) {
        if terms.per_day == 0 {
            self.add("/terms/per_day", Code::OutOfBounds);
        }
        if terms.distinct_per_day == 0 || terms.distinct_per_day > terms.per_day {
            self.expect("/terms/distinct_per_day", Code::OutOfBounds, "1 to per_day");
        }
        let today = self.facts.now.day();
        let longest = time::Duration::days(self.facts.workflow.grant.longest.into());
        let last = today.checked_add(longest).unwrap_or(time::Date::MAX);
        if terms.until < today || terms.until > last {
            self.expect("/terms/until", Code::OutOfBounds, &format!("{today} to {last}"));
        }
    }

    fn number(&mut self, pointer: &str, number: usize, most: usize) {
        if number == 0 {
            self.add(pointer, Code::TooFewItems);
        } else if number > most {
            self.add(pointer, Code::OutOfBounds);
        }
    }

    fn against(&mut self, terms: &Terms, dataset: &Dataset) {
        if !dataset.entry.purposes.contains(&terms.purpose) {
            self.add("/terms/purpose", Code::UnknownPurpose);
        }
        if terms.mode != dataset.entry.mode {
            self.expect("/terms/mode", Code::NotAllowedValue, &dataset.entry.mode);
        }
        self.number("/terms/fields", terms.fields.len(), dataset.fields.len());
        let mut seen = HashSet::new();
        for (i, asked) in terms.fields.iter().enumerate().take(dataset.fields.len()) {
            let at = format!("/terms/fields/{i}");
            if !seen.insert(&asked.field) {
                self.add(at.clone(), Code::DuplicateItem);
            }
            self.field(&at, asked, terms, dataset);
        }
    }

    fn field(&mut self, at: &str, asked: &FieldTerms, terms: &Terms, dataset: &Dataset) {
        let Some(field) = dataset.field(asked.field.as_str()) else {
            return self.add(format!("{at}/field"), Code::UnknownField);
        };
        let form = asked.form;
        if field.sharing.class == Class::Withheld && form == Form::Plain {
            return self.add(format!("{at}/form"), Code::Withheld);
        }
        let listed = field.sharing.forms.get(&form).filter(|listed| listed.serves(&terms.purpose));
        let Some(listed) = listed else {
            return self.add(format!("{at}/form"), Code::FormNotPermitted);
        };
        let compare = format!("{at}/compare");
        if form != Form::Predicate {
            if !asked.compare.is_empty() {
                self.expect(compare, Code::NotAllowedValue, "comparisons with `predicate` alone");
            }
            return;
        }
        // None named would mean all that the owner ever lists: an approval is of what was seen.
        self.number(&compare, asked.compare.len(), listed.compare.len());
        for (j, predicate) in asked.compare.iter().enumerate().take(listed.compare.len()) {
            if !listed.compare.contains(predicate) {
                self.add(format!("{compare}/{j}"), Code::PredicateNotPermitted);
            } else if asked.compare.iter().take(j).any(|earlier| earlier == predicate) {
                self.add(format!("{compare}/{j}"), Code::DuplicateItem);
            }
        }
    }
}
