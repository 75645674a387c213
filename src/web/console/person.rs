//! Who asked about one person: behind a case, and with a record of its own.
//!
//! Invariant: the identifier comes in a form's body, never in an address, and goes back only into the
//! form that asks for the next page; it is kept nowhere. What was found is not told.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::form::{Form, Posted, number};
use super::frame::Frame;
use super::pages::{Page, Who, get, post};
use super::viewer::Viewer;
use crate::app::call::{Call, Caller};
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
pub static PAGES: &[Page] = &[get(PATH, WHO, || web::to(show)), post(PATH, WHO, || web::to(ask))];

#[derive(Template)]
#[template(path = "person.html")]
struct Person<'a> {
    frame: &'a Frame,
    form: Form,
    kinds: [IdentifierKind; 4],
    found: Option<HistoryPage>,
}

const KINDS: [IdentifierKind; 4] = [
    IdentifierKind::ResidentId,
    IdentifierKind::SocialCreditCode,
    IdentifierKind::Mobile,
    IdentifierKind::BankCard,
];

async fn show(viewer: Viewer) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    frame.page(&Person { frame, form: Form::default(), kinds: KINDS, found: None })
}

async fn ask(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let mut form = posted.read(&frame).await?;
    form.set("/limit", PAGE);
    let body = form.body(|name, value| matches!(name, "/limit" | "/after").then(|| number(value)).flatten());
    let call = Call { request_id: call.request_id, trace: call.trace, caller: Caller::Person(call.caller) };
    let (sent, held, lang) = (body.bytes(), worker.clone(), frame.m.lang());
    let found = to_its_end(async move { history::history(&held.gateway, &call, Ok(sent), lang).await }).await;
    let frame = &*frame;
    match found {
        Ok(found) => frame.page(&Person { frame, form, kinds: KINDS, found: Some(found) }),
        Err(error) if error.code == Code::InvalidRequest => {
            let form = form.with(&error, &body);
            let page = Person { frame, form, kinds: KINDS, found: None };
            frame.page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}
