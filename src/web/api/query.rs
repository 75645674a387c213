//! `POST /v1/datasets/{dataset}/query`: the main job.

use actix_web::{HttpResponse, web};
use serde_json::Value;
use utoipa::ToSchema;

use super::{json_bytes, to_its_end};
use crate::app;
use crate::base::Result;
use crate::web::body::Body;
use crate::web::extract::System;
use crate::web::server::Worker;

/// Asks for fields about people.
///
/// The answer leaves only after its audit record is durable; `receipt` proves it. Fields that may
/// not be given refuse the whole query, unless `on_refusal` is `omit`.
#[utoipa::path(
    post,
    path = "/v1/datasets/{dataset}/query",
    tag = "data",
    params(("dataset" = String, Path, description = "The dataset", example = "civil.subsistence")),
    request_body = QueryBody,
    responses((status = 200, description = "What may be given, recorded", body = app::view::QueryAnswer)),
)]
pub async fn query(
    System { call, .. }: System,
    worker: Worker,
    dataset: web::Path<String>,
    body: Body,
) -> Result<HttpResponse> {
    let story = async move {
        let body = body.read().await;
        app::query::query(&worker.gateway, &worker.adapters, &call, &dataset, body).await
    };
    to_its_end(story).await.map(json_bytes)
}

/// The body of a query. `GET /v1/datasets/{dataset}` gives the schema of one dataset, with its
/// fields, purposes and the identifier of its subjects; requests are checked against that.
#[derive(ToSchema)]
#[schema(example = json!({
    "purpose": "housing-aid.review",
    "case": "QZ-2026-000123",
    "operator": "hc-0231",
    "subjects": [{ "id_number": "11010519491231002X" }],
    "fields": ["status", { "field": "monthly_income", "form": "predicate", "op": "<", "value": 3000 }],
    "on_refusal": "reject"
}))]
#[allow(dead_code, reason = "documents the body, which is parsed against the dataset's own schema")]
struct QueryBody {
    /// Why: a purpose that the dataset serves.
    purpose: String,
    /// The business case; not a person's number.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[A-Za-z0-9._:/-]+$")]
    case: String,
    /// The official on whose behalf the system asks; not a person's number.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[A-Za-z0-9._:/-]+$")]
    operator: String,
    /// Whom it is about, each an object with the identifier that the dataset asks for.
    #[schema(min_items = 1, max_items = 100, value_type = Vec<Object>)]
    subjects: Vec<Value>,
    /// What is asked: names of fields, or objects with the form wanted.
    #[schema(min_items = 1, max_items = 64)]
    fields: Vec<FieldAsked>,
    /// What to do when some fields may not be given. Default: `reject`.
    on_refusal: Option<OnRefusal>,
}

/// A field, by its name alone or with the form wanted.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "documents the body")]
enum FieldAsked {
    /// In whatever form is permitted.
    Name(String),
    /// In this form.
    InForm(FieldInForm),
}

/// A field in the form wanted.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents the body")]
struct FieldInForm {
    /// The field.
    field: String,
    /// The form wanted: `exists`, `predicate`, `band`, `mask`, `pseudonym` or `plain`.
    form: Option<String>,
    /// For `predicate`: the operator.
    op: Option<String>,
    /// For `predicate`: the constant, a number, a text or a boolean.
    value: Option<Value>,
}

/// What to do when some fields may not be given.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "documents the body")]
enum OnRefusal {
    /// Refuse the whole query.
    Reject,
    /// Answer with the permitted fields and list the others under `withheld`.
    Omit,
}
