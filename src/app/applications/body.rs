//! What a caller sends: bodies of drafts and commands, read strictly.
//!
//! Invariant: a fault names the place and never what stands there; what is read is bounded.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::approval::command::{As, Command};
use crate::approval::terms::Terms;
use crate::base::ids::{AccountId, ApplicationId, hex};
use crate::base::{Code, Error, Result};
use crate::catalogue::Form;
use crate::catalogue::request::{self, MAX_DEPTH, MAX_FIELDS};
use crate::identity::Role;
use crate::store::state::idempotency::Key;

/// The longest text that somebody may write, in characters.
const MAX_TEXT: usize = 2000;
/// The longest key that a caller may choose, in bytes.
const MAX_KEY: usize = 128;

/// A new application, as it is sent.
#[derive(Debug, Deserialize)]
pub(super) struct Draft {
    pub terms: Terms,
    #[serde(default)]
    pub renews: Option<ApplicationId>,
    #[serde(default, rename = "as")]
    pub acting: As,
}

/// A command, as it is sent.
#[derive(Debug)]
pub(super) struct Order {
    pub command: Command,
    pub acting: As,
    pub version: u32,
}

/// The members that every command has beside its own.
#[derive(Deserialize)]
struct Common {
    version: Option<u32>,
    #[serde(default, rename = "as")]
    acting: As,
}

/// Reads a new application.
///
/// # Errors
/// The faults of the body.
pub(super) fn draft(body: &[u8]) -> Result<Draft> {
    let document = document(body)?;
    let schema = SCHEMAS.get("draft").ok_or(Code::Internal)?;
    request::check(schema, &document)?;
    typed(document)
}

/// Reads the command of that name; `if_match` is the version that the header names, if it names one.
///
/// # Errors
/// `not-found` when there is no such command; the faults of the body; `missing-member` when
/// neither the body nor the header names a version, `version-mismatch` when they differ.
pub(super) fn command(name: &str, body: &[u8], if_match: Option<u32>) -> Result<Order> {
    let schema = SCHEMAS.get(name).filter(|_| name != "draft").ok_or(Code::NotFound)?;
    let mut document = document(body)?;
    request::check(schema, &document)?;
    let Some(members) = document.as_object_mut() else { return Err(Code::Internal.into()) };
    let common = Value::Object(["version", "as"].iter().filter_map(|m| members.remove_entry(*m)).collect());
    members.insert("command".into(), name.into());
    let Common { version, acting } = typed(common)?;
    let version = match (version, if_match) {
        (Some(body), Some(header)) if body != header => return Err(Code::VersionMismatch.into()),
        (body, header) => body.or(header),
    };
    let missing = || Error::at(Code::InvalidRequest, "/version", Code::MissingMember);
    Ok(Order { command: typed(document)?, acting, version: version.ok_or_else(missing)? })
}

/// The key under which the answer is to be kept: of it too only a hash is, since a caller may
/// choose any.
///
/// # Errors
/// `invalid-request` when the header is no key.
pub(super) fn key(header: &str, account: &AccountId, path: &str, body: &[u8]) -> Result<Key> {
    let bare = header.strip_prefix('"').and_then(|h| h.strip_suffix('"')).unwrap_or(header);
    if bare.is_empty() || bare.len() > MAX_KEY || !bare.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::at(Code::InvalidRequest, "", Code::WrongPattern));
    }
    let hash = |parts: [&[u8]; 2]| {
        let mut context = Context::new(&SHA256);
        // Lengths keep the parts apart.
        parts.iter().for_each(|part| {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        });
        hex(context.finish().as_ref())
    };
    Ok(Key {
        account: account.clone(),
        key: hash([b"key", bare.as_bytes()]),
        request: hash([path.as_bytes(), body]),
    })
}

fn document(body: &[u8]) -> Result<Value> {
    crate::base::json::parse(body, MAX_DEPTH).map_err(|f| Error::at(f.code, f.pointer, f.code))
}

/// The schema has accepted it. What it could not say is what days there are.
fn typed<T: DeserializeOwned>(document: Value) -> Result<T> {
    let has_day = document.pointer("/terms/until").is_some();
    let pointer = if has_day { "/terms/until" } else { "" };
    T::deserialize(document).map_err(|_| Error::at(Code::InvalidRequest, pointer, Code::NotAllowedValue))
}

