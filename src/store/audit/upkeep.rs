//! The log in an operator's hands: its schema, copies of it, and a new log that goes on where an
//! old one was lost.
//!
//! Invariant: an existing log is never written here. A log that is begun says in its first record
//! which log it goes on from.

use std::fs::File;
use std::io;
use std::path::Path;

use super::engine::{DatabaseError, Home, settle};
pub(in crate::store) use super::sqlite::open_read_only;
use super::start::OpenError;
use super::writer::Writer;
use super::{DATABASE, Options, Shared, sqlite, start};
use crate::audit::Object;
use crate::audit::record::{Draft, kind};
use crate::base::Timestamp;
use crate::store::db::Server;
use crate::store::upkeep::{self, CopyError, Schema};

/// A data directory taken for this process alone, until it is dropped.
#[must_use]
pub struct Held {
    _lock: File,
}

/// Takes `data_dir`, so that no gateway starts in it.
///
/// # Errors
/// When a gateway has it, or it cannot be written.
pub fn hold(data_dir: &Path) -> Result<Held, OpenError> {
    Ok(Held { _lock: super::lock(data_dir)? })
}

/// How the schema of the log in `data_dir` stands to this program's. Changes nothing.
///
/// # Errors
/// When the database cannot be read.
pub fn schema(data_dir: &Path) -> Result<Schema, DatabaseError> {
    let path = data_dir.join(DATABASE);
    if !path.is_file() {
        return Ok(Schema::None);
    }
    let (found, known) = sqlite::versions(&mut open_read_only(&path)?)?;
    let (number, ours) = (found.to_string(), known.to_string());
    Ok(match found.cmp(&known) {
        std::cmp::Ordering::Equal => Schema::Current(number),
        std::cmp::Ordering::Less => Schema::Behind { found: number, known: ours },
        std::cmp::Ordering::Greater => Schema::Newer { found: number, known: ours },
    })
}

/// Brings the log in `data_dir` to this program's schema, making it when there is none. The
/// directory must be held.
///
/// # Errors
/// When it is newer or cannot be written.
pub fn migrate(data_dir: &Path, _held: &Held) -> Result<(), DatabaseError> {
    sqlite::settle(&mut sqlite::open_log(&data_dir.join(DATABASE))?);
    Ok(())
}

/// How the schema of the log on a server stands to this program's. Changes nothing.
///
/// # Errors
/// When the server is not reached.
pub fn schema_on(server: &Server) -> Result<Schema, DatabaseError> {
    #[cfg(feature = "postgres")]
    return Ok(super::migrate::ON_SERVER.standing(server)?);
    #[cfg(not(feature = "postgres"))]
    Home::of(Path::new(""), Some(server)).map(|_| Schema::None)
}

/// Brings the log on a server to this program's schema, as the role that owns it, and gives the
/// gateway's role its rights there.
///
/// # Errors
/// When it is newer, the schema `sluice_log` or the gateway's role is not there yet, somebody holds on to
/// a table for too long, or a migration fails; a migration is done whole or not at all.
pub fn migrate_on(owner: &Server) -> Result<(), DatabaseError> {
    #[cfg(feature = "postgres")]
    return Ok(super::migrate::ON_SERVER.migrate(owner)?);
    #[cfg(not(feature = "postgres"))]
    Home::of(Path::new(""), Some(owner)).map(drop)
}

/// What a server is like, as far as the log rests on it.
#[derive(Debug, Clone, Copy)]
pub struct Footing {
    /// The time by its clock.
    pub now: Timestamp,
    /// Does a commit wait for a standby?
    pub standby: bool,
}

/// Looks at the server that the log is on.
///
/// # Errors
/// When it is not reached.
pub fn footing(server: &Server) -> Result<Footing, DatabaseError> {
    #[cfg(feature = "postgres")]
    return super::postgres::footing(server);
    #[cfg(not(feature = "postgres"))]
    Home::of(Path::new(""), Some(server)).and(Err(DatabaseError::NoPostgres))
}

/// Copies the log in `data_dir`, which may be in use, to the file `to`.
///
/// # Errors
/// When it cannot be read or the copy cannot be written.
pub fn copy(data_dir: &Path, to: &Path) -> Result<(), OpenError> {
    let path = data_dir.join(DATABASE);
    if !path.is_file() {
        return Err(OpenError::Io { path, source: io::ErrorKind::NotFound.into() });
    }
    match upkeep::copy(&mut open_read_only(&path)?, to) {
        Ok(()) => Ok(()),
        Err(CopyError::Database(error)) => Err(DatabaseError::from(error).into()),
        Err(CopyError::File(source)) => Err(OpenError::Io { path: to.into(), source }),
    }
}

/// The log that a new one goes on from.
#[derive(Debug, Clone)]
pub struct Past {
    /// The last checkpoint that is known of it, as a signed note.
    pub checkpoint: String,
    /// Records of it that are still there: fewer than the checkpoint covers, or a new log were
    /// not needed.
    pub held: u64,
}

/// Begins a new log whose first record names `past`, and closes it. The directory must be held,
/// and neither it nor the server hold a log.
///
/// # Errors
/// When there is a log already, the second place holds checkpoints, or nothing can be written.
pub fn begin_after(options: Options, past: &Past, _held: &Held) -> Result<(), OpenError> {
    let home = Home::of(&options.data_dir, options.server.as_ref())?;
    if let Home::File(path) = &home
        && path.exists()
    {
        return Err(OpenError::Io { path: path.clone(), source: io::ErrorKind::AlreadyExists.into() });
    }
    home.require_current()?;
    let now = options.clock.now();
    let found = start::check(&home, &options.checkpoint_copy, &options.signing_key, None, now)?;
    let mut continues = Object::new();
    continues.text("checkpoint", &past.checkpoint).number("held", past.held);
    let mut log = Object::new();
    log.text("key", &options.signing_key.public().to_string()).object("continues", &continues);
    let mut draft = Draft::new(kind::CREATED);
    draft.members().object("log", &log);
    let shared = std::sync::Arc::new(Shared::new(options.signing_key.public().name()));
    let mut writer = Writer {
        home,
        key: std::sync::Arc::new(options.signing_key),
        clock: options.clock,
        copy: std::sync::Arc::new(found.copy),
        shared,
        end: Some((found.db, found.state)),
    };
    writer.own(draft, &[]).map_err(|why| OpenError::Write(why.to_string()))?;
    if let Some((db, _)) = &mut writer.end {
        settle(db);
    }
    Ok(())
}
