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
use crate::base::ids::RequestId;
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
    /// There is none that the viewer may know of; when its id says that it was.
    lost: Option<String>,
    /// It is no id.
    malformed: bool,
}

#[derive(Deserialize)]
struct Wanted {
    request_id: Option<String>,
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let wanted: Wanted = parameters(req.query_string(), &["request_id"])?;
    let asked = tidy(&wanted.request_id.unwrap_or_default());
    let id = RequestId::parse(&asked);
    let malformed = id.is_none() && !asked.is_empty();
    let frame = &*viewer.frame;
    let lang = frame.m.lang();
    let found = match id {
        None => None,
        Some(_) => {
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
    // What the id itself says is nobody's secret: whoever asks has it.
    let lost = id.filter(|_| found.is_none()).map(|id| id.time().to_string());
    let status = match (&lost, malformed) {
        (Some(_), _) => StatusCode::NOT_FOUND,
        (None, true) => StatusCode::UNPROCESSABLE_ENTITY,
        (None, false) => StatusCode::OK,
    };
    let places = Places::of(&worker.gateway, lang);
    frame.page_with(status, &Why { frame, places, asked, found, lost, malformed })
}

/// The id as it was meant: copied with its quotes, in capitals, or in groups.
fn tidy(typed: &str) -> String {
    let around = |c: char| !c.is_ascii_alphanumeric();
    typed.trim_matches(around).replace(['-', ' '], "").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_however_it_was_copied() {
        let id = "019aa3f0c1d27b3c8d4e5f60718293a4";
        for typed in [id, &format!(" \"{id}\","), "019AA3F0-C1D2-7B3C-8D4E-5F60718293A4"] {
            assert_eq!(tidy(typed), id);
        }
    }
}
