//! The forms to decide with: one for each command that the viewer may give now.
//!
//! Invariant: a form is offered only for what the app said that the viewer may do; what it sends is the
//! body of that command and no other.

use super::form::Form;
use super::messages::Messages;
use super::terms::Shown;
use crate::app::applications::view::ApplicationView;
use crate::approval::Workflow;
use crate::base::Lang;

/// A command that may be given now.
pub struct Decision {
    /// What the ids of its inputs begin with.
    pub id: String,
    /// Its name.
    pub command: String,
    /// What was typed, where it is the one that was tried.
    pub form: Form,
    /// For whom, where by a role that was lent.
    pub for_account: Option<String>,
    /// The role that was lent.
    pub role: Option<String>,
    /// What its form asks for.
    pub shape: Shape,
    /// Is its form open: the one that was tried just now, or else the first?
    pub open: bool,
    /// Is it among those that end or stop something?
    pub grave: bool,
}

/// What the form of a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing but to say so.
    Plain,
    /// Why, in words.
    Note,
    /// Which fields are left out.
    Approve,
    /// What is missing.
    Return,
    /// The reason, the law, in words.
    Refuse,
    /// Less of each field.
    Counter,
    /// How many days, and why.
    Extend,
    /// The terms anew, on a page of its own.
    Revise,
}

/// Why something may be refused or left out.
pub struct Reason {
    /// Its code.
    pub code: String,
    /// In words.
    pub title: String,
    /// The law that it mostly rests on.
    pub basis: String,
}

/// Every command that the viewer may give, in the order of an application's life; a comment has its own
/// place.
pub fn all(view: &ApplicationView, tried: Option<&str>, form: &Form) -> Vec<Decision> {
    let others = view.can.iter().filter(|can| can.command != "comment");
    others
        .enumerate()
        .map(|(at, can)| Decision {
            shape: shape(&can.command),
            // Nothing that ends something lies open before it was chosen.
            open: tried.map_or(at == 0 && !is_grave(&can.command), |tried| tried == can.command),
            grave: is_grave(&can.command),
            id: can
                .for_account
                .as_ref()
                .map_or_else(|| can.command.clone(), |lender| format!("{}-{lender}", can.command)),
            form: if tried == Some(can.command.as_str()) { form.clone() } else { Form::default() },
            command: can.command.clone(),
            for_account: can.for_account.clone(),
            role: can.role.clone(),
        })
        .collect()
}

/// Does it end or stop something?
fn is_grave(command: &str) -> bool {
    matches!(command, "refuse" | "decline" | "revoke" | "withdraw" | "close" | "suspend")
}

fn shape(command: &str) -> Shape {
    match command {
        "decline" | "suspend" | "revoke" | "refuse-extension" => Shape::Note,
        "approve" => Shape::Approve,
        "return" => Shape::Return,
        "refuse" => Shape::Refuse,
        "counter" => Shape::Counter,
        "extend" => Shape::Extend,
        "revise" => Shape::Revise,
        _ => Shape::Plain,
    }
}

impl Decision {
    /// Is its form of that shape? For the template.
    pub fn is(&self, shape: &str) -> bool {
        format!("{:?}", self.shape).eq_ignore_ascii_case(shape)
    }
}

/// The reasons of the workflow.
pub fn reasons(workflow: &Workflow, lang: Lang) -> Vec<Reason> {
    let reasons = workflow.reasons.iter();
    reasons
        .map(|(code, reason)| Reason {
            code: code.clone(),
            title: reason.title.lang(lang).to_owned(),
            basis: reason.basis.clone(),
        })
        .collect()
}

/// The places of the terms at which something can be missing, with what they are called.
pub fn places_missing(asked: &Shown, m: Messages) -> Vec<(String, String)> {
    let texts = ["basis", "scenario", "scope", "systems", "per_day", "until"];
    let texts = texts.into_iter().map(|name| (format!("/{name}"), m.member(&format!("/terms/{name}"))));
    let fields =
        asked.fields.iter().enumerate().map(|(i, field)| (format!("/fields/{i}"), field.title.clone()));
    texts.chain(fields).collect()
}

