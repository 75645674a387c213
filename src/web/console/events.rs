//! Looking for events, and one event with what proves it.
//!
//! Invariant: a search is an address, so it can be kept, sent and opened again; every opening of it is
//! in the log. What is typed comes in a body and goes into that address only where it does not look
//! like a person's number. No value is shown, since no record holds one.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::asked::{self, Asked};
use super::chart::{self, Chart};
use super::form::{self, Posted};
use super::frame::{Frame, go_on};
use super::pages::{Page, get, post};
use super::places::Places;
use super::searches::{self, Keepsake};
use super::security::{EVENTS, READERS};
use super::stopped;
use super::viewer::Viewer;
use crate::app::call::{Call, Caller, PersonCaller};
use crate::app::records::{self, Search};
use crate::app::search::{self, EventLine, Events, Facet, Look};
use crate::app::searches::DAYS as MOST_DAYS;
use crate::audit::SignedRecord;
use crate::base::{Code, Error, Result, Timestamp};
use crate::catalogue::{Form, reference};
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// Records on a page.
const PAGE: usize = 50;
/// Days that are looked at where nothing else is asked for.
const DAYS: u32 = 30;
const DAY: i64 = 86_400;
/// Times that are often asked for: their names, and how many days they look back.
const PRESETS: [(&str, u32); 4] = [("day", 1), ("week", 7), ("month", 30), ("year", 365)];

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(EVENTS, READERS, || web::to(find)),
    post(EVENTS, READERS, || web::to(searches::save)),
    post("/console/security/search", READERS, || web::to(typed)),
    get("/console/security/events/{index}", READERS, || web::to(show)),
    get("/console/security/events/{index}/proof", READERS, || web::to(proof)),
];

#[derive(Template)]
#[template(path = "events.html")]
struct FoundEvents<'a> {
    frame: &'a Frame,
    places: Places,
    asked: Asked,
    found: Events,
    chart: Option<Chart>,
    presets: Vec<Preset>,
    forms: [Form; 6],
    problem: Option<Error>,
    saved: Vec<Keepsake>,
    /// What a link is called that leads to where things are stopped.
    stop: Option<&'static str>,
    form: form::Form,
}

/// A time that is often asked for.
struct Preset {
    key: &'static str,
    days: u32,
    href: String,
    here: bool,
    /// Is that how far back the search looks from now?
    chosen: bool,
}

/// A link of a facet.
struct Choice {
    shown: String,
    records: u64,
    href: String,
    here: bool,
}

impl FoundEvents<'_> {
    fn choices(&self, facet: &Facet) -> Vec<Choice> {
        let here = |value: &str| facet.chosen.as_deref() == Some(value);
        let choice = |(value, records): &(String, u64)| Choice {
            shown: self.shown(facet.name, value),
            href: self.asked.with(facet.name, if here(value) { "" } else { value }).at(EVENTS),
            here: here(value),
            records: *records,
        };
        facet.values.iter().map(choice).collect()
    }

    /// A value of a facet, in words.
    fn shown(&self, facet: &str, value: &str) -> String {
        let m = &self.frame.m;
        match facet {
            "kind" => m.of("kind", value),
            "department" => self.places.department(value),
            "purpose" => self.places.purpose(value),
            "outcome" => m.title(value).to_owned(),
            "form" => m.of("form", value),
            _ => value.to_owned(),
        }
    }

    /// Where the operator that is looked for can be stopped, in the department that is looked for.
    fn stops_operator(&self) -> String {
        let names = ["department", "operator"].map(|name| (name, self.asked.value(name)));
        format!("{}#operator", names.into_iter().collect::<Asked>().at(stopped::PATH))
    }

    fn next(&self) -> Option<String> {
        self.found.next.map(|before| self.asked.with("before", &before.to_string()).at(EVENTS))
    }
}

async fn find(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let sent = Asked::of(&req);
    let kept = without_numbers(&sent, &worker);
    if kept != sent {
        return left_out(viewer, worker, &kept).await;
    }
    page(viewer, &worker, sent, StatusCode::OK, form::Form::default()).await
}

/// Leads from what was typed into the form to the address of that search.
async fn typed(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let sent = searches::sent(&posted.read(&viewer.frame).await?);
    let kept = without_numbers(&sent, &worker);
    if kept != sent {
        return left_out(viewer, worker, &kept).await;
    }
    go_on(&sent.at(EVENTS), None)
}

/// The same search without what looks like a person's number.
pub fn without_numbers(sent: &Asked, worker: &Worker) -> Asked {
    let today = worker.gateway.now().day();
    // In a search there is no reason for the spaces and dashes within a long number but that it is one
    // of a telephone or a card.
    let joined = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>();
    sent.without(|text| [text, &joined(text)].iter().any(|text| reference::names_somebody(text, today)))
}

/// Leads to what was kept of a search: an address stays in the browser, and in every proxy's log. That
/// somebody looked for a number is recorded, without it.
async fn left_out(viewer: Viewer, worker: Worker, kept: &Asked) -> Result<HttpResponse> {
    let refused = Error::at(Code::InvalidRequest, "", Code::NotAllowedValue);
    let call = person(viewer.call);
    match to_its_end(async move { search::events(&worker.gateway, &call, Err(refused)).await }).await {
        Err(error) if error.code != Code::InvalidRequest => Err(error),
        _ => go_on(&kept.at(EVENTS), Some("search-number")),
    }
}

