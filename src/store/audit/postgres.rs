//! PostgreSQL: all that is special to the engine.
//!
//! Invariant: whoever writes holds the row of the head locked from before it reads the log's end
//! until its commit, so that several gateways write one log as one would. Every wait has an end
//! that the server keeps: a gateway that stops in the middle lets the others go on after seconds.
//!
//! The server keeps full tiles only, since those never change; the tiles of the edge are in the
//! head. So the gateway's role need not be able to change anything but that one row.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::{Error as DbError, QueryResult};
use diesel::sql_types::{Array, BigInt, Binary, Bool};

use super::engine::DatabaseError;
use super::rows::Batch;
use super::schema::{edge_head, key, number, tile, tile_id};
use super::upkeep::Footing;
use crate::audit::tile::{MAX_LEVEL, WIDTH};
use crate::audit::tree::{tile_bytes, tile_hashes};
use crate::audit::{Hash, Tile, Tree};
use crate::base::Timestamp;
use crate::store::db::{CLOCK, Server};

/// Of every session: the log's tables are in a schema of their own.
const SCHEMA: &str = "SET search_path TO sluice_log;";

/// Of a session that writes. The head is waited for longer than a gateway that stopped may hold
/// it; a commit is as durable as the server can make it, on its standby too if it has one. Statements
/// are planned once, whatever the size of a batch.
const WRITING: &str = "SET idle_in_transaction_session_timeout TO '2s'; SET lock_timeout TO '4s'; \
    SET statement_timeout TO '5s'; SET default_transaction_isolation TO 'read committed'; \
    SET plan_cache_mode TO force_generic_plan; \
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// Of a session that reads: what takes longer would be taken for silence.
const READING: &str = "SET default_transaction_read_only TO on; SET statement_timeout TO '7s'";

/// How long a commit whose end is unclear is asked after.
pub(super) const RESOLVE: Duration = Duration::from_secs(8);

/// How long between two tries.
pub(super) const STEP: Duration = Duration::from_millis(100);

/// The log's end as it is stored: one row, so of one moment.
#[derive(Debug)]
pub(super) struct Head {
    /// The size noted beside the checkpoint.
    pub size: u64,
    /// The newest checkpoint.
    pub note: String,
    edge: Vec<u8>,
}

/// Connects to write.
pub(super) fn open_log(server: &Server) -> Result<PgConnection, DatabaseError> {
    Ok(server.connect(&format!("{SCHEMA}{WRITING}"))?)
}

/// Looks at what a log on the server rests on.
pub(super) fn footing(server: &Server) -> Result<Footing, DatabaseError> {
    let standby = "current_setting('synchronous_standby_names') <> ''";
    let asked = diesel::select((sql::<BigInt>(CLOCK), sql::<Bool>(standby)));
    let (now, standby): (i64, bool) = asked.get_result(&mut open_read_only(server)?)?;
    Ok(Footing { now: Timestamp::from_micros(now), standby })
}

/// Connects to read.
pub(super) fn open_read_only(server: &Server) -> Result<PgConnection, DatabaseError> {
    Ok(server.connect(&format!("{SCHEMA}{READING}"))?)
}

/// Begins a transaction that holds the head until it ends. A log that still has `known` records is
/// given without its edge. With it comes the time by the server's clock.
pub(super) fn lock_head(conn: &mut PgConnection, known: u64) -> QueryResult<(Head, Timestamp)> {
    conn.batch_execute("BEGIN")?;
    let (size, note, edge, now) = LockHead { known: key(known) }.get_result(conn)?;
    Ok((Head::of((size, note, edge)), Timestamp::from_micros(now)))
}

/// The taking of the head: prepared once, and the edge is taken out of its own table only for whoever
/// needs it.
struct LockHead {
    known: i64,
}

impl QueryId for LockHead {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for LockHead {
    type SqlType = (BigInt, Binary, Binary, BigInt);
}

impl RunQueryDsl<PgConnection> for LockHead {}

impl QueryFragment<Pg> for LockHead {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT size, note, CASE size WHEN ");
        out.push_bind_param::<BigInt, _>(&self.known)?;
        out.push_sql(" THEN '' ELSE edge END, ");
        out.push_sql(CLOCK);
        out.push_sql(" FROM head WHERE id = 0 FOR UPDATE");
        Ok(())
    }
}

/// Ends the transaction without having written.
pub(super) fn let_go(conn: &mut PgConnection) -> QueryResult<()> {
    conn.batch_execute("ROLLBACK")
}

/// Writes a batch in the transaction that holds the head. `tree` is the tree with the batch in it.
pub(super) fn write(conn: &mut PgConnection, batch: &Batch, tree: &Tree) -> QueryResult<()> {
    let full = batch.tiles.iter().filter(|(tile, _)| u64::from(tile.width) == WIDTH);
    let (places, hashes) =
        full.map(|(tile, hashes)| (tile_id(tile.level, tile.index), hashes.as_slice())).unzip();
    let (opened, sealed) = batch.openings.iter().map(|(id, sealed)| (*id, sealed.as_slice())).unzip();
    let append = Append {
        before: key(batch.before),
        size: key(tree.size()),
        leaves: &batch.leaves,
        opened,
        sealed,
        erased: &batch.erased,
        places,
        hashes,
        note: batch.note.as_bytes(),
        keep: batch.keep,
        edge: tree.partial().flat_map(|(_, hashes)| tile_bytes(hashes)).collect(),
    };
    // The head is locked, and compared again all the same.
    if append.execute(conn)? == 1 { Ok(()) } else { Err(DbError::RollbackTransaction) }
}

