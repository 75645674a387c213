//! The search index: written behind the log, by a thread of its own.
//!
//! Invariant: nothing in the index is needed to answer for the log. It can be deleted at any
//! time and is built anew from the records and their openings; so an erased opening stays
//! erased. Its progress is kept in it, with the hash of the last record it has seen: an index of
//! another log, or of a log that was put back, is thrown away. Readers are given the file that
//! this thread has checked, and follow it to a new one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use diesel::prelude::*;
use diesel::result::{Error as DbError, QueryResult};

use super::engine::{DatabaseError, Home};
use super::filing::{Filing, Indexed};
use super::progress::Shared;
use super::rows;
use super::schema::{number, opening_id, progress};
use super::sqlite;
use crate::audit::facets::Facets;
use crate::audit::record::LeafSubject;
use crate::audit::{Hash, SubjectKey, Token};
use crate::base::ids::decode_hex;
use crate::store::db::Db;

/// Records of one transaction.
const CHUNK: u64 = 2000;

/// How long a record waits for others before it is filed, unless somebody searches: a transaction
/// costs much more than a record in it, above all in pages written.
const GATHER: Duration = Duration::from_millis(500);

/// Records after which the log's WAL is moved into its database: here, since the writer, who would
/// else do it now and then, makes everybody wait meanwhile.
const MOVE: u64 = 2000;

/// How long to wait after a fault.
const PAUSE: Duration = Duration::from_secs(1);

/// The indexer.
pub struct Indexer {
    pub log: Home,
    pub index: PathBuf,
    pub readers: Arc<ArcSwapOption<Indexed>>,
    pub key: Arc<SubjectKey>,
    pub shared: Arc<Shared>,
}

impl Indexer {
    /// Runs until the log is closed. After a fault it tries again, a second later.
    pub fn run(self) {
        while !self.shared.now().closing {
            if let Err(e) = self.follow() {
                tracing::error!(audit.error = %e, "the audit search index cannot be written; the log itself is not affected");
                self.shared.pause(PAUSE);
            }
        }
    }

    fn follow(&self) -> Result<(), DatabaseError> {
        let mut log = self.log.open_read_only()?;
        let (conn, mut done) = open(&self.index, &mut log)?;
        let mut filing = Filing::of(conn, &self.index, done)?;
        // Those that were connected to a file that is replaced would go on reading it.
        self.readers.store(Some(Arc::clone(&filing.indexed)));
        self.shared.publish_indexed(done);
        let mut beside = Beside::of(&self.log)?;
        loop {
            let mut now = self.shared.wait_grown(done);
            if now.size < done + CHUNK {
                now = self.shared.gather(done, GATHER);
            }
            if now.closing {
                return Ok(());
            }
            if now.size > done {
                let end = now.size.min(done + CHUNK);
                self.chunk(&mut log, &mut filing, done, end)?;
                beside.grown(end - done);
                done = end;
                self.shared.publish_indexed(done);
            }
        }
    }

    /// Files the records with `from <= index < to`.
    pub(super) fn chunk(&self, log: &mut Db, filing: &mut Filing, from: u64, to: u64) -> QueryResult<()> {
        let leaves = rows::leaves(log, from, to)?;
        // What is not there, or not to be seen on this connection, would count as filed.
        if leaves.len() as u64 != to - from {
            return Err(DbError::NotFound);
        }
        let openings = rows::openings(log, from, to)?;
        // A record that does not parse is the verifier's affair; the index goes on.
        let records: Vec<(u64, Facets<'_>)> =
            leaves.iter().map(|(at, leaf)| (*at, Facets::of(leaf))).collect();
        let tokens: Vec<(i64, Token)> =
            records.iter().flat_map(|(at, facets)| self.tokens(*at, facets, &openings)).collect();
        let last = leaves.last().map_or(Hash::of_empty(), |(_, leaf)| Hash::of_leaf(leaf));
        let erased = filing.write(&records, &tokens, to, &last)?;
        if erased {
            // Their tokens are in the WAL still.
            sqlite::settle(&mut filing.conn);
        }
        Ok(())
    }

    /// By what the people are found whom a record names.
    fn tokens(&self, at: u64, facets: &Facets<'_>, openings: &[(i64, Vec<u8>)]) -> Vec<(i64, Token)> {
        let token = |(position, named): (u64, &LeafSubject<'_>)| {
            let id = opening_id(at, position);
            let found = openings.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            let (_, sealed) = openings.get(found)?;
            // Erased, or sealed under another key: not found by anybody.
            let opened = self.key.open(&decode_hex(named.commitment)?, sealed)?;
            Some((id, self.key.token(&opened.kind, opened.identifier.reveal())))
        };
        (0..).zip(&facets.subjects).filter_map(token).collect()
    }
}

/// Moves the log's WAL into its database beside the writer, where there is one to move.
struct Beside {
    conn: Option<SqliteConnection>,
    unmoved: u64,
}

impl Beside {
    fn of(log: &Home) -> Result<Self, DatabaseError> {
        let conn = match log {
            Home::File(path) => Some(sqlite::open_log(path)?),
            #[cfg(feature = "postgres")]
            Home::Server(_) => None,
        };
        Ok(Self { conn, unmoved: 0 })
    }

    fn grown(&mut self, records: u64) {
        self.unmoved += records;
        if let Some(conn) = self.conn.as_mut().filter(|_| self.unmoved >= MOVE) {
            sqlite::move_wal(conn);
            self.unmoved = 0;
        }
    }
}

/// Opens the index and says how far it is. One that cannot be opened or is of another log is
/// replaced by an empty one.
fn open(path: &Path, log: &mut Db) -> Result<(SqliteConnection, u64), DatabaseError> {
    let found = sqlite::open_index(path).and_then(|mut index| {
        let done: Option<(i64, Vec<u8>)> = progress::table
            .find(0)
            .select((progress::size, progress::leaf_hash))
            .first(&mut index)
            .optional()?;
        Ok((index, done))
    });
    match found {
        Ok((index, None)) => return Ok((index, 0)),
        Ok((index, Some((size, hash)))) => {
            let leaf = rows::leaf(log, number(size).saturating_sub(1))?;
            if leaf.is_some_and(|leaf| Hash::of_leaf(&leaf).0.as_slice() == hash) {
                return Ok((index, number(size)));
            }
            tracing::warn!("the audit search index is not of this log; it is built anew");
        }
        Err(e) => tracing::warn!(audit.error = %e, "the audit search index cannot be read; it is built anew"),
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(file) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
    }
    Ok((sqlite::open_index(path)?, 0))
}
