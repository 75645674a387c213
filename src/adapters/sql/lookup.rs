//! One statement run on one of the two databases, and the connections it runs on.
//!
//! Invariant: a connection cannot write: SQLite files are opened `mode=ro` and told `query_only`;
//! PostgreSQL sessions are told `default_transaction_read_only`. No message of a database goes
//! further than this file once data is read, for it can quote values.

use std::time::Duration;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::r2d2::{self, ConnectionManager, CustomizeConnection, Pool, R2D2Connection};
use diesel::result::Error as DbError;
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::statement::{Dialect, Statement};
use crate::base::{Code, Error, Result};
use crate::config::adapter::Database;

/// A key and its record as JSON text.
pub type Row = (String, String);

/// Connections to the department's database.
pub enum Source {
    /// To a SQLite file.
    Sqlite(Pool<ConnectionManager<SqliteConnection>>),
    /// To a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(Pool<ConnectionManager<diesel::PgConnection>>),
}

/// A statement with its subjects.
pub struct Lookup<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// What is bound.
    pub subjects: &'a [&'a str],
    /// May the database keep it prepared?
    pub keep: bool,
}

impl Source {
    /// Opens `connections` connections, at least one.
    ///
    /// # Errors
    /// Why the database cannot be read.
    pub fn open(
        database: &Database,
        connections: u32,
        timeout: Duration,
    ) -> std::result::Result<Self, String> {
        let millis = timeout.as_millis();
        match database {
            Database::Sqlite(file) => {
                let path = file.path.to_str().ok_or("the path is not UTF-8")?;
                let url = format!(
                    "file:{}?mode=ro",
                    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
                );
                let session = format!(
                    "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA busy_timeout = {millis};"
                );
                // A file does not go away as a server does: nothing to test before each use.
                pool(url, session, connections, timeout, false).map(Self::Sqlite)
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(file) => {
                let url =
                    crate::config::read_private(&file.url_file).map_err(|finding| finding.to_string())?;
                let session =
                    format!("SET default_transaction_read_only = on; SET statement_timeout = {millis};");
                pool(url.trim().to_owned(), session, connections, timeout, true).map(Self::Postgres)
            }
            #[cfg(not(feature = "postgres"))]
            Database::Postgres(_) => Err("this sluice was built without the feature `postgres`".into()),
        }
    }

    /// Whose SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs `lookup`, waiting for a connection first.
    ///
    /// # Errors
    /// `provider-busy` when none becomes free in time, `data-fault` when a row is not text that
    /// can be read, `provider-failed`.
    pub fn run(&self, lookup: Lookup<'_>) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(pool) => lookup.load(&mut free(pool)?).map_err(failed),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => lookup.load(&mut free(pool)?).map_err(failed),
        }
    }

    /// Runs `lookup` before any data is read, when the database's message may be told.
    ///
    /// # Errors
    /// What the database says of the statement.
    pub fn try_out(&self, lookup: Lookup<'_>) -> std::result::Result<(), String> {
        let rows: QueryResult<Vec<Row>> = match self {
            Self::Sqlite(pool) => lookup.load(&mut pool.get().map_err(|error| error.to_string())?),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => lookup.load(&mut pool.get().map_err(|error| error.to_string())?),
        };
        rows.map(|_| ()).map_err(|error| error.to_string())
    }
}

fn pool<C: R2D2Connection + 'static>(
    url: String,
    session: String,
    connections: u32,
    timeout: Duration,
    test: bool,
) -> std::result::Result<Pool<ConnectionManager<C>>, String> {
    Pool::builder()
        .max_size(connections)
        .connection_timeout(timeout)
        .test_on_check_out(test)
        .connection_customizer(Box::new(Session(session)))
        .build(ConnectionManager::new(url))
        .map_err(|error| error.to_string())
}

fn free<C: R2D2Connection + 'static>(
    pool: &Pool<ConnectionManager<C>>,
) -> Result<r2d2::PooledConnection<ConnectionManager<C>>> {
    pool.get().map_err(|_| {
        Error::new(Code::ProviderBusy).because("no connection became free in time").retry_after(1)
    })
}

/// What went wrong, without the database's own words.
fn failed(error: DbError) -> Error {
    match error {
        DbError::DeserializationError(_) => Error::new(Code::DataFault).because("a row could not be read"),
        DbError::DatabaseError(kind, _) => {
            Error::new(Code::ProviderFailed).because(format!("the database refused the statement: {kind:?}"))
        }
        _ => Error::new(Code::ProviderFailed).because("the database's answer could not be read"),
    }
}

/// What every connection is told first.
#[derive(Debug)]
struct Session(String);

impl<C: R2D2Connection> CustomizeConnection<C, r2d2::Error> for Session {
    fn on_acquire(&self, connection: &mut C) -> std::result::Result<(), r2d2::Error> {
        connection.batch_execute(&self.0).map_err(r2d2::Error::QueryError)
    }
}

impl QueryFragment<Sqlite> for Lookup<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        if !self.keep {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(&self.statement.head);
        // Few sizes, so that few statements are prepared: the last subject fills the rest.
        let size = match self.subjects.len() {
            0..=1 => 1,
            2..=10 => 10,
            _ => super::statement::MAX_SUBJECTS,
        };
        let padding = self.subjects.last().into_iter().cycle();
        for (at, subject) in self.subjects.iter().chain(padding).take(size).enumerate() {
            if at > 0 {
                out.push_sql(", ");
            }
            out.push_bind_param::<Text, &str>(subject)?;
        }
        out.push_sql(&self.statement.tail);
        Ok(())
    }
}

#[cfg(feature = "postgres")]
impl QueryFragment<diesel::pg::Pg> for Lookup<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, diesel::pg::Pg>) -> QueryResult<()> {
        if !self.keep {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(&self.statement.head);
        out.push_bind_param::<diesel::sql_types::Array<Text>, &[&str]>(&self.subjects)?;
        out.push_sql(&self.statement.tail);
        Ok(())
    }
}

impl QueryId for Lookup<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Lookup<'_> {
    type SqlType = (Text, Text);
}

impl<C> RunQueryDsl<C> for Lookup<'_> {}
