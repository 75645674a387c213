//! Attempts to sign in, counted where every gateway sees them.
//!
//! Invariant: whoever judges an attempt is alone in doing so, and sees all attempts before it; and
//! what is kept is bounded, whoever tries: there are [`SLOTS`] rows at most, and of two sources that
//! share one the newer is kept.

use diesel::prelude::*;

use super::schema::attempts::{self, dsl};
use super::{Db, StateError, StateStore, place};
use crate::base::Timestamp;

/// What a source of attempts is known by: a keyed hash, which says nothing without the key.
pub type Mark = [u8; 16];

/// Filling half of them takes longer than the longest wait, since every attempt costs a hash.
const SLOTS: u32 = 1 << 17;

/// What is remembered of a source of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Failures in a row, or attempts used up.
    pub count: u32,
    /// When the last was.
    pub last: Timestamp,
}

impl StateStore {
    /// Has `judge` see what is remembered under each of `marks`, and remembers what it makes of that:
    /// none forgets a source, and an error changes nothing.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then. Inside, what `judge` said.
    pub fn judge_attempt<E>(
        &self,
        marks: &[Mark],
        judge: impl FnOnce(&mut [Option<Tries>]) -> Result<(), E>,
    ) -> Result<Result<(), E>, StateError> {
        place::transaction(&mut *self.connection()?, Db::begin_alone, |db| {
            db.wait_for_judges()?;
            let before = marks.iter().map(|mark| find(db, mark)).collect::<Result<Vec<_>, _>>()?;
            let mut after = before.clone();
            if let Err(refused) = judge(&mut after) {
                return Ok(Err(refused));
            }
            for ((mark, before), after) in marks.iter().zip(before).zip(after) {
                if before != after {
                    put(db, mark, after)?;
                }
            }
            Ok(Ok(()))
        })
    }
}

fn find(db: &mut Db, mark: &Mark) -> Result<Option<Tries>, StateError> {
    let row = dsl::attempts.find(slot(mark)).filter(dsl::mark.eq(mark.as_slice()));
    let found = row.select((dsl::count, dsl::last)).first::<(i32, i64)>(db).optional()?;
    Ok(found.map(|(count, last)| Tries {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        last: Timestamp::from_micros(last),
    }))
}

fn put(db: &mut Db, mark: &Mark, tries: Option<Tries>) -> Result<(), StateError> {
    let row = dsl::attempts.find(slot(mark));
    let Some(Tries { count, last }) = tries else {
        diesel::delete(row.filter(dsl::mark.eq(mark.as_slice()))).execute(db)?;
        return Ok(());
    };
    let set = (
        dsl::mark.eq(mark.as_slice()),
        dsl::count.eq(i32::try_from(count).unwrap_or(i32::MAX)),
        dsl::last.eq(last.micros()),
    );
    if diesel::update(row).set(set).execute(db)? == 0 {
        diesel::insert_into(attempts::table).values((dsl::slot.eq(slot(mark)), set)).execute(db)?;
    }
    Ok(())
}

fn slot(mark: &Mark) -> i32 {
    let [a, b, c, d, ..] = *mark;
    i32::try_from(u32::from_be_bytes([a, b, c, d]) % SLOTS).unwrap_or_default()
}
