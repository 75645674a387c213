//! How a granted query is asked from a program: text to copy.
//!
//! Invariant: the person in it is the example of the standard (GB 11643), and nothing of a text can end
//! the quotes that it stands in.

use serde_json::{Value, json};

use crate::approval::Terms;

/// The number that the standard gives as its example.
const NOBODY: &str = "11010519491231002X";

/// A query of what some terms give.
pub struct Query {
    path: String,
    system: String,
    body: String,
}

impl Query {
    /// Of everything that the terms give; `member` is how the dataset names a subject.
    pub fn of(terms: &Terms, member: &str) -> Self {
        let fields = terms.fields.iter().map(|field| match field.compare.first() {
            Some(compare) => json!({
                "field": field.field, "form": field.form, "op": compare.op.as_str(), "value": compare.value,
            }),
            None => json!({ "field": field.field, "form": field.form }),
        });
        let fields: Vec<Value> = fields.collect();
        let body = json!({
            "purpose": terms.purpose,
            "case": "QZ-2026-000123",
            "operator": "hc-0231",
            "subjects": [{ member: NOBODY }],
            "fields": fields,
        });
        Self {
            path: format!("/v1/datasets/{}/query", terms.dataset),
            system: terms.systems.first().map_or_else(|| "system".to_owned(), ToString::to_string),
            body: serde_json::to_string_pretty(&body).unwrap_or_default(),
        }
    }

    /// For a shell.
    pub fn curl(&self, origin: &str) -> String {
        let Self { path, system, body } = self;
        let body = body.replace('\'', "'\\''");
        format!(
            "curl --cacert ca.pem --cert {system}.pem --key {system}.key \\\n  {origin}{path} \\\n  --json '{body}'"
        )
    }

    /// For Python, with nothing but its own library.
    pub fn python(&self, origin: &str) -> String {
        let Self { path, system, body } = self;
        // JSON as a string of JSON is a string of Python too.
        let body = Value::String(body.lines().map(str::trim).collect::<Vec<_>>().join(" ")).to_string();
        format!(
            "import json, ssl, urllib.request\n\n\
             context = ssl.create_default_context(cafile=\"ca.pem\")\n\
             context.load_cert_chain(\"{system}.pem\", \"{system}.key\")\n\
             body = {body}\n\
             request = urllib.request.Request(\n    \"{origin}{path}\",\n    body.encode(), {{\"Content-Type\": \"application/json\"}})\n\
             try:\n    print(json.load(urllib.request.urlopen(request, context=context)))\n\
             except urllib.error.HTTPError as refused:\n    print(refused.code, json.load(refused))\n"
        )
    }
}
