//! What waits for whoever looks: by due day over all of it, with the working days that are left.
//!
//! Several may be approved at one time; each is a command of its own with a vote of its own.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::form::Posted;
use super::frame::Frame;
use super::pages::{Page, Who, get, post};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::applications::view::ApplicationLine;
use crate::app::applications::{self, Asked, WaitingLine};
use crate::app::console;
use crate::base::{Code, Result};
use crate::policy::Action;
use crate::web::api::{parameters, to_its_end};
use crate::web::server::Worker;

/// The most applications on the page, and the most that are approved at one time.
const MOST: usize = 50;

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get("/console/inbox", Who::May(&[Action::ApplicationsWrite]), || web::to(show)),
    post("/console/inbox", Who::May(&[Action::ApplicationsWrite]), || web::to(approve)),
];

#[derive(Template)]
#[template(path = "inbox.html")]
struct Inbox<'a> {
    frame: &'a Frame,
    places: Places,
    lines: Vec<Line>,
    next: Option<String>,
    first: bool,
    outcomes: Vec<Outcome>,
    key: String,
}

/// One that waits.
pub struct Line {
    /// It, as the interface lists it.
    pub line: ApplicationLine,
    /// Working days left; below zero when the day has passed.
    pub left: Option<i32>,
    /// May it be approved here, as the viewer and in an own role?
    pub votes: bool,
}

/// Which page of them.
#[derive(Default, Deserialize)]
struct Wanted {
    after: Option<String>,
}

/// What came of one of several.
struct Outcome {
    application: String,
    code: Code,
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    page(&viewer, &worker, req.query_string(), Vec::new()).await
}

async fn page(viewer: &Viewer, worker: &Worker, query: &str, outcomes: Vec<Outcome>) -> Result<HttpResponse> {
    let after = parameters::<Wanted>(query, &["after"]).map(|wanted| wanted.after);
    let first = query.is_empty();
    let (call, held) = (viewer.call.clone(), worker.clone());
    let found =
        to_its_end(async move { applications::waiting(&held.gateway, &call, after, MOST).await }).await?;
    let (world, today) = (worker.gateway.world(), worker.gateway.now().day());
    let lines =
        found.applications.into_iter().map(|one| Line::waiting(one, &world.workflow, today)).collect();
    let frame = &*viewer.frame;
    frame.page(&Inbox {
        frame,
        places: Places::of(&worker.gateway, frame.m.lang()),
        lines,
        next: found.next,
        first,
        outcomes,
        key: console::new_key(&worker.gateway)?,
    })
}

async fn approve(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&viewer.frame).await?;
    let chosen: Vec<(String, u32)> = form.all("chosen").take(MOST).filter_map(named).collect();
    let key = form.key().unwrap_or_default();
    let (call, held) = (viewer.call.clone(), worker.clone());
    let outcomes = to_its_end(async move {
        let mut outcomes = Vec::new();
        for (application, version) in chosen {
            let body = json!({ "version": version }).to_string().into_bytes();
            let asked = Asked { body: Ok(body), key: Some(format!("{key}-{application}")), if_match: None };
            let given = applications::command(&held.gateway, &call, &application, "approve", asked).await;
            let code = given.map_or_else(|error| error.code, |_| Code::Ok);
            outcomes.push(Outcome { application, code });
        }
        Ok(outcomes)
    });
    let outcomes = outcomes.await?;
    page(&viewer, &worker, "", outcomes).await
}

/// The application and the version that was seen, of the value of a box.
fn named(chosen: &str) -> Option<(String, u32)> {
    let (application, version) = chosen.split_once(' ')?;
    Some((application.to_owned(), version.parse().ok()?))
}

impl Line {
    /// With the working days that are left.
    pub fn of(line: ApplicationLine, workflow: &crate::approval::Workflow, today: time::Date) -> Self {
        let day = line.due.as_deref().and_then(super::places::day);
        let left = day.map(|day| workflow.calendar.between(today, day));
        Self { left, votes: false, line }
    }

    /// The same of one that waits for the viewer.
    pub fn waiting(one: WaitingLine, workflow: &crate::approval::Workflow, today: time::Date) -> Self {
        Self { votes: one.votes, ..Self::of(one.line, workflow, today) }
    }

    /// How much it presses: what the page shows by sign and word.
    pub fn urgency(&self) -> &'static str {
        urgency(self.left)
    }
}

/// How much a due day presses.
pub fn urgency(left: Option<i32>) -> &'static str {
    match left {
        Some(left) if left < 0 => "overdue",
        Some(0..=2) => "soon",
        _ => "calm",
    }
}
