//! `/v1/applications`: asking for access, and everything on the way to it.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;
use utoipa::ToSchema;

use super::command::{asked, given, tag};
use super::{json, parameters, to_its_end};
use crate::app::applications::view::{ApplicationPage, ApplicationView, EventPage};
use crate::app::applications::{self, Given, Search};
use crate::base::Result;
use crate::web::body::Body;
use crate::web::extract::Person;
use crate::web::server::Worker;

/// Writes a new application: for applicants. It is a draft until it is submitted.
#[utoipa::path(
    post,
    path = "/v1/applications",
    tag = "applications",
    operation_id = "applications_draft",
    params(("Idempotency-Key" = Option<String>, Header, description = "A key of one's own choice: the same request sent again within 24 hours is answered alike and done once", max_length = 128)),
    request_body = DraftBody,
    responses((status = 201, description = "It is written", body = Given)),
)]
pub async fn draft(
    Person { call, .. }: Person,
    worker: Worker,
    req: HttpRequest,
    body: Body,
) -> Result<HttpResponse> {
    let story = async move {
        let asked = asked(&req, body).await;
        applications::draft(&worker.gateway, &call, asked).await
    };
    let written = to_its_end(story).await?;
    let place = format!("/v1/applications/{}", written.application);
    given(
        HttpResponse::Created()
            .insert_header((header::LOCATION, place))
            .content_type("application/json")
            .finish(),
        &written,
    )
}

/// The applications of one's own department, on either side, the newest first; all of them for those
/// who look after the whole.
#[utoipa::path(
    get,
    path = "/v1/applications",
    tag = "applications",
    operation_id = "applications_list",
    params(
        ("state" = Option<String>, Query, description = "Only those that stand so, such as `in-review`"),
        ("department" = Option<String>, Query, description = "Only those of this department; for readers of all"),
        ("waiting" = Option<String>, Query, description = "`me`: only those that wait for the reader, by a role of its own or one that was lent; not together with `state` or `department`"),
        ("before" = Option<String>, Query, description = "Only those that come after this one in the list: the `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "The most on the page. Default: 50", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page of applications", body = ApplicationPage)),
)]
pub async fn list(Person { call, .. }: Person, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let search =
        parameters::<Search>(req.query_string(), &["state", "department", "waiting", "before", "limit"]);
    json(&to_its_end(async move { applications::list(&worker.gateway, &call, search).await }).await?)
}

/// One application: terms, votes, who is waited for until when, and what the reader may do now.
#[utoipa::path(
    get,
    path = "/v1/applications/{id}",
    tag = "applications",
    operation_id = "applications_get",
    params(("id" = String, Path, description = "The application", example = "A-2026-000001")),
    responses((status = 200, description = "The application; its version is the `ETag`", body = ApplicationView)),
)]
pub async fn get(
    Person { call, lang }: Person,
    worker: Worker,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let story = async move { applications::get(&worker.gateway, &call, &id, lang).await };
    let view = to_its_end(story).await?;
    let mut answer = json(&view)?;
    tag(&mut answer, view.version);
    Ok(answer)
}

/// What happened to an application, the oldest first, each with its record in the log.
#[utoipa::path(
    get,
    path = "/v1/applications/{id}/events",
    tag = "applications",
    operation_id = "applications_events",
    params(
        ("id" = String, Path, description = "The application", example = "A-2026-000001"),
        ("after" = Option<u32>, Query, description = "Only events behind this one: the `next` of the page before"),
    ),
    responses((status = 200, description = "A page of events, 100 at most", body = EventPage)),
)]
pub async fn events(
    Person { call, .. }: Person,
    worker: Worker,
    id: web::Path<String>,
    req: HttpRequest,
) -> Result<HttpResponse> {
    let after = parameters::<After>(req.query_string(), &["after"]).map(|p| p.after.unwrap_or(0));
    json(&to_its_end(async move { applications::events(&worker.gateway, &call, &id, after).await }).await?)
}

/// Gives an application a command. The members beside `version` and `as` are the command's own:
///
/// `revise` {terms}, `submit`, `consent`, `decline` {note}, `approve` {without?: [{field, reason, note}]},
/// `return` {missing: [{pointer, note}]}, `refuse` {reason, basis, note}, `counter` {terms}, `accept`,
/// `extend` {days, note}, `grant-extension`, `refuse-extension` {note}, `comment` {text}, `withdraw`,
/// `suspend` {note}, `resume`, `revoke` {note}, `close`.
#[utoipa::path(
    post,
    path = "/v1/applications/{id}/{command}",
    tag = "applications",
    operation_id = "applications_command",
    params(
        ("id" = String, Path, description = "The application", example = "A-2026-000001"),
        ("command" = String, Path, description = "The command", example = "submit"),
        ("If-Match" = Option<String>, Header, description = "The version that the sender saw, such as `\"3\"`; may stand in the body instead"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key of one's own choice: the same request sent again within 24 hours is answered alike and done once", max_length = 128),
    ),
    request_body = CommandBody,
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
        applications::command(&worker.gateway, &call, &id, &name, asked).await
    };
    done(&to_its_end(story).await?)
}

