//! Reading the log: records, proofs, search. Every function here blocks.
//!
//! Invariant: what is given out with a proof is proven against the newest published checkpoint;
//! search finds records by way of the index, but the records themselves come from the log. A
//! search waits a moment for the index to catch up, and says how far behind it still is: by the
//! word of the very index that it read, in the same snapshot.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use diesel::prelude::*;
use diesel::result::QueryResult;

use super::engine::{DatabaseError, Home, Pooled, Readers, on};
use super::filing::Indexed;
use super::follow::Head;
use super::progress::{Progress, Shared};
use super::rows::{self, TileReader};
use super::schema::{act, key, number, opening_id, opening_of, progress, record, request, subject};
use super::sorts::{Known, Wanted};
use crate::audit::export::Line as SignedLine;
use crate::audit::facets::Facets;
use crate::audit::proof::{self, ProofError};
use crate::audit::record::{LeafHead, kind};
use crate::audit::{Hash, SignedRecord, SubjectKey, Tile, Token};
use crate::base::Timestamp;

/// The most records of one page.
pub const MAX_PAGE: usize = 1000;

/// How long a search waits for the index.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How long an erasure does.
const LONG_PATIENCE: Duration = Duration::from_secs(10);

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database.
    #[error("audit database: {0}")]
    Db(#[from] diesel::result::Error),
    /// All readers are busy, or none can be opened.
    #[error("audit database readers: {0}")]
    Pool(#[from] diesel::r2d2::PoolError),
    /// The search index has not seen all records yet.
    #[error("the audit search index is being built")]
    Behind,
    /// What is stored does not hold together.
    #[error("the audit log is damaged: {0}")]
    Damaged(&'static str),
    /// The program is stopping.
    #[error("stopping")]
    Stopped,
}

/// What to look for: all that is given must match.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Kind of record.
    pub kind: Option<String>,
    /// The caller's department.
    pub department: Option<String>,
    /// The calling system.
    pub system: Option<String>,
    /// Any of these datasets; all when empty.
    pub datasets: Vec<String>,
    /// The purpose.
    pub purpose: Option<String>,
    /// The code that the caller saw.
    pub outcome: Option<String>,
    /// The official on whose behalf a system asked, or the account that acted.
    pub operator: Option<String>,
    /// A field that was asked for. Of this and the next two, all that are given must hold of one
    /// field.
    pub field: Option<String>,
    /// A form that a field was given in.
    pub form: Option<String>,
    /// The rule or grant that decided about a field.
    pub rule: Option<String>,
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its position.
    pub index: u64,
    /// Its exact bytes.
    pub leaf: String,
}

/// Some of what was looked for, in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The records.
    pub records: Vec<StoredRecord>,
    /// Give this as `after` for the rest; `None` when there is none.
    pub next: Option<u64>,
    /// Records that the index had not seen when it was asked.
    pub lag: u64,
}

/// How far the records of acts were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acts {
    /// The first index that was not looked at.
    pub next: u64,
    /// Is that where the log ended?
    pub all: bool,
}

/// That a log only grew.
#[derive(Debug, Clone)]
pub struct Consistency {
    /// The consistency proof.
    pub proof: Vec<Hash>,
    /// The newest checkpoint, which it leads to.
    pub checkpoint: Arc<str>,
}

/// The reading side of a log.
#[derive(Clone)]
pub struct Reader {
    log: Readers,
    /// Where other gateways write the log too.
    head: Option<Arc<Head>>,
    /// None until the indexer has checked it.
    index: Arc<ArcSwapOption<Indexed>>,
    subjects: Arc<SubjectKey>,
    shared: Arc<Shared>,
}

/// What was looked up in the index.
pub(super) struct Searched<T> {
    /// What was found.
    pub found: T,
    /// Records that the index had not seen by the time it was read.
    pub lag: u64,
    /// The index that it was.
    pub by: Arc<Indexed>,
}

