//! Is what is about to take effect what the log says was done?
//!
//! Whoever can write the state database could put another policy or a key of their own there. The
//! log is where that would show, and only if somebody looked: so this looks, before anything
//! takes effect.
//!
//! Invariant: a version or key that is in force stands in the log, with the digest it has now; so do
//! the person, department, roles and certificates of an account that asks for something, and what is
//! lent to it; and a grant that is in force, or that was stopped, stands so. In each of these the
//! newest record counts, never that there once was one.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::apply::{ADMINISTRATION, NotTaken};
use super::deeds::{Deeds, Matter, Told};
use super::gateway::Gateway;
use super::world::World;
use crate::base::ids::RuleId;
use crate::store::state::delegations::Loan;
use crate::store::state::grants::GrantState;
use crate::store::state::{Act, Profile, RegisteredKey, made_as};

impl Gateway {
    /// Reads from the log what was done so far and was not read yet. Where no other gateway writes
    /// the log, whoever records an act notes it, and there is nothing to read after the first time.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn recall(&self) -> Result<(), NotTaken> {
        let from = match &*self.deeds.read().unwrap_or_else(PoisonError::into_inner) {
            Some(_) if !self.state.is_shared() => return Ok(()),
            Some(deeds) => deeds.read_to,
            None => 0,
        };
        let read = self.log.read(move |log| {
            let mut told = Vec::new();
            // A record that does not parse is the verifier's affair.
            let take = |leaf: &str| told.extend(serde_json::from_str::<Told>(leaf).ok());
            let to = log.each_without_dataset(ADMINISTRATION, from, take)?;
            Ok((told, to))
        });
        let (told, to) = read.await.map_err(|e| NotTaken::Unconfirmed(e.to_string()))?;
        let mut deeds = self.deeds.write().unwrap_or_else(PoisonError::into_inner);
        let deeds = deeds.get_or_insert_default();
        told.into_iter().for_each(|told| deeds.take(told));
        deeds.read_to = to;
        Ok(())
    }

    /// Takes note of an act that the log has recorded, where no other gateway writes it: in what
    /// order the records of several stand only the log says.
    pub(super) fn note(&self, act: &Act) {
        let mut deeds = self.deeds.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(deeds) = deeds.as_mut().filter(|_| !self.state.is_shared()) {
            deeds.take(Told::from(act));
        }
    }

    /// Looks something up in what was done.
    fn by_the_log<T>(&self, look: impl FnOnce(&Deeds) -> T) -> Result<T, NotTaken> {
        let deeds = self.deeds.read().unwrap_or_else(PoisonError::into_inner);
        deeds.as_ref().map(look).ok_or_else(|| NotTaken::Unconfirmed("it was not read yet".to_owned()))
    }

    /// Finds in the log that the version of a world is the newest that was applied.
    ///
    /// # Errors
    /// What the log does not have, or has otherwise.
    pub(super) fn confirm_version(&self, world: &World) -> Result<(), NotTaken> {
        let (catalogue, policy) = (world.catalogue_version.to_string(), world.policy_version.to_string());
        let held = self.by_the_log(|log| {
            log.bear_out("catalogue-applied", &catalogue, &world.catalogue_digest)?;
            log.bear_out("policy-applied", &policy, &world.policy_digest)
        });
        held?.map_err(NotTaken::Unconfirmed)
    }

    /// Sorts out the keys that the log does not bear out: a key only permits, so leaving one out is
    /// safe, and holds up nothing else. Gives why, for each of those.
    ///
    /// # Errors
    /// When the log was not read yet.
    pub(super) fn confirm_keys(&self, keys: &mut Vec<RegisteredKey>) -> Result<Vec<String>, NotTaken> {
        let mut left_out = Vec::new();
        self.by_the_log(|log| {
            keys.retain(|key| {
                let fingerprint = key.fingerprint.to_string();
                let held = log.bear_out("key-registered", key.system.as_str(), &fingerprint);
                left_out.extend(held.as_ref().err().cloned());
                held.is_ok()
            });
        })?;
        Ok(left_out)
    }

    /// The grants of which the log's newest record says something else than their row; one of the
    /// files without a row is among them when the log says that somebody stopped it.
    ///
    /// # Errors
    /// When the log was not read yet.
    pub(super) fn not_borne_out(&self, world: &World) -> Result<BTreeSet<RuleId>, NotTaken> {
        self.by_the_log(|log| {
            let rows = world.standing.rows();
            let of_rows =
                rows.filter(|row| log.bear_out(row.state.act(), row.id.as_str(), &row.digest).is_err());
            let of_rows: BTreeSet<RuleId> = of_rows.map(|row| row.id.clone()).collect();
            // As it is written, if nothing says that somebody stopped it.
            let stopped = |id: &RuleId| {
                let newest = log.newest(Matter::Grant, id.as_str());
                newest.is_some_and(|deed| *deed.action != *GrantState::Active.act())
            };
            let authored = world.policy.authored().iter().map(|grant| &grant.id);
            let rowless = authored.filter(|id| world.standing.row(id).is_none() && stopped(id));
            rowless.cloned().chain(of_rows).collect()
        })
    }

    /// Finds in the log that an account is what it is now.
    ///
    /// # Errors
    /// What the log does not have, or has otherwise.
    pub(super) fn confirm_account(&self, profile: &Profile) -> Result<(), NotTaken> {
        self.by_the_log(|log| account_stands(log, profile))?.map_err(NotTaken::Unconfirmed)
    }

    /// Finds in the log that a role was lent, and not taken back since.
    ///
    /// # Errors
    /// What the log does not have, or has otherwise.
    pub(super) fn confirm_loan(&self, loan: &Loan, lender: &Profile) -> Result<(), NotTaken> {
        let held = self.by_the_log(|log| {
            log.bear_out("delegation-given", &loan.id.to_string(), &loan.given_as())?;
            let given = log.newest(Matter::Delegation, &loan.id.to_string());
            if given.is_none_or(|deed| *deed.done_by != *loan.from.as_str()) {
                return Err(format!("delegation {} was not given by {}", loan.id, loan.from));
            }
            account_stands(log, lender)
        });
        held?.map_err(NotTaken::Unconfirmed)
    }
}

/// An account is what the log says: made, not stopped since, with roles, certificates and a code
/// generator that were given and not taken away since.
fn account_stands(log: &Deeds, profile: &Profile) -> Result<(), String> {
    let account = &profile.account;
    let id = account.id.as_str();
    log.bear_out("account-made", id, &made_as(account))?;
    let stopped = log.newest(Matter::Activity, id).is_some_and(|deed| &*deed.action == "account-disabled");
    if stopped && account.active {
        return Err(format!("account-disabled {id} is the newest"));
    }
    for role in &account.roles {
        log.bear_out("role-granted", id, role.as_str())?;
    }
    for key in &profile.keys {
        log.bear_out("certificate-bound", id, &key.to_string())?;
    }
    if let Some(outside) = &profile.outside {
        log.bear_out("oidc-bound", id, &outside.digest())?;
    }
    // One that was set up and is gone would let a password alone in.
    match log.newest(Matter::Generator, id) {
        Some(deed) if (&*deed.action == "code-changed") != profile.has_code => {
            Err(format!("{} {id} is the newest", deed.action))
        }
        _ => Ok(()),
    }
}
