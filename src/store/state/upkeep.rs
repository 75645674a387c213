//! The state database in an operator's hands: its schema, copies of it, and its place beside
//! another log.

use std::path::Path;

use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::MigrationHarness;

use super::schema::acts::dsl;
use super::schema::revision::dsl as revisions;
use super::{MIGRATIONS, StateError, StateStore};
use crate::store::audit::open_read_only;
use crate::store::upkeep::{self, CopyError, Schema};

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
    standing(applied(&mut conn)?)
}

/// Brings the state in `data_dir` to this program's schema, making it when there is none.
///
/// # Errors
/// When it is newer, or a migration fails; a migration is done whole or not at all.
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

/// Refuses a database that a newer program wrote.
pub(super) fn refuse_newer(conn: &mut SqliteConnection) -> Result<(), StateError> {
    match standing(applied(conn)?)? {
        Schema::Newer { found, known } => Err(StateError::new(format!(
            "it has schema {found}, and this program knows {known}: a newer program wrote it. Run that one, or restore a backup from before"
        ))),
        _ => Ok(()),
    }
}

/// The numbers of the migrations that the database has, oldest first.
fn applied(conn: &mut SqliteConnection) -> Result<Vec<String>, StateError> {
    #[derive(QueryableByName)]
    struct Applied {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let kept = "SELECT name AS version FROM sqlite_schema WHERE name = '__diesel_schema_migrations'";
    if diesel::sql_query(kept).load::<Applied>(conn)?.is_empty() {
        return Ok(Vec::new());
    }
    let rows = diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version");
    Ok(rows.load::<Applied>(conn)?.into_iter().map(|row| row.version).collect())
}

fn standing(applied: Vec<String>) -> Result<Schema, StateError> {
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(StateError::new)?;
    let mut known: Vec<String> = known.iter().map(|one| one.name().version().to_string()).collect();
    known.sort();
    let newest = |versions: &[String]| {
        let newest = versions.last().map_or("0", |version| version.trim_start_matches('0'));
        newest.to_owned()
    };
    let (found, ours) = (newest(&applied), newest(&known));
    if applied.iter().any(|version| !known.contains(version)) {
        Ok(Schema::Newer { found, known: ours })
    } else if known.len() > applied.len() {
        Ok(Schema::Behind { found, known: ours })
    } else {
        Ok(Schema::Current(found))
    }
}

/// Applies what is pending.
pub(super) fn bring_up_to_date(conn: &mut SqliteConnection) -> Result<(), StateError> {
    refuse_newer(conn)?;
    conn.run_pending_migrations(MIGRATIONS).map_err(StateError::new)?;
    Ok(())
}