impl Reader {
    /// Reads from both databases; connects when first asked. The indexer says where the index is.
    pub(super) fn new(
        log: &Home,
        head: Option<Arc<Head>>,
        index: Arc<ArcSwapOption<Indexed>>,
        subjects: Arc<SubjectKey>,
        shared: Arc<Shared>,
    ) -> Result<Self, DatabaseError> {
        Ok(Self { log: log.readers()?, head, index, subjects, shared })
    }

    /// Does the log have so many records?
    pub fn reaches(&self, size: u64) -> Result<bool, ReadError> {
        Ok(self.now(size)?.size >= size)
    }

    /// A record, if there is one.
    pub fn record(&self, index: u64) -> Result<Option<StoredRecord>, ReadError> {
        if index >= self.now(index.saturating_add(1))?.size {
            return Ok(None);
        }
        rows::leaf(&mut *self.log()?, index)?.map(|leaf| stored(index, leaf)).transpose()
    }

    /// A record with its proof against the newest checkpoint.
    pub fn signed_record(&self, index: u64) -> Result<Option<SignedRecord>, ReadError> {
        let now = self.now(index.saturating_add(1))?;
        let Some(record) = self.record(index)?.filter(|_| index < now.size) else { return Ok(None) };
        let mut conn = self.log()?;
        let proof = proof::inclusion(&mut TileReader::new(&mut conn), index, now.size).map_err(damaged)?;
        Ok(Some(SignedRecord { index, leaf: record.leaf, proof, checkpoint: now.note.to_string() }))
    }

    /// Records from `first` on, at most `count` (and at most 1000), each with its proof against one
    /// checkpoint, the newest; and that checkpoint.
    pub fn signed_range(&self, first: u64, count: u64) -> Result<(Arc<str>, Vec<SignedLine>), ReadError> {
        let wanted = first.saturating_add(count.min(MAX_PAGE as u64));
        let now = self.now(wanted)?;
        let end = wanted.min(now.size);
        let mut conn = self.log()?;
        let leaves = rows::leaves(&mut conn, first, end)?;
        let mut tiles = TileReader::new(&mut conn);
        let line = |(index, leaf)| {
            let StoredRecord { index, leaf } = stored(index, leaf)?;
            let proof = proof::inclusion(&mut tiles, index, now.size).map_err(damaged)?;
            Ok(SignedLine { index, leaf, proof })
        };
        let lines = leaves.into_iter().map(line).collect::<Result<Vec<_>, ReadError>>()?;
        Ok((now.note, lines))
    }

    /// The proof that the log only grew since it had `old` records; `None` when it never had.
    pub fn consistency(&self, old: u64) -> Result<Option<Consistency>, ReadError> {
        let now = self.now(old)?;
        if old > now.size {
            return Ok(None);
        }
        let mut conn = self.log()?;
        let proof = proof::consistency(&mut TileReader::new(&mut conn), old, now.size).map_err(damaged)?;
        Ok(Some(Consistency { proof, checkpoint: now.note }))
    }

    /// A tile's bytes, if the log is that large.
    pub fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, ReadError> {
        let held = Tile::within(tile.level, tile.index, self.now(tile.needs())?.size);
        if held.is_none_or(|held| held.width < tile.width) {
            return Ok(None);
        }
        let mut bytes =
            rows::tile(&mut *self.log()?, tile)?.ok_or(ReadError::Damaged("a tile is missing"))?;
        bytes.truncate(usize::from(tile.width) * Hash::LEN);
        Ok(Some(bytes))
    }

    /// The index of the first record that is not from before `time`; where there is none, how many there
    /// are. Times never go back, so some tens of records are looked at, however many there are.
    pub fn first_since(&self, time: Timestamp) -> Result<u64, ReadError> {
        let (mut first, mut end) = (0, self.now(u64::MAX)?.size);
        while first < end {
            let middle = first + (end - first) / 2;
            let record = self.record(middle)?.ok_or(ReadError::Damaged("a record is missing"))?;
            let head = LeafHead::parse(record.leaf.as_bytes());
            match head.map_err(|_| ReadError::Damaged("a record cannot be read"))?.time < time {
                true => first = middle + 1,
                false => end = middle,
            }
        }
        Ok(first)
    }

