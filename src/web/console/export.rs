//! A part of the log to take away: it proves itself.

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::asked::Asked;
use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::viewer::Viewer;
use crate::app::export::{self, MAX_RECORDS};
use crate::base::{Code, Error, Result};
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const WHO: Who = Who::May(&[Action::AuditReadAll]);

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get("/console/security/export", WHO, || web::to(show)),
    get("/console/security/export/part", WHO, || web::to(part)),
];

#[derive(Template)]
#[template(path = "export.html")]
struct Export<'a> {
    frame: &'a Frame,
    size: u64,
    step: u64,
    first: u64,
}

async fn show(viewer: Viewer, worker: Worker) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    let size = worker.gateway.log().stats().size;
    frame.page(&Export { frame, size, step: MAX_RECORDS, first: size.saturating_sub(MAX_RECORDS) })
}

async fn part(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let asked = Asked::of(&req);
    let wanted = |name| -> Result<u64> {
        let missing = || Error::at(Code::InvalidRequest, format!("/{name}"), Code::MissingMember);
        asked.number(name)?.ok_or_else(missing)
    };
    let (first, count) = (wanted("first")?, wanted("count")?);
    let call = viewer.call;
    let text = to_its_end(async move { export::part(&worker.gateway, &call, first, count).await }).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/jsonl")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"log-{first}.jsonl\"")))
        .body(text))
}
