//! `/v1/grants`: what applications came to, and stopping it.

use actix_web::{HttpRequest, HttpResponse, web};

use super::applications::done;
use super::command::{asked, tag};
use super::{json, parameters, to_its_end};
use crate::app::applications::view::{GrantPage, GrantView};
use crate::app::applications::{self, Given, GrantsPage};
use crate::base::Result;
use crate::web::body::Body;
use crate::web::extract::Person;
use crate::web::server::Worker;

/// The grants of one's own department, on either side, the newest first; all of them for those who
/// look after the whole.
#[utoipa::path(
    get,
    path = "/v1/grants",
    tag = "applications",
    operation_id = "grants_list",
    params(
        ("before" = Option<String>, Query, description = "Only those that come after this one in the list: the `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "The most on the page. Default: 50", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page of grants", body = GrantPage)),
)]
pub async fn list(Person { call, .. }: Person, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let page = parameters::<GrantsPage>(req.query_string(), &["before", "limit"]);
    json(&to_its_end(async move { applications::list_grants(&worker.gateway, &call, page).await }).await?)
}

/// One grant: what it gives, how it stands, and what the reader may do now.
#[utoipa::path(
    get,
    path = "/v1/grants/{id}",
    tag = "applications",
    operation_id = "grants_get",
    params(("id" = String, Path, description = "The grant", example = "G-2026-000001")),
    responses((status = 200, description = "The grant; the version of its application is the `ETag`", body = GrantView)),
)]
pub async fn get(Person { call, .. }: Person, worker: Worker, id: web::Path<String>) -> Result<HttpResponse> {
    let story = async move { applications::get_grant(&worker.gateway, &call, &id).await };
    let view = to_its_end(story).await?;
    let mut answer = json(&view)?;
    tag(&mut answer, view.version);
    Ok(answer)
}

/// Suspends, resumes, revokes or closes a grant: the same commands as the application's, effective
/// on the next query. Resuming needs two people.
#[utoipa::path(
    post,
    path = "/v1/grants/{id}/{command}",
    tag = "applications",
    operation_id = "grants_command",
    params(
        ("id" = String, Path, description = "The grant", example = "G-2026-000001"),
        ("command" = String, Path, description = "`suspend` {note}, `resume`, `revoke` {note}, `close`", example = "suspend"),
        ("If-Match" = Option<String>, Header, description = "The version that the sender saw, such as `\"3\"`; may stand in the body instead"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key of one's own choice: the same request sent again within 24 hours is answered alike and done once", max_length = 128),
    ),
    request_body = GrantCommandBody,
    responses((status = 200, description = "It is done, recorded and in force", body = Given)),
)]
pub async fn command(
    Person { call, .. }: Person,
    worker: Worker,
    path: web::Path<(String, String)>,
    req: HttpRequest,
    body: Body,
) -> Result<HttpResponse> {
    let story = async move {
        let (id, name) = path.into_inner();
        let asked = asked(&req, body).await;
        applications::command_grant(&worker.gateway, &call, &id, &name, asked).await
    };
    done(&to_its_end(story).await?)
}

/// A command to a grant.
#[derive(utoipa::ToSchema)]
#[schema(example = json!({ "version": 9, "note": "发现超范围使用" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct GrantCommandBody {
    /// The version of the application that the sender saw; may stand in `If-Match` instead.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// `suspend`, `revoke`: why, in words.
    #[schema(max_length = 2000)]
    note: Option<String>,
}
