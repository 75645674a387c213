//! The start check: nothing is signed before the log's end is known to be what was signed last.
//!
//! Invariant: a log that is damaged, behind the second place, or under a clock that went back
//! far is not opened. Every refusal says what to do.

use std::path::{Path, PathBuf};

use super::engine::{DatabaseError, Home, begin_reading, end_reading};
use super::rows::{self, TileReader};
use super::second_place::SecondPlace;
use super::writer::{SMALL_STEP, State, last_time};
use crate::audit::note::NoteError;
use crate::audit::record::kind;
use crate::audit::tree::Tree;
use crate::audit::{Checkpoint, Draft, Hash, Object, SigningKey, proof};
use crate::base::Timestamp;
use crate::store::db::Db;

/// Why the log was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or folder.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another gateway has the log.
    #[error(
        "{0} is in use by another gateway. Two gateways cannot write one log: stop the other, or give this one a data directory of its own"
    )]
    Locked(PathBuf),
    /// The database.
    #[error("the audit log's database cannot be used: {0}")]
    Database(#[from] DatabaseError),
    /// The end of the log is not what was signed.
    #[error(
        "the audit log is damaged: {0}. Keep the files as they are, run `sluice audit verify` to see what and where, and put back a backup that is not older than the checkpoint copy"
    )]
    Damaged(&'static str),
    /// The newest checkpoint is not by the configured key.
    #[error(
        "the newest checkpoint is not signed by the configured key ({0}). To change keys, configure the old one as the previous key for one start"
    )]
    Key(NoteError),
    /// An older state of the database was put back.
    #[error(
        "the audit log was rolled back: the database ends at {database} records, the checkpoint copy has seen {seen}. Put back the newer database; records that callers hold receipts for are missing from this one"
    )]
    RolledBack {
        /// Records in the database.
        database: u64,
        /// Records that the second place knows of.
        seen: u64,
    },
    /// The second place knows another history.
    #[error(
        "the audit log was forked: at {0} records the database and the checkpoint copy differ. One of them belongs to another log, or the log was rewritten"
    )]
    Forked(u64),
    /// The second place is gone.
    #[error(
        "the checkpoint copy {0} is missing, so a rolled back log could not be noticed. If it was lost, and you know that the database is the newest, create it as an empty file: the log will record that it was begun anew"
    )]
    CopyMissing(PathBuf),
    /// The second place cannot be read as checkpoints.
    #[error("the checkpoint copy {0} holds no checkpoint that the configured key has signed")]
    CopyUnreadable(PathBuf),
    /// The clock.
    #[error(
        "the clock is {0} s behind the last record. Set the clock right; the log does not go back in time"
    )]
    ClockBack(i64),
    /// The log could not write its own first records.
    #[error("the audit log cannot be written: {0}")]
    Write(String),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// What the check found.
pub struct Found {
    pub db: Db,
    pub state: State,
    pub copy: SecondPlace,
    /// The newest checkpoint, empty for a new log.
    pub note: String,
    /// Records that the log has to write before anybody else's.
    pub own: Vec<Draft>,
    /// The first of them changes keys: the previous one has to sign beside the new one.
    pub rotates: bool,
}

/// Checks the log at `home` against its keys, the second place and the clock.
pub fn check(
    home: &Home,
    copy_path: &Path,
    key: &SigningKey,
    previous: Option<&SigningKey>,
    now: Timestamp,
) -> Result<Found, OpenError> {
    let mut db = home.open_log()?;
    // Other gateways may be writing meanwhile.
    begin_reading(&mut db)?;
    let (copy, seen) =
        SecondPlace::open(copy_path).map_err(|source| OpenError::Io { path: copy_path.into(), source })?;
    let seen_newest = newest_seen(seen.as_deref().unwrap_or_default(), copy_path, key, previous)?;
    let seen_newest = seen_newest.map(|(slot, newest)| {
        copy.keep(slot, newest.size);
        newest
    });

    let Some((noted, note)) = rows::newest(&mut db).map_err(DatabaseError::from)? else {
        return match seen_newest {
            Some(seen) => Err(OpenError::RolledBack { database: 0, seen: seen.size }),
            None if rows::leaf(&mut db, 0).map_err(DatabaseError::from)?.is_some() => {
                Err(OpenError::Damaged("there are records, but no checkpoint"))
            }
            None => Ok(Found {
                db: ended(db)?,
                state: State { tree: Tree::new(), time: now, behind: false },
                copy,
                note: String::new(),
                own: vec![own(kind::CREATED, Some(key))],
                rotates: false,
            }),
        };
    };

    let (head, rotates) = open_head(&note, key, previous)?;
    if noted != head.size {
        return Err(OpenError::Damaged("the head's size is not the one that was signed"));
    }
    // What the second place has seen comes first: its message says more than a broken edge would.
    if let Some(seen) = seen_newest.as_ref().filter(|seen| seen.size > head.size) {
        return Err(OpenError::RolledBack { database: head.size, seen: seen.size });
    }
    let tree = edge(&mut db, &head)?;
    let time = last_time(&mut db, head.size)
        .map_err(DatabaseError::from)?
        .ok_or(OpenError::Damaged("the last record is missing or is not a record"))?;
    // Keys change first: nothing may be signed by the new one alone before.
    let mut records: Vec<_> = rotates.then(|| own(kind::ROTATION, Some(key))).into_iter().collect();
    match (&seen, seen_newest) {
        (None, _) => {
            // Opening created it; an operator has to decide, so it must not be there next time.
            std::fs::remove_file(copy_path).ok();
            return Err(OpenError::CopyMissing(copy_path.into()));
        }
        (Some(_), None) => records.push(own(kind::COPY_RESET, None)),
        (Some(_), Some(seen)) => same_history(&mut db, &seen)?,
    }
    let behind = (time.micros() - now.micros()) / 1_000_000;
    if behind > SMALL_STEP {
        return Err(OpenError::ClockBack(behind));
    }
    let db = ended(db)?;
    Ok(Found { db, state: State { tree, time, behind: false }, copy, note, own: records, rotates })
}

