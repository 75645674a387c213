//! What one field of a query comes to.
//!
//! Invariant: the form given is the least revealing that casbin allows, or one that the caller
//! asked for and that reveals no more. Nothing here allows what casbin did not; the reasons are in
//! `docs/decision.md`.

use std::sync::Arc;

use super::grant::Grant;
use super::judge::{Hearing, Ruling};
use crate::base::ids::{FieldName, PurposeId, RuleId};
use crate::base::{Code, FieldRefusal};
use crate::catalogue::{AskedField, Class, Dataset, Field, Form, FormTerms, Predicate};

/// What a query comes to, field by field.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// In the order asked.
    pub fields: Vec<FieldVerdict>,
}

/// What one field comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldVerdict {
    /// It is given.
    Given {
        /// The field.
        name: FieldName,
        /// In this form.
        form: Form,
        /// For `predicate`, and only then: the comparison.
        predicate: Option<Predicate>,
        /// The rule or grant that decided.
        rule: RuleId,
        /// The grant, where it was one: its volume is charged, its owner told.
        grant: Option<Arc<Grant>>,
    },
    /// It is refused.
    Refused(FieldRefusal),
}

/// What a caller may ask for of one field and purpose: the catalogue as it concerns the caller.
#[derive(Debug, Clone, PartialEq)]
pub enum Offer {
    /// The field is given.
    UpTo {
        /// The field.
        name: FieldName,
        /// The form that is given where none is asked for.
        form: Form,
        /// All forms that may be asked for, from least to most revealing.
        forms: Vec<Form>,
        /// The comparisons to choose from, where `predicate` is among the forms.
        compare: Vec<Predicate>,
        /// The rule or grant that decided.
        rule: RuleId,
        /// The grant, where it was one.
        grant: Option<Arc<Grant>>,
    },
    /// It is refused, whatever the form.
    Refused(FieldRefusal),
}

/// What stands about a field before any form is asked for: the part of a decision that depends on
/// neither the caller's wishes nor, given which grants are out of force, on time.
#[derive(Debug)]
pub(super) enum Standing {
    /// The most revealing form that may be asked for, and the rules and grants that give it.
    Ceiling { form: Form, by: Vec<Decider> },
    /// Nothing is given.
    Refused { code: Code, rule: Option<RuleId> },
}

/// A rule or grant that allowed something.
#[derive(Debug)]
pub(super) struct Decider {
    pub rule: RuleId,
    pub grant: Option<Arc<Grant>>,
}

/// The forms that the owner allows for `purpose`, from least to most revealing.
fn forms<'a>(field: &'a Field, purpose: &'a PurposeId) -> impl Iterator<Item = (Form, &'a FormTerms)> {
    field.sharing.forms.iter().filter(|(_, terms)| terms.serves(purpose)).map(|(form, terms)| (*form, terms))
}

/// Asks casbin from the least revealing form upwards: the first it allows is the ceiling, because
/// where several rules apply the least revealing wins.
pub(super) fn standing(
    hearing: &Hearing<'_>,
    field: &Field,
    purpose: &PurposeId,
    in_force: &[Arc<Grant>],
    lapsed: &[Arc<Grant>],
) -> Standing {
    let mut denied = None;
    for (at, (form, _)) in forms(field, purpose).enumerate() {
        match hearing.ruling(form) {
            Ok(Ruling::Allowed(rules)) => {
                return Standing::Ceiling {
                    form,
                    by: rules.iter().filter_map(|id| decider(id, in_force)).collect(),
                };
            }
            // A denial is the reason where it stopped a permission, or stops everything.
            Ok(Ruling::Denied { by, but_for }) if but_for || at == 0 => {
                denied.get_or_insert(by);
            }
            Ok(Ruling::Denied { .. } | Ruling::Silent) => {}
            Err(_) => return Standing::Refused { code: Code::Internal, rule: None },
        }
    }
    let refused = |code, rule| Standing::Refused { code, rule };
    let lapsed = lapsed.iter().find(|grant| grant.fields.iter().any(|given| given.field == field.name));
    match (denied, lapsed, field.sharing.class) {
        (Some(rule), _, _) => refused(Code::DeniedByRule, RuleId::parse(&rule)),
        (None, Some(grant), _) => refused(Code::GrantNotValid, Some(grant.rule.clone())),
        (None, None, Class::Withheld) => refused(Code::Withheld, None),
        (None, None, Class::Conditional) => refused(Code::GrantRequired, None),
        (None, None, Class::Unconditional) => refused(Code::NoRule, None),
    }
}

