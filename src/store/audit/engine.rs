//! Where the log is kept: in a file of the data directory, or on a PostgreSQL server that several
//! gateways share.
//!
//! Invariant: nothing here reads or writes a record. What is special to an engine stands in
//! `sqlite` and `postgres`; the rest of this room asks either by way of [`on!`].

use std::path::{Path, PathBuf};

use diesel::r2d2::{ManageConnection, Pool, PooledConnection};

use super::{DATABASE, sqlite};
#[cfg(feature = "postgres")]
use super::{migrate, postgres};
use crate::store::db::{Db, Server};

/// Connections of one pool of readers.
pub(super) const READERS: u32 = 8;

/// Runs a statement on the engine that the connection is to. Each engine prepares its own, so that
/// none is slower for the other.
macro_rules! on {
    ($db:expr, $conn:ident => $statement:expr) => {
        match $db {
            $crate::store::db::Db::Sqlite($conn) => $statement,
            #[cfg(feature = "postgres")]
            $crate::store::db::Db::Postgres($conn) => $statement,
        }
    };
}
pub(super) use on;

/// Why a database could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be connected to.
    #[error("cannot open the database: {0}")]
    Connect(#[from] diesel::ConnectionError),
    /// A statement failed.
    #[error("database: {0}")]
    Query(#[from] diesel::result::Error),
    /// The pool of readers could not be built.
    #[error("database readers: {0}")]
    Pool(#[from] diesel::r2d2::PoolError),
    /// A file beside the database.
    #[error("beside the database: {0}")]
    Io(#[from] std::io::Error),
    /// A newer program has written it.
    #[error(
        "it has schema {found}, and this program knows {known}: a newer program wrote it. Run that one, or restore a backup from before"
    )]
    Version {
        /// Of the database.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The tables on the server are not what this program needs.
    #[error("{0}")]
    Schema(String),
    /// The program cannot speak to such a server.
    #[error("this program was built without PostgreSQL: build it with `--features postgres`")]
    NoPostgres,
}

/// Where a log's database is.
#[derive(Debug, Clone)]
pub(super) enum Home {
    /// In this file, for one gateway.
    File(PathBuf),
    /// On this server, for all gateways that share it.
    #[cfg(feature = "postgres")]
    Server(Server),
}

impl Home {
    /// On the server, if there is one, else in the data directory.
    pub(super) fn of(data_dir: &Path, server: Option<&Server>) -> Result<Self, DatabaseError> {
        match server {
            None => Ok(Self::File(data_dir.join(DATABASE))),
            #[cfg(feature = "postgres")]
            Some(server) => Ok(Self::Server(server.clone())),
            #[cfg(not(feature = "postgres"))]
            Some(_) => Err(DatabaseError::NoPostgres),
        }
    }

    /// Do other gateways write this log as well?
    pub(super) fn is_shared(&self) -> bool {
        !matches!(self, Self::File(_))
    }

    /// Refuses a server whose tables this program cannot work with as they are: another role brings
    /// them there. A file is brought there when it is opened.
    pub(super) fn require_current(&self) -> Result<(), DatabaseError> {
        match self {
            Self::File(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Server(server) => {
                migrate::ON_SERVER.standing(server)?.demand().map_err(DatabaseError::Schema)
            }
        }
    }

    /// Connects to write. A file that is not there is made.
    pub(super) fn open_log(&self) -> Result<Db, DatabaseError> {
        match self {
            Self::File(path) => Ok(Db::Sqlite(sqlite::open_log(path)?)),
            #[cfg(feature = "postgres")]
            Self::Server(server) => Ok(Db::Postgres(postgres::open_log(server)?)),
        }
    }

    /// Connects to read, as for a verification beside a running gateway.
    pub(super) fn open_read_only(&self) -> Result<Db, DatabaseError> {
        match self {
            Self::File(path) => Ok(Db::Sqlite(sqlite::open_read_only(path)?)),
            #[cfg(feature = "postgres")]
            Self::Server(server) => Ok(Db::Postgres(postgres::open_read_only(server)?)),
        }
    }

    /// A pool of connections that read. Connects when first asked.
    pub(super) fn readers(&self) -> Result<Readers, DatabaseError> {
        Ok(Pool::builder()
            .max_size(READERS)
            .min_idle(Some(0))
            .test_on_check_out(self.is_shared())
            .connection_timeout(std::time::Duration::from_secs(5))
            .build(Reading(self.clone()))?)
    }
}

/// Read-only connections to the log.
pub(super) type Readers = Pool<Reading>;

/// One of them.
pub(super) type Pooled = PooledConnection<Reading>;

/// How the pool connects.
#[derive(Debug)]
pub(super) struct Reading(Home);

impl ManageConnection for Reading {
    type Connection = Db;
    type Error = DatabaseError;

    fn connect(&self) -> Result<Db, DatabaseError> {
        match &self.0 {
            Home::File(path) => Ok(Db::Sqlite(sqlite::open_reader(path)?)),
            #[cfg(feature = "postgres")]
            Home::Server(_) => self.0.open_read_only(),
        }
    }

    fn is_valid(&self, db: &mut Db) -> Result<(), DatabaseError> {
        use diesel::connection::SimpleConnection;
        Ok(on!(db, conn => conn.batch_execute("SELECT 1"))?)
    }

    fn has_broken(&self, db: &mut Db) -> bool {
        use diesel::r2d2::R2D2Connection;
        std::thread::panicking() || on!(db, conn => conn.is_broken())
    }
}

/// Leaves the log as one file, where it is one.
pub(super) fn settle(db: &mut Db) {
    match db {
        Db::Sqlite(conn) => sqlite::settle(conn),
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => {}
    }
}

/// Begins a reading of many statements that all see the log as it is now. It is ended by
/// [`end_reading`], or with the connection.
pub(super) fn begin_reading(db: &mut Db) -> Result<(), DatabaseError> {
    use diesel::connection::SimpleConnection;
    match db {
        Db::Sqlite(conn) => conn.batch_execute("BEGIN")?,
        #[cfg(feature = "postgres")]
        Db::Postgres(conn) => conn.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?,
    }
    Ok(())
}

/// Ends what [`begin_reading`] began.
pub(super) fn end_reading(db: &mut Db) -> Result<(), DatabaseError> {
    use diesel::connection::SimpleConnection;
    Ok(on!(db, conn => conn.batch_execute("ROLLBACK"))?)
}
