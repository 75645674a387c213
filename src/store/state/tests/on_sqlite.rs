//! In a file.

use diesel::RunQueryDsl;
use tempfile::TempDir;

use super::{Home, at, seals};
use crate::store::state::StateStore;

#[path = "forgeries.rs"]
mod forgeries;
#[path = "inbox.rs"]
mod inbox;
#[path = "officers.rs"]
mod officers;
#[path = "order.rs"]
mod order;
#[path = "outbox.rs"]
mod outbox;
#[path = "quotas.rs"]
mod quotas;
#[path = "skew.rs"]
mod skew;
#[path = "state.rs"]
mod state;
#[path = "suspensions.rs"]
mod suspensions;

impl Home for TempDir {
    fn open(&self) -> StateStore {
        StateStore::open(&self.path().join("state.db"), seals()).unwrap()
    }
}

fn open() -> (StateStore, TempDir) {
    at(tempfile::tempdir().unwrap())
}

#[test]
fn a_change_is_synced_to_the_disk_and_a_count_alone_is_not() {
    #[derive(diesel::QueryableByName)]
    struct Synced {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        synchronous: i32,
    }
    let (state, _dir) = open();
    let ask = || diesel::sql_query("PRAGMA synchronous");
    let change = ask().get_result::<Synced>(&mut *state.connection().unwrap()).unwrap().synchronous;
    let count = ask().get_result::<Synced>(&mut state.place.counting().unwrap()).unwrap().synchronous;
    assert_eq!((change, count), (2, 1), "FULL, NORMAL");
}
