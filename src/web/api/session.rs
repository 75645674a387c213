//! `/v1/session` and `/v1/sessions`: signing in and out, and what is signed in with.

use actix_web::http::header::{HeaderValue, LOCATION, REFRESH};
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::ToSchema;

use super::{json, to_its_end};
use crate::app::session::own::{self, CodeStep, Renewed};
use crate::app::session::view::{CodeOffer, SessionList, SessionView};
use crate::app::session::{oidc, sign_in};
use crate::base::Result;
use crate::web::body::Body;
use crate::web::console;
use crate::web::cookie;
use crate::web::extract::{Holder, Person, Visitor};
use crate::web::server::Worker;

/// Who is signed in.
#[utoipa::path(
    get,
    path = "/v1/session",
    operation_id = "session_view",
    tag = "session",
    responses((status = 200, description = "The session", body = SessionView)),
)]
pub async fn view(Holder { signed_in, .. }: Holder) -> Result<HttpResponse> {
    json(&SessionView::from(&signed_in))
}

/// Signs in: with account, password and the code of a code generator; or with the client
/// certificate of the connection. The session is in the cookie of the answer.
///
/// Whether an account exists shows neither in the answer nor in the time it takes.
#[utoipa::path(
    post,
    path = "/v1/session",
    operation_id = "session_begin",
    tag = "session",
    request_body = SignInBody,
    responses((status = 200, description = "Signed in", body = SessionView)),
)]
pub async fn begin(Visitor { visit }: Visitor, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { sign_in::sign_in(&worker.gateway, &visit, body.read().await).await };
    let begun = to_its_end(story).await?;
    let mut answer = json(&SessionView::from(&begun.signed_in))?;
    set(&mut answer, &cookie::session(&begun.token))?;
    if let Some(mark) = &begun.device {
        set(&mut answer, &cookie::device(mark))?;
    }
    Ok(answer)
}

/// Sends the browser to the identity provider, to sign in there (OpenID Connect).
#[utoipa::path(
    get,
    path = "/v1/session/oidc",
    operation_id = "session_depart",
    tag = "session",
    responses((status = 303, description = "To the identity provider")),
)]
pub async fn depart(Visitor { visit }: Visitor, worker: Worker) -> Result<HttpResponse> {
    let departure = to_its_end(async move { oidc::depart(&worker.gateway, &visit).await }).await?;
    let mut answer = HttpResponse::SeeOther().insert_header((LOCATION, departure.location)).finish();
    set(&mut answer, &cookie::journey(&departure.kept))?;
    Ok(answer)
}

/// Where the identity provider sends the browser back to: signs in whoever it speaks of. The session
/// is in the cookie of the answer.
#[utoipa::path(
    get,
    path = "/v1/session/oidc/callback",
    operation_id = "session_arrive",
    tag = "session",
    params(
        ("code" = Option<String>, Query, description = "The provider's code; absent when it signed nobody in"),
        ("state" = Option<String>, Query, description = "What the browser was sent there with"),
        ("iss" = Option<String>, Query, description = "The provider's name, where it gives it"),
    ),
    responses((status = 200, description = "Signed in", body = SessionView)),
)]
pub async fn arrive(Visitor { visit }: Visitor, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let browser = console::wants_page(&req);
    let kept = cookie::value(&req, cookie::JOURNEY);
    let back = web::Query::from_query(req.query_string()).ok().map(web::Query::into_inner);
    let held = worker.clone();
    let story = async move { oidc::arrive(&held.gateway, &visit, kept, back).await };
    let begun = to_its_end(story).await?;
    let mut answer = match browser {
        true => console::arrived(&req, &worker)?,
        false => json(&SessionView::from(&begun.signed_in))?,
    };
    set(&mut answer, &cookie::session(&begun.token))?;
    set(&mut answer, &cookie::no_journey())?;
    // A redirect would still be the other site's, and the browser would keep the cookie to itself
    // (`SameSite=Strict`). A page of ours that goes on is ours; and the code leaves the address.
    let next = if browser { "0; url=/console" } else { "0; url=/v1/session" };
    answer.headers_mut().insert(REFRESH, HeaderValue::from_static(next));
    Ok(answer)
}

