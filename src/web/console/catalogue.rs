//! The catalogue as the viewer may see it: searched, and one dataset with its fields.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::datasets;
use crate::app::view::{DatasetLine, DatasetView};
use crate::base::{Lang, Result};
use crate::catalogue::Dataset;
use crate::policy::Action;
use crate::web::api::{parameters, to_its_end};
use crate::web::server::Worker;

/// The most datasets on the page; a search that finds more is to be narrowed.
const MOST: usize = 200;

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get("/console/catalogue", Who::May(&[Action::DatasetsRead]), || web::to(list)),
    get("/console/catalogue/{dataset}", Who::May(&[Action::DatasetsRead]), || web::to(one)),
];

#[derive(Template)]
#[template(path = "catalogue.html")]
struct Catalogue<'a> {
    frame: &'a Frame,
    places: Places,
    lines: Vec<Found>,
    wanted: String,
    all: usize,
    more: bool,
}

/// A dataset that matches, with the fields that do.
struct Found {
    line: DatasetLine,
    fields: Vec<String>,
}

#[derive(Template)]
#[template(path = "dataset.html")]
struct One<'a> {
    frame: &'a Frame,
    places: Places,
    d: DatasetView,
    applies: bool,
}

#[derive(Deserialize)]
struct Wanted {
    q: Option<String>,
}

async fn list(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let wanted = parameters::<Wanted>(req.query_string(), &["q"])?.q.unwrap_or_default();
    let frame = &*viewer.frame;
    let lang = frame.m.lang();
    let (call, held) = (viewer.anyone(), worker.clone());
    let found = to_its_end(async move { datasets::list(&held.gateway, &call, lang).await }).await?;
    let (places, world) = (Places::of(&worker.gateway, lang), worker.gateway.world());
    let all = found.datasets.len();
    let words: Vec<String> = wanted.split_whitespace().map(str::to_lowercase).collect();
    let mut lines: Vec<Found> = found
        .datasets
        .into_iter()
        .filter_map(|line| {
            let dataset = world.dataset(&line.dataset)?;
            let provider = places.department(&line.provider);
            matching(dataset, &provider, &words, lang).map(|fields| Found { line, fields })
        })
        .collect();
    let more = lines.len() > MOST;
    lines.truncate(MOST);
    frame.page(&Catalogue { frame, places, lines, wanted, all, more })
}

/// The titles of the fields that some word is found in; none where a word is found nowhere.
fn matching(dataset: &Dataset, provider: &str, words: &[String], lang: Lang) -> Option<Vec<String>> {
    let entry = &dataset.entry;
    let about = format!("{} {} {} {provider}", entry.code, entry.title.lang(lang), entry.summary.lang(lang));
    let about = about.to_lowercase();
    let name =
        |field: &crate::catalogue::Field| format!("{} {}", field.title.lang(lang), field.name).to_lowercase();
    let in_fields = |word: &String| dataset.fields.iter().any(|field| name(field).contains(word.as_str()));
    if !words.iter().all(|word| about.contains(word.as_str()) || in_fields(word)) {
        return None;
    }
    let hits =
        dataset.fields.iter().filter(|field| words.iter().any(|word| name(field).contains(word.as_str())));
    Some(hits.map(|field| field.title.lang(lang).to_owned()).collect())
}

async fn one(viewer: Viewer, worker: Worker, dataset: web::Path<String>) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    let lang = frame.m.lang();
    let (call, held) = (viewer.anyone(), worker.clone());
    let found = to_its_end(async move { datasets::view(&held.gateway, &call, &dataset, lang).await }).await?;
    let account = &viewer.call.caller.account;
    let applies =
        account.holds(crate::identity::Role::Applicant) && account.department.as_str() != found.provider;
    frame.page(&One { frame, places: Places::of(&worker.gateway, lang), d: found, applies })
}

impl One<'_> {
    /// The forms in which the viewer's department has a field already, each once.
    fn has(&self, field: &crate::app::view::FieldView) -> Vec<String> {
        let mut forms: Vec<String> = Vec::new();
        for permitted in &field.permitted {
            if !forms.contains(&permitted.form) {
                forms.push(permitted.form.clone());
            }
        }
        forms
    }
}