/// The writing of a batch: one statement, prepared once, and so one trip to the server.
struct Append<'a> {
    before: i64,
    size: i64,
    leaves: &'a Vec<Vec<u8>>,
    opened: Vec<i64>,
    sealed: Vec<&'a [u8]>,
    erased: &'a Vec<i64>,
    places: Vec<i64>,
    hashes: Vec<&'a [u8]>,
    note: &'a [u8],
    keep: bool,
    edge: Vec<u8>,
}

impl QueryId for Append<'_> {
    type QueryId = Append<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Append<'_> {}

impl QueryFragment<Pg> for Append<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH records AS (INSERT INTO record (idx, leaf) SELECT ");
        out.push_bind_param::<BigInt, _>(&self.before)?;
        out.push_sql(" + n - 1, leaf FROM unnest(");
        out.push_bind_param::<Array<Binary>, _>(self.leaves)?;
        out.push_sql(") WITH ORDINALITY AS new (leaf, n)), ");
        out.push_sql("openings AS (INSERT INTO opening (id, sealed) SELECT * FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.opened)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.sealed)?;
        out.push_sql(")), erased AS (DELETE FROM opening WHERE id = ANY (");
        out.push_bind_param::<Array<BigInt>, _>(self.erased)?;
        out.push_sql(")), tiles AS (INSERT INTO tile (id, hashes) SELECT * FROM unnest(");
        out.push_bind_param::<Array<BigInt>, _>(&self.places)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.hashes)?;
        out.push_sql(")), kept AS (INSERT INTO checkpoint (size, note) SELECT ");
        out.push_bind_param::<BigInt, _>(&self.size)?;
        out.push_sql(", ");
        out.push_bind_param::<Binary, _>(&self.note)?;
        out.push_sql(" WHERE ");
        out.push_bind_param::<Bool, _>(&self.keep)?;
        out.push_sql(") UPDATE head SET size = ");
        out.push_bind_param::<BigInt, _>(&self.size)?;
        out.push_sql(", note = ");
        out.push_bind_param::<Binary, _>(&self.note)?;
        out.push_sql(", edge = ");
        out.push_bind_param::<Binary, _>(&self.edge)?;
        out.push_sql(" WHERE id = 0 AND size = ");
        out.push_bind_param::<BigInt, _>(&self.before)
    }
}

/// Commits. An error leaves open whether it did.
///
/// The server may not give this up by itself: a commit that a timeout cuts off while it waits for
/// the standby is reported as done, and would be lost with the server.
pub(super) fn commit(conn: &mut PgConnection) -> QueryResult<()> {
    conn.batch_execute("SET LOCAL statement_timeout TO 0; COMMIT")
}

/// The log's end.
pub(super) fn head(conn: &mut PgConnection) -> QueryResult<Head> {
    let row = edge_head::table.find(0).select((edge_head::size, edge_head::note, edge_head::edge));
    row.first(conn).map(Head::of)
}

/// A tile's bytes.
pub(super) fn tile(conn: &mut PgConnection, of: Tile) -> QueryResult<Option<Vec<u8>>> {
    if let Some(full) = full_tile(conn, of)? {
        return Ok(Some(full));
    }
    if let Some(growing) = head(conn)?.tile(of.level, of.index) {
        return Ok(Some(growing));
    }
    // Between the two looks it may have become full.
    full_tile(conn, of)
}

/// The bytes of a tile that is full.
pub(super) fn full_tile(conn: &mut PgConnection, of: Tile) -> QueryResult<Option<Vec<u8>>> {
    tile::table.find(tile_id(of.level, of.index)).select(tile::hashes).first(conn).optional()
}

impl Head {
    fn of((size, note, edge): (i64, Vec<u8>, Vec<u8>)) -> Self {
        Self { size: number(size), note: String::from_utf8_lossy(&note).into_owned(), edge }
    }

    /// The tree that ends here; `None` when the edge is not as long as the size says.
    pub(super) fn tree(&self) -> Option<Tree> {
        Tree::from_edge(self.size, |of| tile_hashes(&self.tile(of.level, of.index)?))
    }

    /// The bytes of a tile of the edge.
    pub(super) fn tile(&self, level: u8, index: u64) -> Option<Vec<u8>> {
        let mut rest = self.edge.as_slice();
        let mut found = None;
        for at in 0..=MAX_LEVEL {
            let (full, width) = Tile::count(at, self.size);
            let hashes;
            (hashes, rest) = rest.split_at_checked(usize::from(width) * Hash::LEN)?;
            if at == level && index == full && width > 0 {
                found = Some(hashes.to_vec());
            }
        }
        found.filter(|_| rest.is_empty())
    }
}
