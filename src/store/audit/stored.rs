//! The log's database as the verifier and the exporter read it: without keys, without changing
//! anything, and beside a running gateway.
//!
//! Invariant: everything is read in one transaction, so that a log that grows meanwhile is seen
//! as it was at one moment.

use std::path::Path;

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::rows::{self, TileReader};
use super::schema::{
    checkpoint, head, key, number, opening, opening_id, opening_of, record, tile, tile_id, tile_of,
};
use super::sqlite::{self, SqliteError};
use super::{DATABASE, OpenError};
use crate::audit::proof::{Paths, ProofError};
use crate::audit::tile::MAX_LEVEL;
use crate::audit::verify::{Place, Stored, StoredOpening};
use crate::audit::{Hash, Tile};

/// The most strays that are looked up in each table.
const MAX_STRAYS: i64 = 100;

/// A log's database, opened read-only.
pub struct Database {
    conn: SqliteConnection,
}

impl Database {
    /// Opens the log in a data directory.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let path = data_dir.join(DATABASE);
        if !path.is_file() {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(OpenError::Io { path, source });
        }
        let mut conn = sqlite::open_read_only(&path)?;
        // Never ended: the connection goes with the verifier.
        diesel::connection::SimpleConnection::batch_execute(&mut conn, "BEGIN").map_err(SqliteError::from)?;
        Ok(Self { conn })
    }

    /// What is wrong with the database below its rows, if anything.
    pub fn unsound(&mut self) -> Result<Option<&'static str>, SqliteError> {
        sqlite::unsound(&mut self.conn)
    }

    /// A record's bytes.
    pub fn leaf(&mut self, index: u64) -> QueryResult<Option<Vec<u8>>> {
        rows::leaf(&mut self.conn, index)
    }

    /// Inclusion proofs of the records from `first` on, against a log of `size` records, read in
    /// order: tiles are read once.
    pub fn proofs(
        &mut self,
        first: u64,
        count: u64,
        size: u64,
    ) -> Result<Vec<Vec<Hash>>, ProofError<diesel::result::Error>> {
        let mut reader = TileReader::new(&mut self.conn);
        let mut paths = Paths::new(&mut reader, size);
        (first..first.saturating_add(count)).map(|index| paths.inclusion(index)).collect()
    }
}

impl Stored for Database {
    type Error = diesel::result::Error;

    fn head(&mut self) -> QueryResult<Option<(u64, String)>> {
        rows::newest(&mut self.conn)
    }

    fn checkpoints(&mut self) -> QueryResult<Option<Vec<(u64, String)>>> {
        let rows: Vec<(i64, Vec<u8>)> = checkpoint::table.order(checkpoint::size).load(&mut self.conn)?;
        let kept = rows.into_iter();
        Ok(Some(
            kept.map(|(size, note)| (number(size), String::from_utf8_lossy(&note).into_owned())).collect(),
        ))
    }

    fn records(&mut self, from: u64, to: u64) -> QueryResult<Vec<(u64, Vec<u8>)>> {
        rows::leaves(&mut self.conn, from, to)
    }

    fn openings(&mut self, from: u64, to: u64) -> QueryResult<Option<Vec<StoredOpening>>> {
        let rows: Vec<(i64, Vec<u8>)> = opening::table
            .filter(opening::id.ge(opening_id(from, 0)).and(opening::id.lt(opening_id(to, 0))))
            .order(opening::id)
            .load(&mut self.conn)?;
        Ok(Some(
            rows.into_iter()
                .map(|(id, sealed)| {
                    let (index, position) = opening_of(id);
                    (number(index), position, sealed)
                })
                .collect(),
        ))
    }

    fn tile(&mut self, tile: Tile) -> QueryResult<Option<Vec<u8>>> {
        rows::tile(&mut self.conn, tile)
    }

    fn strays(&mut self, size: u64) -> QueryResult<Vec<Place>> {
        let conn = &mut self.conn;
        let mut places = Vec::new();
        let records: Vec<i64> = record::table
            .filter(record::idx.lt(0).or(record::idx.ge(key(size))))
            .select(record::idx)
            .limit(MAX_STRAYS)
            .load(conn)?;
        places.extend(records.into_iter().map(Place::Record));
        let openings: Vec<i64> = opening::table
            .filter(opening::id.lt(0).or(opening::id.ge(opening_id(size, 0))))
            .select(opening::id)
            .limit(MAX_STRAYS)
            .load(conn)?;
        places.extend(openings.into_iter().map(opening_of).map(|(index, at)| Place::Opening(index, at)));
        let checkpoints: Vec<i64> = checkpoint::table
            .filter(checkpoint::size.lt(0))
            .select(checkpoint::size)
            .limit(MAX_STRAYS)
            .load(conn)?;
        places.extend(checkpoints.into_iter().map(Place::Checkpoint));
        let heads: i64 = head::table.filter(head::id.ne(0)).count().get_result(conn)?;
        places.extend((heads > 0).then_some(Place::Head));

        // Tiles: whatever lies between the last one of a level and the first one of the next.
        let mut start = i64::MIN;
        for level in 0..=MAX_LEVEL {
            let (full, partial) = Tile::count(level, size);
            let between: Vec<i64> = tile::table
                .filter(tile::id.ge(start).and(tile::id.lt(tile_id(level, 0))))
                .select(tile::id)
                .limit(MAX_STRAYS)
                .load(conn)?;
            places.extend(between.into_iter().map(stray_tile));
            start = tile_id(level, full + u64::from(partial > 0));
        }
        let behind: Vec<i64> =
            tile::table.filter(tile::id.ge(start)).select(tile::id).limit(MAX_STRAYS).load(conn)?;
        places.extend(behind.into_iter().map(stray_tile));
        Ok(places)
    }
}

fn stray_tile(id: i64) -> Place {
    let (level, index) = tile_of(id);
    Place::Tile(level, index)
}
