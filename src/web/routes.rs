//! The table of routes: what is served, and nothing else is.
//!
//! Invariant: each row is documented in the OpenAPI document and each documented operation has a
//! row (a test compares them), so the document is exactly what is served.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Resource, Route, web};

use super::api::{audit, datasets, explain, openapi, query, subjects};
use crate::base::{Code, Error, Result};

/// One row: a method on a path, who answers it, and how it can end other than well.
#[derive(Clone, Copy)]
pub struct Row {
    /// The method; one for each path so far.
    pub verb: Verb,
    /// The path as a template.
    pub path: &'static str,
    /// The problems it can answer with, beside those of [`EVERYWHERE`].
    pub codes: &'static [&'static [Code]],
    /// The path as actix matches it, where a part of it spans several segments.
    pattern: &'static str,
    handler: fn() -> Route,
}

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET`
    Get,
    /// `POST`
    Post,
}

/// Problems that any route can answer with.
pub const EVERYWHERE: &[Code] = &[Code::MalformedRequest, Code::Internal, Code::NotReady];

/// Problems of routes that want to know the caller.
const CALLER: &[Code] = &[
    Code::CertificateRequired,
    Code::CertificateUnknown,
    Code::CertificateRevoked,
    Code::TooManyRefusals,
    Code::AuditUnavailable,
];

/// Problems of routes with a body.
const BODY: &[Code] = &[
    Code::MalformedJson,
    Code::DuplicateKey,
    Code::TooDeep,
    Code::RequestTimeout,
    Code::TooLarge,
    Code::UnsupportedMediaType,
    Code::InvalidRequest,
];

/// Problems of a query.
const QUERY: &[Code] = &[
    Code::Forbidden,
    Code::Refused,
    Code::NotFound,
    Code::QuotaExhausted,
    Code::ProviderInvalid,
    Code::ProviderTooLarge,
    Code::ProviderFailed,
    Code::ProviderSuspended,
    Code::ProviderBusy,
    Code::ProviderTimeout,
    Code::Overloaded,
];

/// All rows.
pub static ROWS: &[Row] = &[
    post("/v1/datasets/{dataset}/query", &[CALLER, BODY, QUERY], || web::to(query::query)),
    get("/v1/datasets", &[CALLER, &[Code::Forbidden]], || web::to(datasets::list)),
    get("/v1/datasets/{dataset}", &[CALLER, &[Code::Forbidden, Code::NotFound]], || web::to(datasets::view)),
    get("/v1/requests/{request_id}/explain", &[CALLER, &[Code::NotFound]], || web::to(explain::explain)),
    get("/v1/audit/checkpoint", &[CALLER, &[Code::NotFound, Code::InvalidRequest]], || {
        web::to(audit::checkpoint)
    }),
    get("/v1/audit/tile/{level}/{index}", &[CALLER, &[Code::NotFound]], || web::to(audit::tile))
        .matching("/v1/audit/tile/{level}/{index:.+}"),
    get("/v1/audit/records", &[CALLER, &[Code::Forbidden, Code::InvalidRequest]], || web::to(audit::records)),
    get("/v1/audit/records/{index}", &[CALLER, &[Code::NotFound]], || web::to(audit::record)),
    get("/v1/audit/records/{index}/proof", &[CALLER, &[Code::NotFound]], || web::to(audit::proof)),
    post("/v1/subjects/history", &[CALLER, BODY, &[Code::Forbidden]], || web::to(subjects::history)),
    post("/v1/subjects/erase", &[CALLER, BODY, &[Code::Forbidden]], || web::to(subjects::erase)),
    get("/openapi.json", &[], || web::to(openapi::document)),
];

const fn get(path: &'static str, codes: &'static [&'static [Code]], handler: fn() -> Route) -> Row {
    Row { verb: Verb::Get, path, codes, pattern: path, handler }
}

const fn post(path: &'static str, codes: &'static [&'static [Code]], handler: fn() -> Route) -> Row {
    Row { verb: Verb::Post, ..get(path, codes, handler) }
}

/// The template that a request matched, for the access line, the metrics and `Allow`.
#[derive(Clone, Copy)]
pub struct Template {
    /// The path as a template.
    pub path: &'static str,
    /// The methods that the path has.
    pub allow: &'static str,
}

impl Template {
    /// Of a request that matched no row.
    pub const UNKNOWN: Template = Template { path: "unknown", allow: "" };

    /// The template that `req`, once routed, matched.
    pub fn of(req: &HttpRequest) -> Template {
        req.app_data::<Template>().copied().unwrap_or(Template::UNKNOWN)
    }
}

impl Verb {
    /// The method's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }
}

impl Row {
    const fn matching(self, pattern: &'static str) -> Row {
        Row { pattern, ..self }
    }

    /// The row as actix wants it.
    fn resource(&self) -> Resource {
        let method = match self.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
        };
        web::resource(self.pattern)
            .app_data(Template { path: self.path, allow: self.verb.as_str() })
            .route((self.handler)().method(method))
            .default_service(web::to(method_not_allowed))
    }
}

/// Serves every row; anything else is a problem.
pub fn configure(app: &mut web::ServiceConfig) {
    ROWS.iter().for_each(|row| {
        app.service(row.resource());
    });
    app.default_service(web::to(not_found));
}

pub(super) async fn not_found() -> Result<HttpResponse> {
    Err(Error::new(Code::NotFound))
}

async fn method_not_allowed() -> Result<HttpResponse> {
    Err(Error::new(Code::MethodNotAllowed))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_path_stands_in_the_table_once() {
        let paths: BTreeSet<_> = ROWS.iter().map(|row| row.path).collect();
        assert_eq!(paths.len(), ROWS.len());
    }
}
