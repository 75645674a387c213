//! Is what is about to take effect what the log says was done?
//!
//! Whoever can write the state database could put another policy or a key of their own there. The
//! log is where that would show, and only if somebody looked: so this looks, before anything
//! takes effect.
//!
//! Invariant: a version or key that is in force stands in the log, with the digest it has now; so do
//! the roles and certificates of a person who asks for something; and a grant that is in force, or
//! that was stopped, stands so by the log's newest record of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::apply::NotTaken;
use super::gateway::Gateway;
use super::world::World;
use crate::base::ids::{AccountId, RuleId};
use crate::store::audit::Reader;
use crate::store::state::grants::{GrantState, StandingGrant};
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
    /// Gives `new` back, without the grants that the log does not bear out: each only permits, so
    /// leaving one out is safe, and holds up nothing else.
    ///
    /// # Errors
    /// What else the log does not have, or has otherwise.
    pub(super) async fn confirm(
        &self,
        new: World,
        keys: &[RegisteredKey],
        known: Option<&World>,
    ) -> Result<World, NotTaken> {
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
        let grants = doubtful(&new, known);
        if claims.is_empty() && grants.is_empty() {
            return Ok(new);
        }
        let state = self.state.clone();
        let outcome = self.log.read(move |log| {
            let held = claims.into_iter().try_for_each(|claim| stands(&state, log, claim));
            Ok(held.and_then(|()| not_borne_out(&state, log, grants)))
        });
        let distrusted = outcome.await.map_err(|e| NotTaken::Unconfirmed(e.to_string()))??;
        Ok(match *new.standing.distrusted() == distrusted {
            true => new,
            false => {
                let standing = new.standing.distrusting(distrusted);
                new.with_standing(standing)
            }
        })
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
    if let Some(outside) = &profile.outside {
        stands(state, log, claim("oidc-bound", &account.id, outside.digest()))?;
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

/// The grants to look up: those that changed, or were not borne out the last time. One of the files
/// without a row is looked up once for each version: somebody may have taken the row away. Of any
/// other, no row is no permission.
fn doubtful(new: &World, known: Option<&World>) -> BTreeMap<RuleId, Option<StandingGrant>> {
    let authored = new.policy.authored();
    let mut ids: BTreeSet<&RuleId> = match known {
        Some(known) => new.standing.changed_since(&known.standing).collect(),
        None => new.standing.rows().map(|row| &row.id).collect(),
    };
    ids.extend(new.standing.distrusted());
    ids.retain(|id| new.standing.row(id).is_some() || authored.iter().any(|grant| grant.id == **id));
    if known.is_none_or(|known| known.seq != new.seq) {
        ids.extend(authored.iter().map(|grant| &grant.id));
    }
    ids.into_iter().map(|id| (id.clone(), new.standing.row(id).cloned())).collect()
}

/// Those of `grants` of which the log's newest record says something else than their row.
fn not_borne_out(
    state: &StateStore,
    log: &Reader,
    grants: BTreeMap<RuleId, Option<StandingGrant>>,
) -> Result<BTreeSet<RuleId>, NotTaken> {
    let mut distrusted = BTreeSet::new();
    for (id, row) in grants {
        let (row_now, act) = state.grant_and_act(&id)?;
        let borne_out = match (&row, act) {
            (Some(row), Some(act)) if act.kind == row.state.act() && act.detail == row.digest => in_log(
                log,
                act.index,
                &Claim { kind: row.state.act(), object: id.to_string(), detail: act.detail },
            )?,
            // As it is written, if nothing says that somebody stopped it.
            (None, act) => act.is_none_or(|act| act.kind == GrantState::Active.act()),
            (Some(_), _) => false,
        };
        // What changed since it was read is taken up next.
        if !borne_out && row_now == row {
            tracing::error!(grant = %id, "the log does not bear out how a grant stands: it is not given");
        }
        if !borne_out {
            distrusted.insert(id);
        }
    }
    Ok(distrusted)
}

fn claim(kind: &'static str, object: impl ToString, detail: impl ToString) -> Claim {
    Claim { kind, object: object.to_string(), detail: detail.to_string() }
}

fn stands(state: &StateStore, log: &Reader, claim: Claim) -> Result<(), NotTaken> {
    let index = state.act_index(claim.kind, &claim.object, &claim.detail)?;
    match in_log(log, index, &claim)? {
        true => Ok(()),
        false => Err(NotTaken::Unconfirmed(format!(
            "no record of {} {} {}",
            claim.kind, claim.object, claim.detail
        ))),
    }
}

/// Does the log's record `index` say so?
fn in_log(log: &Reader, index: Option<u64>, claim: &Claim) -> Result<bool, NotTaken> {
    let record = index.map(|index| log.record(index)).transpose();
    let record = record.map_err(|e| NotTaken::Unconfirmed(e.to_string()))?.flatten();
    let recorded = record.and_then(|record| serde_json::from_str::<Recorded>(&record.leaf).ok());
    Ok(recorded
        .is_some_and(|r| r.action == claim.kind && r.object == claim.object && r.detail == claim.detail))
}