/// What of a form is sent: rows that were not filled in are left out, and a choice of a form is put where
/// the command has it.
pub fn sent(command: &str, form: &Form) -> Form {
    let mut sent = form.clone();
    match command {
        "approve" => chosen(&mut sent, "/without/", |form, row| form.sent(&format!("{row}/field"))),
        "return" => {
            chosen(&mut sent, "/missing/", |form, row| !form.value(&format!("{row}/note")).trim().is_empty())
        }
        "counter" => {
            chosen(&mut sent, "/terms/fields/", |form, row| form.value(&format!("{row}/choice")) != "out");
            put_choices(&mut sent);
        }
        _ => {}
    }
    sent
}

/// Keeps the rows below `prefix` that pass.
pub fn chosen(form: &mut Form, prefix: &str, passes: impl Fn(&Form, &str) -> bool) {
    let all = form.clone();
    form.retain(|name| match name.strip_prefix(prefix) {
        Some(rest) => {
            let number = rest.split('/').next().unwrap_or_default();
            passes(&all, &format!("{prefix}{number}"))
        }
        None => true,
    });
}

/// A choice such as `predicate {"op":"<","value":3000}` in the place of form and comparisons; without one,
/// the row stays as it was asked for.
pub fn put_choices(form: &mut Form) {
    let rows: Vec<(String, String)> = form
        .pairs()
        .filter_map(|(name, value)| Some((name.strip_suffix("/choice")?.to_owned(), value.to_owned())))
        .collect();
    form.retain(|name| !name.ends_with("/choice"));
    for (row, choice) in rows.into_iter().filter(|(_, choice)| !choice.is_empty()) {
        let compared = format!("{row}/compare/");
        form.retain(|name| !name.starts_with(&compared));
        let (chosen, compare) = choice.split_once(' ').unwrap_or((&choice, ""));
        form.set(format!("{row}/form"), chosen);
        if !compare.is_empty() {
            form.set(format!("{row}/compare/0"), compare);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::terms::typed;
    use super::*;

    fn form(inputs: &[(&str, &str)]) -> Form {
        let mut form = Form::default();
        inputs.iter().for_each(|(name, value)| form.set(*name, *value));
        form
    }

    #[test]
    fn only_what_was_filled_in_is_sent() {
        let approve = form(&[
            ("/version", "4"),
            ("/without/0/reason", "beyond-need"),
            ("/without/1/field", "name"),
            ("/without/1/reason", "beyond-need"),
        ]);
        let body = sent("approve", &approve).body(typed).value;
        assert_eq!(body, json!({ "version": 4, "without": [{ "field": "name", "reason": "beyond-need" }] }));
        let back = form(&[
            ("/missing/0/pointer", "/basis"),
            ("/missing/0/note", " "),
            ("/missing/1/pointer", "/scope"),
            ("/missing/1/note", "x"),
        ]);
        assert_eq!(
            sent("return", &back).body(typed).value,
            json!({ "missing": [{ "pointer": "/scope", "note": "x" }] })
        );
    }

    #[test]
    fn a_counter_offer_leaves_fields_out_and_lowers_forms() {
        let counter = form(&[
            ("/terms/fields/0/field", "a"),
            ("/terms/fields/0/form", "plain"),
            ("/terms/fields/0/choice", "predicate {\"op\":\"<\",\"value\":3000}"),
            ("/terms/fields/1/field", "b"),
            ("/terms/fields/1/choice", "out"),
            ("/terms/fields/2/field", "c"),
            ("/terms/fields/2/form", "band"),
            ("/terms/fields/2/choice", ""),
        ]);
        assert_eq!(
            sent("counter", &counter).body(typed).value,
            json!({ "terms": { "fields": [
                { "field": "a", "form": "predicate", "compare": [{ "op": "<", "value": 3000 }] },
                { "field": "c", "form": "band" },
            ] } })
        );
    }
}
