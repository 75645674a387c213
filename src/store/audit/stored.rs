//! The log's database as the verifier and the exporter read it: without keys, without changing
//! anything, and beside a running gateway.
//!
//! Invariant: everything is read in one transaction, so that a log that grows meanwhile is seen
//! as it was at one moment.

use std::path::Path;

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::engine::{DatabaseError, Home, begin_reading, on};
use super::rows::{self, TileReader};
use super::schema::{
    checkpoint, head, key, number, opening, opening_id, opening_of, record, tile, tile_id, tile_of,
};
use super::{DATABASE, OpenError, sqlite};
use crate::audit::proof::{Paths, ProofError};
use crate::audit::tile::MAX_LEVEL;
use crate::audit::verify::{Place, Stored, StoredOpening};
use crate::audit::{Hash, Tile};
use crate::store::db::{Db, Server};

/// The most strays that are looked up in each table.
const MAX_STRAYS: i64 = 100;

/// A log's database, opened read-only.
pub struct Database {
    db: Db,
}

impl Database {
    /// Opens the log in a data directory.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let path = data_dir.join(DATABASE);
        if !path.is_file() {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(OpenError::Io { path, source });
        }
        Ok(Self::of(&Home::of(data_dir, None)?)?)
    }

    /// Opens the log on a server.
    pub fn on(server: &Server) -> Result<Self, DatabaseError> {
        Self::of(&Home::of(Path::new(""), Some(server))?)
    }

    fn of(home: &Home) -> Result<Self, DatabaseError> {
        let mut db = home.open_read_only()?;
        // Never ended: the connection goes with the verifier.
        begin_reading(&mut db)?;
        Ok(Self { db })
    }

    /// What is wrong with the database below its rows, if anything.
    pub fn unsound(&mut self) -> Result<Option<&'static str>, DatabaseError> {
        match &mut self.db {
            Db::Sqlite(conn) => sqlite::unsound(conn),
            // A server checks its own pages, where it was set up to.
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => Ok(None),
        }
    }

    /// A record's bytes.
    pub fn leaf(&mut self, index: u64) -> QueryResult<Option<Vec<u8>>> {
        rows::leaf(&mut self.db, index)
    }

    /// Inclusion proofs of the records from `first` on, against a log of `size` records, read in
    /// order: tiles are read once.
    pub fn proofs(
        &mut self,
        first: u64,
        count: u64,
        size: u64,
    ) -> Result<Vec<Vec<Hash>>, ProofError<diesel::result::Error>> {
        let mut reader = TileReader::new(&mut self.db);
        let mut paths = Paths::new(&mut reader, size);
        (first..first.saturating_add(count)).map(|index| paths.inclusion(index)).collect()
    }
}

impl Stored for Database {
    type Error = diesel::result::Error;

    fn head(&mut self) -> QueryResult<Option<(u64, String)>> {
        rows::newest(&mut self.db)
    }

    fn checkpoints(&mut self) -> QueryResult<Option<Vec<(u64, String)>>> {
        let rows: Vec<(i64, Vec<u8>)> =
            on!(&mut self.db, conn => checkpoint::table.order(checkpoint::size).load(conn))?;
        let kept = rows.into_iter();
        Ok(Some(
            kept.map(|(size, note)| (number(size), String::from_utf8_lossy(&note).into_owned())).collect(),
        ))
    }

    fn records(&mut self, from: u64, to: u64) -> QueryResult<Vec<(u64, Vec<u8>)>> {
        rows::leaves(&mut self.db, from, to)
    }

    fn openings(&mut self, from: u64, to: u64) -> QueryResult<Option<Vec<StoredOpening>>> {
        Ok(Some(
            rows::openings(&mut self.db, from, to)?
                .into_iter()
                .map(|(id, sealed)| {
                    let (index, position) = opening_of(id);
                    (number(index), position, sealed)
                })
                .collect(),
        ))
    }

    fn tile(&mut self, tile: Tile) -> QueryResult<Option<Vec<u8>>> {
        rows::tile(&mut self.db, tile)
    }

    fn strays(&mut self, size: u64) -> QueryResult<Vec<Place>> {
        let db = &mut self.db;
        // A server keeps the tiles that still grow elsewhere.
        let keeps_partial = matches!(db, Db::Sqlite(_));
        let mut places = Vec::new();
        let outside = record::idx.lt(0).or(record::idx.ge(key(size)));
        let records: Vec<i64> = on!(db, conn => {
            record::table.filter(outside).select(record::idx).limit(MAX_STRAYS).load(conn)
        })?;
        places.extend(records.into_iter().map(Place::Record));
        let outside = opening::id.lt(0).or(opening::id.ge(opening_id(size, 0)));
        let openings: Vec<i64> = on!(db, conn => {
            opening::table.filter(outside).select(opening::id).limit(MAX_STRAYS).load(conn)
        })?;
        places.extend(openings.into_iter().map(opening_of).map(|(index, at)| Place::Opening(index, at)));
        let outside = checkpoint::size.lt(0);
        let checkpoints: Vec<i64> = on!(db, conn => {
            checkpoint::table.filter(outside).select(checkpoint::size).limit(MAX_STRAYS).load(conn)
        })?;
        places.extend(checkpoints.into_iter().map(Place::Checkpoint));
        let heads: i64 = on!(db, conn => head::table.filter(head::id.ne(0)).count().get_result(conn))?;
        places.extend((heads > 0).then_some(Place::Head));

        // Tiles: whatever lies between the last one of a level and the first one of the next.
        let mut start = i64::MIN;
        for level in 0..=MAX_LEVEL {
            let (full, partial) = Tile::count(level, size);
            let outside = tile::id.ge(start).and(tile::id.lt(tile_id(level, 0)));
            let between: Vec<i64> = on!(db, conn => {
                tile::table.filter(outside).select(tile::id).limit(MAX_STRAYS).load(conn)
            })?;
            places.extend(between.into_iter().map(stray_tile));
            start = tile_id(level, full + u64::from(partial > 0 && keeps_partial));
        }
        let outside = tile::id.ge(start);
        let behind: Vec<i64> = on!(db, conn => {
            tile::table.filter(outside).select(tile::id).limit(MAX_STRAYS).load(conn)
        })?;
        places.extend(behind.into_iter().map(stray_tile));
        Ok(places)
    }
}

fn stray_tile(id: i64) -> Place {
    let (level, index) = tile_of(id);
    Place::Tile(level, index)
}
