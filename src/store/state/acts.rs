//! Administrative acts, waiting for their record in the log.

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
            .select((dsl::seq, dsl::kind, dsl::object, dsl::detail, dsl::at))
            .load::<(i64, String, String, String, i64)>(&mut self.connection()?)?;
        Ok(rows
            .into_iter()
            .map(|(seq, kind, object, detail, at)| Act { seq, kind, object, detail, at: Timestamp::from_micros(at) })
            .collect())
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
) -> Result<(), StateError> {
    let row = (dsl::kind.eq(kind), dsl::object.eq(object), dsl::detail.eq(detail), dsl::at.eq(at.micros()));
    diesel::insert_into(acts::table).values(row).execute(connection)?;
    Ok(())
}
