//! `POST /v1/subjects/history`: who asked about a person.

use actix_web::HttpResponse;
use utoipa::ToSchema;

use super::{json, to_its_end};
use crate::app::records;
use crate::app::view::RecordPage;
use crate::base::Result;
use crate::web::body::Body;
use crate::web::extract::System;
use crate::web::server::Worker;

/// The records of queries about one person: for the citizens' service on the person's behalf, and
/// for auditors. A `POST`, so that the identifier stands in no URL.
#[utoipa::path(
    post,
    path = "/v1/subjects/history",
    tag = "audit",
    request_body = HistoryBody,
    responses((status = 200, description = "The records about the person, by index", body = RecordPage)),
)]
pub async fn history(System { call, .. }: System, worker: Worker, body: Body) -> Result<HttpResponse> {
    let story = async move { records::history(&worker.gateway, &call, body.read().await).await };
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
    after: Option<u64>,
    /// The most records on the page. Default: 100.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}
