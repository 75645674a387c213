//! What operators do to the databases beside a gateway, or without one: bring them to this
//! program's schema, and copy them.
//!
//! Invariant: a database that a newer program wrote is not touched; a copy is a whole database of
//! one moment, on disk, that only its owner may read. What is in a database is not looked at here.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{RunQueryDsl, SqliteConnection};

/// How the schema of a database stands to this program's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// There is no database.
    None,
    /// It is this program's.
    Current(String),
    /// An older program's: it can be brought up to date.
    Behind {
        /// Of the database.
        found: String,
        /// Of this program.
        known: String,
    },
    /// A newer program's: it is not to be touched.
    Newer {
        /// Of the database.
        found: String,
        /// Of this program.
        known: String,
    },
}

impl Schema {
    /// The number that the database has, as operators read it.
    pub fn found(&self) -> &str {
        match self {
            Schema::None => "none",
            Schema::Current(found) | Schema::Behind { found, .. } | Schema::Newer { found, .. } => found,
        }
    }
}

/// Why a database could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database.
    #[error("{0}")]
    Database(#[from] diesel::result::Error),
    /// The copy.
    #[error("{0}")]
    File(#[from] io::Error),
}

/// Copies the database behind `conn`, which may be in use, to the file `to`, which must not be
/// there: as it is at one moment, without what was deleted from it.
pub(super) fn copy(conn: &mut SqliteConnection, to: &Path) -> Result<(), CopyError> {
    // Made by us, for its mode: SQLite takes a file that is empty.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let path = std::path::absolute(to)?;
    // The connection reads; what is written is the copy.
    conn.batch_execute("PRAGMA query_only=OFF")?;
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(path.to_string_lossy()).execute(conn)?;
    // SQLite leaves that to others here.
    File::open(to)?.sync_all()?;
    Ok(())
}
