//! Another wording of the catalogue or the policies, tried before it is applied: what it would change,
//! and what of the last days would have been decided otherwise.
//!
//! Invariant: nothing is applied from here. Whoever has tried a wording applies it where the files are
//! kept, by the command line, so that no page can change what is given.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::admin::OPERATORS;
use super::asked::Asked;
use super::form::{Form, Posted};
use super::frame::Frame;
use super::pages::{Page, get, post};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::proposal::{self, Change, MAX_DAYS, Proposed, RuleFile};
use crate::base::finding::Severity;
use crate::base::{Code, Error, Result};
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const PATH: &str = "/console/admin/rules";
/// Days that are played back where nothing else is asked for.
const DAYS: u32 = 30;

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(PATH, OPERATORS, || web::to(list)),
    get("/console/admin/rules/try", OPERATORS, || web::to(show)),
    post("/console/admin/rules/try", OPERATORS, || web::to(propose)),
];

#[derive(Template)]
#[template(path = "rules.html")]
struct Rules<'a> {
    frame: &'a Frame,
    files: Vec<RuleFile>,
}

async fn list(viewer: Viewer, worker: Worker) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let files = to_its_end(async move { proposal::files(&worker.gateway, &call).await }).await?;
    let frame = &*frame;
    frame.page(&Rules { frame, files })
}

#[derive(Template)]
#[template(path = "rules_try.html")]
struct Try<'a> {
    frame: &'a Frame,
    places: Places,
    file: String,
    text: String,
    days: u32,
    most: u32,
    proposed: Option<Proposed>,
    fault: Option<Error>,
}

impl Try<'_> {
    fn form(&self, form: &Option<crate::catalogue::Form>) -> String {
        let refused = || self.frame.m.t("rules.refused").to_owned();
        form.map_or_else(refused, |form| self.frame.m.of("form", form.as_str()))
    }

    fn gains(&self, changes: &[Change]) -> usize {
        changes.iter().filter(|change| change.is_gain()).count()
    }

    fn rows(&self) -> usize {
        self.text.lines().count().clamp(12, 40)
    }

    fn is_error(&self, severity: &Severity) -> bool {
        *severity == Severity::Error
    }
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let file = Asked::of(&req).value("file").to_owned();
    let (wanted, held) = (file.clone(), worker.clone());
    let text = to_its_end(async move { proposal::file(&worker.gateway, &call, &wanted).await }).await?;
    let frame = &*frame;
    let places = Places::of(&held.gateway, frame.m.lang());
    frame.page(&Try { frame, places, file, text, days: DAYS, most: MAX_DAYS, proposed: None, fault: None })
}

async fn propose(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let form = posted.read(&frame).await?;
    let value = |form: &Form, name: &str| form.value(name).to_owned();
    let (file, text) = (value(&form, "file"), value(&form, "text"));
    let days = form.value("days").parse().unwrap_or(0);
    let (path, wording, held) = (file.clone(), text.clone(), worker.clone());
    let story = async move { proposal::propose(&worker.gateway, &call, &path, wording, days).await };
    let (proposed, fault) = match to_its_end(story).await {
        Ok(proposed) => (Some(proposed), None),
        Err(error) if error.code == Code::InvalidRequest => (None, Some(error)),
        Err(other) => return Err(other),
    };
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let frame = &*frame;
    let places = Places::of(&held.gateway, frame.m.lang());
    frame.page_with(status, &Try { frame, places, file, text, days, most: MAX_DAYS, proposed, fault })
}
