//! Reading the log: by auditors, by a department's own officers, by whoever holds a receipt, and
//! by a person who asks who looked.
//!
//! Invariant: reading leaves a record of its own before anything is shown; and whoever may not
//! know a record is told that there is none.

use std::sync::Arc;

use serde::Deserialize;

use super::call::Call;
use super::gateway::Gateway;
use super::trail::Trail;
use super::view::{RecordLine, RecordPage};
use crate::audit::{SignedRecord, Tile};
use crate::base::{Code, Error, Invalid, Result, Timestamp};
use crate::catalogue::IdentifierKind;
use crate::policy::Action;
use crate::store::audit::{Filter, Page, ReadError, Reader};

/// The most records on one page.
pub const MAX_PAGE: usize = 1000;
/// The records on a page when no number is asked for.
pub const PAGE: usize = 100;

/// The newest checkpoint: for anyone who is known, since it shows nothing but the log's size.
pub fn checkpoint(gateway: &Gateway) -> Arc<str> {
    gateway.log.checkpoint()
}

/// A tile of hashes (C2SP tlog-tiles): for anyone who is known, since hashes show nothing.
///
/// # Errors
/// `not-found` beyond the log; `audit-unavailable`.
pub async fn tile(gateway: &Gateway, tile: Tile) -> Result<Vec<u8>> {
    read(gateway, move |log| log.tile(tile)).await?.ok_or_else(|| Code::NotFound.into())
}

/// What to look for. All that are given must match.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// From this moment on (RFC 3339).
    pub from: Option<Timestamp>,
    /// Before this moment (RFC 3339).
    pub until: Option<Timestamp>,
    /// The kind of event, such as `query`.
    pub kind: Option<String>,
    /// The caller's department.
    pub department: Option<String>,
    /// The caller's system.
    pub system: Option<String>,
    /// The dataset.
    pub dataset: Option<String>,
    /// The purpose.
    pub purpose: Option<String>,
    /// The outcome: a code, or `ok`.
    pub outcome: Option<String>,
    /// Only records with an index above this one: the `next` of the page before.
    pub after: Option<u64>,
    /// The most records on the page, up to 1000.
    pub limit: Option<usize>,
}

/// Searches the log: auditors the whole, officers what their own department asked.
///
/// # Errors
/// `forbidden`, `invalid-request`, `audit-unavailable`.
pub async fn search(gateway: &Gateway, call: &Call, search: Result<Search>) -> Result<RecordPage> {
    let trail = Trail::new("audit-search", call);
    let mut search = match search {
        Ok(search) => search,
        Err(error) => return fail(gateway, call, trail, error).await,
    };
    let system = &call.caller.system;
    let policy = &gateway.world().policy;
    let mut own = None;
    if !policy.may(system, Action::AuditReadAll) {
        if !policy.may(system, Action::AuditReadOwn) {
            return fail(gateway, call, trail, Code::Forbidden.into()).await;
        }
        own = Some(system.department.to_string());
        search.department.clone_from(&own);
    }
    let limit = search.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        let fault = Invalid { pointer: "/limit".into(), code: Code::OutOfBounds, expected: Some("1 to 1000".into()) };
        return fail(gateway, call, trail, Error::invalid(Code::InvalidRequest, vec![fault])).await;
    }
    let filter = Filter {
        from: search.from,
        until: search.until,
        kind: search.kind,
        department: search.department,
        system: search.system,
        datasets: search.dataset.into_iter().collect(),
        purpose: search.purpose,
        outcome: search.outcome,
    };
    let found = read(gateway, move |log| log.records(&filter, search.after, limit)).await?;
    Ok(RecordPage { department: own, ..page(gateway, trail, found).await? })
}

