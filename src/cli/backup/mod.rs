//! `sluice backup` and `sluice restore`: the log and the state in a folder, and back.
//!
//! | file | what |
//! |---|---|
//! | `audit.db`, `state.db` | the databases, each as it was at one moment |
//! | `anchors.db` | what witnesses and authorities have said of the log, where anybody did |
//! | `checkpoint` | the log's newest checkpoint in the copy |
//! | `manifest` | size and SHA-256 of these, signed by the log's key; written last |
//!
//! Invariant: the copy of the log is not older than that of the state, so that what the state has
//! in force stands in the log, and what others vouched for does too. What is put back has been verified as a whole; nothing is put over
//! anything, and a log that is behind a checkpoint that is known is not put back at all.

mod manifest;
mod restore;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) use self::manifest::{Backup, write_private};
pub(super) use self::restore::{RestoreArgs, place, restore};
use crate::app::keys::Keys;
use crate::audit::Checkpoint;
use crate::audit::verify::Stored;
use crate::base::{Clock, SystemClock};
use crate::config::Config;
use crate::store::anchors::{AnchorStore, DATABASE as ANCHORS};
use crate::store::audit::{DATABASE as LOG, Database, upkeep as log};
use crate::store::state::upkeep::{self as state, DATABASE as STATE};

/// The newest checkpoint, as a file of its own: what `--checkpoint` takes.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// How often a copy is begun anew because the state changed meanwhile.
const TRIES: usize = 5;

/// What to copy, and where to.
#[derive(clap::Args)]
pub(super) struct BackupArgs {
    /// The gateway's configuration; it may be running
    #[arg(long, short)]
    config: PathBuf,
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

pub(super) fn backup(args: &BackupArgs) -> ExitCode {
    match take(args) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => super::fail(why),
    }
}

fn take(args: &BackupArgs) -> Result<String, String> {
    let config = Config::read(&args.config).map_err(|e| e.to_string())?;
    in_files(&config, "docs/replicas.md, Backup")?;
    let keys = Keys::read(&config.audit).map_err(|e| e.to_string())?;
    let at = |path: &Path, e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    super::private_dir(&args.to).map_err(|e| at(&args.to, &e))?;
    if fs::read_dir(&args.to).map_err(|e| at(&args.to, &e))?.next().is_some() {
        return Err(at(&args.to, &"is not empty: name a folder that is not there yet"));
    }
    copy(&config.gateway.data_dir, &args.to)?;

    let head = Database::open(&args.to).map_err(|e| e.to_string())?.head().map_err(|e| e.to_string())?;
    let (_, note) = head.ok_or("the log is empty: there is nothing to back up")?;
    let checkpoint = Checkpoint::open(&note, keys.signing.public())
        .map_err(|e| format!("the newest checkpoint: {e}; run `sluice audit verify`"))?;
    write_private(&args.to.join(CHECKPOINT), &note).map_err(|e| at(&args.to, &e))?;
    Backup::write(&args.to, &keys.signing, SystemClock.now()).map_err(|e| at(&args.to, &e))?;
    sync(&args.to).map_err(|e| at(&args.to, &e))?;
    Ok(format!(
        "{}: {} records of {}, root {}",
        args.to.display(),
        checkpoint.size,
        checkpoint.origin,
        checkpoint.root
    ))
}

/// Refuses what concerns the files of a data folder where there is a server in their place.
pub(super) fn in_files(config: &Config, see: &str) -> Result<(), String> {
    match config.database {
        None => Ok(()),
        Some(_) => {
            Err(format!("log and state are on the server of [database], whose own tools do that: {see}"))
        }
    }
}

/// Copies anchors, state and log. What the state has in force stands in the log, and what others
/// vouched for does, so the log comes last; and when the state changed meanwhile, it is copied again
/// with the log.
fn copy(data_dir: &Path, to: &Path) -> Result<(), String> {
    if data_dir.join(ANCHORS).exists() {
        AnchorStore::copy(data_dir, &to.join(ANCHORS)).map_err(|e| e.to_string())?;
    }
    for _ in 0..TRIES {
        let copied = state::copy(data_dir, &to.join(STATE)).map_err(|e| e.to_string())?;
        log::copy(data_dir, &to.join(LOG)).map_err(|e| e.to_string())?;
        if state::changes(&data_dir.join(STATE)).map_err(|e| e.to_string())? == copied {
            return Ok(());
        }
        for name in [STATE, LOG] {
            fs::remove_file(to.join(name)).map_err(|e| format!("{}: {e}", to.join(name).display()))?;
        }
    }
    Err("versions or keys are being changed all the time: try again when that is over".into())
}

/// Makes the names in a folder durable.
pub(super) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
