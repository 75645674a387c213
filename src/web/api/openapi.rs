//! `GET /openapi.json`: the interface, described from the code that serves it.
//!
//! Invariant: the operations are those of the table of routes, and each lists the problems that
//! its row of the table names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{
    applications, audit, consents, datasets, delegations, emergency, explain, grants, people, query, session,
    subjects, suspensions,
};
use crate::base::{Code, Lang};
use crate::web::cookie;
use crate::web::problem::{MEDIA_TYPE, Problem};
use crate::web::routes::{EVERYWHERE, ROWS, Row, Verb};

/// The name of the client certificate among the security schemes.
const CERTIFICATE: &str = "client_certificate";
/// The name of the session cookie among them.
const SESSION: &str = "session";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sluice 数闸",
        description = "Departments of a government share data with each other, field by field, \
            with privacy, approval and proof. Systems authenticate with a registered client \
            certificate (mutual TLS). Errors are problems (RFC 9457); `code` is stable, texts \
            follow Accept-Language (zh-CN or en).",
    ),
    paths(
        query::query,
        datasets::list,
        datasets::view,
        explain::explain,
        audit::checkpoint,
        audit::tile,
        audit::records,
        audit::record,
        audit::proof,
        subjects::history,
        subjects::erase,
        consents::ask,
        consents::list,
        consents::decide,
        suspensions::list,
        suspensions::suspend,
        suspensions::resume,
        session::view,
        session::begin,
        session::depart,
        session::arrive,
        session::end,
        session::list,
        session::end_other,
        session::password,
        session::totp,
        emergency::open,
        emergency::list,
        emergency::review,
        emergency::enrol,
        emergency::withdraw,
        people::list,
        people::make,
        people::view,
        people::command,
        applications::draft,
        applications::list,
        applications::get,
        applications::events,
        applications::command,
        grants::list,
        grants::get,
        grants::command,
        delegations::give,
        delegations::list,
        delegations::take_back,
        document,
    ),
    components(schemas(Problem)),
    tags(
        (name = "data", description = "Asking for data"),
        (name = "catalogue", description = "What can be asked"),
        (name = "audit", description = "What was asked, with proof"),
        (name = "emergency", description = "Access at once, reviewed afterwards"),
        (name = "session", description = "Signing in and out"),
        (name = "people", description = "Accounts, and what they may do"),
        (name = "applications", description = "Asking for access, deciding about it, stopping it"),
        (name = "interface", description = "This document"),
    ),
    modifiers(&FromTheTable),
)]
struct Document;

static TEXT: LazyLock<String> = LazyLock::new(|| Document::openapi().to_json().unwrap_or_default());

/// The document's text.
pub fn text() -> &'static str {
    &TEXT
}

/// This document. It needs no certificate.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "interface",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")),
)]
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(TEXT.as_str())
}

/// Adds to each operation what its row of the table knows: its problems, and who may call.
struct FromTheTable;

impl Modify for FromTheTable {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        if let Some(components) = &mut document.components {
            let scheme = SecurityScheme::MutualTls {
                description: Some("The client certificate registered for the system".into()),
                deprecated: None,
                extensions: None,
            };
            components.add_security_scheme(CERTIFICATE, scheme);
            let says = "A person's session: `POST /v1/session` sets the cookie";
            let cookie = ApiKey::Cookie(ApiKeyValue::with_description(cookie::SESSION, says));
            components.add_security_scheme(SESSION, SecurityScheme::ApiKey(cookie));
        }
        for row in ROWS {
            let item = document.paths.paths.get_mut(row.path);
            if let Some(operation) = item.and_then(|item| operation(item, row.verb)) {
                describe(operation, row);
            }
        }
    }
}

fn describe(operation: &mut Operation, row: &Row) {
    let codes = || row.codes.iter().copied().flatten();
    if !row.open {
        // Any one of them will do.
        let schemes = [(Code::CertificateRequired, CERTIFICATE), (Code::SignInRequired, SESSION)];
        let wanted = schemes.into_iter().filter(|(without, _)| codes().any(|code| code == without));
        let wanted = wanted.map(|(_, scheme)| SecurityRequirement::new::<_, _, String>(scheme, []));
        operation.security = Some(wanted.collect());
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes().chain(EVERYWHERE) {
        by_status.entry(code.status()).or_default().push(*code);
    }
    for (status, codes) in by_status {
        let lines: Vec<String> =
            codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.detail(Lang::En))).collect();
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(lines.join("\n\n")).content(MEDIA_TYPE, problem);
        operation.responses.responses.insert(status.to_string(), RefOr::T(response.build()));
    }
}

fn operation(item: &mut PathItem, verb: Verb) -> Option<&mut Operation> {
    match verb {
        Verb::Get => item.get.as_mut(),
        Verb::Post => item.post.as_mut(),
        Verb::Delete => item.delete.as_mut(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn document() -> Value {
        serde_json::from_str(&TEXT).unwrap()
    }

    #[test]
    fn what_is_served_is_documented_and_nothing_else() {
        let document = document();
        let documented: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                item.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase()))
            })
            .collect();
        let served = ROWS.iter().map(|row| (row.path.to_owned(), row.verb.as_str().to_owned())).collect();
        assert_eq!(documented, served);
    }

    #[test]
    fn every_operation_documents_its_problems_and_who_may_call() {
        let document = document();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        for row in ROWS {
            let operation = &document["paths"][row.path][row.verb.as_str().to_lowercase()];
            for code in row.codes.iter().copied().flatten().chain(EVERYWHERE) {
                let response = &operation["responses"][code.status().to_string()];
                let description = response["description"].as_str().unwrap();
                assert!(description.contains(code.as_str()), "{} {}", row.path, code.as_str());
                assert!(response["content"][MEDIA_TYPE].is_object());
            }
            let known = operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty());
            assert_eq!(known, !row.open, "{}", row.path);
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|v| references(v, found));
                }
                Value::Array(items) => items.iter().for_each(|v| references(v, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let target = document.pointer(reference.strip_prefix('#').unwrap());
            assert!(target.is_some(), "{reference}");
        }
    }
}
