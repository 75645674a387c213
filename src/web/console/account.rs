//! One's own account: the sessions, the password, the code generator.
//!
//! Until the one-time password is changed and a code generator is set up this is the only page that a
//! session opens.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::form::{Body, Form, Posted};
use super::frame::{Frame, go_on, set};
use super::pages::{Page, Who, get, post};
use super::qr::{self, Picture};
use super::viewer::{Holder, Viewer};
use crate::app::session::own::{self, CodeStep, Renewed};
use crate::app::session::view::{SessionLine, SessionView};
use crate::base::{Code, Error, Result};
use crate::web::api::to_its_end;
use crate::web::cookie;
use crate::web::server::Worker;

/// Where it is.
pub const PATH: &str = "/console/account";

/// What the address of a code generator begins with; nothing else is drawn again.
const OTPAUTH: &str = "otpauth://totp/";

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(PATH, Who::Holder, || web::to(show)),
    post("/console/account/password", Who::Holder, || web::to(password)),
    post("/console/account/code", Who::Holder, || web::to(code)),
    post("/console/account/sessions/{session}/end", Who::Person, || web::to(end)),
];

#[derive(Template)]
#[template(path = "account.html")]
struct Account<'a> {
    frame: &'a Frame,
    session: SessionView,
    sessions: Vec<SessionLine>,
    password: Form,
    code: Form,
    offer: Option<Offer>,
}

/// A code generator on offer.
struct Offer {
    otpauth: String,
    /// To type in where no picture can be taken.
    secret: String,
    picture: Option<Picture>,
}

impl Offer {
    fn of(otpauth: String) -> Option<Self> {
        let secret = otpauth.strip_prefix(OTPAUTH)?.split("secret=").nth(1)?.split('&').next()?;
        let groups = secret.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok());
        let secret = groups.collect::<Vec<_>>().join(" ");
        Some(Self { picture: qr::picture(&otpauth), secret, otpauth })
    }
}

/// What is shown beside the session: nothing at first.
#[derive(Default)]
struct Shown {
    password: Form,
    code: Form,
    offer: Option<Offer>,
}

async fn show(holder: Holder, worker: Worker) -> Result<HttpResponse> {
    page(&holder, &worker, StatusCode::OK, Shown::default()).await
}

async fn page(holder: &Holder, worker: &Worker, status: StatusCode, shown: Shown) -> Result<HttpResponse> {
    let Shown { password, code, offer } = shown;
    let sessions = match holder.signed_in.is_finished() {
        true => own::sessions(&worker.gateway, &holder.call).await?.sessions,
        false => Vec::new(),
    };
    let (frame, session) = (&*holder.frame, SessionView::from(&holder.signed_in));
    frame.page_with(status, &Account { frame, session, sessions, password, code, offer })
}

async fn password(holder: Holder, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&holder.frame).await?;
    let body = form.body(|_, _| None);
    let changed = if form.value("again") == form.value("/new") {
        let (call, sent, held) = (holder.call.clone(), body.bytes(), worker.clone());
        to_its_end(async move { own::change_password(&held.gateway, &call, Ok(sent)).await }).await
    } else {
        Err(Error::at(Code::InvalidRequest, "again", Code::NotAllowedValue))
    };
    match changed {
        Ok(renewed) => go_on_as(&renewed, "password-changed"),
        Err(error) => {
            let shown = Shown { password: faulty(form, &error, &body)?, ..Shown::default() };
            page(&holder, &worker, StatusCode::UNPROCESSABLE_ENTITY, shown).await
        }
    }
}

async fn code(holder: Holder, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&holder.frame).await?;
    let body = form.body(|_, _| None);
    let (call, sent, held) = (holder.call.clone(), body.bytes(), worker.clone());
    match to_its_end(async move { own::change_code(&held.gateway, &call, Ok(sent)).await }).await {
        Ok(CodeStep::Taken(renewed)) => go_on_as(&renewed, "code-set-up"),
        Ok(CodeStep::Offered(offer)) => {
            let shown = Shown { offer: Offer::of(offer.otpauth), ..Shown::default() };
            page(&holder, &worker, StatusCode::OK, shown).await
        }
        Err(error) => {
            // A mistyped code does not cost the picture.
            let offer = Offer::of(form.value("otpauth").to_owned());
            let shown = Shown { code: faulty(form, &error, &body)?, offer, ..Shown::default() };
            page(&holder, &worker, StatusCode::UNPROCESSABLE_ENTITY, shown).await
        }
    }
}

/// The form with its faults, where it has any that who typed it can mend.
fn faulty(form: Form, error: &Error, body: &Body) -> Result<Form> {
    match error.code {
        Code::InvalidRequest | Code::TooManyAttempts => Ok(form.with(error, body)),
        other => Err(other.into()),
    }
}

/// The session goes on under another cookie.
fn go_on_as(renewed: &Renewed, said: &str) -> Result<HttpResponse> {
    let next = if renewed.signed_in.is_finished() && said == "code-set-up" { super::ROOT } else { PATH };
    let mut answer = go_on(next, Some(said))?;
    set(&mut answer, &cookie::session(&renewed.token))?;
    Ok(answer)
}

async fn end(
    viewer: Viewer,
    worker: Worker,
    session: web::Path<String>,
    posted: Posted,
) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    posted.read(&frame).await?;
    let session = session.into_inner();
    match to_its_end(async move { own::sign_out(&worker.gateway, &call, &session).await }).await {
        // Sent twice, or ended meanwhile: it has ended.
        Err(error) if error.code != Code::NotFound => Err(error),
        _ => go_on(PATH, Some("session-ended")),
    }
}
