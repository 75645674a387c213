//! The keys by which systems are known.

use diesel::prelude::*;

use super::schema::system_keys::dsl;
use super::{StateError, StateStore, acts, bump};
use crate::base::Timestamp;
use crate::base::ids::{Fingerprint, SystemId};

/// A key in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredKey {
    /// SHA-256 of the public key.
    pub fingerprint: Fingerprint,
    /// The system that it belongs to.
    pub system: SystemId,
}

/// What registering came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// The key is now the system's.
    Registered,
    /// It was already.
    Unchanged,
    /// It belongs, or belonged, to another system, or was revoked: a key is never used again.
    Taken,
}

/// What registering a key is called.
const REGISTERED: &str = "key-registered";

impl StateStore {
    /// The keys in force. A malformed row is told of and left out: it names nobody, and must not keep
    /// what else changed, removals above all, from being taken up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn keys(&self) -> Result<Vec<RegisteredKey>, StateError> {
        let rows = dsl::system_keys
            .filter(dsl::revoked_at.is_null())
            .select((dsl::fingerprint, dsl::system))
            .load::<(String, String)>(&mut self.connection()?)?;
        let key = |(fingerprint, system): (String, String)| {
            let read = Fingerprint::parse(&fingerprint).zip(SystemId::parse(&system));
            if read.is_none() {
                tracing::error!("system_keys holds a malformed row: it is left out");
            }
            read.map(|(fingerprint, system)| RegisteredKey { fingerprint, system })
        };
        Ok(rows.into_iter().filter_map(key).collect())
    }

    /// Registers a key for a system.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn register_key(
        &self,
        key: Fingerprint,
        system: &SystemId,
        now: Timestamp,
    ) -> Result<Registration, StateError> {
        let fingerprint = key.to_string();
        self.write(|connection| {
            let known = dsl::system_keys
                .find(&fingerprint)
                .select((dsl::system, dsl::revoked_at))
                .first::<(String, Option<i64>)>(connection)
                .optional()?;
            match known {
                Some((owner, None)) if owner == system.as_str() => {
                    // One that nobody bears out is registered once more.
                    if !acts::is_in_vain(connection, &self.seals, REGISTERED, &owner, &fingerprint)? {
                        return Ok(Registration::Unchanged);
                    }
                }
                Some(_) => return Ok(Registration::Taken),
                None => {
                    let row = (
                        dsl::fingerprint.eq(&fingerprint),
                        dsl::system.eq(system.as_str()),
                        dsl::registered_at.eq(now.micros()),
                    );
                    diesel::insert_into(dsl::system_keys).values(row).execute(connection)?;
                }
            }
            let actor = acts::machine_user()?;
            acts::add(connection, &self.seals, REGISTERED, system.as_str(), &fingerprint, now, &actor)?;
            bump(connection)?;
            Ok(Registration::Registered)
        })
    }

    /// Takes a key out of force; false when it was not in force.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn revoke_key(&self, key: Fingerprint, now: Timestamp) -> Result<bool, StateError> {
        let fingerprint = key.to_string();
        self.write(|connection| {
            let in_force =
                dsl::system_keys.filter(dsl::fingerprint.eq(&fingerprint)).filter(dsl::revoked_at.is_null());
            let system = in_force.select(dsl::system).first::<String>(connection).optional()?;
            let Some(system) = system else { return Ok(false) };
            diesel::update(dsl::system_keys.find(&fingerprint))
                .set(dsl::revoked_at.eq(now.micros()))
                .execute(connection)?;
            let actor = acts::machine_user()?;
            acts::add(connection, &self.seals, "key-revoked", &system, &fingerprint, now, &actor)?;
            bump(connection)?;
            Ok(true)
        })
    }
}
