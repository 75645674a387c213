//! One application: everything that somebody who decides about it needs, and the forms to decide with.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::decision::{self, Decision};
use super::form::{Form, Posted, Sent};
use super::frame::{Frame, go_on};
use super::inbox::urgency;
use super::pages::{Page, Who, get, kept};
use super::places::Places;
use super::terms::{self, FieldShown};
use super::timeline::{self, Moment};
use super::viewer::Viewer;
use crate::app::applications::view::{ApplicationView, GrantView};
use crate::app::applications::{self, Asked};
use crate::app::console;
use crate::base::{Code, Result};
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// Earlier grants that are shown with what they gave and how much was used.
const PREVIOUS: usize = 5;

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(
        "/console/applications/{id}",
        Who::May(&[Action::ApplicationsReadOwn, Action::ApplicationsReadAll]),
        || web::to(show),
    ),
    kept("/console/applications/{id}/{command}", Who::May(&[Action::ApplicationsWrite]), || web::to(command)),
];

#[derive(Template)]
#[template(path = "application.html")]
struct Application<'a> {
    frame: &'a Frame,
    places: Places,
    a: &'a ApplicationView,
    asked: terms::Shown,
    offer: Option<terms::Shown>,
    decisions: Vec<Decision>,
    reasons: Vec<decision::Reason>,
    places_missing: Vec<(String, String)>,
    previous: Vec<Earlier>,
    events: Vec<Moment>,
    urgency: &'static str,
    /// May the viewer's role be lent to a colleague?
    lends: bool,
    form: Form,
    /// The command that was tried just now; empty where none was.
    tried: String,
    key: String,
}

/// A grant that the requester has, or had, on the same dataset.
struct Earlier {
    grant: GrantView,
    shown: terms::Shown,
}

async fn show(viewer: Viewer, worker: Worker, id: web::Path<String>) -> Result<HttpResponse> {
    page(&viewer, &worker, &id, StatusCode::OK, None).await
}

/// The page; `tried` is a command that did not go through, with what was typed.
async fn page(
    viewer: &Viewer,
    worker: &Worker,
    id: &str,
    status: StatusCode,
    tried: Option<(&str, Form)>,
) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    let lang = frame.m.lang();
    let (call, held, id) = (viewer.call.clone(), worker.clone(), id.to_owned());
    let read = to_its_end(async move {
        let gateway = &held.gateway;
        let view = applications::get(gateway, &call, &id, lang).await?;
        let events = applications::events(gateway, &call, &id, Ok(timeline::newest(view.version))).await?;
        let mut previous = Vec::new();
        for earlier in view.previous.iter().take(PREVIOUS) {
            let grant = earlier.application.replacen("A-", "G-", 1);
            previous.push(applications::get_grant(gateway, &call, &grant).await?);
        }
        Ok((view, events.events, previous))
    });
    let (view, events, previous) = read.await?;
    let (places, world) = (Places::of(&worker.gateway, lang), worker.gateway.world());
    let today = worker.gateway.now().day();
    let shown = |terms: &serde_json::Value, requester: &str| {
        terms::Shown::of(terms, requester, &world, today, lang).ok_or(Code::Internal)
    };
    let asked = shown(&view.terms, &view.requester)?;
    let (tried, form) = tried.map_or((None, Form::default()), |(tried, form)| (Some(tried), form));
    let previous = previous.into_iter().map(|grant| {
        let shown = shown(&grant.terms, &grant.requester)?;
        Ok(Earlier { shown, grant })
    });
    frame.page_with(
        status,
        &Application {
            frame,
            offer: view.offer.as_ref().map(|offer| shown(offer, &view.requester)).transpose()?,
            decisions: decision::all(&view, tried, &form),
            tried: tried.unwrap_or_default().to_owned(),
            reasons: decision::reasons(&world.workflow, lang),
            places_missing: decision::places_missing(&asked, frame.m),
            previous: previous.collect::<Result<_>>()?,
            events: timeline::moments(events, &places, frame.m),
            urgency: urgency(view.waiting.as_ref().map(|waiting| waiting.working_days_left)),
            lends: frame.links.iter().any(|link| link.href == "/console/delegations"),
            key: console::new_key(&worker.gateway)?,
            a: &view,
            asked,
            places,
            form,
        },
    )
}

async fn command(
    viewer: Viewer,
    worker: Worker,
    path: web::Path<(String, String)>,
    posted: Posted,
) -> Result<HttpResponse> {
    let (id, name) = path.into_inner();
    let form = match posted.read_or_draft(&viewer.frame).await? {
        Sent::Form(form) => form,
        Sent::Draft(form) => return page(&viewer, &worker, &id, StatusCode::OK, Some((&name, form))).await,
    };
    let body = decision::sent(&name, &form).body(terms::typed);
    let asked = Asked { body: Ok(body.bytes()), key: form.key(), if_match: None };
    let (call, held, of, what) = (viewer.call.clone(), worker.clone(), id.clone(), name.clone());
    let given =
        to_its_end(async move { applications::command(&held.gateway, &call, &of, &what, asked).await }).await;
    match given {
        Ok(_) => go_on(&format!("/console/applications/{id}"), Some(&name)),
        // What whoever decides can mend is shown where it was typed.
        Err(error) if matches!(error.code.status(), 409 | 412 | 422) || error.code == Code::NotSeparate => {
            let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::CONFLICT);
            page(&viewer, &worker, &id, status, Some((&name, form.with(&error, &body)))).await
        }
        Err(error) => Err(error),
    }
}

impl Application<'_> {
    /// The fields that are under review, or offered once something is.
    fn fields(&self) -> &[FieldShown] {
        &self.asked.fields
    }

    /// Was the field left out by somebody who voted?
    fn is_left_out(&self, field: &str) -> bool {
        let votes = self.a.stages.iter().flat_map(|stage| &stage.votes);
        votes.flat_map(|vote| &vote.without).any(|out| out.field == field)
    }
}
