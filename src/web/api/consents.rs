//! `/v1/consents`: a second officer's consent, without which a person's history is not shown.

use actix_web::{HttpResponse, web};
use utoipa::ToSchema;

use super::{json, to_its_end};
use crate::app::consents::{self, ConsentList, ConsentView};
use crate::base::Result;
use crate::web::body::Body;
use crate::web::extract::Person;
use crate::web::server::Worker;

/// Asks for another officer's consent to see a person's history, where the gateway is set up to need
/// one. Whose history it is about is not kept; the same identifier and case are given again to see it.
#[utoipa::path(
    post,
    path = "/v1/consents",
    tag = "audit",
    operation_id = "consents_ask",
    request_body = ConsentBody,
    responses((status = 201, description = "It is asked and recorded", body = ConsentView)),
)]
pub async fn ask(Person { call, .. }: Person, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { consents::ask(&worker.gateway, &call, body.read().await).await };
    Ok(HttpResponse::Created().json(to_its_end(story).await?))
}

/// What is asked and not over, by oneself and by others: for who may see histories.
#[utoipa::path(
    get,
    path = "/v1/consents",
    tag = "audit",
    operation_id = "consents_list",
    responses((status = 200, description = "What is asked, the oldest first", body = ConsentList)),
)]
pub async fn list(Person { call, .. }: Person, worker: Worker) -> Result<HttpResponse> {
    json(&to_its_end(async move { consents::list(&worker.gateway, &call).await }).await?)
}

/// Says whether a history may be shown that another officer asks to see: once.
#[utoipa::path(
    post,
    path = "/v1/consents/{id}/decide",
    tag = "audit",
    operation_id = "consents_decide",
    params(("id" = String, Path, description = "The id of what is asked")),
    request_body = WordBody,
    responses((status = 200, description = "It is recorded and in force", body = ConsentView)),
)]
pub async fn decide(
    Person { call, .. }: Person,
    worker: Worker,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse> {
    let story = async move { consents::decide(&worker.gateway, &call, &id, body.read().await).await };
    json(&to_its_end(story).await?)
}

/// Whose history is to be seen, and why.
#[derive(ToSchema)]
#[schema(example = json!({
    "identifier": "resident-id", "value": "11010519491231002X", "case": "JC-2026-0007", "reason": "投诉核查"
}))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct ConsentBody {
    /// The standard of the identifier, as the catalogue names it.
    identifier: String,
    /// The identifier.
    value: String,
    /// The case in which it is asked; not a person's number.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[A-Za-z0-9._:/-]+$")]
    case: String,
    /// Why; nobody is to be named in it.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// The second officer's word.
#[derive(ToSchema)]
#[schema(example = json!({ "word": "consented" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct WordBody {
    /// `consented` or `refused`.
    word: String,
}
