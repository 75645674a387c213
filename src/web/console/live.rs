//! What changed while a page is open: asked for by the page's script, every now and then.
//!
//! Invariant: numbers, and whether something changed; nothing that the viewer would not be shown by
//! opening the page. Asking keeps no session alive, so a page that is left open ends with its session.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::frame::Frame;
use super::nav;
use super::pages::{Page, Who, get};
use crate::app::{applications, overview};
use crate::base::Result;
use crate::web::api::{parameters, to_its_end};
use crate::web::extract::Onlooker;
use crate::web::server::Worker;

/// What waits is counted up to this.
const MOST: usize = 1_000;

/// The rows of the table. Somebody who is not signed in is told that, and nothing else.
pub static PAGES: &[Page] = &[get("/console/live", Who::Visitor, || web::to(show))];

/// What the page shows.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Watched {
    /// An application,
    application: Option<String>,
    /// in this version.
    version: Option<u32>,
    /// The numbers of the security overview.
    #[serde(default)]
    figures: bool,
}

/// How it is by now. What the page does not ask about is not there.
#[derive(Default, Serialize)]
struct Now {
    signed_out: bool,
    /// How many applications wait for the viewer,
    waiting: Option<usize>,
    /// as it is shown,
    shown: Option<String>,
    /// and as it is said.
    said: Option<String>,
    /// Did somebody change what the page shows?
    changed: bool,
    /// The numbers by their names, and as of when they are.
    figures: BTreeMap<&'static str, String>,
    figures_at: Option<String>,
}

async fn show(onlooker: Onlooker, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let Some(call) = onlooker.call else {
        return Ok(HttpResponse::Ok().json(Now { signed_out: true, ..Now::default() }));
    };
    let watched: Watched = parameters(req.query_string(), &["application", "version", "figures"])?;
    let m = Frame::of_person(&req, &worker, &call.caller.account).m;
    let figures = watched.figures;
    let held = worker.clone();
    let (waiting, changed, today) = to_its_end(async move {
        let gateway = &held.gateway;
        let waiting = match nav::decides(&call.caller.account) {
            true => Some(applications::number_waiting(gateway, &call, MOST).await?),
            false => None,
        };
        let changed = match &watched.application {
            Some(id) => Some(applications::version(gateway, &call, id).await?) != watched.version,
            None => false,
        };
        let today = if figures { Some(overview::today(gateway, &call).await?) } else { None };
        Ok((waiting, changed, today))
    })
    .await?;
    let shown = waiting.map(|number| match number {
        MOST => format!("{}+", MOST - 1),
        _ => m.number(number),
    });
    let figures = today.iter().flat_map(|today| {
        [
            ("queries", m.number(today.queries)),
            ("refusals", m.number(today.refusals)),
            ("sensitive", m.number(today.sensitive)),
            ("failures", m.number(today.failures)),
        ]
    });
    Ok(HttpResponse::Ok().json(Now {
        signed_out: false,
        waiting,
        said: shown.as_ref().map(|shown| m.fill("live.waiting", shown)),
        shown,
        changed,
        figures: figures.collect(),
        figures_at: today.map(|_| m.fill("live.figures_at", m.moment(&worker.gateway.now().to_string()))),
    }))
}
