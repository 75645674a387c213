//! The integrator's pages: a query to try out on made-up data, and what each problem code asks for.
//!
//! Invariant: what is tried out asks no provider.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::{Map, Value, json};

use super::asked::Asked;
use super::form::{Form as Sent, Posted};
use super::frame::Frame;
use super::pages::{Page, Who, get, post};
use super::viewer::Viewer;
use crate::app::call::{Call, Caller};
use crate::app::datasets;
use crate::app::rehearse::{self, Rehearsal};
use crate::app::view::{DatasetLine, DatasetView};
use crate::base::{Code, Error, Result};
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const TRY: &str = "/console/integrator/try";

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get("/console/integrator/codes", Who::Person, || web::to(codes)),
    get(TRY, Who::Person, || web::to(show)),
    post(TRY, Who::Person, || web::to(attempt)),
];

#[derive(Template)]
#[template(path = "codes.html")]
struct Codes<'a> {
    frame: &'a Frame,
    codes: Vec<&'static Code>,
    wanted: String,
}

async fn codes(viewer: Viewer, req: HttpRequest) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    let (wanted, lang) = (Asked::of(&req).value("q").to_lowercase(), frame.m.lang());
    let says = |code: &&Code| {
        let texts = [code.as_str(), code.title(lang), code.detail(lang), &code.status().to_string()];
        texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    };
    let codes = Code::ALL.iter().filter(|code| **code != Code::Ok).filter(says).collect();
    frame.page(&Codes { frame, codes, wanted })
}

#[derive(Template)]
#[template(path = "try.html")]
struct Try<'a> {
    frame: &'a Frame,
    systems: Vec<(String, String)>,
    datasets: Vec<DatasetLine>,
    system: String,
    dataset: String,
    body: String,
    found: Option<Rehearsal>,
    answer: String,
    form: Sent,
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let asked = Asked::of(&req);
    let shown = Shown {
        system: asked.value("system").into(),
        dataset: asked.value("dataset").into(),
        ..Shown::default()
    };
    page(viewer, worker, shown).await
}

async fn attempt(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&viewer.frame).await?;
    let value = |name: &str| form.value(name).to_owned();
    let (system, dataset, body) = (value("system"), value("dataset"), value("body"));
    let (call, held) = (viewer.call.clone(), worker.clone());
    let (of, about, sent) = (system.clone(), dataset.clone(), body.clone());
    let story = async move { rehearse::rehearse(&held.gateway, &call, &of, &about, sent.as_bytes()).await };
    let found = match to_its_end(story).await {
        Ok(found) => Ok(found),
        Err(error) if error.code.status() < 500 => Err(error),
        Err(other) => return Err(other),
    };
    page(viewer, worker, Shown { system, dataset, body, found: Some(found), form }).await
}

/// What is on the page beside the choices.
#[derive(Default)]
struct Shown {
    system: String,
    dataset: String,
    body: String,
    found: Option<Result<Rehearsal>>,
    form: Sent,
}

async fn page(viewer: Viewer, worker: Worker, shown: Shown) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let (frame, lang) = (&*frame, frame.m.lang());
    let title = |system: &crate::identity::System| system.title.lang(lang).to_owned();
    let systems = rehearse::systems(&worker.gateway, &call);
    let systems = systems.iter().map(|system| (system.id.to_string(), title(system))).collect();
    let call = Call { request_id: call.request_id, trace: call.trace, caller: Caller::Person(call.caller) };
    let (of, held) = (call.clone(), worker.clone());
    let known = to_its_end(async move { datasets::list(&held.gateway, &of, lang).await }).await?.datasets;
    let known: Vec<DatasetLine> = known.into_iter().filter(|line| line.askable).collect();
    let Shown { system, mut dataset, mut body, found, mut form } = shown;
    if dataset.is_empty() {
        dataset = known.first().map(|line| line.dataset.clone()).unwrap_or_default();
    }
    if body.is_empty() && !dataset.is_empty() {
        let (held, of) = (worker.clone(), dataset.clone());
        let view = to_its_end(async move { datasets::view(&held.gateway, &call, &of, lang).await }).await?;
        body = example(&view);
    }
    let mut status = StatusCode::OK;
    let found = match found {
        Some(Ok(found)) => Some(found),
        Some(Err(error)) => {
            status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            let read = form.body(|_, _| None);
            form = form.with(&error, &read);
            None
        }
        None => None,
    };
    let answer = found.as_ref().map(|found| answered(found, &dataset)).transpose()?.unwrap_or_default();
    let datasets = known;
    frame.page_with(status, &Try { frame, systems, datasets, system, dataset, body, found, answer, form })
}

/// A query to begin with: the first purpose, and what may be asked for it.
fn example(view: &DatasetView) -> String {
    let permitted = |purpose: &str| -> Vec<Value> {
        let fields = view.fields.iter().filter_map(|field| {
            let permitted = field.permitted.iter().find(|permitted| permitted.purpose == purpose)?;
            Some(match permitted.compare.first() {
                Some(compare) if permitted.form == "predicate" => {
                    let mut asked = serde_json::to_value(compare).ok()?;
                    let members = asked.as_object_mut()?;
                    members.insert("field".into(), field.field.clone().into());
                    members.insert("form".into(), "predicate".into());
                    asked
                }
                _ => Value::from(field.field.clone()),
            })
        });
        fields.take(4).collect()
    };
    let purposes = view.purposes.iter().map(|purpose| (purpose.purpose.clone(), permitted(&purpose.purpose)));
    let (purpose, fields) = purposes.max_by_key(|(_, fields)| fields.len()).unwrap_or_default();
    let subject = match view.subject.identifier.as_str() {
        "social-credit-code" => "91350100M000100Y43",
        _ => "11010519491231002X",
    };
    let subject = Map::from_iter([(view.subject.member.clone(), Value::from(subject))]);
    let query = json!({
        "purpose": purpose, "case": "HA-2026-0001", "operator": "official-1",
        "subjects": [subject], "fields": fields
    });
    serde_json::to_string_pretty(&query).unwrap_or_default()
}

/// The answer as the caller would read it, but for what only a real one has: its receipt.
fn answered(found: &Rehearsal, dataset: &str) -> Result<String> {
    let forms: Map<String, Value> =
        found.forms.iter().map(|(field, form, _)| (field.clone(), form.as_str().into())).collect();
    let answer = json!({
        "dataset": dataset, "forms": forms,
        "results": [{ "subject": 0, "found": true, "data": found.data }]
    });
    serde_json::to_string_pretty(&answer).map_err(|e| Error::new(Code::Internal).because(e))
}
