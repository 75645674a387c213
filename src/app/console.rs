//! What the console asks beside the use cases: what is in force, and that somebody was turned away.
//!
//! Invariant: numbers and versions only; nothing of anybody's.

use super::call::{Call, PersonCaller};
use super::gateway::Gateway;
use super::trail::Trail;
use crate::base::{Code, Error, Result};

/// What is in force, for the foot of every page.
#[derive(Debug, Clone, Copy)]
pub struct Versions {
    /// Of the program.
    pub program: &'static str,
    /// Of the catalogue.
    pub catalogue: u64,
    /// Of the policies.
    pub policy: u64,
    /// Records in the log.
    pub records: u64,
}

/// What is in force now.
pub fn versions(gateway: &Gateway) -> Versions {
    let world = gateway.world();
    Versions {
        program: env!("CARGO_PKG_VERSION"),
        catalogue: world.catalogue_version,
        policy: world.policy_version,
        records: gateway.log.stats().size,
    }
}

/// May people sign in at an identity provider?
pub fn has_identity_provider(gateway: &Gateway) -> bool {
    gateway.entry.has_provider()
}

/// Records that somebody asked for a page that is for others; gives the error to answer with.
pub async fn refuse(gateway: &Gateway, call: &Call<PersonCaller>, page: &'static str) -> Error {
    let mut trail = Trail::new("console", call);
    trail.note("page", page);
    gateway.record_failure(&call.caller, trail, Code::Forbidden.into()).await
}

/// A new idempotency key: what a form is known by, so that it is done once.
///
/// # Errors
/// `not-ready` when the machine gives no randomness.
pub fn new_key(gateway: &Gateway) -> Result<String> {
    gateway.new_request_id().map(|id| id.to_string())
}
