//! `sluice restore`: verifies a backup, and puts it where there is nothing.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{ANCHORS, Backup, LOG, STATE, in_files, sync};
use crate::app::keys::Keys;
use crate::audit::verify::{Kind, Report};
use crate::audit::{Checkpoint, VerifyingKey};
use crate::cli::{audit, fail};
use crate::config::Config;
use crate::store::audit::{checkpoints_in_copy, upkeep as log};

/// Which backup, for which gateway.
#[derive(clap::Args)]
pub(in crate::cli) struct RestoreArgs {
    /// The folder that `sluice backup` made
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The gateway's configuration; it must not be running
    #[arg(long, short)]
    config: PathBuf,
    /// Only verify: put nothing in place, and take no offence at what the second place has seen since
    #[arg(long)]
    verify: bool,
    /// A checkpoint that is known, besides the second place: the backup must not be behind it
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
}

pub(in crate::cli) fn restore(args: &RestoreArgs) -> ExitCode {
    match run(args) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => fail(why),
    }
}

fn run(args: &RestoreArgs) -> Result<String, String> {
    let config = Config::read(&args.config).map_err(|e| e.to_string())?;
    in_files(&config, "docs/replicas.md, Backup")?;
    let keys = Keys::read(&config.audit).map_err(|e| e.to_string())?;
    let previous = keys.previous.as_ref().map(|key| key.public());
    let known: Vec<&VerifyingKey> = previous.into_iter().chain([keys.signing.public()]).collect();
    let backup = Backup::open(&args.from, &known)?;
    let note = backup.checkpoint()?;
    let key = known.into_iter().find(|key| Checkpoint::open(&note, key).is_ok());
    let key = key.ok_or("the checkpoint of the backup is not signed by the configured key")?;

    let mut seen = audit::seen(&args.checkpoint, key).map_err(|e| e.to_string())?;
    let newest = second_place(&config.audit.checkpoint_copy_file, key)?;
    if !args.verify {
        seen.extend(newest.iter().cloned());
    }
    let report = audit::verified(&args.from, key, &seen).map_err(|e| e.to_string())?;
    check(&report, &seen)?;
    let sound = format!("{} records of {}, taken {}", report.size, report.origin, backup.taken);
    if args.verify {
        // A gateway that runs goes on: its backups are always behind, and no worse for it.
        let since = newest.iter().map(|at| at.size.saturating_sub(report.size)).max().unwrap_or_default();
        return Ok(format!("sound: {sound}; the second place has seen {since} more since"));
    }
    let names: Vec<&str> = [STATE, LOG, ANCHORS].into_iter().filter(|name| backup.has(name)).collect();
    drop(place(&backup, &config.gateway.data_dir, &names)?);
    Ok(format!("restored: {sound}. Now `sluice doctor`, then start the gateway"))
}

/// Is the log in the backup whole, and not behind what is known of it?
fn check(report: &Report, seen: &[Checkpoint]) -> Result<(), String> {
    let Some(first) = report.damage.first() else { return Ok(()) };
    if report.damage.iter().all(|damage| damage.kind == Kind::RolledBack) {
        let known = seen.iter().map(|checkpoint| checkpoint.size).max().unwrap_or_default();
        return Err(format!(
            "the backup ends at {} records, and a checkpoint of {known} is known: callers hold receipts for \
             records that are missing from it. Look for a newer backup or the damaged database. If there is \
             none, a new log has to go on from this one: `sluice audit continue` \
             (docs/operations.md, Restoring)",
            report.size
        ));
    }
    Err(format!("the log in the backup is not intact: {first}"))
}

/// The checkpoints of the second place, if it is there and holds any.
fn second_place(path: &Path, key: &VerifyingKey) -> Result<Vec<Checkpoint>, String> {
    let Ok(bytes) = fs::read(path) else { return Ok(Vec::new()) };
    if checkpoints_in_copy(&bytes).is_empty() {
        return Ok(Vec::new());
    }
    audit::seen(&[path.to_owned()], key).map_err(|e| e.to_string())
}

/// Puts the files `names` of a backup into `data_dir`, which must be empty, and gives the hold on
/// it: until that is dropped no gateway starts there.
pub(in crate::cli) fn place(backup: &Backup, data_dir: &Path, names: &[&str]) -> Result<log::Held, String> {
    let at = |path: &Path, e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    crate::cli::private_dir(data_dir).map_err(|e| at(data_dir, &e))?;
    let held = log::hold(data_dir).map_err(|e| e.to_string())?;
    for entry in fs::read_dir(data_dir).map_err(|e| at(data_dir, &e))? {
        let entry = entry.map_err(|e| at(data_dir, &e))?;
        if entry.file_name() != "audit.lock" {
            let what = "is in the way: nothing is put over anything. Move the folder away, and keep it";
            return Err(at(&entry.path(), &what));
        }
    }
    for name in names {
        let (part, whole) = (data_dir.join(format!("{name}.part")), data_dir.join(name));
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)
            .map_err(|e| at(&part, &e))?;
        backup.copy(name, &mut out)?;
        out.sync_all().and_then(|()| fs::rename(&part, &whole)).map_err(|e| at(&whole, &e))?;
    }
    sync(data_dir).map_err(|e| at(data_dir, &e))?;
    Ok(held)
}