    /// Hands over the records of administrative acts from index `from` on, `most` of them or up to a page
    /// more, in the order of the log: those that the index has by way of the index, which is not waited for, and what
    /// comes behind them from the log itself. For who must have them all, also when the index is far
    /// behind.
    pub fn acts(&self, from: u64, most: usize, mut take: impl FnMut(&str)) -> Result<Acts, ReadError> {
        let size = self.now(u64::MAX)?.size;
        let (found, seen) = match self.index.load_full() {
            None => (Vec::new(), 0),
            Some(index) => index.readers.get()?.transaction(|index| {
                let seen = seen(index)?.min(size);
                let between = act::idx.ge(key(from)).and(act::idx.lt(key(seen)));
                let found = act::table.filter(between).select(act::idx).order(act::idx);
                Ok::<_, diesel::result::Error>((found.limit(key(most as u64)).load::<i64>(index)?, seen))
            })?,
        };
        for some in found.chunks(MAX_PAGE) {
            let page = self.page(some.to_vec(), MAX_PAGE, 0)?;
            page.records.iter().for_each(|record| take(&record.leaf));
        }
        if let Some(last) = found.last().filter(|_| found.len() == most) {
            return Ok(Acts { next: number(last.saturating_add(1)), all: false });
        }
        let (mut next, mut taken) = (seen.max(from), found.len());
        while next < size && taken < most {
            let to = size.min(next + MAX_PAGE as u64);
            for (index, leaf) in rows::leaves(&mut *self.log()?, next, to)? {
                let record = stored(index, leaf)?;
                if Facets::of(record.leaf.as_bytes()).kind == kind::ADMINISTRATION {
                    take(&record.leaf);
                    taken += 1;
                }
            }
            next = to;
        }
        Ok(Acts { next, all: next >= size })
    }

    /// The record of a request.
    pub fn find_request(&self, request_id: &str) -> Result<Option<StoredRecord>, ReadError> {
        let query = request::table
            .filter(request::request_id.eq(request_id))
            .select(request::idx)
            .order(request::idx);
        let found: Option<i64> = self.look_up(PATIENCE, |index| query.first(index).optional())?.found;
        found.map_or(Ok(None), |index| self.record(number(index)))
    }

    /// The records that name a person, `limit` of them (at most 1000), with an index greater
    /// than `after`.
    pub fn subject_history(
        &self,
        kind: &str,
        identifier: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let token = self.subjects.token(kind, identifier);
        let start = opening_id(after.map_or(0, |after| after.saturating_add(1)), 0);
        let limit = limit.clamp(1, MAX_PAGE);
        // A request names a person once, so an opening is as good as a record.
        let query = subject::table
            .filter(subject::token.eq(token.0.as_slice()).and(subject::opening.ge(start)))
            .select(subject::opening)
            .order(subject::opening)
            .limit(limit as i64 + 1);
        let Searched { found, lag, .. } = self.look_up(PATIENCE, |index| query.load(index))?;
        let mut found: Vec<_> = found.into_iter().map(|id: i64| opening_of(id).0).collect();
        found.dedup();
        self.page(found, limit, lag)
    }

    /// Records that the index has not seen yet.
    pub fn lag(&self) -> u64 {
        let now = self.shared.now();
        now.size.saturating_sub(now.indexed)
    }

    /// All openings that name a person: record and position. All or an error, since an opening
    /// that is not found is not erased.
    pub(super) fn openings_of(&self, token: Token) -> Result<Vec<(u64, u64)>, ReadError> {
        let query = subject::table
            .filter(subject::token.eq(token.0.as_slice()))
            .select(subject::opening)
            .order(subject::opening);
        let Searched { found, lag, .. } = self.look_up(LONG_PATIENCE, |index| query.load::<i64>(index))?;
        if lag > 0 {
            return Err(ReadError::Behind);
        }
        Ok(found.into_iter().map(opening_of).map(|(index, at)| (number(index), at)).collect())
    }

