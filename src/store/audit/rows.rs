//! The log's statements. What reads is written once for every engine; the batch here is SQLite's.
//!
//! Invariant: a batch is written whole or not at all, and only onto the head that its writer
//! knew: compare-and-set, so that two writers can never both go on from one head.

use diesel::prelude::*;
use diesel::result::{Error as DbError, QueryResult};

use super::engine::on;
#[cfg(feature = "postgres")]
use super::postgres;
use super::schema::{checkpoint, head, key, number, opening, opening_id, record, tile, tile_id};
use crate::audit::proof::HashReader;
use crate::audit::tree::tile_hashes;
use crate::audit::{Hash, Tile, Tree};
use crate::store::db::Db;

/// What one commit writes.
#[derive(Debug, Default)]
pub struct Batch {
    /// The size before it.
    pub before: u64,
    /// Leaves, from index `before` on.
    pub leaves: Vec<Vec<u8>>,
    /// Sealed openings by their keys.
    pub openings: Vec<(i64, Vec<u8>)>,
    /// Openings to delete.
    pub erased: Vec<i64>,
    /// Tiles that changed.
    pub tiles: Vec<(Tile, Vec<u8>)>,
    /// The checkpoint over all.
    pub note: String,
    /// Whether the checkpoint is one that is kept.
    pub keep: bool,
}

/// Writes a batch in one transaction.
pub fn write(conn: &mut SqliteConnection, batch: &Batch) -> QueryResult<()> {
    let size = key(batch.before + batch.leaves.len() as u64);
    let note = batch.note.as_bytes();
    conn.immediate_transaction(|conn| {
        // Inserts and replacements are prepared once and bound again; diesel prepares an update anew.
        for (index, leaf) in (batch.before..).zip(&batch.leaves) {
            diesel::insert_into(record::table)
                .values((record::idx.eq(key(index)), record::leaf.eq(leaf)))
                .execute(conn)?;
        }
        for (id, sealed) in &batch.openings {
            diesel::insert_into(opening::table)
                .values((opening::id.eq(id), opening::sealed.eq(sealed)))
                .execute(conn)?;
        }
        for id in &batch.erased {
            diesel::delete(opening::table.find(id)).execute(conn)?;
        }
        for (tile, hashes) in &batch.tiles {
            // A tile is new, or grows until it is full.
            diesel::replace_into(tile::table)
                .values((tile::id.eq(tile_id(tile.level, tile.index)), tile::hashes.eq(hashes)))
                .execute(conn)?;
        }
        if batch.keep {
            diesel::insert_into(checkpoint::table)
                .values((checkpoint::size.eq(size), checkpoint::note.eq(note)))
                .execute(conn)?;
        }
        // Nobody else writes between this look and the commit: the transaction holds the lock.
        let known: Option<i64> = head::table.find(0).select(head::size).first(conn).optional()?;
        if known.unwrap_or(0) != key(batch.before) {
            // Somebody else has written: this writer's tree is no longer the log's.
            return Err(DbError::RollbackTransaction);
        }
        diesel::replace_into(head::table)
            .values((head::id.eq(0), head::size.eq(size), head::note.eq(note)))
            .execute(conn)?;
        Ok(())
    })
}

/// The newest checkpoint and the size noted beside it.
pub fn newest(db: &mut Db) -> QueryResult<Option<(u64, String)>> {
    let row: Option<(i64, Vec<u8>)> =
        on!(db, conn => head::table.find(0).select((head::size, head::note)).first(conn).optional())?;
    // A server's log that was never written has a head without a checkpoint.
    Ok(row
        .filter(|(size, note)| *size != 0 || !note.is_empty())
        .map(|(size, note)| (number(size), String::from_utf8_lossy(&note).into_owned())))
}

/// A record's bytes.
pub fn leaf(db: &mut Db, index: u64) -> QueryResult<Option<Vec<u8>>> {
    on!(db, conn => record::table.find(key(index)).select(record::leaf).first(conn).optional())
}

/// The last of `size` records on a server.
#[cfg(feature = "postgres")]
pub fn last_leaf(conn: &mut diesel::PgConnection, size: u64) -> QueryResult<Option<Vec<u8>>> {
    record::table.find(key(size.saturating_sub(1))).select(record::leaf).first(conn).optional()
}

/// The records with `from <= index < to`, ascending.
pub fn leaves(db: &mut Db, from: u64, to: u64) -> QueryResult<Vec<(u64, Vec<u8>)>> {
    let between = record::idx.ge(key(from)).and(record::idx.lt(key(to)));
    let rows: Vec<(i64, Vec<u8>)> =
        on!(db, conn => record::table.filter(between).order(record::idx).load(conn))?;
    Ok(rows.into_iter().map(|(index, leaf)| (number(index), leaf)).collect())
}

/// The sealed openings of the records with `from <= index < to`, ascending by their keys.
pub fn openings(db: &mut Db, from: u64, to: u64) -> QueryResult<Vec<(i64, Vec<u8>)>> {
    let between = opening::id.ge(opening_id(from, 0)).and(opening::id.lt(opening_id(to, 0)));
    on!(db, conn => opening::table.filter(between).order(opening::id).load(conn))
}

/// A tile's bytes, at least as many as the tile is wide if the log is that large.
pub fn tile(db: &mut Db, of: Tile) -> QueryResult<Option<Vec<u8>>> {
    match db {
        Db::Sqlite(conn) => {
            tile::table.find(tile_id(of.level, of.index)).select(tile::hashes).first(conn).optional()
        }
        #[cfg(feature = "postgres")]
        Db::Postgres(conn) => postgres::tile(conn, of),
    }
}

/// The right edge of the tree of `size` records; `None` when a tile is missing or too short.
pub fn tree(db: &mut Db, size: u64) -> QueryResult<Option<Tree>> {
    let mut failed = None;
    let tree = Tree::from_edge(size, |of| match tile(db, of) {
        Ok(bytes) => tile_hashes(&bytes?),
        Err(e) => {
            failed = Some(e);
            None
        }
    });
    failed.map_or(Ok(tree), Err)
}

/// The hashes of the stored tree, for proofs. Keeps the tile it read last.
pub struct TileReader<'c> {
    db: &'c mut Db,
    last: std::collections::BTreeMap<Tile, Vec<Hash>>,
}

impl<'c> TileReader<'c> {
    /// Reads through `db`.
    pub fn new(db: &'c mut Db) -> Self {
        Self { db, last: std::collections::BTreeMap::new() }
    }
}

/// Tiles that a reader keeps: two or three for each level are in use at a time.
const KEPT_TILES: usize = 32;

impl HashReader for TileReader<'_> {
    type Error = DbError;

    fn tile(&mut self, of: Tile) -> QueryResult<Vec<Hash>> {
        if let Some(hashes) = self.last.get(&of) {
            return Ok(hashes.clone());
        }
        let bytes = tile(self.db, of)?.ok_or(DbError::NotFound)?;
        let hashes = tile_hashes(&bytes).unwrap_or_default();
        if self.last.len() >= KEPT_TILES {
            self.last.clear();
        }
        self.last.insert(of, hashes.clone());
        Ok(hashes)
    }
}
