//! The first page: what waits for whoever signed in, and where to go.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::frame::Frame;
use super::inbox::Line;
use super::nav;
use super::pages::{Page, Who, get};
use super::person;
use super::places::Places;
use super::viewer::Viewer;
use crate::app::applications;
use crate::base::Result;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// The most applications that are shown here.
const MOST: usize = 5;

/// The rows of the table.
pub static PAGES: &[Page] = &[get(super::ROOT, Who::Person, || web::to(show))];

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    frame: &'a Frame,
    places: Places,
    /// What waits, where anything can wait for such an account.
    waiting: Option<Vec<Line>>,
    /// How much waits for the viewer's consent to see a person's history.
    consents: usize,
}

async fn show(viewer: Viewer, worker: Worker) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    let waiting = match nav::decides(&viewer.call.caller.account) {
        true => Some(waiting(&viewer, &worker).await?),
        false => None,
    };
    let consents = person::waiting(&viewer, &worker).await?;
    frame.page(&Home { frame, places: Places::of(&worker.gateway, frame.m.lang()), waiting, consents })
}

async fn waiting(viewer: &Viewer, worker: &Worker) -> Result<Vec<Line>> {
    let (call, held) = (viewer.call.clone(), worker.clone());
    let found =
        to_its_end(async move { applications::waiting(&held.gateway, &call, Ok(None), MOST).await }).await?;
    let (world, today) = (worker.gateway.world(), worker.gateway.now().day());
    Ok(found.applications.into_iter().map(|one| Line::waiting(one, &world.workflow, today)).collect())
}
