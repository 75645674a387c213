//! The table of pages: what the console serves, and who may see it.
//!
//! Invariant: a page that is not for everybody is opened only by an account that may do one of the
//! actions its row names; so the table is the whole of it, and a test walks it as every role.

use actix_web::http::Method;
use actix_web::{HttpRequest, Resource, Route, web};

use super::{
    account, admin, application, applications, apply, assets, cart, catalogue, coordinator, delegations,
    events, export, grants, home, inbox, integrator, interface, live, people, person, preferences, rules,
    searches, security, sign_in, stopped, versions, why,
};
use crate::policy::Action;
use crate::web::routes::{Template, Verb, method_not_allowed};

/// One page: a method on a path, who may have it, who answers it.
#[derive(Clone, Copy)]
pub struct Page {
    /// The method.
    pub verb: Verb,
    /// The path as a template.
    pub path: &'static str,
    /// Who may have it.
    pub who: Who,
    /// Is what was typed into its form kept while somebody signs in again? For forms in which much is
    /// written, and nothing that signs anybody in or names a person.
    pub keeps: bool,
    handler: fn() -> Route,
}

/// Who may have a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody, known or not.
    Visitor,
    /// Who holds a session, be the sign-in finished or not.
    Holder,
    /// Who is signed in.
    Person,
    /// Who may do one of these actions.
    May(&'static [Action]),
}

/// The pages, file by file. The rows of one path stand together.
static PAGES: &[&[Page]] = &[
    assets::PAGES,
    sign_in::PAGES,
    preferences::PAGES,
    account::PAGES,
    home::PAGES,
    inbox::PAGES,
    live::PAGES,
    applications::PAGES,
    application::PAGES,
    catalogue::PAGES,
    cart::PAGES,
    apply::PAGES,
    grants::PAGES,
    why::PAGES,
    delegations::PAGES,
    security::PAGES,
    events::PAGES,
    searches::PAGES,
    person::PAGES,
    stopped::PAGES,
    export::PAGES,
    coordinator::PAGES,
    admin::PAGES,
    rules::PAGES,
    versions::PAGES,
    people::PAGES,
    interface::PAGES,
    integrator::PAGES,
];

/// All pages.
pub fn all() -> impl Iterator<Item = &'static Page> {
    PAGES.iter().copied().flatten()
}

pub(super) const fn get(path: &'static str, who: Who, handler: fn() -> Route) -> Page {
    Page { verb: Verb::Get, path, who, keeps: false, handler }
}

pub(super) const fn post(path: &'static str, who: Who, handler: fn() -> Route) -> Page {
    Page { verb: Verb::Post, path, who, keeps: false, handler }
}

/// A form whose text is kept; its handler reads it by [`super::form::Posted::read_or_draft`].
pub(super) const fn kept(path: &'static str, who: Who, handler: fn() -> Route) -> Page {
    Page { keeps: true, ..post(path, who, handler) }
}

/// The page that a request, once routed, is for.
pub(super) fn of(req: &HttpRequest) -> Option<&'static Page> {
    let path = Template::of(req).path;
    all().find(|page| page.path == path && page.verb.as_str() == req.method().as_str())
}

/// Serves every page.
pub fn configure(app: &mut web::ServiceConfig) {
    for rows in PAGES {
        for resource in rows.chunk_by(|a, b| a.path == b.path).filter_map(resource) {
            app.service(resource);
        }
    }
}

fn resource(rows: &[Page]) -> Option<Resource> {
    let first = rows.first()?;
    let resource = web::resource(first.path).app_data(Template { path: first.path });
    let resource = rows.iter().fold(resource, |resource, page| {
        let method = if page.verb == Verb::Get { Method::GET } else { Method::POST };
        resource.route((page.handler)().method(method))
    });
    Some(resource.default_service(web::to(method_not_allowed)))
}
