//! Why a past request ended as it did, by its id.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::explain;
use crate::app::view::Explanation;
use crate::base::{Code, Result};
use crate::policy::Action;
use crate::web::api::{parameters, to_its_end};
use crate::web::server::Worker;

/// The rows of the table.
pub static PAGES: &[Page] =
    &[get("/console/why", Who::May(&[Action::ExplainOwn, Action::ExplainAll]), || web::to(show))];

#[derive(Template)]
#[template(path = "why.html")]
struct Why<'a> {
    frame: &'a Frame,
    places: Places,
    asked: String,
    found: Option<Explanation>,
    lost: bool,
}

#[derive(Deserialize)]
struct Wanted {
    request_id: Option<String>,
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let wanted: Wanted = parameters(req.query_string(), &["request_id"])?;
    let asked = wanted.request_id.unwrap_or_default().trim().to_ascii_lowercase();
    let frame = &*viewer.frame;
    let lang = frame.m.lang();
    let found = match asked.is_empty() {
        true => None,
        false => {
            let (call, held, id) = (viewer.anyone(), worker.clone(), asked.clone());
            let told =
                to_its_end(async move { explain::explain(&held.gateway, &call, &id, lang).await }).await;
            match told {
                Ok(told) => Some(told),
                Err(error) if error.code == Code::NotFound => None,
                Err(error) => return Err(error),
            }
        }
    };
    let lost = found.is_none() && !asked.is_empty();
    let status = if lost { StatusCode::NOT_FOUND } else { StatusCode::OK };
    frame.page_with(status, &Why { frame, places: Places::of(&worker.gateway, lang), asked, found, lost })
}
