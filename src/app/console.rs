//! What the console asks beside the use cases: what is in force, that somebody was turned away, and
//! what somebody typed while a session ended.
//!
//! Invariant: nothing of anybody's is kept here. What was typed is sealed for its account and handed
//! back; whoever has it, the gateway has not.

use serde::{Deserialize, Serialize};

use super::call::{Call, PersonCaller};
use super::gateway::Gateway;
use super::trail::Trail;
use crate::base::ids::AccountId;
use crate::base::{Code, Error, Result, Timestamp};

/// The longest that what was typed may wait for its account to sign in again, in seconds.
const LONGEST: i64 = 8 * 3600;
/// The most bytes of it. Sealed, as part of a form, it is less than the largest body that is read.
const LARGEST: usize = 128 * 1024;

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

/// What somebody typed into a form, and where it was to go.
#[derive(Debug, Serialize, Deserialize)]
pub struct Draft {
    /// The path.
    pub path: String,
    /// The inputs: name and value.
    pub inputs: Vec<(String, String)>,
}

/// What is sealed of it.
#[derive(Serialize, Deserialize)]
struct Sealed {
    at: i64,
    draft: Draft,
}

/// Seals what the account typed, for it to come back with; none where it is too much.
pub fn keep_draft(gateway: &Gateway, account: &AccountId, draft: Draft) -> Option<String> {
    let sealed = Sealed { at: gateway.now().micros(), draft };
    let text = serde_json::to_string(&sealed).ok().filter(|text| text.len() <= LARGEST)?;
    gateway.entry.key.seal_draft(account, text, &gateway.rng)
}

/// What the account typed, if it was this one, today, and this gateway sealed it.
pub fn kept_draft(gateway: &Gateway, account: &AccountId, sealed: &str) -> Option<Draft> {
    let text = gateway.entry.key.open_draft(account, sealed)?;
    let Sealed { at, draft } = serde_json::from_str(&text).ok()?;
    (gateway.now() < Timestamp::from_micros(at).plus_seconds(LONGEST)).then_some(draft)
}