fn decider(id: &str, in_force: &[Arc<Grant>]) -> Option<Decider> {
    let grant = in_force.iter().find(|grant| grant.rule.as_str() == id).cloned();
    Some(Decider { rule: RuleId::parse(id)?, grant })
}

/// Holds what was asked against what stands.
pub(super) fn verdict(
    asked: &AskedField,
    standing: &Standing,
    dataset: &Dataset,
    purpose: &PurposeId,
) -> FieldVerdict {
    let refused = |code, rule, permitted| {
        FieldVerdict::Refused(FieldRefusal {
            permitted,
            ..refusal(&asked.name, code, rule, dataset, purpose)
        })
    };
    let (ceiling, by) = match standing {
        Standing::Ceiling { form, by } => (*form, by),
        Standing::Refused { code, rule } => return refused(*code, rule.clone(), None),
    };
    let (Some(field), Some(first)) = (dataset.field(asked.name.as_str()), by.first()) else {
        return refused(Code::Internal, None, None);
    };
    // A comparison without a form can only mean one.
    let wanted = asked.form.or(asked.predicate.as_ref().map(|_| Form::Predicate)).unwrap_or(ceiling);
    if wanted > ceiling || !forms(field, purpose).any(|(form, _)| form == wanted) {
        return refused(Code::FormNotPermitted, Some(first.rule.clone()), Some(ceiling.as_str()));
    }
    let (predicate, decider) = if wanted == Form::Predicate {
        let open = comparisons(field, ceiling, by);
        let chosen = match (&asked.predicate, open.as_slice()) {
            (Some(asked), open) => open.iter().find(|(permitted, _)| *permitted == asked),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        match chosen {
            Some((predicate, decider)) => (Some((*predicate).clone()), *decider),
            None => {
                return refused(
                    Code::PredicateNotPermitted,
                    Some(first.rule.clone()),
                    Some(ceiling.as_str()),
                );
            }
        }
    } else {
        (None, first)
    };
    FieldVerdict::Given {
        name: asked.name.clone(),
        form: wanted,
        predicate,
        rule: decider.rule.clone(),
        grant: decider.grant.clone(),
    }
}

/// What may be asked for of one field.
pub(super) fn offer(field: &Field, standing: &Standing, dataset: &Dataset, purpose: &PurposeId) -> Offer {
    match standing {
        Standing::Ceiling { form, by } => match by.first() {
            Some(first) => Offer::UpTo {
                name: field.name.clone(),
                form: *form,
                forms: forms(field, purpose).map(|(f, _)| f).filter(|f| f <= form).collect(),
                compare: match *form {
                    Form::Exists => Vec::new(),
                    _ => comparisons(field, *form, by).into_iter().map(|(p, _)| p.clone()).collect(),
                },
                rule: first.rule.clone(),
                grant: first.grant.clone(),
            },
            None => Offer::Refused(refusal(&field.name, Code::Internal, None, dataset, purpose)),
        },
        Standing::Refused { code, rule } => {
            Offer::Refused(refusal(&field.name, *code, rule.clone(), dataset, purpose))
        }
    }
}

/// The comparisons that may be asked for, each with the first rule or grant that permits it. A
/// grant may narrow the catalogue's; a rule never does.
fn comparisons<'a>(field: &'a Field, ceiling: Form, by: &'a [Decider]) -> Vec<(&'a Predicate, &'a Decider)> {
    let listed =
        field.sharing.forms.get(&Form::Predicate).map(|terms| terms.compare.as_slice()).unwrap_or_default();
    let mut open: Vec<(&Predicate, &Decider)> = Vec::new();
    for decider in by {
        let narrowed = match &decider.grant {
            Some(grant) if ceiling == Form::Predicate => grant.compare(&field.name),
            _ => &[],
        };
        for predicate in if narrowed.is_empty() { listed } else { narrowed } {
            if !open.iter().any(|(known, _)| *known == predicate) {
                open.push((predicate, decider));
            }
        }
    }
    open
}

fn refusal(
    name: &FieldName,
    code: Code,
    rule: Option<RuleId>,
    dataset: &Dataset,
    purpose: &PurposeId,
) -> FieldRefusal {
    let applying_helps = match code {
        Code::NoRule | Code::GrantRequired | Code::GrantNotValid => true,
        // Not in plain, but in a lesser form where the owner lists one.
        Code::Withheld => dataset
            .field(name.as_str())
            .is_some_and(|field| forms(field, purpose).any(|(form, _)| form < Form::Plain)),
        _ => false,
    };
    let apply = applying_helps.then(|| format!("/v1/applications?dataset={}&field={name}", dataset.id()));
    FieldRefusal { field: name.clone(), code, rule, permitted: None, apply }
}
