//! What operators do to the databases beside a gateway, or without one: bring them to this
//! program's schema, and copy them.
//!
//! Invariant: a database from which a newer program took something away is not touched; a copy is a
//! whole database of one moment, on disk, that only its owner may read. What is in a database is not
//! looked at here.
//!
//! Programs of two releases work on one database while gateways are upgraded one by one, and when one
//! of them is put back. So migrations only add, and whoever finds more than it knows does without. What
//! is no longer used is taken away a release later, by a migration whose number begins with a higher
//! digit: programs that may still use it are refused from then on.

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
    /// It lacks what this program needs, and can be brought up to date.
    Behind {
        /// Of the database.
        found: String,
        /// Of this program.
        known: String,
    },
    /// It has what this program needs, and more, which a newer one has added: this one does without.
    Ahead {
        /// Of the database.
        found: String,
        /// Of this program.
        known: String,
    },
    /// A newer program's, which this one may not understand: it is not to be touched.
    Newer {
        /// Of the database.
        found: String,
        /// Of this program.
        known: String,
    },
}

impl Schema {
    /// How a database that has the migrations `applied` stands to a program that knows `known`: their
    /// numbers, as the names of their folders begin.
    pub(super) fn of(applied: &[String], known: &[String]) -> Self {
        let newest = |all: &[String]| {
            let newest = all.iter().max().map_or("", |version| version.trim_start_matches('0'));
            if newest.is_empty() { "none".to_owned() } else { newest.to_owned() }
        };
        let generation = |all: &[String]| all.iter().filter_map(|version| version.chars().next()).max();
        let (found, ours) = (newest(applied), newest(known));
        let is_added_to = applied.iter().any(|version| !known.contains(version));
        let lacks = known.iter().any(|version| !applied.contains(version));
        match (is_added_to, lacks) {
            (false, false) => Schema::Current(found),
            (false, true) => Schema::Behind { found, known: ours },
            (true, false) if generation(applied) <= generation(known) => Schema::Ahead { found, known: ours },
            // Something was taken away, or each of two programs has added something of its own.
            (true, _) => Schema::Newer { found, known: ours },
        }
    }

    /// Can this program work on it as it is?
    pub fn is_usable(&self) -> bool {
        matches!(self, Schema::Current(_) | Schema::Ahead { .. })
    }

    /// Refuses a database that this program cannot work with as it is, on a server, where another role
    /// brings it there.
    ///
    /// # Errors
    /// What is the matter, and what to do.
    pub(super) fn demand(&self) -> Result<(), String> {
        const BRING: &str = "run `sluice migrate` as the role that owns it";
        match self {
            Schema::Current(_) | Schema::Ahead { .. } => Ok(()),
            Schema::None => Err(format!("it has no tables yet: {BRING}")),
            Schema::Behind { found, known } => {
                Err(format!("it has schema {found}, and this program needs {known}: {BRING}"))
            }
            Schema::Newer { found, known } => Err(format!(
                "it has schema {found}, and this program knows {known}: a newer program wrote it, and not only added to it. Run that one, or restore a backup from before"
            )),
        }
    }

    /// The number that the database has, as operators read it.
    pub fn found(&self) -> &str {
        match self {
            Schema::None => "none",
            Schema::Current(found)
            | Schema::Behind { found, .. }
            | Schema::Ahead { found, .. }
            | Schema::Newer { found, .. } => found,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_done_without_what_is_lacking_or_was_taken_away_is_not() {
        let of = |applied: &[&str], known: &[&str]| {
            let all = |versions: &[&str]| versions.iter().map(|&v| v.to_owned()).collect::<Vec<_>>();
            Schema::of(&all(applied), &all(known))
        };
        let (found, known) = (|n: &str| n.to_owned(), |n: &str| n.to_owned());
        assert_eq!(of(&["001", "002"], &["001", "002"]), Schema::Current(found("2")));
        assert_eq!(of(&["001"], &["001", "002"]), Schema::Behind { found: found("1"), known: known("2") });
        // One in between, of a branch that was merged later.
        assert_eq!(
            of(&["001", "012"], &["001", "006", "012"]),
            Schema::Behind { found: found("12"), known: known("12") }
        );
        assert_eq!(
            of(&["001", "002", "040"], &["001", "002"]),
            Schema::Ahead { found: found("40"), known: known("2") }
        );
        assert_eq!(
            of(&["001", "002", "101"], &["001", "002"]),
            Schema::Newer { found: found("101"), known: known("2") }
        );
        // A program that knows the newer generation does without what was added to it.
        assert_eq!(
            of(&["001", "101", "102"], &["001", "101"]),
            Schema::Ahead { found: found("102"), known: known("101") }
        );
        assert_eq!(
            of(&["001", "040"], &["001", "002"]),
            Schema::Newer { found: found("40"), known: known("2") }
        );
        assert!(of(&["001", "040"], &["001"]).is_usable());
        assert!(!of(&["001"], &["001", "002"]).is_usable() && !of(&["900"], &[]).is_usable());
    }
}
