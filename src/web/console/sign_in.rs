//! Signing in and out.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::account;
use super::draft::{self, Kept};
use super::form::{Form, Posted};
use super::frame::{Frame, go_on, set};
use super::pages::{Page, Who, get, post};
use super::preferences::back_to;
use super::token::Tokens;
use super::viewer::{Holder, Visitor};
use crate::app::console::{self, Draft};
use crate::app::session::{own, sign_in};
use crate::base::{Code, Result};
use crate::web::api::to_its_end;
use crate::web::cookie;
use crate::web::server::Worker;

/// Where people sign in.
pub const PATH: &str = "/console/sign-in";

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(PATH, Who::Visitor, || web::to(show)),
    post(PATH, Who::Visitor, || web::to(begin)),
    post("/console/sign-out", Who::Holder, || web::to(end)),
];

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    frame: &'a Frame,
    form: Form,
    back: &'a str,
    identity_provider: bool,
    /// Seconds to wait, after too many attempts.
    wait: Option<u32>,
    /// What was typed before the session ended.
    kept: Option<Kept>,
}

/// Said for a moment, to who has signed in at the identity provider.
#[derive(Template)]
#[template(path = "arrived.html")]
struct Arrived<'a> {
    frame: &'a Frame,
}

/// What was typed, for whoever typed it and has signed in again.
#[derive(Template)]
#[template(path = "kept.html")]
struct KeptPage<'a> {
    frame: &'a Frame,
    draft: Draft,
    token: String,
}

#[derive(Deserialize)]
struct Back {
    back: Option<String>,
}

async fn show(visitor: Visitor, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let back =
        web::Query::<Back>::from_query(req.query_string()).ok().and_then(|query| query.into_inner().back);
    let frame = &visitor.frame;
    frame.page(&SignIn {
        frame,
        form: Form::default(),
        back: back_to(back.as_deref().unwrap_or_default()),
        identity_provider: console::has_identity_provider(&worker.gateway),
        wait: None,
        kept: None,
    })
}

/// The page to sign in on, for somebody who sent a form after the session had ended.
///
/// # Errors
/// `internal` when the page cannot be made.
pub fn again(req: &HttpRequest, status: StatusCode, kept: Kept) -> Result<HttpResponse> {
    let worker = Worker::of(req)?;
    let frame = &Frame::of_visitor(req, &worker)?;
    let mut form = Form::default();
    form.set("/account", kept.account.as_str());
    let identity_provider = console::has_identity_provider(&worker.gateway);
    let back = super::ROOT;
    frame.page_with(status, &SignIn { frame, form, back, identity_provider, wait: None, kept: Some(kept) })
}

async fn begin(visitor: Visitor, worker: Worker, req: HttpRequest, posted: Posted) -> Result<HttpResponse> {
    let Visitor { visit, frame } = visitor;
    let form = posted.read(&frame).await?;
    let body = form.body(|_, _| None);
    let (sent, held) = (body.bytes(), worker.clone());
    let begun = to_its_end(async move { sign_in::sign_in(&held.gateway, &visit, Ok(sent)).await }).await;
    let back = back_to(form.value("back"));
    match begun {
        Ok(begun) => {
            let next = if begun.signed_in.is_finished() { back } else { account::PATH };
            let account = &begun.signed_in.session.profile.account.id;
            let draft = console::kept_draft(&worker.gateway, account, form.value(draft::KEPT));
            let mut answer = match draft.filter(|_| begun.signed_in.is_finished()) {
                Some(draft) => {
                    let token = Tokens::of(&begun.token).token(account.as_str());
                    // Its own token is the only one that still holds: the frame has none.
                    let frame = &Frame::of_nobody(&req, &worker);
                    frame.page(&KeptPage { frame, draft, token })?
                }
                None => go_on(next, None)?,
            };
            set(&mut answer, &cookie::session(&begun.token))?;
            if let Some(mark) = &begun.device {
                set(&mut answer, &cookie::device(mark))?;
            }
            Ok(answer)
        }
        Err(error) if error.code.status() < 500 => {
            let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let frame = &*frame;
            frame.page_with(
                status,
                &SignIn {
                    frame,
                    form: form.clone().with(&error, &body),
                    back,
                    identity_provider: console::has_identity_provider(&worker.gateway),
                    wait: error.retry_after.filter(|_| error.code == Code::TooManyAttempts),
                    kept: Some(form.value(draft::KEPT)).filter(|sealed| !sealed.is_empty()).map(|sealed| {
                        Kept { sealed: sealed.to_owned(), account: form.value("/account").to_owned() }
                    }),
                },
            )
        }
        Err(error) => Err(error),
    }
}

/// The page that a browser comes back to from the identity provider, on its way to the first page.
///
/// # Errors
/// `internal` when the page cannot be made.
pub fn arrived(req: &HttpRequest, worker: &Worker) -> Result<HttpResponse> {
    let frame = &Frame::of_nobody(req, worker);
    frame.page(&Arrived { frame })
}

async fn end(holder: Holder, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    posted.read(&holder.frame).await?;
    let call = holder.call;
    to_its_end(async move { own::sign_out(&worker.gateway, &call, &call.caller.session).await }).await?;
    let mut answer = go_on(PATH, Some("signed-out"))?;
    set(&mut answer, &cookie::no_session())?;
    Ok(answer)
}
