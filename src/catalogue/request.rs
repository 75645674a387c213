//! From the bytes of a query to an [`Ask`], by a schema derived from the dataset's.
//!
//! Invariant: what was sent is never repeated in a fault, only where it stood and what was
//! expected there.

use std::collections::HashSet;
use std::sync::Arc;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind as Kind;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use time::Date;

use super::ask::{Ask, AskedField, OnRefusal};
use super::form::{Form, Op, Predicate};
use super::model::{Catalogue, Dataset, Entry, Field};
use super::reference;
use crate::base::ids::{FieldName, PurposeId};
use crate::base::json;
use crate::base::locate::escape;
use crate::base::{Code, Error, Invalid, Result, Value};

/// The deepest nesting of a request.
pub const MAX_DEPTH: usize = 32;
/// The most subjects in one query.
pub const MAX_SUBJECTS: usize = 100;
/// The most fields in one query.
pub const MAX_FIELDS: usize = 64;
/// The most faults that one answer lists.
const MAX_FAULTS: usize = 32;

/// The request schema of a dataset: a fact stands once, in the dataset's schema, and here it is
/// turned into what a caller may send.
pub(super) fn schema(entry: &Entry, fields: &[Field], catalogue: &Catalogue) -> Json {
    let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
    let purposes: Vec<&str> = entry
        .purposes
        .iter()
        .filter(|p| catalogue.purposes.contains_key(*p))
        .map(PurposeId::as_str)
        .collect();
    let reference =
        json!({ "type": "string", "maxLength": reference::MAX_LEN, "pattern": reference::PATTERN });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": entry.title.zh,
        "type": "object",
        "additionalProperties": false,
        "required": ["purpose", "case", "operator", "subjects", "fields"],
        "properties": {
            "purpose": { "enum": purposes },
            "case": reference,
            "operator": reference,
            "subjects": {
                "type": "array", "minItems": 1, "maxItems": MAX_SUBJECTS,
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": [entry.subject.member],
                    "properties": { entry.subject.member.as_str(): { "type": "string", "maxLength": 64 } }
                }
            },
            "fields": {
                "type": "array", "minItems": 1, "maxItems": MAX_FIELDS,
                "items": {
                    "type": ["string", "object"],
                    "if": { "type": "string" },
                    "then": { "enum": names },
                    "else": {
                        "additionalProperties": false,
                        "required": ["field"],
                        "properties": {
                            "field": { "enum": names },
                            "form": { "enum": Form::LADDER },
                            "op": { "enum": ["=", "!=", "<", "<=", ">", ">="] },
                            "value": { "type": ["number", "string", "boolean"], "maxLength": 64 }
                        },
                        "dependentRequired": { "op": ["value", "form"], "value": ["op", "form"] },
                        "if": { "required": ["op"] },
                        "then": { "properties": { "form": { "const": "predicate" } } }
                    }
                }
            },
            "on_refusal": { "enum": ["reject", "omit"] }
        }
    })
}

/// A query as its schema has let it through.
#[derive(Deserialize)]
struct Sent {
    purpose: PurposeId,
    case: String,
    operator: String,
    subjects: Vec<serde_json::Map<String, Json>>,
    fields: Vec<SentField>,
    #[serde(default)]
    on_refusal: SentRefusal,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SentField {
    Name(FieldName),
    Detailed { field: FieldName, form: Option<Form>, op: Option<Op>, value: Option<Json> },
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum SentRefusal {
    #[default]
    Reject,
    Omit,
}

/// Parses the body of a query.
///
/// # Errors
/// `malformed-json`, `duplicate-key`, `too-deep`; or `invalid-request` with every fault, up to a
/// bound, each with its pointer.
pub fn parse(dataset: &Arc<Dataset>, body: &[u8], today: Date) -> Result<Ask> {
    let document = json::parse(body, MAX_DEPTH).map_err(|f| Error::at(f.code, f.pointer, f.code))?;
    check(&dataset.request, &document)?;
    // The schema has accepted it: what serde could still refuse would be a fault of ours.
    let sent = Sent::deserialize(document).map_err(|_| Error::new(Code::Internal))?;
    let mut faults = Vec::new();
    for (pointer, text) in [("/case", &sent.case), ("/operator", &sent.operator)] {
        if let Err(code) = reference::check(text, today) {
            faults.push(invalid(pointer.to_owned(), code, Some("a reference that names nobody")));
        }
    }
    let subjects = subjects(dataset, sent.subjects, today, &mut faults);
    let fields = asked_fields(sent.fields, &mut faults);
    if !faults.is_empty() {
        faults.truncate(MAX_FAULTS);
        return Err(Error::invalid(Code::InvalidRequest, faults));
    }
    let on_refusal = match sent.on_refusal {
        SentRefusal::Reject => OnRefusal::Reject,
        SentRefusal::Omit => OnRefusal::Omit,
    };
    Ok(Ask {
        dataset: Arc::clone(dataset),
        purpose: sent.purpose,
        case: sent.case,
        operator: sent.operator,
        subjects,
        fields,
        on_refusal,
    })
}

/// Holds a document against its schema.
///
/// # Errors
/// `invalid-request` with every fault, up to a bound, each with its pointer and nothing of what
/// was sent.
pub fn check(schema: &Validator, document: &Json) -> Result<()> {
    let faults: Vec<Invalid> = schema.iter_errors(document).take(MAX_FAULTS).map(|e| fault(&e)).collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(Code::InvalidRequest, faults)) }
}

