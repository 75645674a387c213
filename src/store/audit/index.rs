//! The search index: written behind the log, by a thread of its own.
//!
//! Invariant: nothing in the index is needed to answer for the log. It can be deleted at any
//! time and is built anew from the records and their openings; so an erased opening stays
//! erased. Its progress is kept in it, with the hash of the last record it has seen: an index of
//! another log, or of a log that was put back, is thrown away. Readers are given the file that
//! this thread has checked, and follow it to a new one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use diesel::prelude::*;
use diesel::result::QueryResult;

use super::block::{Block, LENGTH, UNTOLD};
use super::engine::{DatabaseError, Home};
use super::progress::Shared;
use super::rows;
use super::schema::{act, block, key, number, opening_id, progress, request, subject};
use super::sorts::Known;
use super::sqlite::{self, Readers};
use crate::audit::facets::Facets;
use crate::audit::record::{LeafSubject, kind};
use crate::audit::{Hash, SubjectKey, Token};
use crate::base::Timestamp;
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

/// The index, as it is read.
pub struct Indexed {
    pub(super) readers: Readers,
    /// What the numbers in it mean. The indexer holds it while it commits.
    known: RwLock<Known>,
}

impl Indexed {
    /// Asks what is known, while nothing is being filed.
    pub(super) fn known<T>(&self, ask: impl FnOnce(&Known) -> T) -> T {
        ask(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The index, as it is written.
struct Filing {
    conn: SqliteConnection,
    indexed: Arc<Indexed>,
    tail: Tail,
}

/// The last block, which grows.
struct Tail {
    number: u64,
    block: Block,
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
    fn chunk(&self, log: &mut Db, filing: &mut Filing, from: u64, to: u64) -> QueryResult<()> {
        let leaves = rows::leaves(log, from, to)?;
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

impl Filing {
    /// Goes on with an index that has seen `done` records.
    fn of(mut conn: SqliteConnection, path: &Path, done: u64) -> Result<Self, DatabaseError> {
        let tail = Tail::of(&mut conn, done)?;
        let known = RwLock::new(Known::load(&mut conn)?);
        let indexed = Arc::new(Indexed { readers: sqlite::readers(path)?, known });
        Ok(Self { conn, indexed, tail })
    }

    /// Files what is new. True when it took somebody out of the index. After a fault there is no
    /// going on with this: what is known is not what is filed.
    fn write(
        &mut self,
        records: &[(u64, Facets<'_>)],
        tokens: &[(i64, Token)],
        to: u64,
        last: &Hash,
    ) -> QueryResult<bool> {
        let Self { conn, indexed, tail } = self;
        let mut known = indexed.known.write().unwrap_or_else(PoisonError::into_inner);
        let written = conn.immediate_transaction(|conn| {
            for (at, facets) in records {
                file(conn, &mut known, tail, *at, facets)?;
            }
            // Records that the log does not have any more have their places still.
            tail.skip(conn, to)?;
            tail.save(conn)?;
            for (id, token) in tokens {
                diesel::insert_into(subject::table)
                    .values((subject::opening.eq(id), subject::token.eq(token.0.as_slice())))
                    .execute(conn)?;
            }
            let mut erased = false;
            for (_, erasure) in records.iter().filter(|(_, facets)| facets.kind == kind::ERASURE) {
                for (of, position) in &erasure.log.openings {
                    diesel::delete(subject::table.find(opening_id(*of, *position))).execute(conn)?;
                    erased = true;
                }
            }
            diesel::replace_into(progress::table)
                .values((
                    progress::id.eq(0),
                    progress::size.eq(key(to)),
                    progress::leaf_hash.eq(last.0.as_slice()),
                ))
                .execute(conn)?;
            Ok(erased)
        });
        if written.is_err() {
            *known = Known::default();
        }
        written
    }
}

/// Files one record, but for the people whom it names.
fn file(
    conn: &mut SqliteConnection,
    known: &mut Known,
    tail: &mut Tail,
    at: u64,
    facets: &Facets<'_>,
) -> QueryResult<()> {
    let time = Timestamp::parse(&facets.time).unwrap_or_default().micros();
    let (sort, actor) = (known.sort_of(conn, facets, time)?, known.actor_of(conn, facets.actor())?);
    tail.skip(conn, at)?;
    tail.push(conn, time, sort, actor)?;
    if !facets.request_id.is_empty() {
        diesel::insert_into(request::table)
            .values((request::request_id.eq(&*facets.request_id), request::idx.eq(key(at))))
            .execute(conn)?;
    }
    if facets.kind == kind::ADMINISTRATION {
        diesel::insert_into(act::table).values(act::idx.eq(key(at))).execute(conn)?;
    }
    Ok(())
}

impl Tail {
    /// The tail of an index that has seen `done` records.
    fn of(conn: &mut SqliteConnection, done: u64) -> QueryResult<Self> {
        let number = done / LENGTH;
        let found: Option<(i64, i64, Vec<u8>, Vec<u8>, Vec<u8>)> = block::table
            .find(key(number))
            .select((block::first, block::last, block::sorts, block::actors, block::times))
            .first(conn)
            .optional()?;
        if let Some((first, last, sorts, actors, times)) = found {
            return Ok(Self { number, block: Block { first, last, sorts, actors, times } });
        }
        let last: Option<i64> = block::table.select(diesel::dsl::max(block::last)).first(conn)?;
        Ok(Self { number, block: Block { last: last.unwrap_or_default(), ..Block::default() } })
    }

    fn push(&mut self, conn: &mut SqliteConnection, time: i64, sort: u32, actor: u32) -> QueryResult<()> {
        if self.block.len() == LENGTH {
            self.save(conn)?;
            self.number += 1;
            self.block = Block { last: self.block.last, ..Block::default() };
        }
        self.block.push(time, sort, actor);
        Ok(())
    }

    /// Leaves places up to the one of that index.
    fn skip(&mut self, conn: &mut SqliteConnection, to: u64) -> QueryResult<()> {
        while self.number * LENGTH + self.block.len() < to {
            self.push(conn, self.block.last, UNTOLD, UNTOLD)?;
        }
        Ok(())
    }

    fn save(&self, conn: &mut SqliteConnection) -> QueryResult<()> {
        let Block { first, last, sorts, actors, times } = &self.block;
        diesel::replace_into(block::table)
            .values((
                block::number.eq(key(self.number)),
                block::first.eq(first),
                block::last.eq(last),
                block::sorts.eq(sorts),
                block::actors.eq(actors),
                block::times.eq(times),
            ))
            .execute(conn)?;
        Ok(())
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
