//! What is written to the search index, and what its readers have to know of it.
//!
//! Invariant: the records of one transaction are filed whole or not at all; and as long as a reader
//! has begun its own transaction while holding what is known, it knows every number that it reads.
//! After a fault nothing is known any more: a number that is not known is not told apart from others,
//! so the records that have it are looked at themselves.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::block::{Block, LENGTH};
use super::engine::DatabaseError;
use super::schema::{act, block, key, opening_id, progress, request, subject};
use super::sorts::Known;
use super::sqlite::{self, Readers};
use crate::audit::facets::Facets;
use crate::audit::record::kind;
use crate::audit::{Hash, Token};
use crate::base::Timestamp;

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
pub(super) struct Filing {
    pub conn: SqliteConnection,
    pub indexed: Arc<Indexed>,
    tail: Tail,
}

/// The last block, which grows.
struct Tail {
    number: u64,
    block: Block,
}

impl Filing {
    /// Goes on with an index that has seen `done` records.
    pub fn of(mut conn: SqliteConnection, path: &Path, done: u64) -> Result<Self, DatabaseError> {
        let tail = Tail::of(&mut conn, done)?;
        let known = RwLock::new(Known::load(&mut conn)?);
        let indexed = Arc::new(Indexed { readers: sqlite::readers(path)?, known });
        Ok(Self { conn, indexed, tail })
    }

    /// Files the records that come next, all up to `to`. True when it took somebody out of the index. After a fault there is no
    /// going on with this: what is known is not what is filed.
    pub fn write(
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
        let found: Option<Block> = block::table
            .find(key(number))
            .select((block::first, block::last, block::sorts, block::actors, block::times))
            .first(conn)
            .optional()?;
        if let Some(block) = found {
            return Ok(Self { number, block });
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
