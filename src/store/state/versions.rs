//! Versions of catalogue and policies, as they were applied.

use diesel::prelude::*;

use super::schema::versions::dsl;
use super::{StateError, StateStore, acts, bump};
use crate::base::{Sources, Timestamp};

/// The catalogue and the policies of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The number of the pair, from 1.
    pub seq: i64,
    /// The catalogue's number.
    pub catalogue: u64,
    /// The policies' number.
    pub policy: u64,
    /// The files.
    pub sources: Sources,
}

/// A version without its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionLine {
    /// The number of the pair, from 1.
    pub seq: i64,
    /// The catalogue's number.
    pub catalogue: u64,
    /// The policies' number.
    pub policy: u64,
    /// When it was applied.
    pub applied: Timestamp,
}

/// What applying came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The catalogue's number now.
    pub catalogue: u64,
    /// The policies' number now.
    pub policy: u64,
    /// False when both were already in force as they are.
    pub changed: bool,
}

impl StateStore {
    /// The newest version, if any was ever applied.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn newest_version(&self) -> Result<Option<Version>, StateError> {
        self.version(i64::MAX)
    }

    /// The version with that number; without one, the newest before it.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn version(&self, seq: i64) -> Result<Option<Version>, StateError> {
        let row = dsl::versions
            .filter(dsl::seq.le(seq))
            .order(dsl::seq.desc())
            .select((dsl::seq, dsl::catalogue_version, dsl::policy_version, dsl::sources))
            .first::<(i64, i64, i64, String)>(&mut self.connection()?)
            .optional()?;
        row.map(|(seq, catalogue, policy, sources)| {
            Ok(Version {
                seq,
                catalogue: u64::try_from(catalogue).map_err(StateError::new)?,
                policy: u64::try_from(policy).map_err(StateError::new)?,
                sources: serde_json::from_str(&sources).map_err(StateError::new)?,
            })
        })
        .transpose()
    }

    /// The newest `limit` versions with numbers up to `seq`, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn versions(&self, seq: i64, limit: i64) -> Result<Vec<VersionLine>, StateError> {
        let rows = dsl::versions
            .filter(dsl::seq.le(seq))
            .order(dsl::seq.desc())
            .limit(limit)
            .select((dsl::seq, dsl::catalogue_version, dsl::policy_version, dsl::applied_at))
            .load::<(i64, i64, i64, i64)>(&mut self.connection()?)?;
        let line = |(seq, catalogue, policy, at)| {
            Ok(VersionLine {
                seq,
                catalogue: u64::try_from(catalogue).map_err(StateError::new)?,
                policy: u64::try_from(policy).map_err(StateError::new)?,
                applied: Timestamp::from_micros(at),
            })
        };
        rows.into_iter().map(line).collect()
    }

    /// The number of the newest version, if any was ever applied.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn newest_seq(&self) -> Result<Option<i64>, StateError> {
        Ok(dsl::versions.select(diesel::dsl::max(dsl::seq)).first(&mut self.connection()?)?)
    }

    /// Stores `sources`, which the caller has checked, as the newest version: the number of
    /// whichever part changed rises by one.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn apply(&self, sources: &Sources, now: Timestamp) -> Result<Applied, StateError> {
        let catalogue_digest = sources.part("schemas/").digest();
        let policy_digest = sources.part("policies/").digest();
        let text = serde_json::to_string(sources).map_err(StateError::new)?;
        self.write(|connection| {
            let last = dsl::versions
                .order(dsl::seq.desc())
                .select((
                    dsl::seq,
                    dsl::catalogue_version,
                    dsl::catalogue_digest,
                    dsl::policy_version,
                    dsl::policy_digest,
                ))
                .first::<(i64, i64, String, i64, String)>(connection)
                .optional()?;
            let (seq, catalogue, old_catalogue, policy, old_policy) = last.unwrap_or_default();
            let (new_catalogue, new_policy) =
                (old_catalogue != catalogue_digest, old_policy != policy_digest);
            let catalogue = catalogue + i64::from(new_catalogue);
            let policy = policy + i64::from(new_policy);
            if new_catalogue || new_policy {
                diesel::insert_into(dsl::versions)
                    .values((
                        dsl::seq.eq(seq + 1),
                        dsl::catalogue_version.eq(catalogue),
                        dsl::catalogue_digest.eq(&catalogue_digest),
                        dsl::policy_version.eq(policy),
                        dsl::policy_digest.eq(&policy_digest),
                        dsl::sources.eq(&text),
                        dsl::applied_at.eq(now.micros()),
                    ))
                    .execute(connection)?;
            }
            let mut changed = false;
            for (kind, new, version, digest) in [
                ("catalogue-applied", new_catalogue, catalogue, &catalogue_digest),
                ("policy-applied", new_policy, policy, &policy_digest),
            ] {
                let version = version.to_string();
                // One that nobody bears out is applied once more.
                if new || acts::is_in_vain(connection, &self.seals, kind, &version, digest)? {
                    let actor = acts::machine_user()?;
                    acts::add(connection, &self.seals, kind, &version, digest, now, &actor)?;
                    changed = true;
                }
            }
            if changed {
                bump(connection)?;
            }
            Ok(Applied {
                catalogue: u64::try_from(catalogue).map_err(StateError::new)?,
                policy: u64::try_from(policy).map_err(StateError::new)?,
                changed,
            })
        })
    }
}
