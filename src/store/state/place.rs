//! Where the state is, how connections to it are made, and what a transaction is there.
//!
//! Invariant: a transaction ends with the call that began it; and none holds up the others for
//! long, even if its process stands still: the server ends it.

use std::path::Path;
use std::sync::Arc;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::r2d2::{HandleError, ManageConnection, R2D2Connection};
use diesel::{Connection, QueryResult, SqliteConnection};

use super::{StateError, upkeep};
use crate::store::db::{Db, Server};

/// What keys the locks under which acts are recorded, and attempts to sign in judged: numbers that
/// nobody else uses.
#[cfg(feature = "postgres")]
const ACTS: i64 = 0x736c_7569_6365_0001;
#[cfg(feature = "postgres")]
const ATTEMPTS: i64 = 0x736c_7569_6365_0002;

/// FULL: what was revoked stays revoked after a power cut, for the log would bear out the older
/// state that the database fell back to.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON;";

/// The same bounds for a server. Whoever stands still in the midst of a transaction is cut off
/// before the others have waited too long. No statement is: a commit that is cut off while it waits
/// for the standby is reported as done, and lost when the standby takes over; the connection is given
/// up instead. Whatever the role is set to, a commit is as durable as the server can make it, and each
/// statement sees what was committed before it: locks are taken on that footing.
#[cfg(feature = "postgres")]
const SESSION: &str = "SET search_path = sluice_state; SET statement_timeout = 0; SET lock_timeout = 5000;
     SET idle_in_transaction_session_timeout = 2000;
     SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off;
     SELECT set_config('synchronous_commit', 'on', false)
     WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// Where the state is.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a file.
    File(Arc<Path>),
    /// On a server.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "there is nobody to connect with"))]
    Server(Server),
}

impl Place {
    /// A connection for the counts of quotas alone. With a file its commits are not synced: each
    /// query would wait for the disk once more, and a power cut may lose the newest counts. With a
    /// server they are, although the record of the query is committed there later: in between the
    /// server may have fallen over, and come back without the count.
    pub(super) fn counting(&self) -> Result<Db, StateError> {
        let mut db = self.connect()?;
        db.batch_execute(match self {
            Place::File(_) => "PRAGMA synchronous = NORMAL",
            // Statements are planned once, whatever the size of a batch.
            Place::Server(_) => "SET plan_cache_mode = force_generic_plan",
        })?;
        Ok(db)
    }

    /// The file at `path`, made or brought up to date where needed.
    ///
    /// # Errors
    /// When it cannot be opened, a newer program wrote it, or a migration fails.
    pub(super) fn at(path: &Path) -> Result<Self, StateError> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(StateError::new)?;
        }
        let place = Place::File(path.into());
        upkeep::bring_up_to_date(&mut place.connect()?)?;
        Ok(place)
    }
}

impl ManageConnection for Place {
    type Connection = Db;
    type Error = StateError;

    fn connect(&self) -> Result<Db, StateError> {
        match self {
            Place::File(path) => {
                let connection = SqliteConnection::establish(&path.display().to_string());
                let mut connection = connection.map_err(StateError::new)?;
                connection.batch_execute(PRAGMAS)?;
                Ok(Db::Sqlite(connection))
            }
            #[cfg(feature = "postgres")]
            Place::Server(server) => server.connect(SESSION).map(Db::Postgres).map_err(StateError::new),
            #[cfg(not(feature = "postgres"))]
            Place::Server(_) => Err(StateError::new("this sluice was built without the feature `postgres`")),
        }
    }

    fn is_valid(&self, connection: &mut Db) -> Result<(), StateError> {
        Ok(connection.ping()?)
    }

    fn has_broken(&self, connection: &mut Db) -> bool {
        std::thread::panicking() || connection.is_broken()
    }
}

/// What the pool would print is told by whoever does not get a connection.
#[derive(Debug)]
pub(super) struct Quiet;

impl<E> HandleError<E> for Quiet {
    fn handle_error(&self, _: E) {}
}

impl Db {
    /// Begins a transaction that writes. SQLite lets one in at a time.
    pub(super) fn begin_alone(&mut self) -> QueryResult<()> {
        match self {
            Db::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE"),
            #[cfg(feature = "postgres")]
            Db::Postgres(c) => AnsiTransactionManager::begin_transaction(c),
        }
    }

    /// Begins to hold what others wait for while something else is done. A file has one gateway,
    /// and nothing to hold.
    pub(super) fn begin_holding(&mut self) -> QueryResult<()> {
        match self {
            Db::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Db::Postgres(c) => AnsiTransactionManager::begin_transaction(c),
        }
    }

    /// Shows the server that who holds it is alive.
    pub(super) fn show_life(&mut self) -> QueryResult<()> {
        match self {
            Db::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Db::Postgres(c) => c.batch_execute("SELECT 1"),
        }
    }

    /// Lets go of it, keeping what was done meanwhile or not.
    #[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
    pub(super) fn end_holding(&mut self, keep: bool) -> QueryResult<()> {
        match self {
            Db::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Db::Postgres(c) if keep => AnsiTransactionManager::commit_transaction(c),
            #[cfg(feature = "postgres")]
            Db::Postgres(c) => AnsiTransactionManager::rollback_transaction(c),
        }
    }

    /// Waits until this transaction is the only one that changes the state: changes are rare, and
    /// what follows reads as if it were alone.
    pub(super) fn wait_for_writers(&mut self) -> QueryResult<()> {
        match self {
            Db::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Db::Postgres(c) => c.batch_execute("SELECT value FROM revision FOR UPDATE"),
        }
    }

    /// Waits until this transaction is the only one that has acts recorded.
    pub(super) fn wait_for_recorders(&mut self) -> QueryResult<()> {
        match self {
            Db::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Db::Postgres(c) => c.batch_execute(&format!("SELECT pg_advisory_xact_lock({ACTS})")),
        }
    }

    /// Waits until this transaction is the only one that judges an attempt to sign in.
    pub(super) fn wait_for_judges(&mut self) -> QueryResult<()> {
        match self {
            Db::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Db::Postgres(c) => c.batch_execute(&format!("SELECT pg_advisory_xact_lock({ATTEMPTS})")),
        }
    }
}

/// Runs `work` between `begin` and a commit, or undoes it.
pub(super) fn transaction<T>(
    db: &mut Db,
    begin: impl FnOnce(&mut Db) -> QueryResult<()>,
    work: impl FnOnce(&mut Db) -> Result<T, StateError>,
) -> Result<T, StateError> {
    begin(db)?;
    match work(db) {
        Ok(done) => {
            <Db as Connection>::TransactionManager::commit_transaction(db)?;
            Ok(done)
        }
        Err(why) => {
            // A connection on which that fails is not used again.
            <Db as Connection>::TransactionManager::rollback_transaction(db).ok();
            Err(why)
        }
    }
}