/// The page of a search, and a form to keep it by.
pub async fn page(
    viewer: Viewer,
    worker: &Worker,
    sent: Asked,
    status: StatusCode,
    form: form::Form,
) -> Result<HttpResponse> {
    let saved = searches::saved(&viewer, worker, &sent).await?;
    let stop = stopped::leads(&viewer.call.caller, &worker.gateway.world().policy);
    let Viewer { call, frame } = viewer;
    let frame = &*frame;
    let now = worker.gateway.now();
    let (asked, last, look) = match timed(&sent, now) {
        Ok((asked, last)) => {
            let look = look(&asked);
            (asked, last, look)
        }
        Err(fault) => (sent.with("last", ""), None, Err(fault)),
    };
    let (held, call) = (worker.clone(), person(call));
    let found = to_its_end(async move { search::events(&held.gateway, &call, look).await }).await;
    let (found, problem) = match found {
        Ok(found) => (found, None),
        // What was typed is shown again with its fault.
        Err(error) if error.code == Code::InvalidRequest => (nothing(), Some(error)),
        Err(other) => return Err(other),
    };
    let presets = PRESETS.map(|(key, days)| {
        let preset = within(&asked, now, days);
        let here = preset.value("from") == asked.value("from") && asked.value("until").is_empty();
        Preset { key, days, here, chosen: here || last == Some(days), href: preset.at(EVENTS) }
    });
    let page = FoundEvents {
        frame,
        places: Places::of(&worker.gateway, frame.m.lang()),
        chart: chart::draw(&found.bars, &asked, EVENTS, &frame.m),
        found,
        asked,
        presets: presets.into(),
        forms: Form::LADDER,
        problem,
        saved,
        stop,
        form,
    };
    frame.page_with(status, &page)
}

/// The same search with its time written out: where it has none, that of the last days; and how many
/// days it looks back, if it says so.
fn timed(sent: &Asked, now: Timestamp) -> Result<(Asked, Option<u32>)> {
    if sent.has_any(&["from", "until"]) {
        return Ok((sent.clone(), None));
    }
    let days = sent.number("last")?.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Error::at(Code::InvalidRequest, "/last", Code::OutOfBounds));
    }
    let before = sent.value("before");
    Ok((within(&sent.with("last", ""), now, days).with("before", before), Some(days)))
}

/// The same search over the last days, from the full hour on.
fn within(asked: &Asked, now: Timestamp, days: u32) -> Asked {
    let from = now.plus_seconds(-i64::from(days) * DAY - now.seconds().rem_euclid(3600));
    asked.with("from", &asked::local(from)).with("until", "")
}

fn look(asked: &Asked) -> Result<Look> {
    Ok(Look {
        search: Search {
            from: asked.moment("from")?,
            until: asked.moment("until")?,
            kind: asked.given("kind"),
            department: asked.given("department"),
            system: asked.given("system"),
            dataset: asked.given("dataset"),
            purpose: asked.given("purpose"),
            outcome: asked.given("outcome"),
            after: None,
            limit: Some(PAGE),
        },
        operator: asked.given("operator"),
        field: asked.given("field"),
        form: asked.given("form"),
        rule: asked.given("rule"),
        before: asked.number("before")?,
    })
}

fn nothing() -> Events {
    Events {
        events: Vec::new(),
        next: None,
        stopped: false,
        lag: 0,
        total: 0,
        untold: 0,
        bars: Vec::new(),
        facets: Vec::new(),
        department: None,
    }
}

fn person(call: Call<PersonCaller>) -> Call<Caller> {
    Call { request_id: call.request_id, trace: call.trace, caller: Caller::Person(call.caller) }
}

#[derive(Template)]
#[template(path = "event.html")]
struct Event<'a> {
    frame: &'a Frame,
    places: Places,
    event: EventLine,
    record: SignedRecord,
    path: Vec<String>,
    /// What a link is called that leads to where things are stopped.
    stop: Option<&'static str>,
}

async fn show(viewer: Viewer, worker: Worker, index: web::Path<String>) -> Result<HttpResponse> {
    let stop = stopped::leads(&viewer.call.caller, &worker.gateway.world().policy);
    let Viewer { call, frame } = viewer;
    let frame = &*frame;
    let record = read(call, &worker, &index).await?;
    frame.page(&Event {
        frame,
        places: Places::of(&worker.gateway, frame.m.lang()),
        event: EventLine::of(&record.leaf),
        path: record.proof.iter().map(ToString::to_string).collect(),
        record,
        stop,
    })
}

/// The signed audit record as a file, for `sluice audit check-proof`.
async fn proof(viewer: Viewer, worker: Worker, index: web::Path<String>) -> Result<HttpResponse> {
    let record = read(viewer.call, &worker, &index).await?;
    let name = format!("attachment; filename=\"record-{}.json\"", record.index);
    let body = serde_json::to_vec(&record).map_err(|e| Error::new(Code::Internal).because(e))?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CONTENT_DISPOSITION, name))
        .body(body))
}

async fn read(call: Call<PersonCaller>, worker: &Worker, index: &str) -> Result<SignedRecord> {
    let index = index.parse().map_err(|_| Code::NotFound)?;
    let (gateway, call) = (Arc::clone(&worker.gateway), person(call));
    to_its_end(async move { records::record(&gateway, &call, index).await }).await
}
