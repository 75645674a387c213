//! Everything the gateway decides by, beside the log: versions, keys, quotas, acts.
//!
//! Invariant: a change and the act that tells of it are one transaction; whoever sees the one
//! sees the other. No value or identifier of a subject is ever stored here.

mod account;
mod accounts;
mod acts;
pub mod applications;
mod credentials;
pub mod delegations;
pub mod emergency;
pub mod grants;
pub mod idempotency;
mod keys;
pub mod notice;
pub mod outbox;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod outbox_tests;
mod quota;
mod schema;
mod sessions;
pub mod suspensions;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
pub mod upkeep;
mod versions;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool, PooledConnection};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, ExpressionMethods, QueryDsl, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

pub use account::{Change, Changed, NewAccount, Profile, made_as};
pub use acts::{Act, machine_user};
pub use credentials::{Credentials, Rotation};
pub use keys::{RegisteredKey, Registration};
pub use quota::{Charge, Charged, Counted, DayUse, Quotas, Use, UsePeople};
pub use sessions::{Lasting, Means, NewSession, Session};
pub use versions::{Applied, Version};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite/state");

/// Why the state could not be read or written: for the operator's log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("state database: {0}")]
pub struct StateError(String);

impl StateError {
    /// Of what the state could not be read or written for, in its own words.
    pub fn new(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

impl From<diesel::result::Error> for StateError {
    fn from(cause: diesel::result::Error) -> Self {
        Self::new(cause)
    }
}

/// The state database. Cheap to clone; its calls block, so they belong on a blocking thread.
#[derive(Clone)]
pub struct StateStore {
    pool: Pool<ConnectionManager<SqliteConnection>>,
    path: Arc<Path>,
}

impl StateStore {
    /// Opens the database at `path`, making it or bringing it up to date where needed.
    ///
    /// # Errors
    /// When it cannot be opened, a newer program wrote it, or a migration fails.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(StateError::new)?;
        }
        let pool = Pool::builder()
            .max_size(4)
            .connection_timeout(Duration::from_secs(5))
            .connection_customizer(Box::new(Pragmas))
            .build(ConnectionManager::new(path.display().to_string()))
            .map_err(StateError::new)?;
        let store = Self { pool, path: path.into() };
        upkeep::bring_up_to_date(&mut *store.connection()?)?;
        Ok(store)
    }

    /// The number of changes so far: a reader that has seen it has seen them all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn revision(&self) -> Result<i64, StateError> {
        revision(&mut *self.connection()?)
    }

    /// A connection for the counts of quotas alone, whose commits are not synced: each query would
    /// wait for the disk once more. A power cut may lose the newest counts.
    fn counting(&self) -> Result<SqliteConnection, StateError> {
        let mut connection =
            SqliteConnection::establish(&self.path.display().to_string()).map_err(StateError::new)?;
        connection.batch_execute(PRAGMAS)?;
        connection.batch_execute("PRAGMA synchronous = NORMAL")?;
        Ok(connection)
    }

    fn connection(&self) -> Result<PooledConnection<ConnectionManager<SqliteConnection>>, StateError> {
        self.pool.get().map_err(StateError::new)
    }

    /// Runs `work` as one transaction that takes the write lock at once: two writers queue up
    /// instead of failing half-way.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        self.connection()?.immediate_transaction(work)
    }
}

/// The number of changes so far.
fn revision(connection: &mut SqliteConnection) -> Result<i64, StateError> {
    use schema::revision::dsl::{revision, value};
    Ok(revision.select(value).first(connection)?)
}

/// Notes a change: part of the transaction that makes it.
fn bump(connection: &mut SqliteConnection) -> Result<(), StateError> {
    use schema::revision::dsl::{revision, value};
    diesel::update(revision).set(value.eq(value + 1)).execute(connection)?;
    Ok(())
}

/// FULL: what was revoked stays revoked after a power cut, for the log would bear out the older
/// state that the database fell back to.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON;";

#[derive(Debug)]
struct Pragmas;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Pragmas {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        connection.batch_execute(PRAGMAS).map_err(diesel::r2d2::Error::QueryError)
    }
}