fn subjects(
    dataset: &Dataset,
    sent: Vec<serde_json::Map<String, Json>>,
    today: Date,
    faults: &mut Vec<Invalid>,
) -> Vec<Value> {
    let key = &dataset.entry.subject;
    let mut seen = HashSet::new();
    let mut subjects = Vec::with_capacity(sent.len());
    for (i, subject) in sent.into_iter().enumerate() {
        let text = subject.get(&key.member).and_then(Json::as_str).unwrap_or_default();
        let pointer = || format!("/subjects/{i}/{}", escape(&key.member));
        match key.identifier.parse(text, today) {
            Err(code) => faults.push(invalid(pointer(), code, Some(key.identifier.as_str()))),
            Ok(normal) if !seen.insert(normal.clone()) => {
                faults.push(invalid(pointer(), Code::DuplicateItem, None))
            }
            Ok(normal) => subjects.push(Value::new(Json::String(normal))),
        }
    }
    subjects
}

fn asked_fields(sent: Vec<SentField>, faults: &mut Vec<Invalid>) -> Vec<AskedField> {
    let mut asked: Vec<AskedField> = Vec::with_capacity(sent.len());
    for (i, field) in sent.into_iter().enumerate() {
        let field = match field {
            SentField::Name(name) => AskedField { name, form: None, predicate: None },
            SentField::Detailed { field, form, op, value } => AskedField {
                name: field,
                form,
                predicate: op.zip(value).map(|(op, value)| Predicate { op, value }),
            },
        };
        if asked.iter().any(|other| other.name == field.name) {
            faults.push(invalid(format!("/fields/{i}"), Code::DuplicateItem, None));
        } else {
            asked.push(field);
        }
    }
    asked
}

fn invalid(pointer: String, code: Code, expected: Option<&str>) -> Invalid {
    Invalid { pointer, code, expected: expected.map(str::to_owned) }
}

/// Turns an error of the schema into a fault without anything of what was sent.
fn fault(error: &jsonschema::ValidationError<'_>) -> Invalid {
    let at = error.instance_path().to_string();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            // The name is the caller's; repeat it only where it looks like a member's name.
            let name = unexpected.first().filter(|name| json::is_member_name(name));
            let pointer = name.map_or(at.clone(), |name| format!("{at}/{name}"));
            invalid(pointer, Code::UnknownMember, None)
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            invalid(format!("{at}/{}", escape(name)), Code::MissingMember, None)
        }
        Kind::Type { .. } => invalid(at, Code::WrongType, None),
        Kind::MinItems { .. } => invalid(at, Code::TooFewItems, None),
        Kind::MaxItems { limit } => invalid(at, Code::TooManyItems, Some(&format!("at most {limit}"))),
        Kind::MinLength { limit } => {
            invalid(at, Code::OutOfBounds, Some(&format!("at least {limit} characters")))
        }
        Kind::MaxLength { limit } => {
            invalid(at, Code::OutOfBounds, Some(&format!("at most {limit} characters")))
        }
        Kind::Pattern { pattern } => invalid(at, Code::WrongPattern, Some(pattern)),
        Kind::Enum { .. } if at == "/purpose" => invalid(at, Code::UnknownPurpose, None),
        Kind::Enum { .. } if is_field_name(&at) => invalid(at, Code::UnknownField, None),
        Kind::Enum { options } => invalid(at, Code::NotAllowedValue, Some(&options.to_string())),
        Kind::Constant { expected_value } => {
            invalid(at, Code::NotAllowedValue, Some(&expected_value.to_string()))
        }
        _ => invalid(at, Code::NotAllowedValue, None),
    }
}

/// `/fields/3` or `/fields/3/field`.
fn is_field_name(pointer: &str) -> bool {
    let Some(rest) = pointer.strip_prefix("/fields/") else { return false };
    let rest = rest.strip_suffix("/field").unwrap_or(rest);
    rest.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
