//! `/v1/suspensions`: systems and operators that are stopped.

use actix_web::HttpResponse;
use utoipa::ToSchema;

use super::{json, to_its_end};
use crate::app::suspensions::{self, ResumeView, SuspensionList, SuspensionView};
use crate::base::Result;
use crate::web::body::Body;
use crate::web::extract::Person;
use crate::web::server::Worker;

/// Everybody who is stopped: for auditors, security administrators and system administrators.
#[utoipa::path(
    get,
    path = "/v1/suspensions",
    tag = "audit",
    operation_id = "suspensions_list",
    responses((status = 200, description = "Who is stopped", body = SuspensionList)),
)]
pub async fn list(Person { call, .. }: Person, worker: Worker) -> Result<HttpResponse> {
    let story = async move { suspensions::list(&worker.gateway, &call).await };
    json(&SuspensionList::of(to_its_end(story).await?))
}

/// Stops a system or an operator: for the security administrator. It is refused from its next request
/// on, and an answer under way is not given.
#[utoipa::path(
    post,
    path = "/v1/suspensions",
    tag = "audit",
    operation_id = "suspensions_suspend",
    request_body = SuspensionBody,
    responses((status = 201, description = "It is stopped, and that is recorded", body = SuspensionView)),
)]
pub async fn suspend(Person { call, .. }: Person, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { suspensions::suspend_asked(&worker.gateway, &call, body.read().await).await };
    Ok(HttpResponse::Created().json(SuspensionView::of(to_its_end(story).await?)))
}

/// Says that a system or an operator may go on: for the security administrator. It goes on once a second
/// person has said so, who may be a system administrator too.
#[utoipa::path(
    post,
    path = "/v1/suspensions/resume",
    tag = "audit",
    operation_id = "suspensions_resume",
    request_body = ResumeBody,
    responses((status = 200, description = "It is recorded", body = ResumeView)),
)]
pub async fn resume(Person { call, .. }: Person, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { suspensions::resume_asked(&worker.gateway, &call, body.read().await).await };
    json(&to_its_end(story).await?)
}

/// Who is to be stopped, and why.
#[derive(ToSchema)]
#[schema(example = json!({
    "what": "operator", "name": "hc-0231", "department": "medical", "reason": "unusual-volume"
}))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct SuspensionBody {
    /// `system` or `operator`.
    what: String,
    /// The system; or the operator, as queries name it.
    name: String,
    /// Of an operator: the department whose systems name the official so. In every department without it.
    department: Option<String>,
    /// `suspected-misuse`, `unusual-volume`, `key-compromised` or `investigation`.
    reason: String,
}

/// Who is to go on.
#[derive(ToSchema)]
#[schema(example = json!({ "what": "system", "name": "service.onestop" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct ResumeBody {
    /// `system` or `operator`.
    what: String,
    /// The system; or the operator, as queries name it.
    name: String,
    /// Of an operator: the department in which it is stopped; none where it is stopped in every one.
    department: Option<String>,
}
