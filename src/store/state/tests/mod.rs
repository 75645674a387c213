//! The state with a real database: every test on each of the two engines.

mod on_postgres;
mod on_sqlite;

use super::{ActKey, StateStore};
use crate::base::Secret;

/// Where a test's state is, for whoever opens it once more: as another process does.
trait Home {
    fn open(&self) -> StateStore;
}

/// The key of all these states.
fn seals() -> ActKey {
    ActKey::new(&Secret::new([7; 32]))
}

fn at<H: Home>(home: H) -> (StateStore, H) {
    (home.open(), home)
}

impl StateStore {
    /// Writes into the database, as whoever has it and not the keys.
    pub(crate) fn tamper(&self, sql: &str) {
        use diesel::connection::SimpleConnection;
        self.connection().unwrap().batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Every act's number, and where it was recorded.
    pub(crate) fn recorded_acts(&self) -> Vec<(i64, Option<u64>)> {
        use super::schema::acts::dsl;
        use diesel::prelude::*;
        let rows = dsl::acts.order(dsl::seq).select((dsl::seq, dsl::log_index));
        let rows: Vec<(i64, Option<i64>)> = rows.load(&mut *self.connection().unwrap()).unwrap();
        rows.into_iter().map(|(seq, index)| (seq, index.map(i64::unsigned_abs))).collect()
    }
}