/// A schema for each body, by the command's name.
static SCHEMAS: LazyLock<BTreeMap<&'static str, Validator>> = LazyLock::new(|| {
    let text = || json!({ "type": "string", "minLength": 1, "maxLength": MAX_TEXT });
    let note = || json!({ "note": text() });
    let days = || json!({ "days": { "type": "integer", "minimum": 1, "maximum": 1000 }, "note": text() });
    let none = || json!({});
    let of = |terms: Value| json!({ "terms": terms });
    let commands = [
        ("revise", of(terms()), vec!["terms"]),
        ("submit", none(), vec![]),
        ("consent", none(), vec![]),
        ("decline", note(), vec!["note"]),
        ("approve", json!({ "without": list(left_out(), 0) }), vec![]),
        ("return", json!({ "missing": list(missing(), 1) }), vec!["missing"]),
        ("refuse", refusal(), vec!["reason", "basis", "note"]),
        ("counter", of(terms()), vec!["terms"]),
        ("accept", none(), vec![]),
        ("extend", days(), vec!["days", "note"]),
        ("grant-extension", none(), vec![]),
        ("refuse-extension", note(), vec!["note"]),
        ("comment", json!({ "text": text() }), vec!["text"]),
        ("withdraw", none(), vec![]),
        ("suspend", note(), vec!["note"]),
        ("resume", none(), vec![]),
        ("revoke", note(), vec!["note"]),
        ("close", none(), vec![]),
    ];
    let draft = object(json!({ "terms": terms(), "renews": id(), "as": acting() }), &["terms"]);
    let commands = commands.into_iter().map(|(name, mut members, required)| {
        if let Some(members) = members.as_object_mut() {
            members.insert("version".into(), json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }));
            members.insert("as".into(), acting());
        }
        (name, object(members, &required))
    });
    let all = commands.chain([("draft", draft)]);
    all.filter_map(|(name, schema)| Some((name, jsonschema::draft202012::new(&schema).ok()?))).collect()
});

fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

fn list(items: Value, least: usize) -> Value {
    json!({ "type": "array", "minItems": least, "maxItems": MAX_FIELDS, "items": items })
}

fn id() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$" })
}

fn words() -> Value {
    json!({ "type": "string", "maxLength": MAX_TEXT })
}

fn acting() -> Value {
    object(json!({ "role": { "enum": Role::ALL }, "for_account": id() }), &[])
}

fn left_out() -> Value {
    object(json!({ "field": id(), "reason": id(), "note": words() }), &["field", "reason", "note"])
}

fn missing() -> Value {
    object(
        json!({ "pointer": { "type": "string", "maxLength": 200 }, "note": words() }),
        &["pointer", "note"],
    )
}

fn refusal() -> Value {
    json!({ "reason": id(), "basis": words(), "note": words() })
}

