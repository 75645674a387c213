//! SQLite: all that is special to the engine.
//!
//! Invariant: the log is in WAL mode with `synchronous=FULL`, so that a commit that returned is
//! on disk; deleted openings are overwritten (`secure_delete`). Readers open read-only, so that a
//! verification cannot change what it verifies.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use diesel::sql_types::{BigInt, Text};

use super::engine::{DatabaseError, READERS};

const LOG_SCHEMA: &str = include_str!("../../../migrations/sqlite/audit/0001_log/up.sql");
const INDEX_SCHEMA: &str = include_str!("../../../migrations/sqlite/audit/0001_index/up.sql");

/// What `PRAGMA user_version` says of a database with this schema.
const VERSION: i64 = 1;

/// The same of the search index. One of any other version is built anew, so it may change freely.
const INDEX_VERSION: i64 = 4;

/// Opens the log's database for its writer, and creates it when there is none.
pub fn open_log(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let mut conn = SqliteConnection::establish(&uri(path, "rwc"))?;
    // The indexer moves the WAL into the database beside the writer. At 64 MiB the writer moves
    // what is left and begins the WAL anew; the file stays as long as it is, since a sync of what
    // is overwritten takes half as long as one of a file that grows. A page holds a few records.
    conn.batch_execute(
        "PRAGMA page_size=8192; PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; \
         PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF; \
         PRAGMA wal_autocheckpoint=8192; PRAGMA journal_size_limit=134217728; PRAGMA cache_size=-8192;",
    )?;
    create(&mut conn, LOG_SCHEMA, VERSION)?;
    Ok(conn)
}

/// Moves what is in the WAL into the database, as far as readers let it: a log that was closed
/// is one file. What stays in the WAL is no less durable.
pub fn settle(conn: &mut SqliteConnection) {
    if let Err(e) = conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)") {
        tracing::debug!(audit.error = %e, "the WAL was left for the next start");
    }
}

/// Moves what is in the WAL into the database while the writer goes on. What it does not reach is
/// no less durable, so a fault is only told.
pub fn move_wal(conn: &mut SqliteConnection) {
    if let Err(e) = conn.batch_execute("PRAGMA wal_checkpoint(PASSIVE)") {
        tracing::debug!(audit.error = %e, "the WAL was left to the writer");
    }
}

/// How often and in what steps an erasure tries to empty the WAL. The writer waits as long as one
/// try lasts, so each is short, and there is room for the writer between two.
const TRIES: u32 = 20;
const STEP: std::time::Duration = std::time::Duration::from_millis(50);

/// Empties the WAL of the log beside its writer: what was deleted from the database is then in
/// no file. False when readers hold on to it.
pub fn empty_wal(path: &Path) -> Result<bool, DatabaseError> {
    #[derive(QueryableByName)]
    struct Checkpointed {
        #[diesel(sql_type = BigInt)]
        busy: i64,
    }
    let mut conn = open_log(path)?;
    conn.batch_execute(&format!("PRAGMA busy_timeout={}", STEP.as_millis()))?;
    for _ in 0..TRIES {
        let done: Checkpointed =
            diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(&mut conn)?;
        if done.busy == 0 {
            return Ok(true);
        }
        std::thread::sleep(STEP);
    }
    Ok(false)
}

/// Opens the search index. It can be built anew, so it need not survive a power cut.
pub fn open_index(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let mut conn = SqliteConnection::establish(&uri(path, "rwc"))?;
    conn.batch_execute(
        "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; \
         PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-8192;",
    )?;
    create(&mut conn, INDEX_SCHEMA, INDEX_VERSION)?;
    Ok(conn)
}

/// Read-only connections to the search index.
pub fn readers(path: &Path) -> Result<Readers, DatabaseError> {
    let manager = ConnectionManager::new(uri(path, "ro"));
    Ok(Pool::builder()
        .max_size(READERS)
        .min_idle(Some(0))
        .test_on_check_out(false)
        .connection_timeout(std::time::Duration::from_secs(5))
        .connection_customizer(Box::new(ReadOnly))
        .build(manager)?)
}

