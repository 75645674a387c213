//! Everything the gateway decides by, beside the log: versions, keys, quotas, acts.
//!
//! Invariant: a change and the act that tells of it are one transaction; whoever sees the one
//! sees the other. No value or identifier of a subject is ever stored here.

mod account;
mod accounts;
mod acts;
pub mod applications;
mod attempts;
pub mod consents;
mod credentials;
pub mod delegations;
pub mod emergency;
pub mod grants;
pub mod idempotency;
mod keys;
pub mod notice;
pub mod outbox;
mod place;
mod quota;
mod schema;
mod searches;
mod sessions;
pub mod suspensions;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
pub mod upkeep;
mod versions;
mod watch;

use std::path::Path;
use std::time::Duration;

use diesel::r2d2::{Builder, Pool, PooledConnection};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};

pub use account::{Change, Changed, NewAccount, Profile, made_as};
pub use acts::{Act, Taken, machine_user};
pub use attempts::{Mark, Tries};
pub use credentials::{Credentials, Rotation};
pub use keys::{RegisteredKey, Registration};
pub use quota::{Charge, Charged, Counted, DayUse, Quotas, Use, UsePeople};
pub use searches::SavedSearch;
pub use sessions::{Lasting, Means, NewSession, Session};
pub use versions::{Applied, Version, VersionLine};
pub use watch::Watch;

use self::place::Place;
use crate::base::Timestamp;
use crate::config::Config;
#[cfg(feature = "postgres")]
use crate::store::db::{Ahead, CLOCK};
use crate::store::db::{Db, Server};

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
    pool: Pool<Place>,
    place: Place,
}

impl StateStore {
    /// Opens the state where the configuration has it.
    ///
    /// # Errors
    /// As for [`StateStore::open`] and [`StateStore::on`].
    pub fn of(config: &Config) -> Result<Self, StateError> {
        match &config.database {
            None => Self::open(&config.gateway.data_dir.join(upkeep::DATABASE)),
            Some(section) => Self::on(&Server::new(section).map_err(StateError::new)?),
        }
    }

    /// Opens the database at `path`, making it or bringing it up to date where needed.
    ///
    /// # Errors
    /// When it cannot be opened, a newer program wrote it, or a migration fails.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(StateError::new)?;
        }
        let pool = Pool::builder().max_size(4).connection_timeout(Duration::from_secs(5));
        let store = Self::with(Place::File(path.into()), pool)?;
        upkeep::bring_up_to_date(&mut *store.connection()?)?;
        Ok(store)
    }

    /// Opens the state on a PostgreSQL server. Its schema is the owner's business: it is only
    /// looked at.
    ///
    /// # Errors
    /// When the server is not reached, or the schema is not this program's.
    pub fn on(server: &Server) -> Result<Self, StateError> {
        let pool = Pool::builder()
            .max_size(server.connections())
            .min_idle(Some(1))
            .connection_timeout(Duration::from_secs(2));
        let store = Self::with(Place::Server(server.clone()), pool)?;
        upkeep::bring_up_to_date(&mut *store.connection()?)?;
        Ok(store)
    }

    fn with(place: Place, pool: Builder<Place>) -> Result<Self, StateError> {
        let pool =
            pool.error_handler(Box::new(place::Quiet)).build(place.clone()).map_err(StateError::new)?;
        Ok(Self { pool, place })
    }

    /// Do other gateways decide by this state too?
    pub fn is_shared(&self) -> bool {
        matches!(self.place, Place::Server(_))
    }

    /// The number of changes so far: a reader that has seen it has seen them all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn revision(&self) -> Result<i64, StateError> {
        revision(&mut *self.connection()?)
    }

    /// The number of changes so far, for a gateway whose clock shows `now`.
    ///
    /// # Errors
    /// When the database cannot be read, or a server's clock says that `now` is yet to come.
    #[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
    pub fn look(&self, now: Timestamp) -> Result<i64, StateError> {
        match &mut *self.connection()? {
            db @ Db::Sqlite(_) => revision(db),
            #[cfg(feature = "postgres")]
            Db::Postgres(connection) => {
                use schema::revision::dsl::{revision, value};
                let servers = diesel::dsl::sql::<diesel::sql_types::BigInt>(CLOCK);
                let (seen, servers): (i64, i64) = revision.select((value, servers)).first(connection)?;
                Ahead::check(now, Timestamp::from_micros(servers)).map_err(StateError::new)?;
                Ok(seen)
            }
        }
    }

    fn connection(&self) -> Result<PooledConnection<Place>, StateError> {
        self.pool.get().map_err(StateError::new)
    }

    /// Runs `work` as one transaction of which no other writer sees a half, and that waits for
    /// those before it instead of failing half-way.
    ///
    /// When the connection is lost while it commits, that is an error although it may have been
    /// done: a reader of what is there now knows.
    fn write<T>(&self, work: impl FnOnce(&mut Db) -> Result<T, StateError>) -> Result<T, StateError> {
        place::transaction(&mut *self.connection()?, Db::begin_alone, |db| {
            db.wait_for_writers()?;
            work(db)
        })
    }
}

/// The number of changes so far.
fn revision(connection: &mut Db) -> Result<i64, StateError> {
    use schema::revision::dsl::{revision, value};
    Ok(revision.select(value).first(connection)?)
}

/// Notes a change: part of the transaction that makes it. Other gateways hear of it when it commits.
fn bump(connection: &mut Db) -> Result<(), StateError> {
    use schema::revision::dsl::{revision, value};
    diesel::update(revision).set(value.eq(value + 1)).execute(connection)?;
    watch::tell(connection)
}
