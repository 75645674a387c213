//! `POST /v1/subjects/...`: who asked about a person, and the person's erasure from the log.

use actix_web::HttpResponse;
use utoipa::ToSchema;

use super::{json, to_its_end};
use crate::app::erase::{self as erasing, Reason};
use crate::app::history;
use crate::app::view::{ErasureView, HistoryPage};
use crate::base::Result;
use crate::web::body::Body;
use crate::web::extract::Anyone;
use crate::web::server::Worker;

/// Who asked about one person, when and why: for the citizens' service on the person's behalf, and
/// for auditors. A `POST`, so that the identifier stands in no URL.
#[utoipa::path(
    post,
    path = "/v1/subjects/history",
    tag = "audit",
    request_body = HistoryBody,
    responses((status = 200, description = "What happened, by index", body = HistoryPage)),
)]
pub async fn history(Anyone { call, lang }: Anyone, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { history::history(&worker.gateway, &call, body.read().await, lang).await };
    json(&to_its_end(story).await?)
}

/// Erases one person from the log: for the security administrator. What ties the records to the
/// person is deleted; the records, and every proof of them, stay as they are.
#[utoipa::path(
    post,
    path = "/v1/subjects/erase",
    tag = "audit",
    request_body = EraseBody,
    responses((status = 200, description = "What was erased, and the records that say so", body = ErasureView)),
)]
pub async fn erase(Anyone { call, .. }: Anyone, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { erasing::erase(&worker.gateway, &call, body.read().await).await };
    json(&to_its_end(story).await?)
}

/// Whose history is asked for.
#[derive(ToSchema)]
#[schema(example = json!({ "identifier": "resident-id", "value": "11010519491231002X", "case": "GR-2026-000001" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct HistoryBody {
    /// The standard of the identifier, as the catalogue names it.
    identifier: String,
    /// The identifier.
    value: String,
    /// The case in which the person asks.
    case: String,
    /// Only records with a higher index: the `next` of the page before.
    #[schema(format = "uint64")]
    after: Option<u64>,
    /// The most records on the page. Default: 100.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Who is to be erased, and why.
#[derive(ToSchema)]
#[schema(example = json!({
    "identifier": "resident-id", "value": "11010519491231002X", "case": "AQ-2026-000007", "reason": "retention-ended"
}))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct EraseBody {
    /// The standard of the identifier, as the catalogue names it.
    identifier: String,
    /// The identifier.
    value: String,
    /// The case in which the erasure was ordered.
    case: String,
    /// Its ground in law.
    reason: Reason,
}
