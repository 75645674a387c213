//! Administrative acts, waiting for their record in the log.

use std::os::unix::fs::MetadataExt;

use diesel::prelude::*;
use diesel::r2d2::PooledConnection;

use super::place::Place;
use super::schema::acts::{self, dsl};
use super::{Db, StateError, StateStore};
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
        pending(&mut *self.connection()?, limit)
    }

    /// Is there an act on `object` that the log has not recorded yet?
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_pending(&self, object: &str) -> Result<bool, StateError> {
        let pending = dsl::acts.filter(dsl::log_index.is_null().and(dsl::object.eq(object)));
        Ok(pending.count().get_result::<i64>(&mut self.connection()?)? > 0)
    }

    /// Takes the oldest act that the log has not recorded yet into the hands of this process; none
    /// when there is none. Waits for another gateway that has one in hand.
    ///
    /// # Errors
    /// When the database cannot be read, or another holds on to one for too long.
    pub fn take_act(&self) -> Result<Option<Taken>, StateError> {
        if self.pending_acts(1)?.is_empty() {
            return Ok(None);
        }
        let mut hold = self.connection()?;
        hold.begin_holding()?;
        let waited = hold.wait_for_recorders().map_err(StateError::from);
        match waited.and_then(|()| pending(&mut hold, 1)) {
            Ok(mut acts) => match acts.pop() {
                Some(act) => Ok(Some(Taken { act, hold: Some(hold) })),
                None => Ok(hold.end_holding(false).map(|()| None)?),
            },
            Err(why) => {
                // A connection on which that fails is not used again.
                hold.end_holding(false).ok();
                Err(why)
            }
        }
    }

    /// Notes that act `seq` is the log's record `index`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn act_recorded(&self, seq: i64, index: u64) -> Result<(), StateError> {
        mark(&mut *self.connection()?, seq, index)
    }
}

/// An act in the hands of this process alone. When it goes without having been noted as recorded,
/// the next to take one gets it again.
pub struct Taken {
    act: Act,
    hold: Option<PooledConnection<Place>>,
}

impl Taken {
    /// The act.
    pub fn act(&self) -> &Act {
        &self.act
    }

    /// Notes that it is the log's record `index`.
    ///
    /// # Errors
    /// When the database cannot be written, or this process held on for too long: then another may
    /// have recorded it once more.
    pub fn recorded(mut self, index: u64) -> Result<(), StateError> {
        let Some(mut hold) = self.hold.take() else { return Ok(()) };
        let marked = mark(&mut hold, self.act.seq, index);
        let ended = hold.end_holding(marked.is_ok());
        marked.and(ended.map_err(StateError::from))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(mut hold) = self.hold.take() {
            // What cannot be ended here the server ends.
            hold.end_holding(false).ok();
        }
    }
}

fn pending(connection: &mut Db, limit: i64) -> Result<Vec<Act>, StateError> {
    let rows = dsl::acts
        .filter(dsl::log_index.is_null())
        .order(dsl::seq)
        .limit(limit)
        .select((dsl::seq, dsl::kind, dsl::object, dsl::detail, dsl::at, dsl::actor))
        .load::<(i64, String, String, String, i64, String)>(connection)?;
    let act = |(seq, kind, object, detail, at, actor)| {
        let at = Timestamp::from_micros(at);
        Act { seq, kind, object, detail, at, actor }
    };
    Ok(rows.into_iter().map(act).collect())
}

fn mark(connection: &mut Db, seq: i64, index: u64) -> Result<(), StateError> {
    let index = i64::try_from(index).map_err(StateError::new)?;
    diesel::update(dsl::acts.find(seq)).set(dsl::log_index.eq(index)).execute(connection)?;
    Ok(())
}

/// Adds an act: part of the transaction that does it.
pub(super) fn add(
    connection: &mut Db,
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
