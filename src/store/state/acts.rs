//! Administrative acts, waiting for their record in the log.

use std::os::unix::fs::MetadataExt;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::schema::acts::{self, dsl};
use super::{StateError, StateStore};
use crate::base::Timestamp;

/// Something that an administrator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Its number: the order in which acts happened.
    pub seq: i64,
    /// What was done, such as `key-registered`.
    pub kind: String,
    /// What it was done to: an id.
    pub object: String,
    /// Particulars: digests, version numbers, fingerprints.
    pub detail: String,
    /// When.
    pub at: Timestamp,
    /// By whom: an account, or the user of the operating system.
    pub actor: String,
}

impl StateStore {
    /// The acts that the log has not recorded yet, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn pending_acts(&self, limit: i64) -> Result<Vec<Act>, StateError> {
        let rows = dsl::acts
            .filter(dsl::log_index.is_null())
            .order(dsl::seq)
            .limit(limit)
            .select((dsl::seq, dsl::kind, dsl::object, dsl::detail, dsl::at, dsl::actor))
            .load::<(i64, String, String, String, i64, String)>(&mut self.connection()?)?;
        Ok(rows
            .into_iter()
            .map(|(seq, kind, object, detail, at, actor)| {
                let at = Timestamp::from_micros(at);
                Act { seq, kind, object, detail, at, actor }
            })
            .collect())
    }

    /// Is there an act on `object` that the log has not recorded yet?
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_pending(&self, object: &str) -> Result<bool, StateError> {
        let pending = dsl::acts.filter(dsl::log_index.is_null().and(dsl::object.eq(object)));
        Ok(pending.count().get_result::<i64>(&mut self.connection()?)? > 0)
    }

    /// Notes that act `seq` is the log's record `index`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn act_recorded(&self, seq: i64, index: u64) -> Result<(), StateError> {
        let index = i64::try_from(index).map_err(StateError::new)?;
        diesel::update(dsl::acts.find(seq)).set(dsl::log_index.eq(index)).execute(&mut self.connection()?)?;
        Ok(())
    }
}

/// Adds an act: part of the transaction that does it.
pub(super) fn add(
    connection: &mut SqliteConnection,
    kind: &str,
    object: &str,
    detail: &str,
    at: Timestamp,
    actor: &str,
) -> Result<(), StateError> {
    let row = (
        dsl::kind.eq(kind),
        dsl::object.eq(object),
        dsl::detail.eq(detail),
        dsl::at.eq(at.micros()),
        dsl::actor.eq(actor),
    );
    diesel::insert_into(acts::table).values(row).execute(connection)?;
    Ok(())
}

/// The user under whose rights this process acts, such as `uid 0`: who does what the command line does.
///
/// # Errors
/// When the operating system does not say.
pub fn machine_user() -> Result<String, StateError> {
    let process = std::fs::metadata("/proc/self").map_err(StateError::new)?;
    Ok(format!("uid {}", process.uid()))
}
