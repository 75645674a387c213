//! The head of a log that other gateways write too: looked at, so that this one knows of their
//! records.
//!
//! Invariant: what is published is signed by the log's key and goes on from what was known before:
//! the writer measures by it what it may write onto. Nothing is written but the second place, which
//! is to know as much as this gateway: of a log that is put back behind that, it is what tells.

use std::sync::Arc;
use std::time::Duration;

use super::engine::{DatabaseError, Home};
use super::progress::Shared;
use super::read::{ReadError, damaged};
use super::rows::{self, TileReader};
use super::second_place::SecondPlace;
use crate::audit::proof;
use crate::audit::{Checkpoint, VerifyingKey};
use crate::store::db::Db;

/// How often the head is looked at. Whoever asks for a record that is not known yet looks at once.
const LOOK: Duration = Duration::from_millis(250);

/// The head, and whom to tell of it.
pub(super) struct Head {
    pub key: VerifyingKey,
    pub shared: Arc<Shared>,
    pub copy: Arc<SecondPlace>,
}

impl Head {
    /// Looks at the head and publishes it, if it is newer than what is known. A log that is not what
    /// it was is none to answer from: the gateway is not ready any more.
    pub(super) fn look(&self, db: &mut Db) -> Result<(), ReadError> {
        let looked = self.look_further(db);
        if let Err(ReadError::Damaged(_)) = looked {
            self.shared.publish_failure();
        }
        looked
    }

    fn look_further(&self, db: &mut Db) -> Result<(), ReadError> {
        let known = self.shared.now();
        let (noted, note) = rows::newest(db)?.unwrap_or_default();
        if noted < known.size {
            return Err(ReadError::Damaged("it is behind a checkpoint that was given out"));
        }
        if noted > known.size {
            let head = self.open(&note)?;
            if known.size > 0 {
                let root = proof::root(&mut TileReader::new(db), known.size).map_err(damaged)?;
                if root != known.root {
                    return Err(ReadError::Damaged("it does not go on from a checkpoint that was given out"));
                }
            }
            let copied = self.copy.note(head.size, &note);
            self.shared.follow(head.size, head.root, note.into(), copied);
        }
        Ok(())
    }

    fn open(&self, note: &str) -> Result<Checkpoint, ReadError> {
        let unsigned = "the newest checkpoint is not signed by the log's key";
        Checkpoint::open(note, &self.key).map_err(|_| ReadError::Damaged(unsigned))
    }

    /// Looks again and again until the log is closed.
    pub(super) fn follow(&self, home: &Home) {
        let (mut connection, mut told) = (None, false);
        while !self.shared.now().closing {
            let looked = self.look_with(&mut connection, home);
            if let Err(error) = &looked {
                connection = None;
                if !told {
                    tracing::warn!(audit.error = %error, "the head of the log cannot be read");
                }
            }
            told = looked.is_err();
            self.shared.pause(LOOK);
        }
    }

    fn look_with(&self, connection: &mut Option<Db>, home: &Home) -> Result<(), String> {
        let db = match connection {
            Some(db) => db,
            None => connection.insert(home.open_read_only().map_err(|e: DatabaseError| e.to_string())?),
        };
        self.look(db).map_err(|e| e.to_string())
    }
}
