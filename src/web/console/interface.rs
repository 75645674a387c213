//! The interface: every operation, and one with what it takes and what it answers.
//!
//! Invariant: shown from the document that is served (`/openapi.json`), and the problems from the table
//! of routes that it is made of, so that page, document and program cannot differ.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::Value;

use super::asked::Asked;
use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::viewer::Viewer;
use crate::base::{Code, Result};
use crate::web::api::openapi;
use crate::web::routes::{EVERYWHERE, ROWS};

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get("/console/integrator", Who::Person, || web::to(list_all)),
    get("/console/integrator/operations/{operation}", Who::Person, || web::to(show)),
];

/// An operation.
struct Operation {
    /// What its page is called: the method and the path in one word.
    id: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    tag: String,
    /// What may call it, of the security schemes; none where everybody may.
    callers: Vec<String>,
    parameters: Vec<Member>,
    body: Option<Kind>,
    example: Option<String>,
    answers: Vec<Answer>,
    problems: Vec<Code>,
    /// What the body and the answers are made of.
    schemas: Vec<Schema>,
}

/// How it answers when all is well.
struct Answer {
    status: String,
    meaning: String,
    kind: Option<Kind>,
}

/// A parameter, or a member of an object.
struct Member {
    name: String,
    /// Where a parameter stands.
    place: String,
    kind: Kind,
    required: bool,
    meaning: String,
}

/// What a value is.
#[derive(Default)]
struct Kind {
    /// A list of them?
    many: bool,
    /// The name of a schema, or a type of JSON.
    name: String,
    /// Is it the name of a schema?
    is_schema: bool,
    /// Its bounds, as the document has them.
    bounds: String,
}

/// What an object is made of, or which texts there are.
struct Schema {
    name: String,
    meaning: String,
    members: Vec<Member>,
    /// One of these.
    choices: Vec<Kind>,
    values: Vec<String>,
}

/// Read from the document once: it is the same for as long as the program runs.
static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let document = Document(serde_json::from_str(openapi::text()).unwrap_or_default());
    let paths = document.0.get("paths").and_then(Value::as_object).into_iter().flatten();
    let methods =
        paths.flat_map(|(path, item)| item.as_object().into_iter().flatten().map(move |m| (path, m)));
    methods.map(|(path, (method, operation))| document.operation(path, method, operation)).collect()
});

/// The document.
struct Document(Value);

fn text(value: &Value, name: &str) -> String {
    // The lines of a comment are no lines of a page.
    value.get(name).and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn object<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}

fn referred(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
}

/// The schema of a body or an answer, in whichever media type it is.
fn content(value: &Value) -> Option<&Value> {
    object(value, "/content").find_map(|(_, content)| content.get("schema"))
}

impl Document {
    fn schema(&self, name: &str) -> Option<&Value> {
        self.0.pointer("/components/schemas").and_then(|schemas| schemas.get(name))
    }

    fn operation(&self, path: &str, method: &str, operation: &Value) -> Operation {
        let row = ROWS.iter().find(|row| row.path == path && row.verb.as_str().eq_ignore_ascii_case(method));
        let mut problems: Vec<Code> =
            row.into_iter().flat_map(|row| row.codes.iter().copied().flatten()).copied().collect();
        problems.extend(EVERYWHERE);
        problems.sort_by_key(|code| code.status());
        problems.dedup();
        let body = operation.get("requestBody").and_then(content);
        let whole = body.map(|schema| referred(schema).and_then(|name| self.schema(name)).unwrap_or(schema));
        let example = whole.and_then(|schema| schema.get("example"));
        let good = object(operation, "/responses").filter(|(status, _)| !status.starts_with(['4', '5']));
        let answers: Vec<(&String, &Value)> = good.collect();
        let mut schemas = Vec::new();
        body.into_iter()
            .chain(answers.iter().filter_map(|(_, answer)| content(answer)))
            .for_each(|schema| self.gather(schema, &mut schemas));
        Operation {
            id: id(method, path),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(operation, "summary"),
            description: text(operation, "description"),
            tag: list(operation, "tags").next().and_then(Value::as_str).unwrap_or_default().to_owned(),
            callers: list(operation, "security")
                .flat_map(|one| object(one, "").map(|(name, _)| name.clone()))
                .collect(),
            parameters: list(operation, "parameters").map(|one| self.parameter(one)).collect(),
            body: body.map(kind),
            example: example.and_then(|example| serde_json::to_string_pretty(example).ok()),
            answers: answers
                .into_iter()
                .map(|(status, answer)| Answer {
                    status: status.clone(),
                    meaning: text(answer, "description"),
                    kind: content(answer).map(kind),
                })
                .collect(),
            problems,
            schemas: schemas.iter().filter_map(|name| self.described(name)).collect(),
        }
    }

