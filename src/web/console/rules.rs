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
use super::messages::Messages;
use super::pages::{Page, get, post};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::proposal::{self, Change, Changes, MAX_DAYS, Proposed, RuleFile};
use crate::base::finding::Severity;
use crate::base::{Code, Error, Result};
use crate::catalogue::Form as Disclosure;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const PATH: &str = "/console/admin/rules";
/// Days that are played back where nothing else is asked for.
const DAYS: u32 = 30;

/// The most files on the page; a search that finds more is to be narrowed.
const MOST: usize = 100;

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
    wanted: String,
    found: usize,
}

async fn list(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let wanted = Asked::of(&req).value("q").to_lowercase();
    let mut files = to_its_end(async move { proposal::files(&worker.gateway, &call).await }).await?;
    files.retain(|file| file.path.to_lowercase().contains(&wanted));
    let found = files.len();
    files.truncate(MOST);
    let frame = &*frame;
    frame.page(&Rules { frame, files, wanted, found })
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
    groups: Vec<Group>,
    fault: Option<Error>,
}

/// Changes that are alike: the same field, from one form to another.
pub struct Group {
    /// Is more disclosed than before?
    pub gain: bool,
    /// The dataset.
    pub dataset: String,
    /// The field.
    pub field: String,
    /// What was given, in words.
    pub before: String,
    /// What is given then.
    pub after: String,
    /// To whom, for what, by which rule.
    pub lines: Vec<Change>,
}

/// The changes in groups, so that two hundred can be read.
pub fn groups(changes: &Changes, m: &Messages) -> Vec<Group> {
    let form = |form: Option<Disclosure>| match form {
        Some(form) => m.of("form", form.as_str()),
        None => m.t("rules.refused").to_owned(),
    };
    let groups = changes.lines.chunk_by(|a, b| a.alike() == b.alike());
    let group = |lines: &[Change]| {
        let first = lines.first()?;
        Some(Group {
            gain: first.is_gain(),
            dataset: first.dataset.clone(),
            field: first.field.clone(),
            before: form(first.before),
            after: form(first.after),
            lines: lines.to_vec(),
        })
    };
    groups.filter_map(group).collect()
}

impl Try<'_> {
    fn form(&self, form: &Option<Disclosure>) -> String {
        let refused = || self.frame.m.t("rules.refused").to_owned();
        form.map_or_else(refused, |form| self.frame.m.of("form", form.as_str()))
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
    let page = Try {
        frame,
        places,
        file,
        text,
        days: DAYS,
        most: MAX_DAYS,
        proposed: None,
        groups: Vec::new(),
        fault: None,
    };
    frame.page(&page)
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
    let groups = proposed.as_ref().map(|proposed| groups(&proposed.changes, &frame.m)).unwrap_or_default();
    let most = MAX_DAYS;
    frame.page_with(status, &Try { frame, places, file, text, days, most, proposed, groups, fault })
}
