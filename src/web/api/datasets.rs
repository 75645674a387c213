//! `GET /v1/datasets` and `/v1/datasets/{dataset}`: the catalogue as the caller may see it.

use actix_web::{HttpResponse, web};

use super::json;
use crate::app;
use crate::base::Result;
use crate::web::extract::Anyone;
use crate::web::server::Worker;

/// Lists the datasets that the caller may know of.
#[utoipa::path(
    get,
    path = "/v1/datasets",
    tag = "catalogue",
    responses((status = 200, description = "The datasets", body = app::view::DatasetList)),
)]
pub async fn list(Anyone { call, lang }: Anyone, worker: Worker) -> Result<HttpResponse> {
    json(&app::datasets::list(&worker.gateway, &call, lang).await?)
}

/// Shows one dataset: its fields, what the caller may have of each, how to apply for the rest.
#[utoipa::path(
    get,
    path = "/v1/datasets/{dataset}",
    tag = "catalogue",
    params(("dataset" = String, Path, description = "The dataset", example = "civil.subsistence")),
    responses((status = 200, description = "The dataset", body = app::view::DatasetView)),
)]
pub async fn view(
    Anyone { call, lang }: Anyone,
    worker: Worker,
    dataset: web::Path<String>,
) -> Result<HttpResponse> {
    json(&app::datasets::view(&worker.gateway, &call, &dataset, lang).await?)
}
