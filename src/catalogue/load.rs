//! Reads `schemas/` into a [`Catalogue`], or says everything that is wrong with it.
//!
//! Invariant: all or nothing. One fault refuses the whole, so a gateway never serves half of a
//! catalogue; and every fault is found in one run, so an operator mends them in one go.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::form::Form;
use super::identifier::IdentifierKind;
use super::model::{Catalogue, Class, Dataset, Department, Entry, Field, Purpose};
use super::request;
use super::sharing::{FormTerms, Sharing};
use crate::base::ids::FieldName;
use crate::base::locate::{Lines, escape};
use crate::base::{Finding, Findings, Sources, Text};

const DEPARTMENTS: &str = "schemas/departments.toml";
const PURPOSES: &str = "schemas/purposes.toml";
const MAX_FIELDS: usize = 64;

impl Catalogue {
    /// Reads the catalogue from `sources`, with the warnings that are worth a look.
    ///
    /// # Errors
    /// Every fault found, with file and line, when at least one is an error.
    pub fn load(sources: &Sources) -> Result<(Catalogue, Findings), Findings> {
        let mut findings = Findings::default();
        let mut catalogue = Catalogue::default();
        for d in sources
            .toml::<DepartmentFile>(DEPARTMENTS, &mut findings)
            .map(|f| f.department)
            .unwrap_or_default()
        {
            catalogue.departments.insert(d.id.clone(), d);
        }
        for p in sources.toml::<PurposeFile>(PURPOSES, &mut findings).map(|f| f.purpose).unwrap_or_default() {
            catalogue.purposes.insert(p.id.clone(), p);
        }
        for (path, text) in sources.under("schemas/", ".json") {
            if let Some(dataset) = read_dataset(path, text, &catalogue, &mut findings) {
                catalogue.datasets.insert(dataset.id().clone(), Arc::new(dataset));
            }
        }
        if catalogue.datasets.is_empty() && !findings.has_errors() {
            findings.push(Finding::error(
                "catalogue-empty",
                "schemas",
                0,
                "no dataset could be read",
                "put one JSON Schema per dataset into schemas/",
            ));
        }
        if findings.has_errors() { Err(findings) } else { Ok((catalogue, findings)) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DepartmentFile {
    department: Vec<Department>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PurposeFile {
    purpose: Vec<Purpose>,
}

/// One file on its way to becoming a dataset.
struct Reader<'a> {
    path: &'a str,
    lines: Lines,
    root: Json,
    findings: &'a mut Findings,
}

fn read_dataset(path: &str, text: &str, catalogue: &Catalogue, findings: &mut Findings) -> Option<Dataset> {
    let root = match serde_json::from_str::<Json>(text) {
        Ok(root) => root,
        Err(e) => {
            findings.push(Finding::error("json-syntax", path, e.line(), e.to_string(), "correct the line"));
            return None;
        }
    };
    let mut reader = Reader { path, lines: Lines::of(text), root, findings };
    let entry = reader.entry(catalogue)?;
    let fields = reader.fields(&entry);
    let request_schema = request::schema(&entry, &fields, catalogue);
    let request = reader.compile("", &request_schema)?;
    Some(Dataset { entry, fields, file: path.to_owned(), request, request_schema })
}

impl Reader<'_> {
    fn error(&mut self, code: &'static str, pointer: &str, what: impl Into<String>, fix: &str) {
        let line = self.lines.line(pointer);
        self.findings.push(Finding::error(code, self.path, line, what, fix));
    }

    /// Reads the value at `pointer` as a `T`.
    fn read<T: DeserializeOwned>(&mut self, pointer: &str, fix: &str) -> Option<T> {
        let Some(value) = self.root.pointer(pointer) else {
            self.error("member-missing", pointer, format!("`{pointer}` is missing"), fix);
            return None;
        };
        match T::deserialize(value) {
            Ok(read) => Some(read),
            Err(e) => {
                self.error("member-invalid", pointer, format!("`{pointer}`: {e}"), fix);
                None
            }
        }
    }

    fn entry(&mut self, catalogue: &Catalogue) -> Option<Entry> {
        let entry: Entry =
            self.read("/x-dataset", "a dataset states its catalogue entry there (Decree 809 Art. 13)")?;
        let code = entry.code.as_str();
        if self.path != format!("schemas/{code}.json") {
            let what = format!("dataset `{code}` stands in another dataset's file");
            self.error("file-name", "/x-dataset/code", what, "name the file after the code");
        }
        if !catalogue.departments.contains_key(&entry.provider) {
            let what = format!("department `{}` is unknown", entry.provider);
            self.error(
                "unknown-department",
                "/x-dataset/provider",
                what,
                "add it to schemas/departments.toml",
            );
        }
        for (i, purpose) in entry.purposes.iter().enumerate() {
            if !catalogue.purposes.contains_key(purpose) {
                let what = format!("purpose `{purpose}` is unknown");
                let pointer = format!("/x-dataset/purposes/{i}");
                self.error("unknown-purpose", &pointer, what, "add it to schemas/purposes.toml");
            }
        }
        Some(entry)
    }

    fn fields(&mut self, entry: &Entry) -> Vec<Field> {
        let names: Vec<String> = match self.root.pointer("/properties").and_then(Json::as_object) {
            Some(properties) => properties.keys().cloned().collect(),
            None => Vec::new(),
        };
        if names.is_empty() || names.len() > MAX_FIELDS {
            let what = format!("a dataset has 1 to {MAX_FIELDS} fields, this one {}", names.len());
            self.error("field-count", "/properties", what, "split the dataset, or add its fields");
        }
        names.iter().filter_map(|name| self.field(name, entry)).collect()
    }

    fn field(&mut self, name: &str, entry: &Entry) -> Option<Field> {
        let at = format!("/properties/{}", escape(name));
        let Some(id) = FieldName::parse(name) else {
            self.error(
                "field-name",
                &at,
                "a field's name is 1 to 64 of a-z A-Z 0-9 . _ -",
                "rename the field",
            );
            return None;
        };
        let zh = self.read(&format!("{at}/title"), "every field has a Chinese title");
        let en = self.read(&format!("{at}/x-title-en"), "every field has an English title");
        let sharing: Option<Sharing> =
            self.read(&format!("{at}/x-sharing"), "every field states class, level and forms");
        if let Some(sharing) = &sharing {
            self.check_sharing(&at, sharing, entry);
        }
        let identifier = match self.root.pointer(&format!("{at}/x-identifier")) {
            Some(_) => {
                self.read::<IdentifierKind>(&format!("{at}/x-identifier"), "name one of the known standards")
            }
            None => None,
        };
        let property = self.root.pointer(&at)?.clone();
        let value = self.compile(&at, &property)?;
        let required = self
            .root
            .pointer("/required")
            .and_then(Json::as_array)
            .is_some_and(|names| names.iter().any(|n| n == name));
        Some(Field {
            name: id,
            title: Text { zh: zh?, en: en? },
            kind: kind_of(&property),
            choices: property.get("enum").and_then(Json::as_array).cloned().unwrap_or_default(),
            identifier,
            sharing: sharing?,
            line: self.lines.line(&at),
            required,
            value,
        })
    }

    fn check_sharing(&mut self, at: &str, sharing: &Sharing, entry: &Entry) {
        let sharing_at = format!("{at}/x-sharing");
        if sharing.class == Class::Withheld && sharing.basis.as_deref().is_none_or(|b| b.trim().is_empty()) {
            let what = "a withheld field must cite the law it rests on (Decree 809 Art. 14-15)";
            self.error("withheld-without-basis", &sharing_at, what, "add `basis`, or choose another class");
        }
        if sharing.forms.is_empty() {
            self.error(
                "no-forms",
                &sharing_at,
                "the field may take no form at all",
                "list at least one under `forms`",
            );
        }
        for (form, terms) in &sharing.forms {
            let form_at = format!("{sharing_at}/forms/{form}");
            if let Some(purpose) = terms.purposes.iter().find(|p| !entry.purposes.contains(p)) {
                let what = format!("the dataset does not serve purpose `{purpose}`");
                self.error(
                    "unknown-purpose",
                    &form_at,
                    what,
                    "add it to `x-dataset.purposes`, or drop it here",
                );
            }
            if let Some((what, fix)) = terms_fault(*form, terms) {
                self.error("form-terms", &form_at, what, fix);
            }
        }
    }

    fn compile(&mut self, pointer: &str, schema: &Json) -> Option<jsonschema::Validator> {
        match options().build(schema) {
            Ok(validator) => Some(validator),
            Err(e) => {
                let what = format!("not a JSON Schema of draft 2020-12: {e}");
                self.error(
                    "schema-invalid",
                    pointer,
                    what,
                    "correct the schema; `$ref` reaches nothing outside it",
                );
                None
            }
        }
    }
}

/// Offline, formats checked, and patterns on an engine whose time is linear in the text.
fn options() -> jsonschema::ValidationOptions<'static> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_pattern_options(jsonschema::PatternOptions::regex().size_limit(1 << 20))
}

fn terms_fault(form: Form, terms: &FormTerms) -> Option<(&'static str, &'static str)> {
    let needs = |form_is: bool, present: bool| form_is != present;
    if needs(form == Form::Predicate, !terms.compare.is_empty()) {
        return Some((
            "`compare` belongs to `predicate`, and to it alone",
            "list the comparisons a caller may choose",
        ));
    }
    if needs(form == Form::Band, terms.by.is_some()) {
        return Some(("`by` belongs to `band`, and to it alone", "say how values fall into bands"));
    }
    if needs(form == Form::Mask, terms.mask.is_some()) {
        return Some(("`mask` belongs to `mask`, and to it alone", "say what kind of text it is"));
    }
    match &terms.by {
        Some(super::BandBy::Edges(edges)) if edges.is_empty() || !edges.is_sorted_by(|a, b| a < b) => {
            Some(("edges rise strictly, and there is at least one", "sort them"))
        }
        Some(super::BandBy::Age(0)) | Some(super::BandBy::Prefix(0)) => {
            Some(("the width is at least 1", "widen it"))
        }
        _ => None,
    }
}

/// The JSON type as the catalogue's readers see it: `string`, `integer or null`.
fn kind_of(property: &Json) -> String {
    match property.get("type") {
        Some(Json::String(kind)) => kind.clone(),
        Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

/// Sources made of these files.
#[cfg(test)]
pub(crate) fn sources_of(files: &[(&str, &str)]) -> Sources {
    Sources(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests;
