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
#[cfg(feature = "postgres")]
use crate::store::tables::Tables;
use crate::store::upkeep::{self, CopyError, Schema};

/// Both engines have the same migrations, by their names: see the rules of the house.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite/state");

/// The state's tables on a server.
#[cfg(feature = "postgres")]
pub(super) const ON_SERVER: Tables = Tables {
    schema: "sluice_state",
    migrations: embed_migrations!("migrations/postgres/state"),
    rights: include_str!("../../../migrations/postgres/state.rights.sql"),
    turns: "revision",
};
#[cfg(not(feature = "postgres"))]
const NO_POSTGRES: &str = "this sluice was built without the feature `postgres`";

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
#[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
pub fn schema_on(server: &Server) -> Result<Schema, StateError> {
    #[cfg(feature = "postgres")]
    return ON_SERVER.standing(server).map_err(StateError::new);
    #[cfg(not(feature = "postgres"))]
    Err(StateError::new(NO_POSTGRES))
}

/// Brings the state on a server to this program's schema, as the role that owns it, and gives the
/// gateway's role the rights that it needs there and no others. One that has more is left as it is,
/// with the rights that the newer program gave.
///
/// # Errors
/// When a newer program took something away, the schema `sluice_state` or the gateway's role is not
/// there yet, somebody holds on to a table for too long, or a migration fails; a migration is done whole
/// or not at all.
#[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
pub fn migrate_on(owner: &Server) -> Result<(), StateError> {
    #[cfg(feature = "postgres")]
    return ON_SERVER.migrate(owner).map_err(StateError::new);
    #[cfg(not(feature = "postgres"))]
    Err(StateError::new(NO_POSTGRES))
}

/// Applies what is pending to a file, unless a newer program took something away from it; refuses a
/// server's tables that this program cannot work with as they are, since another role brings them there.
pub(super) fn bring_up_to_date(db: &mut Db) -> Result<(), StateError> {
    match db {
        Db::Sqlite(conn) => {
            let standing = standing(&applied(conn)?)?;
            if matches!(standing, Schema::Newer { .. }) {
                return standing.demand().map_err(StateError::new);
            }
            conn.run_pending_migrations(MIGRATIONS).map_err(StateError::new)?;
            Ok(())
        }
        #[cfg(feature = "postgres")]
        Db::Postgres(conn) => {
            let standing = ON_SERVER.look(conn).map_err(StateError::new)?;
            standing.demand().map_err(StateError::new)
        }
    }
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
