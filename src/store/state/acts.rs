//! Administrative acts, waiting for their record in the log.
//!
//! Invariant: what is added here is sealed, and only what is sealed is handed out to be recorded. A row
//! that somebody else put into the table keeps nothing from being recorded that comes after it.

use std::os::unix::fs::MetadataExt;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::r2d2::PooledConnection;
use diesel::sql_types::BigInt;

use super::place::Place;
use super::schema::acts::{self, dsl};
use super::seal::ActKey;
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
    /// The acts that the log has not recorded yet and is to record, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn pending_acts(&self, limit: usize) -> Result<Vec<Act>, StateError> {
        pending(&mut *self.connection()?, &self.seals, true, limit)
    }

    /// The acts that wait in vain, oldest first, at most `limit`: no seal shows that a program with the
    /// gateway's keys did them. For a moment those of a gateway of the release before are among them,
    /// which records them itself.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn unsealed_acts(&self, limit: usize) -> Result<Vec<Act>, StateError> {
        pending(&mut *self.connection()?, &self.seals, false, limit)
    }

    /// Is there an act on `object` that the log has not recorded yet and is to record?
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_pending(&self, object: &str) -> Result<bool, StateError> {
        let waiting = pending(&mut *self.connection()?, &self.seals, true, usize::MAX)?;
        Ok(waiting.iter().any(|act| act.object == object))
    }

    /// Takes the oldest act that the log has not recorded yet into the hands of this process; none
    /// when there is none. Waits for another gateway that has one in hand. One without a seal that holds
    /// is passed over.
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
        match waited.and_then(|()| pending(&mut hold, &self.seals, true, 1)) {
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

    /// Forgets where in the log each act was recorded: the state goes on beside another log, which
    /// is to record them all again. An act of a program from before there were seals is sealed now, if
    /// `bears_out` finds it in its place of the old log. Gives how many acts the next start records, and
    /// how many it passes over.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn forget_log(
        &self,
        mut bears_out: impl FnMut(&Act, u64) -> bool,
    ) -> Result<(usize, usize), StateError> {
        self.write(|connection| {
            let (mut sealed, mut passed_over, mut after) = (0, 0, i64::MIN);
            loop {
                let rows = dsl::acts.filter(dsl::seq.gt(after)).order(dsl::seq).limit(PAGE);
                let rows = rows.select((COLUMNS, dsl::log_index)).load::<(Row, Option<i64>)>(connection)?;
                let Some((last, _)) = rows.last() else { break };
                after = last.0;
                for (row, index) in rows {
                    let (act, seal) = act(row);
                    let index = index.and_then(|index| u64::try_from(index).ok());
                    if self.seals.holds(&act, seal.as_deref()) {
                        sealed += 1;
                    } else if index.is_some_and(|index| bears_out(&act, index)) {
                        put_seal(connection, &self.seals, &act)?;
                        sealed += 1;
                    } else {
                        passed_over += 1;
                    }
                }
            }
            diesel::update(dsl::acts).set(dsl::log_index.eq(None::<i64>)).execute(connection)?;
            Ok((sealed, passed_over))
        })
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

    /// Shows that this process is at work on it: whoever shows nothing for two seconds loses it.
    ///
    /// # Errors
    /// When it is lost already: then another may record it, too.
    pub fn still_in_hand(&mut self) -> Result<(), StateError> {
        let Some(hold) = &mut self.hold else { return Ok(()) };
        Ok(hold.show_life()?)
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

/// Rows that are read at a time: whoever writes into the database may have added any number.
const PAGE: i64 = 100;

pub(super) type Row = (i64, String, String, String, i64, String, Option<String>);
type Columns = (dsl::seq, dsl::kind, dsl::object, dsl::detail, dsl::at, dsl::actor, dsl::seal);
/// What an act is read from, with its seal.
pub(super) const COLUMNS: Columns =
    (dsl::seq, dsl::kind, dsl::object, dsl::detail, dsl::at, dsl::actor, dsl::seal);

/// An act, and its seal if it has one.
pub(super) fn act((seq, kind, object, detail, at, actor, seal): Row) -> (Act, Option<String>) {
    (Act { seq, kind, object, detail, at: Timestamp::from_micros(at), actor }, seal)
}

/// The acts that the log has not recorded yet and whose seal holds, or does not; oldest first, at most
/// `limit`.
pub(super) fn pending(
    connection: &mut Db,
    seals: &ActKey,
    sealed: bool,
    limit: usize,
) -> Result<Vec<Act>, StateError> {
    let (mut found, mut after) = (Vec::new(), i64::MIN);
    loop {
        let rows = dsl::acts
            .filter(dsl::log_index.is_null().and(dsl::seq.gt(after)))
            .order(dsl::seq)
            .limit(PAGE)
            .select(COLUMNS)
            .load::<Row>(connection)?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.0;
        for (act, seal) in rows.into_iter().map(act) {
            if found.len() == limit {
                return Ok(found);
            }
            if seals.holds(&act, seal.as_deref()) == sealed {
                found.push(act);
            }
        }
    }
}

fn mark(connection: &mut Db, seq: i64, index: u64) -> Result<(), StateError> {
    let index = i64::try_from(index).map_err(StateError::new)?;
    diesel::update(dsl::acts.find(seq)).set(dsl::log_index.eq(index)).execute(connection)?;
    Ok(())
}

/// Does an act wait in vain that says this, and none beside it that does not? It is then done again by
/// whoever does what it says.
pub(super) fn is_in_vain(
    connection: &mut Db,
    seals: &ActKey,
    kind: &str,
    object: &str,
    detail: &str,
) -> Result<bool, StateError> {
    let same = dsl::kind.eq(kind).and(dsl::object.eq(object)).and(dsl::detail.eq(detail));
    let found = dsl::acts.filter(dsl::log_index.is_null().and(same)).count().get_result::<i64>(connection)?;
    let said = |act: &Act| (&*act.kind, &*act.object, &*act.detail) == (kind, object, detail);
    Ok(found > 0 && !pending(connection, seals, true, usize::MAX)?.iter().any(said))
}

/// Adds an act with its seal: part of the transaction that does it. Gives its number.
pub(super) fn add(
    connection: &mut Db,
    seals: &ActKey,
    kind: &str,
    object: &str,
    detail: &str,
    at: Timestamp,
    actor: &str,
) -> Result<i64, StateError> {
    let row = (
        dsl::kind.eq(kind),
        dsl::object.eq(object),
        dsl::detail.eq(detail),
        dsl::at.eq(at.micros()),
        dsl::actor.eq(actor),
    );
    let new = diesel::insert_into(acts::table).values(row);
    let seq: i64 = match connection {
        Db::Sqlite(connection) => {
            new.execute(connection)?;
            diesel::select(sql::<BigInt>("last_insert_rowid()")).get_result(connection)?
        }
        #[cfg(feature = "postgres")]
        Db::Postgres(connection) => new.returning(dsl::seq).get_result(connection)?,
    };
    let [kind, object, detail, actor] = [kind, object, detail, actor].map(str::to_owned);
    put_seal(connection, seals, &Act { seq, kind, object, detail, at, actor })?;
    Ok(seq)
}

fn put_seal(connection: &mut Db, seals: &ActKey, act: &Act) -> Result<(), StateError> {
    diesel::update(dsl::acts.find(act.seq)).set(dsl::seal.eq(seals.seal(act))).execute(connection)?;
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