/// A pool of read-only connections.
pub type Readers = Pool<ConnectionManager<SqliteConnection>>;

/// One read-only connection of a pool.
pub fn open_reader(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let mut conn = SqliteConnection::establish(&uri(path, "ro"))?;
    conn.batch_execute(READ_ONLY)?;
    Ok(conn)
}

/// One read-only connection, as for a verification beside a running gateway.
pub fn open_read_only(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let mut conn =
        match SqliteConnection::establish(&uri(path, "ro")).map_err(DatabaseError::from).and_then(probe) {
            Ok(conn) => conn,
            // On a read-only medium SQLite can make no shared memory for the WAL; without a WAL none
            // is needed.
            Err(e) if has_wal(path) => return Err(e),
            Err(_) => SqliteConnection::establish(&format!("{}&immutable=1", uri(path, "ro")))?,
        };
    conn.batch_execute(READ_ONLY)?;
    Ok(conn)
}

/// Is the schema the one this program made, and are the database's pages sound? `None` if so,
/// else what is wrong.
pub fn unsound(conn: &mut SqliteConnection) -> Result<Option<&'static str>, DatabaseError> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text)]
        line: String,
    }
    let found: Vec<Line> = diesel::sql_query(
        "SELECT coalesce(sql, name) AS line FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY rowid",
    )
    .load(conn)?;
    // Statements as they are stored: without comments in front and the semicolon behind.
    let wanted = LOG_SCHEMA.split(';').filter_map(|part| part.find("CREATE").and_then(|at| part.get(at..)));
    if version(conn)? != VERSION || !found.iter().map(|line| line.line.as_str()).eq(wanted) {
        return Ok(Some("its tables are not those of a log"));
    }
    let check: Vec<Line> =
        diesel::sql_query("SELECT quick_check AS line FROM pragma_quick_check").load(conn)?;
    let sound = check.iter().all(|line| line.line == "ok");
    Ok((!sound).then_some("the database's pages do not hold together"))
}

const READ_ONLY: &str = "PRAGMA busy_timeout=5000; PRAGMA query_only=ON; PRAGMA trusted_schema=OFF; \
                         PRAGMA cache_size=-4096;";

#[derive(Debug)]
struct ReadOnly;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for ReadOnly {
    fn on_acquire(&self, conn: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        conn.batch_execute(READ_ONLY).map_err(diesel::r2d2::Error::QueryError)
    }
}

fn create(conn: &mut SqliteConnection, schema: &str, wanted: i64) -> Result<(), DatabaseError> {
    match version(conn)? {
        found if found == wanted => Ok(()),
        0 => Ok(conn.immediate_transaction(|conn| {
            conn.batch_execute(schema)?;
            conn.batch_execute(&format!("PRAGMA user_version={wanted}"))
        })?),
        other => Err(DatabaseError::Version { found: other, known: wanted }),
    }
}

/// The schema that the database has, and the one that this program knows.
pub fn versions(conn: &mut SqliteConnection) -> Result<(i64, i64), DatabaseError> {
    Ok((version(conn)?, VERSION))
}

fn version(conn: &mut SqliteConnection) -> Result<i64, diesel::result::Error> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = BigInt)]
        user_version: i64,
    }
    diesel::sql_query("SELECT user_version FROM pragma_user_version")
        .get_result(conn)
        .map(|v: Version| v.user_version)
}

fn probe(mut conn: SqliteConnection) -> Result<SqliteConnection, DatabaseError> {
    version(&mut conn)?;
    conn.batch_execute("SELECT 1 FROM sqlite_schema LIMIT 1")?;
    Ok(conn)
}

fn has_wal(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    Path::new(&wal).exists()
}

/// A file as SQLite's URI: what a URI would read as its own is escaped.
fn uri(path: &Path, mode: &str) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?mode={mode}")
}
