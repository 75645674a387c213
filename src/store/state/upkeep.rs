//! The state database in an operator's hands: its schema, copies of it, and its place beside
//! another log.

use std::path::Path;

use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::schema::acts::dsl;
use super::schema::revision::dsl as revisions;
use super::{Db, StateError, StateStore};
use crate::store::audit::open_read_only;
use crate::store::db::Server;
use crate::store::upkeep::{self, CopyError, Schema};

/// Both engines have the same migrations, by their names: see the rules of the house.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite/state");

/// The file of the state in a data directory.
pub const DATABASE: &str = "state.db";

/// How the schema of the state in `data_dir` stands to this program's. Changes nothing.
///
/// # Errors
/// When the database cannot be read.
pub fn schema(data_dir: &Path) -> Result<Schema, StateError> {
    let path = data_dir.join(DATABASE);
    if !path.is_file() {
        return Ok(Schema::None);
    }
    let mut conn = open_read_only(&path).map_err(StateError::new)?;
    standing(&applied(&mut conn)?)
}

/// Brings the state in `data_dir` to this program's schema, making it when there is none. One that has
/// more is left as it is.
///
/// # Errors
/// When a newer program took something away, or a migration fails; a migration is done whole or not at
/// all.
pub fn migrate(data_dir: &Path) -> Result<(), StateError> {
    StateStore::open(&data_dir.join(DATABASE)).map(|_| ())
}

/// Copies the state in `data_dir`, which may be in use, to the file `to`. Gives the number of
/// changes that the copy has seen.
///
/// # Errors
/// When it cannot be read or the copy cannot be written.
pub fn copy(data_dir: &Path, to: &Path) -> Result<i64, StateError> {
    let mut conn = open_read_only(&data_dir.join(DATABASE)).map_err(StateError::new)?;
    upkeep::copy(&mut conn, to).map_err(|e: CopyError| StateError::new(e))?;
    changes(to)
}

/// The number of changes that the state in the file `path` has seen.
///
/// # Errors
/// When it cannot be read.
pub fn changes(path: &Path) -> Result<i64, StateError> {
    let mut conn = open_read_only(path).map_err(StateError::new)?;
    Ok(revisions::revision.select(revisions::value).first(&mut conn)?)
}

/// Are the pages of the state in `data_dir` sound? Reads all of it.
///
/// # Errors
/// When it cannot be read at all.
pub fn is_sound(data_dir: &Path) -> Result<bool, StateError> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text)]
        line: String,
    }
    let mut conn = open_read_only(&data_dir.join(DATABASE)).map_err(StateError::new)?;
    let found: Vec<Line> =
        diesel::sql_query("SELECT quick_check AS line FROM pragma_quick_check").load(&mut conn)?;
    Ok(found.iter().all(|line| line.line == "ok"))
}

impl StateStore {
    /// Forgets where in the log each act was recorded: the state goes on beside another log, which
    /// is to record them all again. Gives how many they are.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn forget_log(&self) -> Result<usize, StateError> {
        self.write(|conn| Ok(diesel::update(dsl::acts).set(dsl::log_index.eq(None::<i64>)).execute(conn)?))
    }
}

/// How the schema of the state on a server stands to this program's. Changes nothing.
///
/// # Errors
/// When the server is not reached.
pub fn schema_on(server: &Server) -> Result<Schema, StateError> {
    server::schema(server)
}

/// Brings the state on a server to this program's schema, as the role that owns it, and gives the
/// gateway's role the rights that it needs there and no others. One that has more is left as it is,
/// with the rights that the newer program gave.
///
/// # Errors
/// When a newer program took something away, the schema `sluice_state` or the gateway's role is not
/// there yet, or a migration fails; a migration is done whole or not at all.
pub fn migrate_on(owner: &Server) -> Result<(), StateError> {
    server::migrate(owner)
}

/// Refuses a database that this program cannot work with as it is: another role brings it there.
pub(super) fn require_current(db: &mut Db) -> Result<(), StateError> {
    let applied = match db {
        Db::Sqlite(conn) => applied(conn)?,
        #[cfg(feature = "postgres")]
        Db::Postgres(conn) => server::applied(conn)?,
    };
    match standing(&applied)? {
        Schema::Current(_) | Schema::Ahead { .. } => Ok(()),
        Schema::None => Err(StateError::new(format!("it has no schema yet: {BRING}"))),
        Schema::Behind { found, known } => {
            Err(StateError::new(format!("it has schema {found}, and this program needs {known}: {BRING}")))
        }
        Schema::Newer { found, known } => Err(newer(&found, &known)),
    }
}

const BRING: &str = "run `sluice migrate` as the role that owns it";

