//! Reading the log: by auditors, by a department's own officers, by whoever holds a receipt.
//!
//! Invariant: reading leaves a record of its own before anything is shown; and whoever may not
//! know a record is told that there is none.

use std::sync::Arc;

use serde::Deserialize;

use super::call::{Call, Caller, Known};
use super::gateway::Gateway;
use super::trail::Trail;
use super::view::{RecordLine, RecordPage};
use super::world::World;
use crate::audit::facets::Facets;
use crate::audit::{SignedRecord, Tile};
use crate::base::{Code, Error, Invalid, Result, Timestamp};
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

/// Searches the log: auditors the whole; officers what their own department asked, or, when they
/// name a dataset of its own, what others asked of that.
///
/// # Errors
/// `forbidden`, `invalid-request`, `audit-unavailable`.
pub async fn search(gateway: &Gateway, call: &Call<Caller>, search: Result<Search>) -> Result<RecordPage> {
    let mut trail = Trail::new("audit-search", call);
    let (search, own) = match search.and_then(|search| permit(gateway, &call.caller, search)) {
        Ok(permitted) => permitted,
        Err(error) => return fail(gateway, call, trail, error).await,
    };
    search.note(&mut trail);
    let (after, limit) = (search.after, search.limit.unwrap_or(PAGE));
    let filter = search.filter();
    let found = read(gateway, move |log| log.records(&filter, after, limit)).await?;
    Ok(RecordPage { department: own, ..page(gateway, trail, found).await? })
}

/// Narrows a search to what the caller may see, and says to which department it was narrowed.
pub(super) fn permit(
    gateway: &Gateway,
    caller: &Caller,
    mut search: Search,
) -> Result<(Search, Option<String>)> {
    let world = gateway.world();
    if !(1..=MAX_PAGE).contains(&search.limit.unwrap_or(PAGE)) {
        let fault =
            Invalid { pointer: "/limit".into(), code: Code::OutOfBounds, expected: Some("1 to 1000".into()) };
        return Err(Error::invalid(Code::InvalidRequest, vec![fault]));
    }
    if caller.may(&world.policy, Action::AuditReadAll) {
        return Ok((search, None));
    }
    if !caller.may(&world.policy, Action::AuditReadOwn) {
        return Err(Code::Forbidden.into());
    }
    let own = Some(caller.department().to_string());
    if !search.dataset.as_deref().is_some_and(|dataset| owns(&world, caller, dataset)) {
        search.department.clone_from(&own);
    }
    Ok((search, own))
}

impl Search {
    /// Tells the record what was looked for: names and codes, and nothing that is not one.
    pub(super) fn note(&self, trail: &mut Trail) {
        let names = [
            ("for_kind", &self.kind),
            ("for_department", &self.department),
            ("for_system", &self.system),
            ("for_dataset", &self.dataset),
            ("for_purpose", &self.purpose),
            ("for_outcome", &self.outcome),
        ];
        for (name, value) in names {
            // A name of ours is short and has letters; anything else finds nothing and is not kept.
            if let Some(value) = value.as_deref().filter(|v| is_name(v)) {
                trail.note(name, value);
            }
        }
        for (name, moment) in [("for_from", self.from), ("for_until", self.until)] {
            if let Some(moment) = moment {
                trail.note(name, &moment.to_string());
            }
        }
    }

    pub(super) fn filter(self) -> Filter {
        Filter {
            from: self.from,
            until: self.until,
            kind: self.kind,
            department: self.department,
            system: self.system,
            datasets: self.dataset.into_iter().collect(),
            purpose: self.purpose,
            outcome: self.outcome,
            ..Filter::default()
        }
    }
}

/// Could it be a name of a thing in the catalogue? Those are written in letters.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_' | b'-'))
}

/// One record, with what proves it: for auditors, for the officers of a department that asked or
/// was asked, and for the system that made the request, which holds its receipt.
///
/// # Errors
/// `not-found` when there is none or the caller may not know of it; `audit-unavailable`.
pub async fn record(gateway: &Gateway, call: &Call<Caller>, index: u64) -> Result<SignedRecord> {
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

async fn known(gateway: &Gateway, call: &Call<Caller>, index: u64) -> Result<SignedRecord> {
    let record = read(gateway, move |log| log.signed_record(index)).await?.ok_or(Code::NotFound)?;
    if may_read(&gateway.world(), &call.caller, &Facets::of(record.leaf.as_bytes())) {
        Ok(record)
    } else {
        Err(Code::NotFound.into())
    }
}

fn may_read(world: &World, caller: &Caller, record: &Facets<'_>) -> bool {
    let asked = record.caller.department == caller.department().as_str();
    let was_asked = || owns(world, caller, &record.dataset);
    made(caller, record)
        || caller.may(&world.policy, Action::AuditReadAll)
        || (caller.may(&world.policy, Action::AuditReadOwn) && (asked || was_asked()))
}

/// Did the caller make the request? Only systems make requests that have a receipt.
fn made(caller: &Caller, record: &Facets<'_>) -> bool {
    matches!(caller, Caller::System(asking) if record.caller.system == asking.system.id.as_str())
}

fn owns(world: &World, caller: &Caller, dataset: &str) -> bool {
    world.dataset(dataset).is_some_and(|d| d.entry.provider == *caller.department())
}

/// Records that the page is shown, then shows it.
async fn page(gateway: &Gateway, mut trail: Trail, found: Page) -> Result<RecordPage> {
    trail.count("found", found.records.len() as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    let records = found.records.into_iter().map(|r| RecordLine { index: r.index, leaf: r.leaf }).collect();
    Ok(RecordPage { records, next: found.next, index_lag: found.lag, department: None })
}

async fn fail<T>(gateway: &Gateway, call: &Call<Caller>, trail: Trail, error: Error) -> Result<T> {
    Err(gateway.record_failure(&call.caller, trail, error).await)
}

/// Reads the log for somebody: so much at one time and no more.
pub(super) async fn read<T: Send + 'static>(
    gateway: &Gateway,
    work: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
) -> Result<T> {
    let log = gateway.log.clone();
    let read = gateway.reading.run(move || work(log.reader())).await?;
    read.map_err(|e| Error::new(Code::AuditUnavailable).because(e))
}
