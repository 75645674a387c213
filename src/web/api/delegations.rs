//! `/v1/delegations`: a role lent to a colleague for a time.

use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::ToSchema;

use super::command::asked;
use super::{json, to_its_end};
use crate::app::delegations::{self, DelegationList, DelegationView};
use crate::base::Result;
use crate::web::body::Body;
use crate::web::extract::Person;
use crate::web::server::Worker;

/// Lends a role that one holds to a colleague of the same department, for a time.
#[utoipa::path(
    post,
    path = "/v1/delegations",
    tag = "applications",
    operation_id = "delegations_give",
    params(("Idempotency-Key" = Option<String>, Header, description = "A key of one's own choice: the same request sent again within 24 hours is answered alike and done once", max_length = 128)),
    request_body = DelegationBody,
    responses((status = 201, description = "It is lent", body = DelegationView)),
)]
pub async fn give(
    Person { call, .. }: Person,
    worker: Worker,
    req: HttpRequest,
    body: Body,
) -> Result<HttpResponse> {
    let story = async move { delegations::give(&worker.gateway, &call, asked(&req, body).await).await };
    Ok(HttpResponse::Created().json(to_its_end(story).await?))
}

/// The roles that one lends and is lent.
#[utoipa::path(
    get,
    path = "/v1/delegations",
    tag = "applications",
    operation_id = "delegations_list",
    responses((status = 200, description = "What is lent and not over", body = DelegationList)),
)]
pub async fn list(Person { call, .. }: Person, worker: Worker) -> Result<HttpResponse> {
    json(&to_its_end(async move { delegations::list(&worker.gateway, &call).await }).await?)
}

/// Takes back a role that one has lent.
#[utoipa::path(
    delete,
    path = "/v1/delegations/{id}",
    tag = "applications",
    operation_id = "delegations_take_back",
    params(("id" = i64, Path, description = "The delegation's number")),
    responses((status = 204, description = "It is taken back")),
)]
pub async fn take_back(
    Person { call, .. }: Person,
    worker: Worker,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let story = async move { delegations::take_back(&worker.gateway, &call, &id).await };
    to_its_end(story).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What is lent, to whom, and for how long.
#[derive(ToSchema)]
#[schema(example = json!({
    "to": "civil.li", "role": "sharing_lead", "since": "2026-11-23T00:00:00Z", "until": "2026-12-04T16:00:00Z"
}))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct DelegationBody {
    /// Which account may act in it: a colleague's.
    to: String,
    /// The role.
    role: String,
    /// From this moment (RFC 3339).
    #[schema(format = DateTime)]
    since: String,
    /// Until this moment (RFC 3339).
    #[schema(format = DateTime)]
    until: String,
}
