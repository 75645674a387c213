//! The table of routes: what is served, and nothing else is but the pages of the console, which have a
//! table of their own. The rows of one path stand together.
//!
//! Invariant: each row is documented in the OpenAPI document and each documented operation has a
//! row (a test compares them), so the document is exactly what is served.

use actix_web::http::Method;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, Resource, Route, web};

use super::api::{
    applications, audit, consents, datasets, delegations, emergency, explain, grants, openapi, people, query,
    session, subjects, suspensions,
};
use super::console::{self, pages};
use crate::base::{Code, Error, Result};

/// One row: a method on a path, who answers it, and how it can end other than well.
#[derive(Clone, Copy)]
pub struct Row {
    /// The method.
    pub verb: Verb,
    /// The path as a template.
    pub path: &'static str,
    /// The problems it can answer with, beside those of [`EVERYWHERE`].
    pub codes: &'static [&'static [Code]],
    /// Is it for whoever is not known too?
    pub open: bool,
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
    /// `DELETE`
    Delete,
}

/// Problems that any route can answer with.
pub const EVERYWHERE: &[Code] = &[Code::MalformedRequest, Code::Internal, Code::NotReady];

/// Problems of routes for systems.
const SYSTEM: &[Code] = &[
    Code::CertificateRequired,
    Code::CertificateUnknown,
    Code::CertificateRevoked,
    Code::CallerSuspended,
    Code::TooManyRefusals,
    Code::AuditUnavailable,
];

/// Problems of routes that want to know the person.
const PERSON: &[Code] = &[
    Code::SignInRequired,
    Code::SignInUnfinished,
    Code::CrossSite,
    Code::TooManyRefusals,
    Code::AuditUnavailable,
];

/// The same where a sign-in need not be finished.
const HOLDER: &[Code] =
    &[Code::SignInRequired, Code::CrossSite, Code::TooManyRefusals, Code::AuditUnavailable];

/// Problems of signing in.
const SIGN_IN: &[Code] = &[
    Code::SignInFailed,
    Code::CertificateRequired,
    Code::CertificateUnknown,
    Code::CertificateRevoked,
    Code::CrossSite,
    Code::TooManyAttempts,
    Code::TooManyRefusals,
    Code::Overloaded,
    Code::AuditUnavailable,
];

/// Problems of signing in at the identity provider.
const OIDC: &[Code] = &[Code::NotFound, Code::IdentityProviderFailed, Code::AuditUnavailable];

/// Problems of routes for systems and for people.
const ANYONE: &[Code] = &[
    Code::CertificateRequired,
    Code::CertificateUnknown,
    Code::CertificateRevoked,
    Code::SignInRequired,
    Code::SignInUnfinished,
    Code::CrossSite,
    Code::TooManyRefusals,
    Code::AuditUnavailable,
];

/// Problems of reading the log.
const LOG: &[Code] = &[Code::NotFound, Code::Overloaded];

/// Problems of changing what is signed in with.
const CREDENTIALS: &[Code] = &[Code::TooManyAttempts, Code::Overloaded];

