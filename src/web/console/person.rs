//! Who asked about one person: behind a case, with a record of its own, and where the gateway is set up
//! so, with the consent of a second officer, whose page this is too.
//!
//! Invariant: the identifier comes in a form's body, never in an address, and goes back only into the
//! form that asks for the next page; it is kept nowhere, and the second officer does not see it. What was
//! found is not told.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::form::{Form, Posted, number};
use super::frame::{Frame, go_on};
use super::pages::{Page, Who, get, post};
use super::viewer::Viewer;
use super::visible::visible;
use crate::app::call::Known;
use crate::app::consents::{self, ConsentView};
use crate::app::history;
use crate::app::view::HistoryPage;
use crate::base::{Code, Result};
use crate::catalogue::IdentifierKind;
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const PATH: &str = "/console/security/person";
const WHO: Who = Who::May(&[Action::SubjectsHistory]);
/// Events on a page.
const PAGE: &str = "50";

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(PATH, WHO, || web::to(show)),
    post(PATH, WHO, || web::to(look)),
    post("/console/security/person/ask", WHO, || web::to(ask)),
    post("/console/security/person/decide", WHO, || web::to(decide)),
];

#[derive(Template)]
#[template(path = "person.html")]
struct Person<'a> {
    frame: &'a Frame,
    form: Form,
    /// The form by which a second officer's consent is asked.
    asking: Form,
    kinds: [IdentifierKind; 4],
    found: Option<HistoryPage>,
    /// Does it take a second officer?
    second: bool,
    /// What waits for the viewer's word.
    waiting: Vec<ConsentView>,
    /// What the viewer asks.
    own: Vec<ConsentView>,
}

const KINDS: [IdentifierKind; 4] = [
    IdentifierKind::ResidentId,
    IdentifierKind::SocialCreditCode,
    IdentifierKind::Mobile,
    IdentifierKind::BankCard,
];

/// What a page shows beside what is asked and consented to.
#[derive(Default)]
struct Shown {
    form: Form,
    asking: Form,
    found: Option<HistoryPage>,
}

async fn page(viewer: &Viewer, worker: &Worker, status: StatusCode, shown: Shown) -> Result<HttpResponse> {
    let Shown { form, asking, found } = shown;
    let second = worker.gateway.requires_consent();
    let asked = if second { asked(viewer, worker).await? } else { Vec::new() };
    let (own, others): (Vec<_>, Vec<_>) = asked.into_iter().partition(|consent| consent.own);
    let waiting = others.into_iter().filter(|consent| consent.waits).collect();
    let frame = &*viewer.frame;
    frame.page_with(status, &Person { frame, form, asking, kinds: KINDS, found, second, waiting, own })
}

/// What is asked and not over, with whatever cannot be seen in its words made visible.
async fn asked(viewer: &Viewer, worker: &Worker) -> Result<Vec<ConsentView>> {
    let (held, call) = (worker.clone(), viewer.call.clone());
    let list = to_its_end(async move { consents::list(&held.gateway, &call).await }).await?;
    let shown = |consent: ConsentView| ConsentView { reason: visible(&consent.reason), ..consent };
    Ok(list.consents.into_iter().map(shown).collect())
}

/// How much waits for the viewer's consent.
///
/// # Errors
/// `not-ready`, `audit-unavailable`.
pub async fn waiting(viewer: &Viewer, worker: &Worker) -> Result<usize> {
    let may = viewer.call.caller.may(&worker.gateway.world().policy, Action::SubjectsHistory);
    if !may || !worker.gateway.requires_consent() {
        return Ok(0);
    }
    Ok(asked(viewer, worker).await?.iter().filter(|consent| consent.waits).count())
}

async fn show(viewer: Viewer, worker: Worker) -> Result<HttpResponse> {
    page(&viewer, &worker, StatusCode::OK, Shown::default()).await
}

async fn look(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let mut form = posted.read(&viewer.frame).await?;
    form.set("/limit", PAGE);
    let body = form.body(|name, value| matches!(name, "/limit" | "/after").then(|| number(value)).flatten());
    let (call, sent, held, lang) = (viewer.anyone(), body.bytes(), worker.clone(), viewer.frame.m.lang());
    let found = to_its_end(async move { history::history(&held.gateway, &call, Ok(sent), lang).await }).await;
    let (status, shown) = match found {
        Ok(found) => (StatusCode::OK, Shown { form, found: Some(found), ..Shown::default() }),
        Err(error) if error.code == Code::InvalidRequest => {
            let form = form.with(&error, &body);
            (StatusCode::UNPROCESSABLE_ENTITY, Shown { form, ..Shown::default() })
        }
        Err(error) if error.code == Code::ConsentRequired => {
            // What is to be asked next, but for the number: that is typed anew.
            let mut asking = Form::default();
            for name in ["/identifier", "/case"] {
                asking.set(name, form.value(name));
            }
            let form = form.with(&error, &body);
            (StatusCode::FORBIDDEN, Shown { form, asking, found: None })
        }
        Err(other) => return Err(other),
    };
    page(&viewer, &worker, status, shown).await
}

async fn ask(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let asking = posted.read(&viewer.frame).await?;
    let body = asking.body(|_, _| None);
    let (call, sent, held) = (viewer.call.clone(), body.bytes(), worker.clone());
    match to_its_end(async move { consents::ask(&held.gateway, &call, Ok(sent)).await }).await {
        Ok(_) => go_on(PATH, Some("consent-asked")),
        Err(error) if matches!(error.code, Code::InvalidRequest | Code::WrongState) => {
            let asking = asking.with(&error, &body);
            let shown = Shown { asking, ..Shown::default() };
            page(&viewer, &worker, StatusCode::UNPROCESSABLE_ENTITY, shown).await
        }
        Err(other) => Err(other),
    }
}

async fn decide(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&viewer.frame).await?;
    let word = if form.value("word") == "consented" { "consented" } else { "refused" };
    let (call, held, id) = (viewer.call.clone(), worker.clone(), form.value("consent").to_owned());
    let body = format!(r#"{{"word":"{word}"}}"#);
    match to_its_end(async move { consents::decide(&held.gateway, &call, &id, Ok(body)).await }).await {
        Ok(_) => go_on(PATH, Some(if word == "consented" { "consent-given" } else { "consent-refused" })),
        // Somebody else has decided meanwhile, or it is over: the page shows what waits still.
        Err(error) if matches!(error.code, Code::NotFound | Code::WrongState) => {
            let body = form.body(|_, _| None);
            let form = form.with(&Code::WrongState.into(), &body);
            let shown = Shown { form, ..Shown::default() };
            page(&viewer, &worker, StatusCode::CONFLICT, shown).await
        }
        Err(other) => Err(other),
    }
}
