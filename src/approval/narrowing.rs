//! Is an offer less than what was asked for?
//!
//! Invariant: an offer never gives a field, form, comparison, system, day or volume that was not
//! asked for; and it is for the same thing: purpose, basis, scenario and scope are the applicant's.

use super::terms::{FieldTerms, Terms};
use crate::base::{Code, Invalid};
use crate::catalogue::Form;

/// Every place where `offer` is not within `asked`.
pub fn faults(offer: &Terms, asked: &Terms) -> Vec<Invalid> {
    let mut faults = Vec::new();
    let mut fault = |pointer: String, code| faults.push(Invalid { pointer, code, expected: None });
    let same = [
        ("/terms/dataset", offer.dataset == asked.dataset),
        ("/terms/purpose", offer.purpose == asked.purpose),
        ("/terms/basis", offer.basis == asked.basis),
        ("/terms/scenario", offer.scenario == asked.scenario),
        ("/terms/scope", offer.scope == asked.scope),
        ("/terms/mode", offer.mode == asked.mode),
        ("/terms/toxic_reason", offer.toxic_reason == asked.toxic_reason),
    ];
    for (pointer, _) in same.iter().filter(|(_, same)| !same) {
        fault((*pointer).to_owned(), Code::NotAllowedValue);
    }
    for (i, system) in offer.systems.iter().enumerate() {
        if !asked.systems.contains(system) {
            fault(format!("/terms/systems/{i}"), Code::NotAllowedValue);
        }
    }
    for (i, field) in offer.fields.iter().enumerate() {
        if !asked.fields.iter().any(|asked| is_within(field, asked)) {
            fault(format!("/terms/fields/{i}"), Code::NotAllowedValue);
        }
    }
    let less = [
        ("/terms/per_day", offer.per_day <= asked.per_day),
        ("/terms/distinct_per_day", offer.distinct_per_day <= asked.distinct_per_day),
        ("/terms/until", offer.until <= asked.until),
    ];
    for (pointer, _) in less.iter().filter(|(_, less)| !less) {
        fault((*pointer).to_owned(), Code::OutOfBounds);
    }
    faults
}

fn is_within(offer: &FieldTerms, asked: &FieldTerms) -> bool {
    let compares_less =
        asked.form != Form::Predicate || offer.compare.iter().all(|c| asked.compare.contains(c));
    offer.field == asked.field && offer.form <= asked.form && (offer.form != Form::Predicate || compares_less)
}
