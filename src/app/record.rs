//! How every story ends: with a record in the log.
//!
//! Invariant: an error of the log is never swallowed. A success that could not be recorded is
//! no success, and a refusal that could not be recorded says that instead.

use std::time::Instant;

use super::call::{Call, CallerId, Known, PersonCaller};
use super::gateway::Gateway;
use super::refusals::Surplus;
use super::trail::Trail;
use super::view::ReceiptView;
use crate::audit::Receipt;
use crate::audit::record::Draft;
use crate::base::ids::{Fingerprint, RequestId};
use crate::base::{Code, Error, Result};

impl Gateway {
    /// Makes a record durable.
    ///
    /// # Errors
    /// `audit-unavailable`: nothing may be answered on the strength of it.
    pub(super) async fn record(&self, draft: Draft) -> Result<Receipt> {
        let began = Instant::now();
        let receipt = self.log.append(draft).await;
        self.metrics.audit_appended(began.elapsed());
        receipt.map_err(|e| Error::new(Code::AuditUnavailable).retry_after(1).because(e))
    }

    /// Records a story that failed, within the caller's budget; gives the error to answer with.
    pub(super) async fn record_failure(&self, caller: &impl Known, trail: Trail, error: Error) -> Error {
        let caller = caller.id();
        if protects_gateway(error.code) {
            self.refusals.count(Some(&caller), 1, self.now());
            return error;
        }
        if !trail.was_asked() && !self.refusals.take(Some(&caller), self.now()) {
            return Error::new(Code::TooManyRefusals)
                .retry_after(60)
                .bound(self.refusals.bound(Some(&caller)));
        }
        match self.record(trail.end(error.code)).await {
            Ok(_) => error,
            Err(unrecorded) => unrecorded,
        }
    }

    /// Records that somebody was turned away at the door: no certificate, or one that names
    /// nobody. Gives the error to answer with.
    pub async fn refused_at_door(
        &self,
        request_id: RequestId,
        certificate: Option<Fingerprint>,
        route: &'static str,
        code: Code,
    ) -> Error {
        if !self.refusals.take(None, self.now()) {
            return Error::new(Code::TooManyRefusals).retry_after(60).bound(self.refusals.bound(None));
        }
        let mut draft = Draft::new("refused-at-door");
        let members = draft.members();
        members
            .text("request_id", &request_id.to_string())
            .text("route", route)
            .text("outcome", code.as_str());
        if let Some(certificate) = certificate {
            members.text("certificate", &certificate.to_string());
        }
        match self.record(draft).await {
            Ok(_) => code.into(),
            Err(unrecorded) => unrecorded,
        }
    }

    /// The same for a person who is signed in: within that person's own budget, which no stranger's
    /// attempts use up, nor it theirs.
    pub async fn turned_away(&self, call: &Call<PersonCaller>, route: &'static str, code: Code) -> Error {
        let mut trail = Trail::new("refused-at-door", call);
        trail.note("route", route);
        self.record_failure(&call.caller, trail, code.into()).await
    }

    /// After a failure, tries whether the log can be written again: a gateway that is not ready
    /// is sent no requests, so none would ever try.
    ///
    /// # Errors
    /// `audit-unavailable`: it still cannot.
    pub async fn try_log_again(&self) -> Result<()> {
        if !self.log.stats().writes {
            self.record(Draft::new("log-resumed")).await?;
        }
        Ok(())
    }

    /// Records how many refusals were only counted since the last time.
    ///
    /// # Errors
    /// `audit-unavailable`; what was handed over is counted again.
    pub async fn record_surplus(&self) -> Result<()> {
        let mut surplus = self.refusals.surplus().into_iter();
        while let Some(Surplus { caller, count }) = surplus.next() {
            let mut draft = Draft::new("refusals-counted");
            draft.members().number("count", count);
            match &caller {
                Some(CallerId::System(system)) => _ = draft.members().text("system", system.as_str()),
                Some(CallerId::Account(account)) => _ = draft.members().text("account", account.as_str()),
                None => {}
            }
            if let Err(error) = self.record(draft).await {
                for left in std::iter::once(Surplus { caller, count }).chain(surplus) {
                    self.refusals.count(left.caller.as_ref(), left.count, self.now());
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Answers that protect the gateway itself: to record each would add to what they protect from.
fn protects_gateway(code: Code) -> bool {
    matches!(code, Code::Overloaded | Code::NotReady | Code::AuditUnavailable | Code::TooManyRehearsals)
}

impl ReceiptView {
    /// The receipt of an answer to which the record commits under `response_key`.
    pub(super) fn of(receipt: Receipt, response_key: String) -> Self {
        Self {
            response_key,
            log: receipt.log.to_string(),
            index: receipt.index,
            leaf_hash: receipt.leaf_hash.to_string(),
            checkpoint: receipt.checkpoint.to_string(),
        }
    }
}
