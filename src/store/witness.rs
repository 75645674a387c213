//! What a witness must not forget: the newest checkpoint that it has cosigned of each log.
//!
//! Invariant: looking at the checkpoint before and writing the next is one transaction, and what is
//! written is on disk when the call returns: a witness that forgot could be made to cosign a fork.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use self::tables::seen;
use crate::audit::{Checkpoint, Hash};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite/witness");

mod tables {
    #![allow(missing_docs, reason = "generated; the migration says what each column means")]

    diesel::table! {
        seen (origin) { origin -> Text, size -> BigInt, root -> Binary, note -> Text, }
    }
}

/// The database could not be read or written: for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum WitnessStoreError {
    /// It cannot be opened.
    #[error("cannot open the database of the witness: {0}")]
    Connect(#[from] diesel::ConnectionError),
    /// A statement failed.
    #[error("database of the witness: {0}")]
    Query(#[from] diesel::result::Error),
    /// It cannot be brought up to date, is not there, or is damaged.
    #[error("database of the witness: {0}")]
    Unusable(String),
}

/// A checkpoint that was cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The size of the log.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The checkpoint, a signed note.
    pub note: String,
}

/// The database. Its calls block.
pub struct WitnessStore(Mutex<SqliteConnection>);

impl WitnessStore {
    /// Opens the database at `path`, making it where there is none.
    ///
    /// # Errors
    /// When it cannot be opened, or a migration fails.
    pub fn open(path: &Path) -> Result<Self, WitnessStoreError> {
        let mut conn = SqliteConnection::establish(&path.display().to_string())?;
        conn.batch_execute(
            "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;",
        )?;
        conn.run_pending_migrations(MIGRATIONS).map_err(|e| WitnessStoreError::Unusable(e.to_string()))?;
        Ok(Self(Mutex::new(conn)))
    }

    /// Goes on to `next`, whose note is `note`, if `check` finds nothing against it after what was
    /// seen of that log before. The inner error is the check's.
    ///
    /// # Errors
    /// When the database cannot be read or written: then nothing may be cosigned.
    pub fn advance<R>(
        &self,
        next: &Checkpoint,
        note: &str,
        check: impl FnOnce(Option<Seen>) -> Result<(), R>,
    ) -> Result<Result<(), R>, WitnessStoreError> {
        let mut conn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size =
            i64::try_from(next.size).map_err(|_| WitnessStoreError::Unusable("a size beyond 2^63".into()))?;
        conn.immediate_transaction(|conn| {
            let row: Option<(i64, Vec<u8>, String)> = seen::table
                .find(&next.origin)
                .select((seen::size, seen::root, seen::note))
                .first(conn)
                .optional()?;
            let before = row.map(|(size, root, note)| {
                let root = Hash::from_slice(&root).zip(u64::try_from(size).ok());
                root.map(|(root, size)| Seen { size, root, note })
            });
            let before = match before {
                Some(None) => return Err(WitnessStoreError::Unusable("a row is damaged".into())),
                before => before.flatten(),
            };
            if let Err(refused) = check(before) {
                return Ok(Err(refused));
            }
            diesel::replace_into(seen::table)
                .values((
                    seen::origin.eq(&next.origin),
                    seen::size.eq(size),
                    seen::root.eq(next.root.0.as_slice()),
                    seen::note.eq(note),
                ))
                .execute(conn)?;
            Ok(Ok(()))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn checkpoint(size: u64) -> Checkpoint {
        Checkpoint { origin: "a".into(), size, root: Hash::of_bytes(&size.to_be_bytes()) }
    }

    #[test]
    fn what_was_cosigned_is_there_after_a_restart_and_what_was_refused_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witness.db");
        let store = WitnessStore::open(&path).unwrap();
        let first =
            store.advance(&checkpoint(3), "three", |before| if before.is_none() { Ok(()) } else { Err(()) });
        assert_eq!(first.unwrap(), Ok(()));
        assert_eq!(store.advance(&checkpoint(9), "nine", |_| Err("no")).unwrap(), Err("no"));
        drop(store);
        let store = WitnessStore::open(&path).unwrap();
        let root = checkpoint(3).root;
        let expected = Some(Seen { size: 3, root, note: "three".into() });
        assert_eq!(store.advance(&checkpoint(4), "four", Err::<(), _>).unwrap(), Err(expected));
    }
}
