//! The manifest of a backup: what belongs to it, under the log's signature.
//!
//! A signed note (C2SP signed-note) whose text is a line of its own and JSON. The line keeps it
//! from ever being taken for a checkpoint, whose first line is the name of a log, without spaces.
//!
//! Invariant: a [`Backup`] exists only with its signature and every file's digest checked.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::{ANCHORS, CHECKPOINT, LOG, STATE};
use crate::audit::{SigningKey, VerifyingKey};
use crate::base::Timestamp;
use crate::base::ids::hex;

const MANIFEST: &str = "manifest";
const FIRST_LINE: &str = "sluice backup v1";
/// In every backup.
const FILES: [&str; 3] = [LOG, STATE, CHECKPOINT];
/// In every backup of a gateway that has them; those of programs before 0.2 are without.
const OPTIONAL: [&str; 1] = [ANCHORS];
/// No manifest is longer.
const MAX: u64 = 64 << 10;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    program: String,
    taken: String,
    files: Vec<Entry>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    bytes: u64,
    sha256: String,
}

/// A backup whose files are those that were signed.
pub(in crate::cli) struct Backup {
    /// Its folder.
    pub dir: PathBuf,
    /// When it was taken, as it says.
    pub taken: String,
    files: Vec<Entry>,
}

impl Backup {
    /// Writes the manifest of the files in `dir`.
    ///
    /// # Errors
    /// When a file cannot be read, or the manifest written.
    pub fn write(dir: &Path, key: &SigningKey, now: Timestamp) -> io::Result<()> {
        let entry = |name: &str| {
            let (bytes, sha256) = digest(&dir.join(name), &mut io::sink())?;
            Ok(Entry { name: name.to_owned(), bytes, sha256 })
        };
        let there = OPTIONAL.into_iter().filter(|name| dir.join(name).exists());
        let files = FILES.into_iter().chain(there).map(entry).collect::<io::Result<_>>()?;
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let manifest = Manifest { program, taken: now.to_string(), files };
        let text = format!("{FIRST_LINE}\n{}\n", serde_json::to_string_pretty(&manifest)?);
        write_private(&dir.join(MANIFEST), &key.sign(&text))
    }

    /// Opens the backup in `dir`, which one of `keys` must have signed.
    ///
    /// # Errors
    /// What is missing, or is not what was signed.
    pub fn open(dir: &Path, keys: &[&VerifyingKey]) -> Result<Self, String> {
        let path = dir.join(MANIFEST);
        let mut note = String::new();
        File::open(&path)
            .and_then(|file| file.take(MAX).read_to_string(&mut note))
            .map_err(|e| format!("{}: {e}: not a backup, or one that was not finished", path.display()))?;
        let text = keys
            .iter()
            .find_map(|key| key.verify(&note).ok())
            .ok_or_else(|| format!("{}: was changed, or is not signed by this log's key", path.display()))?;
        let manifest: Manifest = text
            .strip_prefix(FIRST_LINE)
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or_else(|| format!("{}: not a manifest that this program knows", path.display()))?;
        let named: Vec<&str> = manifest.files.iter().map(|entry| entry.name.as_str()).collect();
        let more = named.strip_prefix(&FILES[..]);
        if !more.is_some_and(|more| more.is_empty() || more == OPTIONAL) {
            return Err(format!("{}: does not name the files of a backup", path.display()));
        }
        let backup = Self { dir: dir.to_owned(), taken: manifest.taken, files: manifest.files };
        backup.files.iter().try_for_each(|entry| backup.copy(&entry.name, &mut io::sink()))?;
        Ok(backup)
    }

    /// Is the file `name` part of it?
    pub fn has(&self, name: &str) -> bool {
        self.files.iter().any(|entry| entry.name == name)
    }

    /// Copies the file `name` to `out`, and makes sure that what was copied is what was signed.
    ///
    /// # Errors
    /// When it is not, or cannot be read or written.
    pub fn copy(&self, name: &str, out: &mut dyn Write) -> Result<(), String> {
        let path = self.dir.join(name);
        let (bytes, sha256) = digest(&path, out).map_err(|e| format!("{}: {e}", path.display()))?;
        let signed = self.files.iter().find(|entry| entry.name == name);
        match signed.is_some_and(|entry| entry.bytes == bytes && entry.sha256 == sha256) {
            true => Ok(()),
            false => Err(format!("{}: is not the file that the manifest was signed for", path.display())),
        }
    }

    /// The checkpoint that it was taken at, as a signed note.
    ///
    /// # Errors
    /// When it cannot be read any more.
    pub fn checkpoint(&self) -> Result<String, String> {
        let path = self.dir.join(CHECKPOINT);
        fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    }
}

/// Copies a file to `out`; gives its length and the SHA-256 of what was copied.
fn digest(path: &Path, out: &mut dyn Write) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        context.update(part);
        out.write_all(part)?;
        bytes += read as u64;
    }
    Ok((bytes, hex(context.finish().as_ref())))
}

/// Writes a file that is not there yet and that only its owner may read, to the disk.
///
/// # Errors
/// When it is there, or cannot be written.
pub(in crate::cli) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