/// What an application asks for.
fn terms() -> Value {
    let number = || json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    let predicate = object(
        json!({
            "op": { "enum": ["=", "!=", "<", "<=", ">", ">="] },
            "value": { "type": ["number", "string", "boolean"], "maxLength": 64 }
        }),
        &["op", "value"],
    );
    let field = object(
        json!({
            "field": id(), "form": { "enum": Form::LADDER }, "compare": list(predicate, 0), "reason": words()
        }),
        &["field", "form", "reason"],
    );
    let members: Map<String, Value> = [
        ("dataset", id()),
        ("purpose", id()),
        ("basis", words()),
        ("scenario", words()),
        ("scope", words()),
        ("mode", words()),
        ("systems", list(id(), 0)),
        ("fields", list(field, 0)),
        ("per_day", number()),
        ("distinct_per_day", number()),
        ("until", json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" })),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect();
    let required: Vec<&str> = members.keys().map(String::as_str).collect();
    let mut properties = members.clone();
    properties.insert("toxic_reason".into(), words());
    object(Value::Object(properties), &required)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn good_terms() -> Value {
        json!({
            "dataset": "civil.subsistence", "purpose": "housing-aid.review", "basis": "b", "scenario": "s",
            "scope": "s", "mode": "service", "systems": ["housing.aid"],
            "fields": [{ "field": "status", "form": "plain", "reason": "r" }],
            "per_day": 10, "distinct_per_day": 10, "until": "2027-01-31"
        })
    }

    fn fault<T: std::fmt::Debug>(read: Result<T>) -> String {
        let error = read.unwrap_err();
        let first = error.invalid.first();
        format!("{} {}", first.map_or("", |f| &f.pointer), first.map_or(error.code, |f| f.code).as_str())
    }

    #[test]
    fn every_command_of_the_interface_has_a_schema_that_compiles() {
        assert_eq!(SCHEMAS.len(), 19);
    }

    #[test]
    fn a_draft_is_read_and_its_faults_have_places() {
        let read = |change: &dyn Fn(&mut Value)| {
            let mut body = json!({ "terms": good_terms() });
            change(&mut body);
            draft(body.to_string().as_bytes())
        };
        assert_eq!(read(&|_| {}).unwrap().terms.per_day, 10);
        assert_eq!(fault(read(&|b| b["x"] = json!(1))), "/x unknown-member");
        assert_eq!(fault(read(&|b| b["terms"]["extra"] = json!(1))), "/terms/extra unknown-member");
        assert_eq!(
            fault(read(&|b| b["terms"]["until"] = json!("2027-02-31"))),
            "/terms/until not-allowed-value"
        );
        assert_eq!(fault(read(&|b| b["terms"]["until"] = json!("soon"))), "/terms/until wrong-pattern");
        assert_eq!(fault(read(&|b| b["terms"]["per_day"] = json!(-1))), "/terms/per_day not-allowed-value");
        assert_eq!(
            fault(read(&|b| b["terms"]["fields"][0]["form"] = json!("bare"))),
            "/terms/fields/0/form not-allowed-value"
        );
        assert_eq!(fault(read(&|b| b["terms"] = json!({}))), "/terms/dataset missing-member");
        assert_eq!(fault(draft(b"{\"terms\":1,\"terms\":2}")), "/terms duplicate-key");
        assert_eq!(fault(draft(b"{")), " malformed-json");
    }

    #[test]
    fn a_command_names_the_version_it_was_made_for() {
        let read = |name: &str, body: &str, header| command(name, body.as_bytes(), header);
        assert_eq!(read("submit", r#"{"version":3}"#, None).unwrap().version, 3);
        assert_eq!(read("submit", "{}", Some(3)).unwrap().version, 3);
        assert_eq!(read("submit", "{\"version\":3}", Some(3)).unwrap().version, 3);
        assert_eq!(fault(read("submit", "{\"version\":3}", Some(4))), " version-mismatch");
        assert_eq!(fault(read("submit", "{}", None)), "/version missing-member");
        assert_eq!(fault(read("submit", "{\"version\":3,\"note\":\"x\"}", None)), "/note unknown-member");
        for name in ["fire", "draft", "", "Submit"] {
            assert_eq!(fault(read(name, "{\"version\":3}", None)), " not-found", "{name}");
        }
        let order =
            read("decline", r#"{"version":1,"note":"n","as":{"role":"sharing_lead"}}"#, None).unwrap();
        assert_eq!(order.command, Command::Decline { note: "n".into() });
        assert_eq!(order.acting.role, Some(Role::SharingLead));
    }

    #[test]
    fn a_key_stands_for_its_account_path_and_body() {
        let account = AccountId::parse("civil.zhang").unwrap();
        let of = |header: &str, path: &str, body: &[u8]| key(header, &account, path, body).unwrap();
        assert_eq!(of("\"k\"", "p", b"b"), of("k", "p", b"b"));
        assert_ne!(of("k", "p", b"b").request, of("k", "pb", b"").request);
        assert_ne!(of("k", "p", b"b").key, of("l", "p", b"b").key);
        for bad in ["", "\"\"", "a b", "\u{e9}", &"x".repeat(129)] {
            assert!(key(bad, &account, "p", b"").is_err(), "{bad:?}");
        }
    }
}