/// One record, with what proves it: for auditors, and for the department that made the request.
///
/// # Errors
/// `not-found` when there is none or the caller may not know of it; `audit-unavailable`.
pub async fn record(gateway: &Gateway, call: &Call, index: u64) -> Result<SignedRecord> {
    let mut trail = Trail::new("audit-read", call);
    // Beyond the log it is only a number, and may be a person's.
    if index < gateway.log.stats().size {
        trail.count("of_index", index);
    }
    match known(gateway, call, index).await {
        Ok(record) => {
            gateway.record(trail.end(Code::Ok)).await?;
            Ok(record)
        }
        Err(error) => fail(gateway, call, trail, error).await,
    }
}

async fn known(gateway: &Gateway, call: &Call, index: u64) -> Result<SignedRecord> {
    let record = read(gateway, move |log| log.signed_record(index)).await?.ok_or(Code::NotFound)?;
    let system = &call.caller.system;
    let own = crate::audit::facets::Facets::of(record.leaf.as_bytes()).caller.department == system.department.as_str();
    if own || gateway.world().policy.may(system, Action::AuditReadAll) {
        Ok(record)
    } else {
        Err(Code::NotFound.into())
    }
}

/// A person whose history is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryAsk {
    identifier: IdentifierKind,
    value: String,
    case: String,
    after: Option<u64>,
    limit: Option<usize>,
}

/// Who asked about a person: for auditors, and for the citizens' service on the person's behalf.
///
/// # Errors
/// `forbidden`; the faults of the body; `audit-unavailable`.
pub async fn history(gateway: &Gateway, call: &Call, body: Result<impl AsRef<[u8]>>) -> Result<RecordPage> {
    let mut trail = Trail::new("subject-history", call);
    match parse_history(gateway, call, body) {
        Err(error) => fail(gateway, call, trail, error).await,
        Ok((ask, value)) => {
            let kind = ask.identifier.as_str();
            trail.note("case", &ask.case);
            trail.subject(kind, &value);
            let limit = ask.limit.unwrap_or(PAGE);
            let after = ask.after;
            let found = read(gateway, move |log| log.subject_history(kind, &value, after, limit)).await?;
            page(gateway, trail, found).await
        }
    }
}

fn parse_history(gateway: &Gateway, call: &Call, body: Result<impl AsRef<[u8]>>) -> Result<(HistoryAsk, String)> {
    if !gateway.world().policy.may(&call.caller.system, Action::SubjectsHistory) {
        return Err(Code::Forbidden.into());
    }
    let document = crate::base::json::parse(body?.as_ref(), 4).map_err(|f| Error::at(f.code, f.pointer, f.code))?;
    let ask = HistoryAsk::deserialize(document)
        .map_err(|_| Error::at(Code::InvalidRequest, "", Code::NotAllowedValue))?;
    if !(1..=MAX_PAGE).contains(&ask.limit.unwrap_or(PAGE)) {
        return Err(Error::at(Code::InvalidRequest, "/limit", Code::OutOfBounds));
    }
    if ask.case.is_empty() || ask.case.len() > 64 || !ask.case.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::at(Code::InvalidRequest, "/case", Code::OutOfBounds));
    }
    let value = ask
        .identifier
        .parse(&ask.value, gateway.now().day())
        .map_err(|code| Error::at(Code::InvalidRequest, "/value", code))?;
    Ok((ask, value))
}

/// Records that the page is shown, then shows it.
async fn page(gateway: &Gateway, mut trail: Trail, found: Page) -> Result<RecordPage> {
    trail.count("found", found.records.len() as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    let records = found.records.into_iter().map(|r| RecordLine { index: r.index, leaf: r.leaf }).collect();
    Ok(RecordPage { records, next: found.next, index_lag: found.lag, department: None })
}

async fn fail<T>(gateway: &Gateway, call: &Call, trail: Trail, error: Error) -> Result<T> {
    Err(gateway.record_failure(&call.caller.system.id, trail, error).await)
}

async fn read<T: Send + 'static>(
    gateway: &Gateway,
    work: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
) -> Result<T> {
    gateway.log.read(work).await.map_err(|e| Error::new(Code::AuditUnavailable).because(e))
}
