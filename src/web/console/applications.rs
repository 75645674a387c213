//! The list of applications: of one's own department on either side, or all of them.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::frame::Frame;
use super::inbox::Line;
use super::pages::{Page, Who, get};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::applications::{self, Search};
use crate::approval::State;
use crate::base::Result;
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// The rows of the table.
pub static PAGES: &[Page] = &[get(
    "/console/applications",
    Who::May(&[Action::ApplicationsReadOwn, Action::ApplicationsReadAll]),
    || web::to(show),
)];

#[derive(Template)]
#[template(path = "application_list.html")]
struct Applications<'a> {
    frame: &'a Frame,
    places: Places,
    lines: Vec<Line>,
    states: Vec<&'static str>,
    state: &'static str,
    next: Option<String>,
    first: bool,
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    // A filter that was not chosen is sent as nothing.
    let query = req.query_string().replace("state=&", "");
    let query = query.strip_suffix("state=").unwrap_or(&query).trim_end_matches('&');
    let search = crate::web::api::parameters::<Search>(query, &["state", "before"]);
    let (state, first) = match &search {
        Ok(search) => (search.state, search.before.is_none()),
        Err(_) => (None, true),
    };
    let (call, held) = (viewer.call.clone(), worker.clone());
    let found = to_its_end(async move { applications::list(&held.gateway, &call, search).await }).await?;
    let (world, today) = (worker.gateway.world(), worker.gateway.now().day());
    let frame = &*viewer.frame;
    frame.page(&Applications {
        frame,
        places: Places::of(&worker.gateway, frame.m.lang()),
        lines: found.applications.into_iter().map(|line| Line::of(line, &world.workflow, today)).collect(),
        states: State::ALL.map(State::as_str).to_vec(),
        state: state.map(State::as_str).unwrap_or_default(),
        next: found.next,
        first,
    })
}
