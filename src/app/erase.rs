//! Erasing a person from the log: what ties records to the person goes, the records and their
//! proofs stay.
//!
//! Invariant: who ordered it, in which case and why is in the log before it is answered; the
//! person is not, since naming them once more would undo it.

use serde::Deserialize;
use utoipa::ToSchema;

use super::call::{Call, Caller, Known};
use super::gateway::Gateway;
use super::subject;
use super::trail::Trail;
use super::view::{ErasureReceipt, ErasureView};
use crate::audit::Receipt;
use crate::audit::record::kind;
use crate::base::{Code, Error, Result, Secret};
use crate::catalogue::IdentifierKind;
use crate::policy::Action;
use crate::store::audit::EraseError;

/// Who is to be erased, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    identifier: IdentifierKind,
    value: String,
    case: String,
    reason: Reason,
}

/// The ground for an erasure (PIPL Art. 47).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The purpose is achieved, cannot be, or no longer needs it.
    PurposeEnded,
    /// The time for which records are kept is over.
    RetentionEnded,
    /// The person has withdrawn consent.
    ConsentWithdrawn,
    /// It was processed against the law or an agreement.
    Unlawful,
    /// Another law or administrative regulation orders it.
    OrderedByLaw,
}

impl Reason {
    /// The name in requests and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::PurposeEnded => "purpose-ended",
            Reason::RetentionEnded => "retention-ended",
            Reason::ConsentWithdrawn => "consent-withdrawn",
            Reason::Unlawful => "unlawful",
            Reason::OrderedByLaw => "ordered-by-law",
        }
    }
}

/// Erases a person from the log: for the security administrator. An order that finds nothing is
/// recorded too.
///
/// # Errors
/// `forbidden`; the faults of the body; `audit-unavailable` when it was not done, or is not known
/// to be done wholly: then the same order again completes it.
pub async fn erase(
    gateway: &Gateway,
    call: &Call<Caller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<ErasureView> {
    let mut trail = Trail::new(kind::ERASURE, call);
    let (order, identifier) = match parse(gateway, call, body) {
        Ok(parsed) => parsed,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    trail.note("case", &order.case);
    trail.note("reason", order.reason.as_str());
    let record = trail.end(Code::Ok);
    let kind = order.identifier.as_str();
    let erased = gateway.log.erase_subject(kind, identifier.reveal(), record.clone()).await;
    let mut erased = erased.map_err(unfinished)?;
    if erased.receipts.is_empty() {
        erased.receipts.push(gateway.record(record).await?);
    }
    let receipts = erased.receipts.into_iter().map(receipt).collect();
    Ok(ErasureView { records: erased.records, openings: erased.openings, receipts })
}

fn parse(
    gateway: &Gateway,
    call: &Call<Caller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<(Order, Secret<String>)> {
    if !call.caller.may(&gateway.world().policy, Action::SubjectsErase) {
        return Err(Code::Forbidden.into());
    }
    let order: Order = subject::read(body?.as_ref())?;
    let identifier = subject::named(order.identifier, &order.value, &order.case, gateway.now().day())?;
    Ok((order, identifier))
}

fn receipt(receipt: Receipt) -> ErasureReceipt {
    ErasureReceipt {
        log: receipt.log.to_string(),
        index: receipt.index,
        leaf_hash: receipt.leaf_hash.to_string(),
        checkpoint: receipt.checkpoint.to_string(),
    }
}

fn unfinished(error: EraseError) -> Error {
    // A verification beside the gateway takes its time.
    let seconds = if matches!(error, EraseError::Lingering) { 60 } else { 5 };
    Error::new(Code::AuditUnavailable).retry_after(seconds).because(error)
}
