//! What others have said of the log's checkpoints: cosignatures of witnesses, timestamps.
//!
//! Invariant: nothing here is believed because it is stored: whoever reads it checks signatures
//! again. Of each witness the newest ten thousand cosignatures are kept, of timestamps all. The
//! log does not depend on this file.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::dsl::{count_star, max};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use self::tables::{cosignature, stamp};
use crate::base::Timestamp;
use crate::store::upkeep;

/// The database in a data directory.
pub const DATABASE: &str = "anchors.db";

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite/anchors");

/// Cosignatures of one witness that are kept: a week's, at one a minute.
const KEPT: i64 = 10_000;

mod tables {
    #![allow(missing_docs, reason = "generated; the migration says what each column means")]

    diesel::table! {
        cosignature (witness, size) {
            witness -> Text,
            size -> BigInt,
            time -> BigInt,
            note -> Text,
            line -> Text,
        }
    }
    diesel::table! {
        stamp (size, time) { size -> BigInt, time -> BigInt, note -> Text, token -> Binary, }
    }
}

/// The database could not be read or written: for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum AnchorStoreError {
    /// It cannot be opened.
    #[error("cannot open the database of anchors: {0}")]
    Connect(#[from] diesel::ConnectionError),
    /// A statement failed.
    #[error("database of anchors: {0}")]
    Query(#[from] diesel::result::Error),
    /// It cannot be brought up to date, is not there, or is damaged.
    #[error("database of anchors: {0}")]
    Unusable(String),
}

type Result<T, E = AnchorStoreError> = std::result::Result<T, E>;

/// The database. Cheap to clone; its calls block.
#[derive(Clone)]
pub struct AnchorStore(Arc<Mutex<SqliteConnection>>);

/// A witness's word on a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness, as the configuration calls it.
    pub witness: String,
    /// The size of the log.
    pub size: u64,
    /// When, by the witness's clock.
    pub time: Timestamp,
    /// The checkpoint, a signed note.
    pub note: String,
    /// The witness's signature line.
    pub line: String,
}

/// An authority's word on a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The size of the log.
    pub size: u64,
    /// When, by the authority's clock.
    pub time: Timestamp,
    /// The checkpoint, a signed note.
    pub note: String,
    /// The token (RFC 3161), DER.
    pub token: Vec<u8>,
}

impl AnchorStore {
    /// Opens the database at `path`, making it where there is none.
    ///
    /// # Errors
    /// When it cannot be opened, or a migration fails.
    pub fn open(path: &Path) -> Result<Self> {
        let mut conn = SqliteConnection::establish(&path.display().to_string())?;
        conn.batch_execute(
            "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;",
        )?;
        conn.run_pending_migrations(MIGRATIONS).map_err(|e| AnchorStoreError::Unusable(e.to_string()))?;
        Ok(Self(Arc::new(Mutex::new(conn))))
    }