/// The answer to a command that was done.
pub(super) fn done(what: &Given) -> Result<HttpResponse> {
    given(HttpResponse::Ok().content_type("application/json").finish(), what)
}

/// The parameters of the events' page.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    after: Option<u32>,
}

/// A new application.
#[derive(ToSchema)]
#[schema(example = json!({ "terms": {
    "dataset": "civil.subsistence",
    "purpose": "housing-aid.review",
    "basis": "《公共租赁住房管理办法》第七条",
    "scenario": "公租房申请资格审核",
    "scope": "住房保障科经办人员",
    "mode": "service",
    "systems": ["housing.aid"],
    "fields": [{ "field": "status", "form": "plain", "reason": "认定低保家庭" }],
    "per_day": 200,
    "distinct_per_day": 200,
    "until": "2027-12-31"
}}))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct DraftBody {
    /// What is asked for.
    terms: TermsBody,
    /// The application that this one renews.
    renews: Option<String>,
    /// In which role, for whom.
    #[schema(rename = "as")]
    acting: Option<AsBody>,
}

/// A command.
#[derive(ToSchema)]
#[schema(example = json!({ "version": 3, "note": "依据不足" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct CommandBody {
    /// The version of the application that the sender saw; may stand in `If-Match` instead.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// In which role, for whom.
    #[schema(rename = "as")]
    acting: Option<AsBody>,
    /// `decline`, `refuse`, `extend`, `refuse-extension`, `suspend`, `revoke`: why, in words.
    #[schema(max_length = 2000)]
    note: Option<String>,
    /// `comment`: what is said.
    #[schema(max_length = 2000)]
    text: Option<String>,
    /// `revise`, `counter`: the new terms.
    terms: Option<TermsBody>,
    /// `approve`: fields that are left out, each with the code of the reason.
    #[schema(max_items = 64, value_type = Option<Vec<Object>>)]
    without: Option<Vec<Value>>,
    /// `return`: everything that is missing, each with a JSON Pointer into the terms.
    #[schema(max_items = 64, value_type = Option<Vec<Object>>)]
    missing: Option<Vec<Value>>,
    /// `refuse`: the code of the reason.
    reason: Option<String>,
    /// `refuse`: the law that is cited.
    #[schema(max_length = 2000)]
    basis: Option<String>,
    /// `extend`: working days.
    #[schema(minimum = 1, maximum = 1000)]
    days: Option<u16>,
}

/// In which role somebody acts, and for whom.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct AsBody {
    /// In which role; where none is named, the one that the command needs.
    role: Option<String>,
    /// For which account, by its delegation.
    for_account: Option<String>,
}

/// What is asked for or offered (Decree 809 Art. 20).
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct TermsBody {
    /// The dataset.
    dataset: String,
    /// What for: a purpose that the dataset serves.
    purpose: String,
    /// The law, and where in it, that the requester acts under.
    #[schema(max_length = 2000)]
    basis: String,
    /// In which business, at which step of it, the data is needed.
    #[schema(max_length = 2000)]
    scenario: String,
    /// Who will use it, and for whom.
    #[schema(max_length = 2000)]
    scope: String,
    /// How it is shared; the dataset's mode.
    mode: String,
    /// The systems that will ask.
    #[schema(max_items = 64)]
    systems: Vec<String>,
    /// Each field in the form wanted, and why that form.
    #[schema(max_items = 64)]
    fields: Vec<FieldTermsBody>,
    /// Subjects a day at most, repeated ones counted each time.
    per_day: u32,
    /// Different subjects a day at most.
    distinct_per_day: u32,
    /// The last day, in Asia/Shanghai.
    #[schema(format = Date)]
    until: String,
    /// Why fields that identify a person together are all needed.
    #[schema(max_length = 2000)]
    toxic_reason: Option<String>,
}

/// One field in the form wanted.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct FieldTermsBody {
    /// The field.
    field: String,
    /// The form.
    form: String,
    /// For `predicate`: the comparisons wanted, each with its fixed constant.
    #[schema(max_items = 64, value_type = Option<Vec<Object>>)]
    compare: Option<Vec<Value>>,
    /// Why this form is needed.
    #[schema(max_length = 2000)]
    reason: String,
}