/// Applies what is pending to a file, unless a newer program took something away from it.
pub(super) fn bring_up_to_date(db: &mut Db) -> Result<(), StateError> {
    match db {
        Db::Sqlite(conn) => {
            if let Schema::Newer { found, known } = standing(&applied(conn)?)? {
                return Err(newer(&found, &known));
            }
            conn.run_pending_migrations(MIGRATIONS).map_err(StateError::new)?;
            Ok(())
        }
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => require_current(db),
    }
}

fn newer(found: &str, known: &str) -> StateError {
    StateError::new(format!(
        "it has schema {found}, and this program knows {known}: a newer program wrote it, and not only added to it. Run that one, or restore a backup from before"
    ))
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// The numbers of the migrations that the database has, oldest first.
fn applied(conn: &mut SqliteConnection) -> Result<Vec<String>, StateError> {
    let kept = "SELECT name AS version FROM sqlite_schema WHERE name = '__diesel_schema_migrations'";
    if diesel::sql_query(kept).load::<Applied>(conn)?.is_empty() {
        return Ok(Vec::new());
    }
    let rows = diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version");
    Ok(rows.load::<Applied>(conn)?.into_iter().map(|row| row.version).collect())
}

fn standing(applied: &[String]) -> Result<Schema, StateError> {
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(StateError::new)?;
    let known: Vec<String> = known.iter().map(|one| one.name().version().to_string()).collect();
    Ok(Schema::of(applied, &known))
}

#[cfg(not(feature = "postgres"))]
mod server {
    use super::{Schema, Server, StateError};

    pub(super) fn schema(_: &Server) -> Result<Schema, StateError> {
        Err(StateError::new("this sluice was built without the feature `postgres`"))
    }

    pub(super) fn migrate(_: &Server) -> Result<(), StateError> {
        Err(StateError::new("this sluice was built without the feature `postgres`"))
    }
}

#[cfg(feature = "postgres")]
mod server {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    use diesel::sql_types::Bool;
    use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

    use super::{Applied, Schema, Server, StateError, newer, standing};

    const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres/state");
    /// What the gateway's role may do there.
    const RIGHTS: &str = include_str!("../../../migrations/postgres/state.rights.sql");
    const LOOKING: &str = "SET search_path = sluice_state; SET statement_timeout = 5000;";
    /// The lock is held for as long as the session lasts: two who migrate at once wait for each other.
    const SESSION: &str = "SET search_path = sluice_state; SET lock_timeout = 5000;
         SELECT pg_advisory_lock(hashtext('sluice migrate'));";

    pub(super) fn schema(server: &Server) -> Result<Schema, StateError> {
        let mut conn = server.connect(LOOKING).map_err(StateError::new)?;
        let applied = applied(&mut conn)?;
        if applied.is_empty() { Ok(Schema::None) } else { standing(&applied) }
    }

    pub(super) fn migrate(owner: &Server) -> Result<(), StateError> {
        let mut conn = owner.connect_to_migrate(SESSION).map_err(StateError::new)?;
        if !is(&mut conn, "to_regnamespace('sluice_state') IS NOT NULL")? {
            let fix = "run deploy/postgres/roles.sql as an administrator of the database first";
            return Err(StateError::new(format!("there is no schema sluice_state: {fix}")));
        }
        match standing(&applied(&mut conn)?)? {
            Schema::Newer { found, known } => return Err(newer(&found, &known)),
            // Its rights are the newer program's: those of this one would take some of them away.
            Schema::Ahead { .. } => return Ok(()),
            Schema::None | Schema::Current(_) | Schema::Behind { .. } => {}
        }
        conn.run_pending_migrations(MIGRATIONS).map_err(StateError::new)?;
        // In one transaction: a gateway that runs meanwhile never lacks a right.
        conn.transaction(|conn| Ok(conn.batch_execute(RIGHTS)?))
    }

    /// The numbers of the migrations that the database has, oldest first.
    pub(super) fn applied(conn: &mut PgConnection) -> Result<Vec<String>, StateError> {
        if !is(conn, "to_regclass('__diesel_schema_migrations') IS NOT NULL")? {
            return Ok(Vec::new());
        }
        let rows = diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version");
        Ok(rows.load::<Applied>(conn)?.into_iter().map(|row| row.version).collect())
    }

    fn is(conn: &mut PgConnection, what: &str) -> Result<bool, StateError> {
        #[derive(QueryableByName)]
        struct Is {
            #[diesel(sql_type = Bool)]
            so: bool,
        }
        let found: Is = diesel::sql_query(format!("SELECT {what} AS so")).get_result(conn)?;
        Ok(found.so)
    }
}
