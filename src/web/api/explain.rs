//! `GET /v1/requests/{request_id}/explain`: why a past request ended as it did.

use actix_web::{HttpResponse, web};

use super::{json, to_its_end};
use crate::app;
use crate::base::Result;
use crate::web::extract::Anyone;
use crate::web::server::Worker;

/// Explains a past request of the caller's department: which rule, which schema pointer, which
/// form. No values.
#[utoipa::path(
    get,
    path = "/v1/requests/{request_id}/explain",
    tag = "audit",
    params(("request_id" = String, Path, description = "The `request_id` of an answer or a problem")),
    responses((status = 200, description = "The explanation", body = app::view::Explanation)),
)]
pub async fn explain(
    Anyone { call, lang }: Anyone,
    worker: Worker,
    request_id: web::Path<String>,
) -> Result<HttpResponse> {
    let story = async move { app::explain::explain(&worker.gateway, &call, &request_id, lang).await };
    json(&to_its_end(story).await?)
}