    /// Looks something up in the index, after waiting a moment until everything that is durable
    /// now is in it. Gives the number of records that it had not seen by the time it was read: it
    /// says so itself, since it may have been built anew after the waiting.
    pub(super) fn look_up<T>(
        &self,
        patience: Duration,
        find: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> Result<Searched<T>, ReadError> {
        self.begin(patience, |_| (), |index, ()| find(index))
    }

    /// The same by a filter, in the numbers of that very index.
    pub(super) fn search<T>(
        &self,
        filter: &Filter,
        find: impl FnOnce(&mut SqliteConnection, &Wanted) -> QueryResult<T>,
    ) -> Result<Searched<T>, ReadError> {
        self.begin(PATIENCE, |known| known.wanted(filter), |index, wanted| find(index, &wanted))
    }

    fn begin<T, W>(
        &self,
        patience: Duration,
        prepare: impl FnOnce(&Known) -> W,
        find: impl FnOnce(&mut SqliteConnection, W) -> QueryResult<T>,
    ) -> Result<Searched<T>, ReadError> {
        let size = self.now(u64::MAX)?.size;
        self.shared.wait_indexed(size, patience);
        let by = self.index.load_full().ok_or(ReadError::Behind)?;
        let (found, seen) = by.readers.get()?.transaction(|index| {
            // Nothing is committed between the two: what is read is in numbers that are known.
            let (seen, prepared) = by.known(|known| seen(index).map(|seen| (seen, prepare(known))))?;
            find(index, prepared).map(|found| (found, seen))
        })?;
        Ok(Searched { found, lag: size.saturating_sub(seen), by })
    }

    /// Reads the records that were found; one more than `limit` says that there are more.
    fn page(&self, mut found: Vec<i64>, limit: usize, lag: u64) -> Result<Page, ReadError> {
        let more = found.len() > limit;
        found.truncate(limit);
        let rows: Vec<(i64, Vec<u8>)> = on!(&mut *self.log()?, conn => {
            record::table.filter(record::idx.eq_any(&found)).order(record::idx).load(conn)
        })?;
        let records = rows
            .into_iter()
            .map(|(index, leaf)| stored(number(index), leaf))
            .collect::<Result<Vec<_>, _>>()?;
        let next = records.last().map(|last| last.index).filter(|_| more);
        Ok(Page { records, next, lag })
    }

    pub(super) fn log(&self) -> Result<Pooled, ReadError> {
        Ok(self.log.get()?)
    }

    /// How far the log is: as far as `size` if it is that large. Where other gateways write it
    /// too, the database is asked when this one knows of less.
    fn now(&self, size: u64) -> Result<Progress, ReadError> {
        let now = self.shared.now();
        match &self.head {
            Some(head) if now.size < size => {
                head.look(&mut *self.log()?)?;
                Ok(self.shared.now())
            }
            _ => Ok(now),
        }
    }
}

/// How many records the index has seen. The first look of a transaction, so the rest of it sees the
/// same.
fn seen(index: &mut SqliteConnection) -> QueryResult<u64> {
    let seen: Option<i64> = progress::table.find(0).select(progress::size).first(index).optional()?;
    Ok(seen.map_or(0, number))
}

pub(super) fn stored(index: u64, leaf: Vec<u8>) -> Result<StoredRecord, ReadError> {
    let leaf = String::from_utf8(leaf).map_err(|_| ReadError::Damaged("a record is not text"))?;
    Ok(StoredRecord { index, leaf })
}

pub(super) fn damaged(error: ProofError<diesel::result::Error>) -> ReadError {
    match error {
        ProofError::Read(diesel::result::Error::NotFound) => ReadError::Damaged("a tile is missing"),
        ProofError::Read(e) => ReadError::Db(e),
        ProofError::OutOfRange => ReadError::Damaged("the tree has another size"),
        ProofError::ShortTile => ReadError::Damaged("a tile is too short"),
    }
}
