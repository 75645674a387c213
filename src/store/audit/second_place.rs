//! The second place: a copy of the newest checkpoint outside the database.
//!
//! A database that is put back to an older state is sound in itself. Only something that was
//! not put back with it can tell: this file, best kept on another disk or machine.
//!
//! Invariant: two slots are written in turn, and never first the one that holds the newest
//! checkpoint that is whole, so that a torn write leaves one. The file is not synced after each
//! batch: after a power cut it may be older than the database, which is no sign of anything; it is
//! never newer.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a slot: more than a checkpoint with two signatures takes.
const SLOT: usize = 2048;

/// The file.
#[derive(Debug)]
pub struct SecondPlace {
    file: File,
    turn: Mutex<Turn>,
}

/// Whose turn it is.
#[derive(Debug, Default)]
struct Turn {
    /// The slot to write next.
    next: u8,
    /// Records under the checkpoint in the other.
    newest: u64,
}

impl SecondPlace {
    /// Opens or creates the file, and gives the texts of its slots, in their order. `None` when
    /// the file was not there.
    pub fn open(path: &Path) -> std::io::Result<(Self, Option<Vec<String>>)> {
        let existed = path.exists();
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let place = Self { file, turn: Mutex::default() };
        let slots = place.read()?;
        Ok((place, existed.then_some(slots)))
    }

    /// Says which slot holds the newest checkpoint, of how many records: the other is written next.
    pub fn keep(&self, slot: usize, newest: u64) {
        *self.turn() = Turn { next: u8::from(slot == 0), newest };
    }

    /// Notes a checkpoint of `size` records. It is in the log already: that it cannot be noted is
    /// told, and stops nothing. True when this place has it, or a newer one.
    pub fn note(&self, size: u64, note: &str) -> bool {
        let written = self.write(size, note);
        if let Err(e) = &written {
            tracing::error!(audit.error = %e, "the copy of the newest checkpoint cannot be written");
        }
        written.is_ok()
    }

    /// Writes a checkpoint over the older of the two.
    fn write(&self, size: u64, note: &str) -> std::io::Result<()> {
        let mut turn = self.turn();
        // Whoever writes the log and whoever follows it come each at their own pace; the same one
        // twice would stand in both slots, and the one before it in none.
        if size <= turn.newest {
            return Ok(());
        }
        let mut slot = note.as_bytes().to_vec();
        if slot.len() > SLOT {
            return Err(std::io::Error::other("a checkpoint longer than its slot"));
        }
        slot.resize(SLOT, b'\n');
        self.file.write_all_at(&slot, u64::from(turn.next) * SLOT as u64)?;
        *turn = Turn { next: turn.next ^ 1, newest: size };
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        // It changes in one assignment: a panic cannot leave it half done.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::io::Result<Vec<String>> {
        let mut bytes = Vec::new();
        (&self.file).take(2 * SLOT as u64).read_to_end(&mut bytes)?;
        Ok(texts(&bytes).collect())
    }
}

/// The texts in the bytes of a second place; also reads a file that holds one plain checkpoint.
pub fn slots(bytes: &[u8]) -> Vec<String> {
    texts(bytes).filter(|text| !text.is_empty()).collect()
}

/// Slot by slot; what fills it up is left out: newlines, and zeros where nothing was written.
fn texts(bytes: &[u8]) -> impl Iterator<Item = String> {
    bytes.chunks(SLOT).map(|slot| {
        let text = String::from_utf8_lossy(slot);
        let text = text.trim_end_matches(['\n', '\0']);
        if text.is_empty() { String::new() } else { format!("{text}\n") }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_checkpoint_that_two_have_to_tell_of_stands_there_once() {
        let dir = tempfile::tempdir().unwrap();
        let (place, _) = SecondPlace::open(&dir.path().join("checkpoint")).unwrap();
        for size in [1, 2, 2, 1, 3, 3] {
            assert!(place.note(size, &format!("{size}\n")));
        }
        assert_eq!(place.read().unwrap(), ["3\n", "2\n"]);
    }
}