fn ended(mut db: Db) -> Result<Db, DatabaseError> {
    end_reading(&mut db)?;
    Ok(db)
}

/// A record of the log's own.
fn own(kind: &'static str, key: Option<&SigningKey>) -> Draft {
    let mut draft = Draft::new(kind);
    if let Some(key) = key {
        let mut log = Object::new();
        log.text("key", &key.public().to_string());
        draft.members().object("log", &log);
    }
    draft
}

/// The head under the key, or under the previous one: then keys change now.
fn open_head(
    note: &str,
    key: &SigningKey,
    previous: Option<&SigningKey>,
) -> Result<(Checkpoint, bool), OpenError> {
    match (Checkpoint::open(note, key.public()), previous) {
        (Ok(head), _) => Ok((head, false)),
        (Err(NoteError::NotSigned), Some(previous)) => {
            Checkpoint::open(note, previous.public()).map(|head| (head, true)).map_err(OpenError::Key)
        }
        (Err(e), _) => Err(OpenError::Key(e)),
    }
}

/// The newest checkpoint in the second place that one of the keys has signed, and its slot.
fn newest_seen(
    slots: &[String],
    path: &Path,
    key: &SigningKey,
    previous: Option<&SigningKey>,
) -> Result<Option<(usize, Checkpoint)>, OpenError> {
    let signed = |note: &String| open_head(note, key, previous).ok().map(|(seen, _)| seen);
    let newest = slots
        .iter()
        .enumerate()
        .filter_map(|(slot, note)| signed(note).map(|seen| (slot, seen)))
        .max_by_key(|(_, seen)| seen.size);
    match newest {
        None if slots.iter().any(|note| !note.is_empty()) => Err(OpenError::CopyUnreadable(path.into())),
        newest => Ok(newest),
    }
}

/// The tree's right edge: as stored, as signed, and as the last records say.
fn edge(db: &mut Db, head: &Checkpoint) -> Result<Tree, OpenError> {
    let tree = rows::tree(db, head.size)
        .map_err(DatabaseError::from)?
        .ok_or(OpenError::Damaged("a tile of the tree's edge is missing"))?;
    if tree.root() != head.root {
        return Err(OpenError::Damaged("the tree's edge is not what was signed"));
    }
    let start = head.size - head.size % 256;
    let leaves = rows::leaves(db, start, u64::MAX).map_err(DatabaseError::from)?;
    let hashes: Vec<_> = leaves.iter().map(|(_, leaf)| Hash::of_leaf(leaf)).collect();
    let stored =
        tree.partial().find(|(tile, _)| tile.level == 0).map(|(_, hashes)| hashes).unwrap_or_default();
    if hashes != stored {
        return Err(OpenError::Damaged("the last records are not those that were signed"));
    }
    Ok(tree)
}

/// Is what the second place has seen the beginning of this log?
fn same_history(db: &mut Db, seen: &Checkpoint) -> Result<(), OpenError> {
    let mut reader = TileReader::new(db);
    let root = proof::root(&mut reader, seen.size).map_err(|_| OpenError::Damaged("a tile is missing"))?;
    if root == seen.root { Ok(()) } else { Err(OpenError::Forked(seen.size)) }
}