    /// Opens the database of a data directory to read it, beside a gateway that may be running.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn open_beside(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join(DATABASE);
        std::fs::metadata(&path)
            .map_err(|e| AnchorStoreError::Unusable(format!("{}: {e}", path.display())))?;
        let mut conn = SqliteConnection::establish(&path.display().to_string())?;
        conn.batch_execute("PRAGMA busy_timeout=5000; PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;")?;
        Ok(Self(Arc::new(Mutex::new(conn))))
    }

    /// Copies the database of a data directory, which may be in use, to the file `to`.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or the copy cannot be written.
    pub fn copy(data_dir: &Path, to: &Path) -> Result<()> {
        upkeep::copy(&mut Self::open_beside(data_dir)?.conn(), to)
            .map_err(|e| AnchorStoreError::Unusable(e.to_string()))
    }

    /// Keeps a cosignature in the place of an older one of the same witness and size. True when
    /// there was none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_cosignature(&self, kept: &Cosignature) -> Result<bool> {
        use cosignature::dsl;
        let (size, time) = (key(kept.size), kept.time.micros());
        let own = || dsl::cosignature.filter(dsl::witness.eq(&kept.witness));
        Ok(self.conn().immediate_transaction(|conn| {
            let known: i64 = own().filter(dsl::size.eq(size)).count().get_result(conn)?;
            diesel::replace_into(dsl::cosignature)
                .values((
                    dsl::witness.eq(&kept.witness),
                    dsl::size.eq(size),
                    dsl::time.eq(time),
                    dsl::note.eq(&kept.note),
                    dsl::line.eq(&kept.line),
                ))
                .execute(conn)?;
            let beyond = own().select(dsl::size).order(dsl::size.desc()).offset(KEPT).limit(1);
            if let Some(beyond) = beyond.first::<i64>(conn).optional()? {
                diesel::delete(own().filter(dsl::size.le(beyond))).execute(conn)?;
            }
            QueryResult::Ok(known == 0)
        })?)
    }

    /// The size that each witness cosigned last, as far as this file knows.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_size(&self, witness: &str) -> Result<Option<u64>> {
        use cosignature::dsl;
        // The last one told, not the largest: a log that was put back is offered from anew.
        let newest = dsl::cosignature.filter(dsl::witness.eq(witness)).select(dsl::size);
        let size: Option<i64> =
            newest.order((dsl::time.desc(), dsl::size.desc())).first(&mut *self.conn()).optional()?;
        Ok(size.map(number))
    }

    /// The newest checkpoint, of a size below `before`, that at least `count` witnesses have
    /// cosigned: its size, and the note with their lines. The lines are not checked here.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cosigned(&self, count: usize, before: Option<u64>) -> Result<Option<(u64, String)>> {
        use cosignature::dsl;
        let mut conn = self.conn();
        let size: Option<i64> = dsl::cosignature
            .filter(dsl::size.lt(before.map_or(i64::MAX, key)))
            .group_by(dsl::size)
            .select(dsl::size)
            .having(count_star().ge(i64::try_from(count).unwrap_or(i64::MAX)))
            .order(dsl::size.desc())
            .first(&mut *conn)
            .optional()?;
        let Some(size) = size else { return Ok(None) };
        let rows: Vec<(String, String)> = dsl::cosignature
            .filter(dsl::size.eq(size))
            .order((dsl::time.desc(), dsl::witness))
            .select((dsl::note, dsl::line))
            .load(&mut *conn)?;
        // After a log was put back there may be two checkpoints of one size: the newer counts.
        let newest = rows.first().map(|(note, _)| note.clone()).unwrap_or_default();
        let lines = rows.iter().filter(|(note, _)| *note == newest).map(|(_, line)| line.as_str());
        let note = lines.fold(newest.clone(), |note, line| note + line);
        Ok(Some((number(size), note)))
    }

    /// Keeps a timestamp. True when it is the first over that size.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_stamp(&self, kept: &Stamp) -> Result<bool> {
        use stamp::dsl;
        let size = key(kept.size);
        Ok(self.conn().immediate_transaction(|conn| {
            let known: i64 = dsl::stamp.filter(dsl::size.eq(size)).count().get_result(conn)?;
            diesel::replace_into(dsl::stamp)
                .values((
                    dsl::size.eq(size),
                    dsl::time.eq(kept.time.micros()),
                    dsl::note.eq(&kept.note),
                    dsl::token.eq(&kept.token),
                ))
                .execute(conn)?;
            QueryResult::Ok(known == 0)
        })?)
    }

    /// The time of the newest timestamp.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_stamp(&self) -> Result<Option<Timestamp>> {
        let newest: Option<i64> = stamp::table.select(max(stamp::time)).first(&mut *self.conn())?;
        Ok(newest.map(Timestamp::from_micros))
    }

    /// The timestamps from the `first` on, at most `limit`, in the order of sizes and times.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stamps(&self, first: u32, limit: u32) -> Result<Vec<Stamp>> {
        use stamp::dsl;
        let rows: Vec<(i64, i64, String, Vec<u8>)> = dsl::stamp
            .order((dsl::size, dsl::time))
            .offset(i64::from(first))
            .limit(i64::from(limit))
            .load(&mut *self.conn())?;
        let stamps = rows.into_iter().map(|(size, time, note, token)| Stamp {
            size: number(size),
            time: Timestamp::from_micros(time),
            note,
            token,
        });
        Ok(stamps.collect())
    }

    fn conn(&self) -> MutexGuard<'_, SqliteConnection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn number(key: i64) -> u64 {
    u64::try_from(key).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn kept(witness: &str, size: u64, second: i64, note: &str) -> Cosignature {
        let time = Timestamp::default().plus_seconds(second);
        let line = format!("\u{2014} {witness} {size}\n");
        Cosignature { witness: witness.into(), size, time, note: note.into(), line }
    }

    fn store(dir: &tempfile::TempDir) -> AnchorStore {
        AnchorStore::open(&dir.path().join(DATABASE)).unwrap()
    }

    #[test]
    fn the_newest_checkpoint_with_enough_cosignatures_is_found_with_their_lines() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        assert_eq!(store.cosigned(1, None).unwrap(), None);
        for (witness, size) in [("a", 5), ("b", 5), ("a", 9)] {
            assert!(store.keep_cosignature(&kept(witness, size, 1, &format!("note {size}\n"))).unwrap());
        }
        assert_eq!(store.cosigned(1, None).unwrap(), Some((9, "note 9\n\u{2014} a 9\n".into())),);
        let both = Some((5, "note 5\n\u{2014} a 5\n\u{2014} b 5\n".to_owned()));
        assert_eq!(store.cosigned(2, None).unwrap(), both);
        assert_eq!(store.cosigned(1, Some(9)).unwrap(), both);
        assert_eq!(store.cosigned(3, None).unwrap(), None);
    }

    #[test]
    fn a_cosignature_given_again_takes_the_place_of_the_older() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        assert!(store.keep_cosignature(&kept("a", 5, 1, "old\n")).unwrap());
        assert!(!store.keep_cosignature(&kept("a", 5, 2, "new\n")).unwrap());
        assert!(store.keep_cosignature(&kept("b", 5, 1, "old\n")).unwrap());
        // They are of different checkpoints, so they are not two on one.
        assert_eq!(store.cosigned(2, None).unwrap(), Some((5, "new\n\u{2014} a 5\n".into())));
    }

    #[test]
    fn the_oldest_cosignatures_of_a_witness_go_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        store.keep_cosignature(&kept("b", 1, 1, "n\n")).unwrap();
        store.conn().batch_execute("PRAGMA synchronous=OFF").unwrap();
        for size in 1..=u64::try_from(KEPT).unwrap() + 2 {
            store.keep_cosignature(&kept("a", size, 1, "n\n")).unwrap();
        }
        assert_eq!(store.cosigned(1, Some(3)).unwrap().unwrap().1, "n\n\u{2014} b 1\n");
        assert_eq!(store.cosigned(1, Some(4)).unwrap().unwrap().0, 3);
    }

    #[test]
    fn timestamps_are_read_in_order_and_the_newest_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir);
        assert_eq!(store.last_stamp().unwrap(), None);
        let stamps = [3, 8].map(|size| Stamp {
            size,
            time: Timestamp::default().plus_seconds(size as i64),
            note: "n\n".into(),
            token: vec![1],
        });
        stamps.iter().rev().for_each(|stamp| assert!(store.keep_stamp(stamp).unwrap()));
        assert!(!store.keep_stamp(&stamps[0]).unwrap());
        let beside = AnchorStore::open_beside(dir.path()).unwrap();
        assert_eq!(beside.stamps(0, 10).unwrap(), stamps);
        assert_eq!(beside.stamps(1, 10).unwrap().len(), 1);
        assert_eq!(beside.last_stamp().unwrap(), Some(Timestamp::default().plus_seconds(8)));
        assert!(beside.keep_stamp(&stamps[0]).is_err(), "it is opened to read");
    }
}
