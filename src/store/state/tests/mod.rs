//! The state with a real database: every test on each of the two engines.

mod on_postgres;
mod on_sqlite;

use super::StateStore;

/// Where a test's state is, for whoever opens it once more: as another process does.
trait Home {
    fn open(&self) -> StateStore;
}

fn at<H: Home>(home: H) -> (StateStore, H) {
    (home.open(), home)
}