    fn parameter(&self, parameter: &Value) -> Member {
        Member {
            name: text(parameter, "name"),
            place: text(parameter, "in"),
            kind: parameter.get("schema").map(kind).unwrap_or_default(),
            required: parameter.get("required") == Some(&Value::Bool(true)),
            meaning: text(parameter, "description"),
        }
    }

    /// The names of all schemas that one is made of, each once.
    fn gather(&self, value: &Value, names: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(name) = referred(value).filter(|name| !names.iter().any(|known| known == name)) {
                    names.push(name.to_owned());
                    self.schema(name).into_iter().for_each(|schema| self.gather(schema, names));
                }
                members
                    .iter()
                    .filter(|(name, _)| *name != "example")
                    .for_each(|(_, member)| self.gather(member, names));
            }
            Value::Array(items) => items.iter().for_each(|item| self.gather(item, names)),
            _ => {}
        }
    }

    fn described(&self, name: &str) -> Option<Schema> {
        let schema = self.schema(name)?;
        // What is made of several is shown with the members of each.
        let parts: Vec<&Value> = list(schema, "allOf").chain([schema]).collect();
        let required = |name: &str| parts.iter().any(|part| list(part, "required").any(|one| one == name));
        let members = parts.iter().flat_map(|part| object(part, "/properties"));
        Some(Schema {
            name: name.to_owned(),
            meaning: text(schema, "description"),
            members: members
                .map(|(name, member)| Member {
                    name: name.clone(),
                    place: String::new(),
                    kind: kind(member),
                    required: required(name),
                    meaning: meaning(member),
                })
                .collect(),
            choices: list(schema, "oneOf")
                .chain(list(schema, "allOf").filter(|part| referred(part).is_some()))
                .map(kind)
                .collect(),
            values: list(schema, "enum").filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }
}

/// What a member means: of one that may be missing, what it is where it is there.
fn meaning(member: &Value) -> String {
    let own = text(member, "description");
    let of_choice =
        || list(member, "oneOf").map(|one| text(one, "description")).find(|text| !text.is_empty());
    if own.is_empty() { of_choice().unwrap_or_default() } else { own }
}

/// What a value is.
fn kind(schema: &Value) -> Kind {
    if let Some(name) = referred(schema) {
        return Kind { name: name.to_owned(), is_schema: true, ..Kind::default() };
    }
    // Something or nothing: what it is when it is there.
    if let Some(one) = list(schema, "oneOf").find(|one| one.get("type").is_none_or(|kind| kind != "null")) {
        return kind(one);
    }
    let types = match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default().to_owned()
        }
        _ => String::new(),
    };
    if let ("array", Some(items)) = (types.as_str(), schema.get("items")) {
        return Kind { many: true, bounds: bounds(schema, "minItems", "maxItems"), ..kind(items) };
    }
    let numbers = bounds(schema, "minimum", "maximum");
    let lengths = bounds(schema, "minLength", "maxLength");
    let format = text(schema, "format");
    // How a number is held is nobody's business outside.
    let format = if matches!(types.as_str(), "integer" | "number") { String::new() } else { format };
    let bounds = [format, numbers, lengths, text(schema, "pattern")];
    let bounds: Vec<String> = bounds.into_iter().filter(|bound| !bound.is_empty()).collect();
    Kind { name: types, bounds: bounds.join(", "), ..Kind::default() }
}

fn bounds(schema: &Value, least: &str, most: &str) -> String {
    match (schema.get(least), schema.get(most)) {
        (Some(least), Some(most)) => format!("{least}–{most}"),
        (Some(least), None) if *least != 0 => format!("≥ {least}"),
        (None, Some(most)) => format!("≤ {most}"),
        _ => String::new(),
    }
}

/// `get-v1-datasets-dataset` for `GET /v1/datasets/{dataset}`.
fn id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("-").to_lowercase()
}

impl Operation {
    /// What it does, in the reader's language where there are words for it.
    fn title(&self, frame: &Frame) -> String {
        frame.m.known(&format!("operation.{}", self.id)).map_or_else(|| self.summary.clone(), str::to_owned)
    }
}

