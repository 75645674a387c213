//! Roles that are lent and borrowed.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde_json::json;

use super::form::{Form, Posted, Sent};
use super::frame::{Frame, go_on};
use super::pages::{Page, Who, get, kept, post};
use super::places::day;
use super::viewer::Viewer;
use crate::app::applications::Asked;
use crate::app::console;
use crate::app::delegations::{self, DelegationList};
use crate::base::{Code, Result, Timestamp};
use crate::policy::Action;
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const PATH: &str = "/console/delegations";
const MAY: Who = Who::May(&[Action::ApplicationsWrite]);

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(PATH, MAY, || web::to(show)),
    kept(PATH, MAY, || web::to(give)),
    post("/console/delegations/{delegation}/end", MAY, || web::to(end)),
];

#[derive(Template)]
#[template(path = "delegations.html")]
struct Delegations<'a> {
    frame: &'a Frame,
    list: DelegationList,
    roles: Vec<&'static str>,
    form: Form,
    key: String,
}

async fn show(viewer: Viewer, worker: Worker) -> Result<HttpResponse> {
    let mut form = Form::default();
    form.set("/since", worker.gateway.now().day().to_string());
    page(&viewer, &worker, StatusCode::OK, form).await
}

async fn page(viewer: &Viewer, worker: &Worker, status: StatusCode, form: Form) -> Result<HttpResponse> {
    let (call, held) = (viewer.call.clone(), worker.clone());
    let list = to_its_end(async move { delegations::list(&held.gateway, &call).await }).await?;
    let roles = viewer.call.caller.account.roles.iter().map(|role| role.as_str()).collect();
    let frame = &*viewer.frame;
    frame
        .page_with(status, &Delegations { frame, list, roles, form, key: console::new_key(&worker.gateway)? })
}

async fn give(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let form = match posted.read_or_draft(&viewer.frame).await? {
        Sent::Form(form) => form,
        Sent::Draft(form) => return page(&viewer, &worker, StatusCode::OK, form).await,
    };
    // Days are chosen; a loan holds from the beginning of the first to the end of the last.
    let moment = |name: &str, of: fn(time::Date) -> Timestamp| {
        day(form.value(name)).map(|day| json!(of(day).to_string()))
    };
    let (since, until) = (moment("/since", Timestamp::start_of), moment("/until", Timestamp::end_of));
    let body = form.body(|name, _| match name {
        "/since" => since.clone(),
        "/until" => until.clone(),
        _ => None,
    });
    let (call, held) = (viewer.call.clone(), worker.clone());
    let asked = Asked { body: Ok(body.bytes()), key: form.key(), if_match: None };
    match to_its_end(async move { delegations::give(&held.gateway, &call, asked).await }).await {
        Ok(_) => go_on(PATH, Some("lent")),
        Err(error) if matches!(error.code, Code::InvalidRequest | Code::WrongState) => {
            page(&viewer, &worker, StatusCode::UNPROCESSABLE_ENTITY, form.with(&error, &body)).await
        }
        Err(error) => Err(error),
    }
}

async fn end(viewer: Viewer, worker: Worker, id: web::Path<String>, posted: Posted) -> Result<HttpResponse> {
    posted.read(&viewer.frame).await?;
    let call = viewer.call;
    match to_its_end(async move { delegations::take_back(&worker.gateway, &call, &id).await }).await {
        // Sent twice: it is taken back.
        Err(error) if error.code != Code::NotFound => Err(error),
        _ => go_on(PATH, Some("taken-back")),
    }
}
