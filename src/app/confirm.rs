//! Is what is about to take effect what the log says was done?
//!
//! Whoever can write the state database could put another policy or a key of their own there. The
//! log is where that would show, and only if somebody looked: so this looks, before anything
//! takes effect.
//!
//! Invariant: a version or key that is in force stands in the log, with the digest it has now; so do
//! the person, department, roles and certificates of an account that asks for something, and what is
//! lent to it; a grant that is in force, or that was stopped, stands so; and so does a second officer's
//! consent. In each of these the
//! newest record counts, never that there once was one.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::apply::NotTaken;
use super::deeds::{Deeds, Matter, Told};
use super::gateway::Gateway;
use super::world::World;
use crate::base::ids::{AccountId, RuleId};
use crate::store::audit::{Acts, ReadError, Reader};
use crate::store::state::consents::{Consent, Word};
use crate::store::state::delegations::Loan;
use crate::store::state::grants::GrantState;
use crate::store::state::suspensions::Whom;
use crate::store::state::{Profile, RegisteredKey, Version, made_as};

impl Gateway {
    /// Reads from the log what was done since it was read the last time, by whatever gateway.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn recall(&self) -> Result<(), NotTaken> {
        self.read_on().await?;
        self.knows_all()
    }

    /// The same for who only records, and decides nothing by it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn read_on(&self) -> Result<(), NotTaken> {
        loop {
            let from = self.deeds(Deeds::read);
            let read = self.log.read(move |log| since(log, from)).await;
            if self.take_in(from, read)? {
                return Ok(());
            }
        }
    }

    /// The same, on a thread where blocking is allowed.
    fn recall_here(&self) -> Result<(), NotTaken> {
        loop {
            let from = self.deeds(Deeds::read);
            if self.take_in(from, since(self.log.reader(), from))? {
                return self.knows_all();
            }
        }
    }

    /// Takes in what was read; false when there is more to read.
    fn take_in(&self, from: u64, read: Result<(Vec<Told>, Acts), ReadError>) -> Result<bool, NotTaken> {
        let (deeds, Acts { next, all }) = read.map_err(|e| NotTaken::Unconfirmed(e.to_string()))?;
        let taken = self.deeds.write().unwrap_or_else(PoisonError::into_inner).take_in(from, deeds, next);
        Ok(taken && all)
    }

    /// Is every act known that was read from the log?
    ///
    /// # Errors
    /// The one that is not.
    pub(super) fn knows_all(&self) -> Result<(), NotTaken> {
        let unknown = self.deeds(|deeds| deeds.unknown().map(str::to_owned));
        unknown.map_or(Ok(()), |what| Err(self.outgrown(what)))
    }

    /// Notes that a newer program did something that this one cannot follow: from now on nothing is
    /// answered.
    pub(super) fn outgrown(&self, by: String) -> NotTaken {
        self.lease.outgrow(by.clone());
        NotTaken::Beyond(by)
    }

    /// Does the log say that this version is the newest that was applied?
    pub(super) fn was_applied(&self, version: &Version) -> bool {
        let (catalogue, policy) = (version.catalogue.to_string(), version.policy.to_string());
        let digest = |folder| version.sources.part(folder).digest();
        self.deeds(|log| {
            log.bear_out("catalogue-applied", &catalogue, &digest("schemas/")).is_ok()
                && log.bear_out("policy-applied", &policy, &digest("policies/")).is_ok()
        })
    }

    /// The systems and operators that are stopped, by the log.
    pub(super) fn stopped_by_the_log(&self) -> Vec<Whom> {
        self.deeds(|deeds| deeds.stopped().collect())
    }

    /// Who has said, by the log's newest word on it, that somebody who is stopped may go on.
    pub(super) fn asked_to_resume(&self, whom: &Whom) -> Option<AccountId> {
        self.deeds(|log| {
            let newest = log.newest(Matter::Suspension, &whom.id())?;
            AccountId::parse(&newest.done_by).filter(|_| &*newest.action == "caller-resume-asked")
        })
    }

    /// Looks something up in what was done.
    pub(super) fn deeds<T>(&self, look: impl FnOnce(&Deeds) -> T) -> T {
        look(&self.deeds.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Finds in the log that the version of a world is the newest that was applied.
    ///
    /// # Errors
    /// What the log does not have, or has otherwise.
    pub(super) fn confirm_version(&self, world: &World) -> Result<(), NotTaken> {
        let (catalogue, policy) = (world.catalogue_version.to_string(), world.policy_version.to_string());
        let held = self.deeds(|log| {
            log.bear_out("catalogue-applied", &catalogue, &world.catalogue_digest)?;
            log.bear_out("policy-applied", &policy, &world.policy_digest)
        });
        held.map_err(NotTaken::Unconfirmed)
    }

    /// Sorts out the keys that the log does not bear out: a key only permits, so leaving one out is
    /// safe, and holds up nothing else. Gives why, for each of those.
    pub(super) fn confirm_keys(&self, keys: &mut Vec<RegisteredKey>) -> Vec<String> {
        let mut left_out = Vec::new();
        self.deeds(|log| {
            keys.retain(|key| {
                let fingerprint = key.fingerprint.to_string();
                let held = log.bear_out("key-registered", key.system.as_str(), &fingerprint);
                left_out.extend(held.as_ref().err().cloned());
                held.is_ok()
            });
        });
        left_out
    }

    /// The grants of which the log's newest record says something else than their row; one of the
    /// files without a row is among them when the log says that somebody stopped it.
    pub(super) fn not_borne_out(&self, world: &World) -> BTreeSet<RuleId> {
        self.deeds(|log| {
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
        self.deeds(|log| account_stands(log, profile)).map_err(NotTaken::Unconfirmed)
    }

    /// Finds in the log that a second officer consented, by whatever gateway.
    ///
    /// # Errors
    /// What the log does not have, or has otherwise.
    pub(super) async fn confirm_consent(&self, consent: &Consent) -> Result<(), NotTaken> {
        if self.deeds(|log| consent_stands(log, consent)).is_ok() {
            return Ok(());
        }
        // Another gateway may have recorded it.
        self.recall().await?;
        self.deeds(|log| consent_stands(log, consent)).map_err(NotTaken::Unconfirmed)
    }

    /// Finds in the log that a role was lent, and not taken back since. Blocks.
    ///
    /// # Errors
    /// What the log does not have, or has otherwise.
    pub(super) fn confirm_loan(&self, loan: &Loan, lender: &Profile) -> Result<(), NotTaken> {
        if self.deeds(|log| loan_stands(log, loan, lender)).is_ok() {
            return Ok(());
        }
        // Another gateway may have recorded it.
        self.recall_here()?;
        self.deeds(|log| loan_stands(log, loan, lender)).map_err(NotTaken::Unconfirmed)
    }
}

/// A second officer consented, the one of the row, and to what the row says.
fn consent_stands(log: &Deeds, consent: &Consent) -> Result<(), String> {
    let id = &consent.id;
    log.bear_out(Word::Consented.act(), id, &consent.digest())?;
    let given = log.newest(Matter::Consent, id);
    match given.zip(consent.decided_by.as_deref()) {
        Some((deed, by)) if *deed.done_by == *by && *by != *consent.account => Ok(()),
        _ => Err(format!("consent {id} was not given by whom its row says")),
    }
}

/// Acts that are read at a time: so many are in memory besides the newest of each matter.
const AT_A_TIME: usize = 10_000;

/// What was done by the records from `from` on, and how far that goes.
fn since(log: &Reader, from: u64) -> Result<(Vec<Told>, Acts), ReadError> {
    let mut deeds = Vec::new();
    let acts = log.acts(from, AT_A_TIME, |leaf| deeds.push(Told::read(leaf)))?;
    Ok((deeds, acts))
}

fn loan_stands(log: &Deeds, loan: &Loan, lender: &Profile) -> Result<(), String> {
    let number = loan.id.to_string();
    log.bear_out("delegation-given", &number, &loan.given_as())?;
    let given = log.newest(Matter::Delegation, &number);
    if given.is_none_or(|deed| *deed.done_by != *loan.from.as_str()) {
        return Err(format!("delegation {number} was not given by {}", loan.from));
    }
    account_stands(log, lender)
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