/// A text with what stands in backticks told apart: every second part is code.
fn prose(text: &str) -> Vec<(bool, &str)> {
    text.split('`').enumerate().map(|(at, part)| (at % 2 == 1, part)).collect()
}

#[derive(Template)]
#[template(path = "integrator.html")]
struct List<'a> {
    frame: &'a Frame,
    groups: Vec<(&'static str, Vec<&'static Operation>)>,
    wanted: String,
}

async fn list_all(viewer: Viewer, req: HttpRequest) -> Result<HttpResponse> {
    let (frame, wanted) = (&*viewer.frame, Asked::of(&req).value("q").to_owned());
    let words: Vec<String> = wanted.split_whitespace().map(str::to_lowercase).collect();
    let is_wanted = |operation: &&Operation| {
        let Operation { method, path, summary, .. } = operation;
        let about = format!("{method} {path} {summary} {}", operation.title(frame)).to_lowercase();
        words.iter().all(|word| about.contains(word))
    };
    let mut groups: Vec<(&str, Vec<&Operation>)> = Vec::new();
    for operation in OPERATIONS.iter().filter(is_wanted) {
        match groups.iter_mut().find(|(tag, _)| *tag == operation.tag) {
            Some((_, known)) => known.push(operation),
            None => groups.push((&operation.tag, vec![operation])),
        }
    }
    // What everybody needs first comes first.
    groups.sort_by_key(|(tag, _)| !matches!(*tag, "data" | "catalogue"));
    frame.page(&List { frame, groups, wanted })
}

#[derive(Template)]
#[template(path = "operation.html")]
struct One<'a> {
    frame: &'a Frame,
    o: &'static Operation,
}

impl One<'_> {
    fn prose<'a>(&self, text: &'a str) -> Vec<(bool, &'a str)> {
        prose(text)
    }
}

async fn show(viewer: Viewer, operation: web::Path<String>) -> Result<HttpResponse> {
    let o = OPERATIONS.iter().find(|one| one.id == *operation).ok_or(Code::NotFound)?;
    let frame = &*viewer.frame;
    frame.page(&One { frame, o })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn operation(id: &str) -> &'static Operation {
        OPERATIONS.iter().find(|one| one.id == id).unwrap()
    }

    #[test]
    fn every_operation_of_the_table_has_a_page_of_its_own() {
        assert_eq!(OPERATIONS.len(), ROWS.len());
        for row in ROWS {
            let found = operation(&id(row.verb.as_str(), row.path));
            assert_eq!((found.path.as_str(), found.method.as_str()), (row.path, row.verb.as_str()));
            assert_eq!(found.callers.is_empty(), row.open, "{}", row.path);
            assert!(row.codes.iter().copied().flatten().all(|code| found.problems.contains(code)));
        }
        let mut ids: Vec<&str> = OPERATIONS.iter().map(|one| one.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ROWS.len());
    }

    #[test]
    fn a_query_shows_what_it_takes_and_what_it_answers() {
        let query = operation("post-v1-datasets-dataset-query");
        assert_eq!(query.body.as_ref().unwrap().name, "QueryBody");
        assert_eq!(query.answers.iter().map(|one| one.status.as_str()).collect::<Vec<_>>(), ["200"]);
        let schema = |name: &str| query.schemas.iter().find(|schema| schema.name == name).unwrap();
        let member =
            |of: &str, name: &str| schema(of).members.iter().find(|member| member.name == name).unwrap();
        let case = member("QueryBody", "case");
        assert_eq!((case.required, case.kind.bounds.as_str()), (true, "1–64, ^[A-Za-z0-9._:/-]+$"));
        let fields = member("QueryBody", "fields");
        assert!(fields.kind.many && fields.kind.is_schema && fields.kind.name == "FieldAsked");
        let omit = member("QueryBody", "on_refusal");
        assert!(!omit.required && omit.kind.name == "OnRefusal" && !omit.meaning.is_empty());
        assert_eq!(schema("OnRefusal").values, ["reject", "omit"]);
        assert_eq!(schema("FieldAsked").choices.len(), 2);
        assert!(schema("QueryAnswer").members.iter().any(|member| member.name == "receipt"));
    }

    #[test]
    fn backticks_are_code() {
        assert_eq!(prose("a `b` c"), [(false, "a "), (true, "b"), (false, " c")]);
    }
}
