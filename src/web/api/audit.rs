//! `GET /v1/audit/...`: the log, with what proves it.

use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::ToSchema;

use super::{json, parameters, to_its_end};
use crate::app::records::{self, Search};
use crate::app::view::{RecordLine, RecordPage};
use crate::audit::Tile;
use crate::base::{Code, Error, Result};
use crate::web::extract::Anyone;
use crate::web::server::Worker;

/// Parameters of a search that can have a fault.
const PARAMETERS: [&str; 4] = ["from", "until", "after", "limit"];

/// The newest signed checkpoint of the log (C2SP tlog-checkpoint); with `cosigned`, the newest that
/// so many witnesses have cosigned, with their signatures (C2SP tlog-cosignature).
#[utoipa::path(
    get,
    path = "/v1/audit/checkpoint",
    tag = "audit",
    params(("cosigned" = Option<u32>, Query, description = "How many witnesses must have cosigned it. Default: none", minimum = 0)),
    responses((status = 200, description = "The checkpoint, a signed note", body = String, content_type = "text/plain")),
)]
pub async fn checkpoint(_: Anyone, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let note = match cosigned(req.query_string())? {
        0 => records::checkpoint(&worker.gateway).to_string(),
        count => worker.gateway.cosigned_checkpoint(count).await?,
    };
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(note))
}

/// A tile of hashes of the log (C2SP tlog-tiles).
#[utoipa::path(
    get,
    path = "/v1/audit/tile/{level}/{index}",
    tag = "audit",
    params(
        ("level" = u8, Path, description = "The level, 0 to 7"),
        ("index" = String, Path, description = "The number within the level in groups of three digits, all but the last \
            behind an `x`; `.p/` and its width follow for a partial tile: `x001/234.p/17`. The slashes are not escaped."),
    ),
    responses((status = 200, description = "Up to 256 hashes of 32 bytes", content_type = "application/octet-stream")),
)]
pub async fn tile(_: Anyone, worker: Worker, path: web::Path<(String, String)>) -> Result<HttpResponse> {
    let (level, index) = path.into_inner();
    let tile = Tile::parse(&format!("{level}/{index}")).ok_or(Code::NotFound)?;
    let hashes = records::tile(&worker.gateway, tile).await?;
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(hashes))
}

/// Searches the log: auditors the whole, a department's officers what their department asked.
#[utoipa::path(
    get,
    path = "/v1/audit/records",
    tag = "audit",
    params(
        ("from" = Option<String>, Query, format = DateTime, description = "From this moment on (RFC 3339)"),
        ("until" = Option<String>, Query, format = DateTime, description = "Before this moment (RFC 3339)"),
        ("kind" = Option<String>, Query, description = "The kind of event, such as `query`"),
        ("department" = Option<String>, Query, description = "The caller's department"),
        ("system" = Option<String>, Query, description = "The caller's system"),
        ("dataset" = Option<String>, Query, description = "The dataset"),
        ("purpose" = Option<String>, Query, description = "The purpose"),
        ("outcome" = Option<String>, Query, description = "The outcome: a problem code, or `ok`"),
        ("after" = Option<u64>, Query, format = "uint64", description = "Only records with a higher index: the `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "The most records on the page. Default: 100", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "The records found, by index", body = RecordPage)),
)]
pub async fn records(Anyone { call, .. }: Anyone, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let search = parameters::<Search>(req.query_string(), &PARAMETERS);
    json(&to_its_end(async move { records::search(&worker.gateway, &call, search).await }).await?)
}

/// One record of the log: for auditors, for the officers of the department that asked or was asked,
/// and for the system that made the request.
#[utoipa::path(
    get,
    path = "/v1/audit/records/{index}",
    tag = "audit",
    params(("index" = u64, Path, description = "The record's index in the log")),
    responses((status = 200, description = "The record", body = RecordLine)),
)]
pub async fn record(
    Anyone { call, .. }: Anyone,
    worker: Worker,
    index: web::Path<String>,
) -> Result<HttpResponse> {
    let index = number(&index)?;
    let record = to_its_end(async move { records::record(&worker.gateway, &call, index).await }).await?;
    json(&RecordLine { index: record.index, leaf: record.leaf })
}

/// One record with its proof: a signed audit record, which needs only the log's public key to be
/// checked (`sluice audit check-proof`).
#[utoipa::path(
    get,
    path = "/v1/audit/records/{index}/proof",
    tag = "audit",
    params(("index" = u64, Path, description = "The record's index in the log")),
    responses((status = 200, description = "The signed audit record", body = SignedAuditRecord)),
)]
pub async fn proof(
    Anyone { call, .. }: Anyone,
    worker: Worker,
    index: web::Path<String>,
) -> Result<HttpResponse> {
    let index = number(&index)?;
    json(&to_its_end(async move { records::record(&worker.gateway, &call, index).await }).await?)
}

/// How many cosignatures are asked for. What is not asked for so is none of ours.
fn cosigned(query: &str) -> Result<usize> {
    if query.is_empty() {
        return Ok(0);
    }
    let count = query
        .strip_prefix("cosigned=")
        .ok_or_else(|| Error::at(Code::InvalidRequest, "", Code::UnknownMember))?;
    count.parse().map_err(|_| Error::at(Code::InvalidRequest, "/cosigned", Code::NotAllowedValue))
}

/// The index of a record; what is no number is no record.
fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| Code::NotFound.into())
}

/// A record with all that proves it.
#[derive(ToSchema)]
#[allow(dead_code, reason = "documents the audit room's own type, which knows nothing of OpenAPI")]
struct SignedAuditRecord {
    /// The record's index in the log.
    index: u64,
    /// The record: the exact text whose hash is in the tree (RFC 6962).
    leaf: String,
    /// The inclusion proof (RFC 9162 section 2.1.3): hashes in base64, from the leaf up.
    proof: Vec<String>,
    /// The signed checkpoint that the proof leads to.
    checkpoint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(query: &str) -> Option<(String, Code)> {
        let error = parameters::<Search>(query, &PARAMETERS).err()?;
        error.invalid.into_iter().next().map(|fault| (fault.pointer, fault.code))
    }

    #[test]
    fn a_search_is_read_or_its_first_fault_named() {
        for good in ["", "limit=5&outcome=ok", "from=2026-11-22T08%3A00%3A00Z&department=civil"] {
            assert_eq!(fault_of(good), None, "{good}");
        }
        for (bad, pointer, code) in [
            ("limit=x", "/limit", Code::NotAllowedValue),
            ("outcome=ok&from=yesterday", "/from", Code::NotAllowedValue),
            ("canary=1", "", Code::UnknownMember),
            ("limit=5&limit=6", "", Code::DuplicateItem),
        ] {
            assert_eq!(fault_of(bad), Some((pointer.to_owned(), code)), "{bad}");
        }
    }
}
