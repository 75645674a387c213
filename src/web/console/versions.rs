//! The versions of catalogue and policies: when each came into force, and who got which field by it.
//!
//! Invariant: what is shown was applied; what might be applied is tried on another page.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::admin::OPERATORS;
use super::asked::Asked;
use super::frame::Frame;
use super::pages::{Page, get};
use super::places::Places;
use super::rules::{Group, groups};
use super::viewer::Viewer;
use crate::app::versions::{self, Changed, VersionLine, Versions};
use crate::base::{Code, Result};
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get("/console/admin/versions", OPERATORS, || web::to(list)),
    get("/console/admin/versions/{version}", OPERATORS, || web::to(show)),
];

#[derive(Template)]
#[template(path = "versions.html")]
struct List<'a> {
    frame: &'a Frame,
    found: Versions,
}

impl List<'_> {
    fn is_in_force(&self, line: &VersionLine) -> bool {
        (line.catalogue, line.policy) == (self.frame.versions.catalogue, self.frame.versions.policy)
    }
}

async fn list(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let from = Asked::of(&req).number("from")?;
    let found = to_its_end(async move { versions::list(&worker.gateway, &call, from).await }).await?;
    let frame = &*frame;
    frame.page(&List { frame, found })
}

#[derive(Template)]
#[template(path = "version.html")]
struct One<'a> {
    frame: &'a Frame,
    places: Places,
    changed: Changed,
    groups: Vec<Group>,
}

async fn show(viewer: Viewer, worker: Worker, version: web::Path<String>) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let seq = version.parse().map_err(|_| Code::NotFound)?;
    let held = worker.clone();
    let changed = to_its_end(async move { versions::changed(&held.gateway, &call, seq).await }).await?;
    let frame = &*frame;
    let groups = changed.changes.as_ref().map(|changes| groups(changes, &frame.m)).unwrap_or_default();
    let places = Places::of(&worker.gateway, frame.m.lang());
    frame.page(&One { frame, places, changed, groups })
}
