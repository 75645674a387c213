//! A part of the log to take away, in a form that proves itself.
//!
//! Invariant: what is given out is the log's own JSON Lines export: the signed checkpoint first, then
//! each record with its proof, so that `sluice audit verify` needs the public key and nothing else.
//! That it was taken, by whom and what, is recorded before a byte leaves.

use super::call::{Call, Known, PersonCaller};
use super::gateway::Gateway;
use super::records;
use super::trail::Trail;
use crate::audit::export::Header;
use crate::base::{Code, Error, Result};
use crate::policy::Action;

/// The most records of one part.
pub const MAX_RECORDS: u64 = 1000;

/// Records from `first` on, at most `count`.
///
/// # Errors
/// `forbidden`; `invalid-request` when `count` is none or too large; `not-found` beyond the log;
/// `audit-unavailable`.
pub async fn part(gateway: &Gateway, call: &Call<PersonCaller>, first: u64, count: u64) -> Result<Vec<u8>> {
    let mut trail = Trail::new("audit-export", call);
    let fault = if !call.caller.may(&gateway.world().policy, Action::AuditReadAll) {
        Some(Code::Forbidden.into())
    } else if !(1..=MAX_RECORDS).contains(&count) {
        Some(Error::at(Code::InvalidRequest, "/count", Code::OutOfBounds))
    } else if first >= gateway.log.stats().size {
        Some(Code::NotFound.into())
    } else {
        None
    };
    if let Some(fault) = fault {
        return Err(gateway.record_failure(&call.caller, trail, fault).await);
    }
    let (checkpoint, lines) = records::read(gateway, move |log| log.signed_range(first, count)).await?;
    trail.count("of_index", first);
    trail.count("found", lines.len() as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    let header = Header { checkpoint: checkpoint.to_string(), first, count: lines.len() as u64 };
    let mut text = Vec::new();
    let mut write = |line: serde_json::Result<Vec<u8>>| -> Result<()> {
        text.extend(line.map_err(|e| Error::new(Code::Internal).because(e))?);
        text.push(b'\n');
        Ok(())
    };
    write(serde_json::to_vec(&header))?;
    lines.iter().try_for_each(|line| write(serde_json::to_vec(line)))?;
    Ok(text)
}
