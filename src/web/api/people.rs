//! `/v1/people`: accounts, and what they may do.

use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::ToSchema;

use super::command::asked;
use super::{json, to_its_end};
use crate::app::people::view::{PeoplePage, PersonMade, PersonView};
use crate::app::people::{self, Search};
use crate::base::{Code, Error, Result};
use crate::web::body::Body;
use crate::web::extract::Person;
use crate::web::server::Worker;

/// Lists accounts: administrators and auditors all, a department's leads its own.
#[utoipa::path(
    get,
    path = "/v1/people",
    operation_id = "people_list",
    tag = "people",
    params(
        ("department" = Option<String>, Query, description = "Of this department"),
        ("after" = Option<String>, Query, description = "From behind this account: the `next` of the page before"),
    ),
    responses((status = 200, description = "The accounts, 200 to a page", body = PeoplePage)),
)]
pub async fn list(Person { call, .. }: Person, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let search = web::Query::<Search>::from_query(req.query_string()).map(web::Query::into_inner);
    let search = search.map_err(|_| Error::at(Code::InvalidRequest, "", Code::NotAllowedValue));
    json(&to_its_end(async move { people::list(&worker.gateway, &call, search).await }).await?)
}

/// Makes an account without roles: for the system administrator. The answer has its one-time
/// password, which is shown this once.
#[utoipa::path(
    post,
    path = "/v1/people",
    operation_id = "people_make",
    tag = "people",
    params(("Idempotency-Key" = Option<String>, Header, description = "A key of one's own choice: the same request sent again within 24 hours is answered alike and done once", max_length = 128)),
    request_body = PersonBody,
    responses((status = 200, description = "Made", body = PersonMade)),
)]
pub async fn make(
    Person { call, .. }: Person,
    worker: Worker,
    req: HttpRequest,
    body: Body,
) -> Result<HttpResponse> {
    let story = async move { people::make(&worker.gateway, &call, asked(&req, body).await).await };
    json(&to_its_end(story).await?)
}

/// One account.
#[utoipa::path(
    get,
    path = "/v1/people/{account}",
    operation_id = "people_view",
    tag = "people",
    params(("account" = String, Path, description = "The account")),
    responses((status = 200, description = "The account", body = PersonView)),
)]
pub async fn view(
    Person { call, .. }: Person,
    worker: Worker,
    account: web::Path<String>,
) -> Result<HttpResponse> {
    json(&to_its_end(async move { people::view(&worker.gateway, &call, &account).await }).await?)
}

/// Changes an account and ends its sessions. The security administrator gives and withdraws roles,
/// resets code generators and enables an account that has roles; the system administrator does the
/// rest; either disables and unbinds. No role is given while a one-time password can be used with no
/// code beside. Nobody changes an account of their own.
#[utoipa::path(
    post,
    path = "/v1/people/{account}/{command}",
    operation_id = "people_command",
    tag = "people",
    params(
        ("account" = String, Path, description = "The account"),
        ("command" = String, Path, description = "`give-role`, `withdraw-role` (`role`); `disable`, `enable`, \
            `reset-password`, `reset-totp` (no member); `bind-certificate` (`fingerprint`: the SHA-256 of its public \
            key in hex; only while the account has no role); `unbind-certificate` (the same member); `bind-oidc` (`issuer`, `subject`: once, and only while the account has \
            no role); `set-email` (`email`)"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key of one's own choice: the same request sent again within 24 hours is answered alike and done once", max_length = 128),
    ),
    request_body = CommandBody,
    responses((status = 200, description = "Changed, or so already", body = PersonMade)),
)]
pub async fn command(
    Person { call, .. }: Person,
    worker: Worker,
    path: web::Path<(String, String)>,
    req: HttpRequest,
    body: Body,
) -> Result<HttpResponse> {
    let story = async move {
        let (account, command) = path.into_inner();
        people::command(&worker.gateway, &call, &account, &command, asked(&req, body).await).await
    };
    json(&to_its_end(story).await?)
}

/// An account to be made.
#[derive(ToSchema)]
#[schema(example = json!({
    "account": "civil.zhang", "person": "P-0102", "name": "张伟", "department": "civil", "lang": "zh-CN"
}))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct PersonBody {
    /// The name to sign in with; not a person's number.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[A-Za-z0-9._:-]+$")]
    account: String,
    /// The personnel number: the same for all accounts of one person. Not the number of an
    /// identity card.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[A-Za-z0-9._:-]+$")]
    person: String,
    /// How the person is called.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// A department of the catalogue.
    department: String,
    /// Where e-mail goes, if anywhere.
    email: Option<String>,
    /// The language of letters: `zh-CN`, which is the default, or `en`.
    lang: Option<String>,
}

/// The member that a command takes, if it takes one.
#[derive(ToSchema)]
#[schema(example = json!({ "role": "applicant" }))]
#[allow(dead_code, reason = "documents the body, which the app parses")]
struct CommandBody {
    /// For `give-role` and `withdraw-role`: the role.
    role: Option<String>,
    /// For `bind-certificate` and `unbind-certificate`: the SHA-256 of the certificate's public key, in hex.
    fingerprint: Option<String>,
    /// For `bind-oidc`: the identity provider, as its tokens name it.
    issuer: Option<String>,
    /// For `bind-oidc`: who the person is there, as its tokens say.
    subject: Option<String>,
    /// For `set-email`: the address; none takes it away.
    email: Option<String>,
}
