//! Is what is about to take effect what the log says was done?
//!
//! Whoever can write the state database could put another policy or a key of their own there. The
//! log is where that would show, and only if somebody looked: so this looks, before anything
//! takes effect.
//!
//! Invariant: a version or key that is in force stands in the log, with the digest it has now; and
//! so do the roles and certificates of a person who asks for something.

use serde::Deserialize;

use super::apply::NotTaken;
use super::gateway::Gateway;
use super::world::World;
use crate::base::ids::AccountId;
use crate::store::audit::Reader;
use crate::store::state::{Profile, RegisteredKey, StateStore};

/// What the log must have a record of.
struct Claim {
    kind: &'static str,
    object: String,
    detail: String,
}

/// The members of such a record.
#[derive(Deserialize)]
struct Recorded {
    action: String,
    object: String,
    detail: String,
}

impl Gateway {
    /// Finds in the log whatever `new` has that `known` has not; all of it when there is none.
    ///
    /// # Errors
    /// What the log does not have, or has otherwise.
    pub(super) async fn confirm(
        &self,
        new: &World,
        keys: &[RegisteredKey],
        known: Option<&World>,
    ) -> Result<(), NotTaken> {
        let mut claims = Vec::new();
        if known.is_none_or(|known| known.seq != new.seq) {
            claims.push(claim("catalogue-applied", new.catalogue_version, &new.catalogue_digest));
            claims.push(claim("policy-applied", new.policy_version, &new.policy_digest));
        }
        let is_known = |key: &RegisteredKey| {
            let owner = known.and_then(|known| known.registry.by_key(&key.fingerprint));
            owner.is_some_and(|owner| owner.id == key.system)
        };
        let fresh = keys.iter().filter(|key| !is_known(key));
        claims.extend(fresh.map(|key| claim("key-registered", &key.system, key.fingerprint)));
        if claims.is_empty() {
            return Ok(());
        }
        let state = self.state.clone();
        let outcome =
            self.log.read(move |log| Ok(claims.into_iter().try_for_each(|c| stands(&state, log, c))));
        outcome.await.map_err(|e| NotTaken::Unconfirmed(e.to_string()))?
    }

    /// Finds in the log that an account is what it is now.
    ///
    /// # Errors
    /// What the log does not have, or has otherwise.
    pub(super) async fn confirm_account(&self, profile: &Profile) -> Result<(), NotTaken> {
        let (state, profile) = (self.state.clone(), profile.clone());
        let outcome = self.log.read(move |log| Ok(account_stands(&state, log, &profile)));
        outcome.await.map_err(|e| NotTaken::Unconfirmed(e.to_string()))?
    }
}

/// An account is what the log says: made, not stopped since, with roles and certificates that were
/// given and not taken away since.
fn account_stands(state: &StateStore, log: &Reader, profile: &Profile) -> Result<(), NotTaken> {
    let account = &profile.account;
    stands(state, log, claim("account-made", &account.id, &account.department))?;
    not_undone(state, "account-enabled", "account-disabled", &account.id, "")?;
    for role in &account.roles {
        stands(state, log, claim("role-granted", &account.id, role.as_str()))?;
        not_undone(state, "role-granted", "role-withdrawn", &account.id, role.as_str())?;
    }
    for key in &profile.keys {
        stands(state, log, claim("certificate-bound", &account.id, key))?;
    }
    Ok(())
}

fn not_undone(
    state: &StateStore,
    done: &str,
    undone: &str,
    account: &AccountId,
    detail: &str,
) -> Result<(), NotTaken> {
    let last = |kind| state.act_index(kind, account.as_str(), detail);
    if last(undone)? > last(done)? {
        return Err(NotTaken::Unconfirmed(format!("{undone} {account} {detail} is the newest")));
    }
    Ok(())
}

fn claim(kind: &'static str, object: impl ToString, detail: impl ToString) -> Claim {
    Claim { kind, object: object.to_string(), detail: detail.to_string() }
}

fn stands(state: &StateStore, log: &Reader, claim: Claim) -> Result<(), NotTaken> {
    let index = state.act_index(claim.kind, &claim.object, &claim.detail)?;
    let record = index.map(|index| log.record(index)).transpose();
    let record = record.map_err(|e| NotTaken::Unconfirmed(e.to_string()))?.flatten();
    let recorded = record.and_then(|record| serde_json::from_str::<Recorded>(&record.leaf).ok());
    match recorded {
        Some(r) if r.action == claim.kind && r.object == claim.object && r.detail == claim.detail => Ok(()),
        _ => Err(NotTaken::Unconfirmed(format!(
            "no record of {} {} {}",
            claim.kind, claim.object, claim.detail
        ))),
    }
}