/// Problems of changing accounts.
const PEOPLE: &[Code] = &[
    Code::Forbidden,
    Code::NotSeparate,
    Code::NotFound,
    Code::AccountTaken,
    Code::ExclusiveRoles,
    Code::WrongState,
    Code::Overloaded,
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

/// Problems of reading an application or a grant, or a list of them.
const READ: &[Code] = &[Code::Forbidden, Code::NotFound, Code::InvalidRequest];

/// Problems of commanding one.
const COMMAND: &[Code] = &[
    Code::Forbidden,
    Code::NotSeparate,
    Code::NotFound,
    Code::WrongState,
    Code::VersionMismatch,
    Code::KeyReused,
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

/// Problems of seeing who asked about a person.
const HISTORY: &[Code] = &[Code::Forbidden, Code::ConsentRequired, Code::Overloaded];

/// Problems of what takes a second person.
const SECOND: &[Code] = &[Code::Forbidden, Code::NotSeparate, Code::NotFound, Code::WrongState];

/// Problems of emergency access.
const EMERGENCY: &[Code] = &[Code::Forbidden, Code::NotSeparate, Code::NotFound, Code::WrongState];

/// All rows.
pub static ROWS: &[Row] = &[
    post("/v1/datasets/{dataset}/query", &[SYSTEM, BODY, QUERY], || web::to(query::query)),
    get("/v1/datasets", &[ANYONE, &[Code::Forbidden]], || web::to(datasets::list)),
    get("/v1/datasets/{dataset}", &[ANYONE, &[Code::Forbidden, Code::NotFound]], || web::to(datasets::view)),
    get("/v1/requests/{request_id}/explain", &[ANYONE, LOG], || web::to(explain::explain)),
    get("/v1/audit/checkpoint", &[ANYONE, &[Code::NotFound, Code::InvalidRequest]], || {
        web::to(audit::checkpoint)
    }),
    get("/v1/audit/tile/{level}/{index}", &[ANYONE, LOG], || web::to(audit::tile))
        .matching("/v1/audit/tile/{level}/{index:.+}"),
    get("/v1/audit/records", &[ANYONE, &[Code::Forbidden, Code::InvalidRequest, Code::Overloaded]], || {
        web::to(audit::records)
    }),
    get("/v1/audit/records/{index}", &[ANYONE, LOG], || web::to(audit::record)),
    get("/v1/audit/records/{index}/proof", &[ANYONE, LOG], || web::to(audit::proof)),
    post("/v1/subjects/history", &[ANYONE, BODY, HISTORY], || web::to(subjects::history)),
    post("/v1/subjects/erase", &[ANYONE, BODY, &[Code::Forbidden]], || web::to(subjects::erase)),
    get("/v1/consents", &[PERSON, &[Code::Forbidden]], || web::to(consents::list)),
    post("/v1/consents", &[PERSON, BODY, &[Code::Forbidden, Code::WrongState]], || web::to(consents::ask)),
    post("/v1/consents/{id}/decide", &[PERSON, BODY, SECOND], || web::to(consents::decide)),
    get("/v1/suspensions", &[PERSON, &[Code::Forbidden]], || web::to(suspensions::list)),
    post("/v1/suspensions", &[PERSON, BODY, &[Code::Forbidden, Code::NotFound, Code::WrongState]], || {
        web::to(suspensions::suspend)
    }),
    post("/v1/suspensions/resume", &[PERSON, BODY, SECOND], || web::to(suspensions::resume)),
    get("/v1/emergency", &[PERSON, &[Code::Forbidden]], || web::to(emergency::list)),
    post("/v1/emergency", &[PERSON, BODY, EMERGENCY], || web::to(emergency::open)),
    post("/v1/emergency/enrolments", &[PERSON, BODY, EMERGENCY], || web::to(emergency::enrol)),
    post("/v1/emergency/enrolments/withdraw", &[PERSON, BODY, EMERGENCY], || web::to(emergency::withdraw)),
    post("/v1/emergency/{id}/review", &[PERSON, BODY, EMERGENCY], || web::to(emergency::review)),
    get("/v1/session", &[HOLDER], || web::to(session::view)),
    post("/v1/session", &[SIGN_IN, BODY], || web::to(session::begin)).open(),
    delete("/v1/session", &[HOLDER], || web::to(session::end)),
    get("/v1/session/oidc", &[OIDC], || web::to(session::depart)).open(),
    get("/v1/session/oidc/callback", &[OIDC, &[Code::SignInFailed, Code::Overloaded]], || {
        web::to(session::arrive)
    })
    .open(),
    post("/v1/session/password", &[HOLDER, BODY, CREDENTIALS], || web::to(session::password)),
    post("/v1/session/totp", &[HOLDER, BODY, CREDENTIALS], || web::to(session::totp)),
    get("/v1/sessions", &[PERSON], || web::to(session::list)),
    delete("/v1/sessions/{session}", &[PERSON, &[Code::NotFound]], || web::to(session::end_other)),
    get("/v1/people", &[PERSON, &[Code::Forbidden, Code::InvalidRequest]], || web::to(people::list)),
    post("/v1/people", &[PERSON, BODY, PEOPLE], || web::to(people::make)),
    get("/v1/people/{account}", &[PERSON, &[Code::NotFound]], || web::to(people::view)),
    post("/v1/people/{account}/{command}", &[PERSON, BODY, PEOPLE], || web::to(people::command)),
    get("/v1/applications", &[PERSON, READ], || web::to(applications::list)),
    post("/v1/applications", &[PERSON, BODY, COMMAND], || web::to(applications::draft)),
    get("/v1/applications/{id}", &[PERSON, READ], || web::to(applications::get)),
    get("/v1/applications/{id}/events", &[PERSON, READ], || web::to(applications::events)),
    post("/v1/applications/{id}/{command}", &[PERSON, BODY, COMMAND], || web::to(applications::command)),
    get("/v1/grants", &[PERSON, READ], || web::to(grants::list)),
    get("/v1/grants/{id}", &[PERSON, READ], || web::to(grants::get)),
    post("/v1/grants/{id}/{command}", &[PERSON, BODY, COMMAND], || web::to(grants::command)),
    get("/v1/delegations", &[PERSON, READ], || web::to(delegations::list)),
    post("/v1/delegations", &[PERSON, BODY, COMMAND], || web::to(delegations::give)),
    delete("/v1/delegations/{id}", &[PERSON, READ], || web::to(delegations::take_back)),
    get("/openapi.json", &[], || web::to(openapi::document)).open(),
];

const fn get(path: &'static str, codes: &'static [&'static [Code]], handler: fn() -> Route) -> Row {
    Row { verb: Verb::Get, path, codes, open: false, pattern: path, handler }
}

const fn post(path: &'static str, codes: &'static [&'static [Code]], handler: fn() -> Route) -> Row {
    Row { verb: Verb::Post, ..get(path, codes, handler) }
}

const fn delete(path: &'static str, codes: &'static [&'static [Code]], handler: fn() -> Route) -> Row {
    Row { verb: Verb::Delete, ..get(path, codes, handler) }
}

/// The template that a request matched, for the access line, the metrics and `Allow`.
#[derive(Clone, Copy)]
pub struct Template {
    /// The path as a template.
    pub path: &'static str,
}

impl Template {
    /// Of a request that matched no row.
    pub const UNKNOWN: Template = Template { path: "unknown" };

    /// The template that `req`, once routed, matched.
    pub fn of(req: &HttpRequest) -> Template {
        req.app_data::<Template>().copied().unwrap_or(Template::UNKNOWN)
    }

    /// The methods that the path has, as `Allow` names them.
    pub fn allow(self) -> String {
        let pages = pages::all().filter(|page| page.path == self.path).map(|page| page.verb.as_str());
        let rows = ROWS.iter().filter(|row| row.path == self.path).map(|row| row.verb.as_str());
        let methods: Vec<&str> = rows.chain(pages).collect();
        methods.join(", ")
    }
}

impl Verb {
    /// The method's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Delete => "DELETE",
        }
    }
}

impl Row {
    const fn matching(self, pattern: &'static str) -> Row {
        Row { pattern, ..self }
    }

    const fn open(self) -> Row {
        Row { open: true, ..self }
    }

    fn route(&self) -> Route {
        let method = match self.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Delete => Method::DELETE,
        };
        (self.handler)().method(method)
    }
}

/// The rows of one path as actix wants them.
fn resource(rows: &[Row]) -> Option<Resource> {
    let first = rows.first()?;
    let resource = web::resource(first.pattern).app_data(Template { path: first.path });
    let resource = rows.iter().fold(resource, |resource, row| resource.route(row.route()));
    Some(resource.default_service(web::to(method_not_allowed)))
}

/// Serves every row, and every page of the console; anything else is a problem.
pub fn configure(app: &mut web::ServiceConfig) {
    for resource in ROWS.chunk_by(|a, b| a.path == b.path).filter_map(resource) {
        app.service(resource);
    }
    pages::configure(app);
    app.default_service(web::to(not_found));
}

/// Nothing is there. A browser that was given the gateway's bare address is led to the console.
pub(super) async fn not_found(req: HttpRequest) -> Result<HttpResponse> {
    if *req.method() == Method::GET && req.path() == "/" && console::wants_page(&req) {
        return Ok(HttpResponse::SeeOther().insert_header((LOCATION, console::ROOT)).finish());
    }
    Err(Error::new(Code::NotFound))
}

pub(super) async fn method_not_allowed() -> Result<HttpResponse> {
    Err(Error::new(Code::MethodNotAllowed))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_method_on_a_path_stands_in_the_table_once_and_the_rows_of_a_path_stand_together() {
        let rows: BTreeSet<_> = ROWS.iter().map(|row| (row.path, row.verb.as_str())).collect();
        assert_eq!(rows.len(), ROWS.len());
        let paths: BTreeSet<_> = ROWS.iter().map(|row| row.path).collect();
        assert_eq!(paths.len(), ROWS.chunk_by(|a, b| a.path == b.path).count());
    }
}
