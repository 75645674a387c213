//! The second place: a copy of the newest checkpoint outside the database.
//!
//! A database that is put back to an older state is sound in itself. Only something that was
//! not put back with it can tell: this file, best kept on another disk or machine.
//!
//! Invariant: two slots are written in turn, and never first the one that holds the newest
//! checkpoint that is whole, so that a torn write leaves one. The file is not synced after each batch: after a power cut it may be older than the database,
//! which is no sign of anything; it is never newer.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of a slot: more than a checkpoint with two signatures takes.
const SLOT: usize = 2048;

/// The file.
#[derive(Debug)]
pub struct SecondPlace {
    file: File,
    next: u8,
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
        let mut place = Self { file, next: 0 };
        let slots = place.read()?;
        Ok((place, existed.then_some(slots)))
    }

    /// Says which slot holds the newest checkpoint: the other is written next.
    pub fn keep(&mut self, slot: usize) {
        self.next = u8::from(slot == 0);
    }

    /// Writes a checkpoint over the older of the two.
    pub fn write(&mut self, note: &str) -> std::io::Result<()> {
        let mut slot = note.as_bytes().to_vec();
        if slot.len() > SLOT {
            return Err(std::io::Error::other("a checkpoint longer than its slot"));
        }
        slot.resize(SLOT, b'\n');
        self.file.write_all_at(&slot, u64::from(self.next) * SLOT as u64)?;
        self.next ^= 1;
        Ok(())
    }

    fn read(&mut self) -> std::io::Result<Vec<String>> {
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