/// Signs out.
#[utoipa::path(
    delete,
    path = "/v1/session",
    operation_id = "session_end",
    tag = "session",
    responses((status = 204, description = "Signed out")),
)]
pub async fn end(Holder { call, .. }: Holder, worker: Worker) -> Result<HttpResponse> {
    let story = async move { own::sign_out(&worker.gateway, &call, &call.caller.session).await };
    to_its_end(story).await?;
    let mut answer = HttpResponse::NoContent().finish();
    set(&mut answer, &cookie::no_session())?;
    Ok(answer)
}

/// Where the caller's account is signed in.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "session_list",
    tag = "session",
    responses((status = 200, description = "The sessions, newest first", body = SessionList)),
)]
pub async fn list(Person { call, .. }: Person, worker: Worker) -> Result<HttpResponse> {
    json(&own::sessions(&worker.gateway, &call).await?)
}

/// Signs out elsewhere.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{session}",
    operation_id = "session_end_other",
    tag = "session",
    params(("session" = String, Path, description = "The session, as the list names it")),
    responses((status = 204, description = "Signed out there")),
)]
pub async fn end_other(
    Person { call, .. }: Person,
    worker: Worker,
    session: web::Path<String>,
) -> Result<HttpResponse> {
    let story = async move { own::sign_out(&worker.gateway, &call, &session).await };
    to_its_end(story).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Changes the password. The session goes on under a new cookie; the account's others end.
#[utoipa::path(
    post,
    path = "/v1/session/password",
    operation_id = "session_password",
    tag = "session",
    request_body = PasswordBody,
    responses((status = 200, description = "Changed", body = SessionView)),
)]
pub async fn password(Holder { call, .. }: Holder, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { own::change_password(&worker.gateway, &call, body.read().await).await };
    renewed(&to_its_end(story).await?)
}

/// Sets up a code generator (RFC 6238): with `password` one is offered, with a `code` of it it
/// takes the place of the one before. Then the session goes on under a new cookie; the account's
/// others end.
#[utoipa::path(
    post,
    path = "/v1/session/totp",
    operation_id = "session_totp",
    tag = "session",
    request_body = CodeBody,
    responses((status = 200, description = "Offered, or in use", body = CodeAnswer)),
)]
pub async fn totp(Holder { call, .. }: Holder, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { own::change_code(&worker.gateway, &call, body.read().await).await };
    match to_its_end(story).await? {
        CodeStep::Offered(offer) => json(&offer),
        CodeStep::Taken(session) => renewed(&session),
    }
}

fn renewed(session: &Renewed) -> Result<HttpResponse> {
    let mut answer = json(&SessionView::from(&session.signed_in))?;
    set(&mut answer, &cookie::session(&session.token))?;
    Ok(answer)
}

fn set(answer: &mut HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) -> Result<()> {
    answer.add_cookie(cookie).map_err(|e| crate::base::Error::new(crate::base::Code::Internal).because(e))
}

/// How somebody signs in.
#[derive(ToSchema)]
#[schema(example = json!({ "account": "civil.zhang", "password": "correct horse battery", "totp": "123456" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct SignInBody {
    /// `password`, which is the default, or `certificate`: then nothing else is given.
    by: Option<String>,
    /// The account.
    account: Option<String>,
    /// Its password.
    password: Option<String>,
    /// The code that its code generator shows; absent only before one is set up.
    totp: Option<String>,
}

/// A new password.
#[derive(ToSchema)]
#[schema(example = json!({ "password": "h7kq2m9xw4rt8nzc3vbe", "new": "correct horse battery" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct PasswordBody {
    /// The password in force.
    password: String,
    /// The new one.
    #[schema(min_length = 12, max_length = 128)]
    new: String,
}

/// A new code generator: one of the two members.
#[derive(ToSchema)]
#[schema(example = json!({ "code": "123456" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct CodeBody {
    /// To begin: the password in force.
    password: Option<String>,
    /// To end: the code that the code generator shows.
    code: Option<String>,
}

/// A code generator on offer, or the session that goes on.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "documents the answer")]
enum CodeAnswer {
    /// Offered.
    Offered(CodeOffer),
    /// In use.
    Taken(SessionView),
}
