//! Sets of fields that identify a person together (组合识别).
//!
//! Invariant: what counts is everything that a department has in force about one kind of subject,
//! not one application alone: two harmless applications can make a harmful pair.

use super::terms::Terms;
use super::workflow::{Toxic, ToxicPart, Workflow};
use crate::base::ids::{DatasetId, FieldName};
use crate::catalogue::{Catalogue, Form, IdentifierKind};

/// The combinations that `terms` make, alone or with what is in force. At least one part must come
/// from `terms`: what was there before was justified before.
pub fn found<'a>(
    terms: &Terms,
    in_force: &[Terms],
    catalogue: &Catalogue,
    workflow: &'a Workflow,
) -> Vec<&'a Toxic> {
    let kind = subject(&terms.dataset, catalogue);
    let others: Vec<Given<'_>> = in_force
        .iter()
        .filter(|other| kind.is_some() && subject(&other.dataset, catalogue) == kind)
        .flat_map(given)
        .collect();
    let own: Vec<Given<'_>> = given(terms).collect();
    let made = |toxic: &&Toxic| {
        let own_part = |part: &ToxicPart| own.iter().any(|given| is(part, given));
        let any_part = |part: &ToxicPart| own_part(part) || others.iter().any(|given| is(part, given));
        toxic.parts.iter().any(own_part) && toxic.parts.iter().all(any_part)
    };
    workflow.toxic.iter().filter(made).collect()
}

/// One field in one form.
type Given<'a> = (&'a DatasetId, &'a FieldName, Form);

fn given(terms: &Terms) -> impl Iterator<Item = Given<'_>> {
    terms.fields.iter().map(|asked| (&terms.dataset, &asked.field, asked.form))
}

fn is(part: &ToxicPart, (dataset, field, form): &Given<'_>) -> bool {
    part.forms.contains(form) && part.fields.iter().any(|(d, f)| d == *dataset && f == *field)
}

/// How the subjects of a dataset are named: what is told of them can be joined by it.
fn subject(dataset: &DatasetId, catalogue: &Catalogue) -> Option<IdentifierKind> {
    catalogue.datasets.get(dataset).map(|dataset| dataset.entry.subject.identifier)
}
