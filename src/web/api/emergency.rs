//! `/v1/emergency`: access at once, reviewed afterwards.

use actix_web::{HttpResponse, web};
use utoipa::ToSchema;

use super::{json, to_its_end};
use crate::app::emergency::{self, EmergencyList, EmergencyView, EnrolmentView};
use crate::base::Result;
use crate::web::body::Body;
use crate::web::extract::Person;
use crate::web::server::Worker;

/// Opens emergency access for oneself: an hour, one case, one subject in each query, which the own
/// department's system asks with the case and the account as its operator. For who is enrolled;
/// the provider and the own head are told at once, and the provider reviews it.
#[utoipa::path(
    post,
    path = "/v1/emergency",
    tag = "emergency",
    operation_id = "emergency_open",
    request_body = EmergencyBody,
    responses((status = 201, description = "It is open, recorded and in force", body = EmergencyView)),
)]
pub async fn open(Person { call, .. }: Person, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { emergency::open(&worker.gateway, &call, read(body).await).await };
    Ok(HttpResponse::Created().json(to_its_end(story).await?))
}

/// The emergency access that one opened; for reviewers also what was opened to the department's
/// own datasets. The newest first, 100 at most of each.
#[utoipa::path(
    get,
    path = "/v1/emergency",
    tag = "emergency",
    operation_id = "emergency_list",
    responses((status = 200, description = "What was opened", body = EmergencyList)),
)]
pub async fn list(Person { call, .. }: Person, worker: Worker) -> Result<HttpResponse> {
    json(&to_its_end(async move { emergency::list(&worker.gateway, &call).await }).await?)
}

/// Reviews emergency access to a dataset of the own department: once. `misuse` suspends the
/// enrolment, and so does a review that is not made in time.
#[utoipa::path(
    post,
    path = "/v1/emergency/{id}/review",
    tag = "emergency",
    operation_id = "emergency_review",
    params(("id" = String, Path, description = "The access", example = "E-2026-000001")),
    request_body = ReviewBody,
    responses((status = 200, description = "It is noted and recorded", body = EmergencyView)),
)]
pub async fn review(
    Person { call, .. }: Person,
    worker: Worker,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse> {
    let story = async move { emergency::review(&worker.gateway, &call, &id, read(body).await).await };
    json(&to_its_end(story).await?)
}

/// Enrols a person for emergency access to a dataset of the own department, or enrols it again
/// after a suspension: for the sharing lead.
#[utoipa::path(
    post,
    path = "/v1/emergency/enrolments",
    tag = "emergency",
    operation_id = "emergency_enrol",
    request_body = EnrolmentBody,
    responses((status = 200, description = "The person is enrolled", body = EnrolmentView)),
)]
pub async fn enrol(Person { call, .. }: Person, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { emergency::enrol(&worker.gateway, &call, false, read(body).await).await };
    json(&to_its_end(story).await?)
}

/// Takes an enrolment back; what is open ends at once.
#[utoipa::path(
    post,
    path = "/v1/emergency/enrolments/withdraw",
    tag = "emergency",
    operation_id = "emergency_withdraw",
    request_body = EnrolmentBody,
    responses((status = 200, description = "The person is no longer enrolled", body = EnrolmentView)),
)]
pub async fn withdraw(Person { call, .. }: Person, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { emergency::enrol(&worker.gateway, &call, true, read(body).await).await };
    json(&to_its_end(story).await?)
}

async fn read(body: Body) -> Result<Vec<u8>> {
    body.read().await.map(|bytes| bytes.to_vec())
}

/// What is to be opened, and why.
#[derive(ToSchema)]
#[schema(example = json!({
    "dataset": "civil.subsistence", "system": "service.onestop", "case": "YJ-2026-0007", "reason": "台风安置"
}))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct EmergencyBody {
    /// A dataset that is open in emergencies.
    dataset: String,
    /// The system of the own department that will ask.
    system: String,
    /// The case, which every query must name; not a person's number.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[A-Za-z0-9._:/-]+$")]
    case: String,
    /// Why; nobody is to be named in it.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// What a review found.
#[derive(ToSchema)]
#[schema(example = json!({ "verdict": "proper", "note": "" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct ReviewBody {
    /// `proper` or `misuse`.
    verdict: String,
    /// In words; nobody is to be named in it.
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// Who is enrolled for what.
#[derive(ToSchema)]
#[schema(example = json!({ "account": "service.chen", "dataset": "civil.subsistence" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct EnrolmentBody {
    /// The account of the person, in whatever department.
    account: String,
    /// A dataset of the own department.
    dataset: String,
}
