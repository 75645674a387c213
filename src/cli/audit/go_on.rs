//! `sluice audit continue`: a new log where the old one's newest records are lost.
//!
//! A log that is behind a checkpoint that somebody holds must never grow again: it would be two
//! histories under one name. So a new log begins, under a new name, and its first record names the
//! last checkpoint that is known of the old one. Versions and keys that are in force are recorded
//! in it anew at the next start.
//!
//! Invariant: the old log stays in its backup or database as it is, and so do the checkpoints that
//! are known of it. Nothing is begun while the old log could go on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::source::Access;
use super::{Failure, public_key, verify};
use crate::app::acts;
use crate::app::keys::Keys;
use crate::audit::verify::{Kind, Stored};
use crate::audit::{Checkpoint, VerifyingKey};
use crate::base::SystemClock;
use crate::cli::backup::{self, Backup};
use crate::cli::private_dir;
use crate::config::Config;
use crate::store::audit::{Database, Options, checkpoints_in_copy, upkeep as log};
use crate::store::db::Server;
use crate::store::state::StateStore;
use crate::store::state::upkeep::DATABASE as STATE;

/// Which log, and where it goes on.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The gateway's configuration, with a signing key of another name than the old log's.
    #[arg(long, short)]
    config: PathBuf,
    /// The newest backup that there is of the old log, and of the state, which goes on.
    #[arg(long, value_name = "DIR", required_unless_present = "server", conflicts_with = "server")]
    from: Option<PathBuf>,
    /// With [database]: the database that holds the old log, renamed; the one of the configuration is
    /// its copy with an empty log. Anybody who may read it.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    access: Access,
    /// Verifier key of the old log, or a file that holds one.
    #[arg(long, value_name = "KEY|FILE")]
    pubkey: String,
    /// A checkpoint that is known of the old log, besides the second place.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
}

/// Begins the new log, and says what it goes on from.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config)?;
    let keys = Keys::read(&config.audit).map_err(|e| e.to_string())?;
    let old = public_key(&args.pubkey)?;
    let name = keys.signing.public().name().to_owned();
    if name == old.name() {
        return Err(format!("a new log needs a new name: make a key with another origin than {name}").into());
    }
    let mut place = match (&config.database, &args.from, &args.server) {
        (None, Some(dir), _) => Place::Files(Backup::open(dir, &[&old])?),
        (Some(section), _, Some(url)) => Place::Server {
            old: args.access.open(url)?,
            new: Server::new(section).map_err(|e| e.to_string())?,
        },
        (None, ..) => return Err("log and state are in files: name their backup with --from".into()),
        (Some(_), ..) => {
            return Err("log and state are on the server of [database]: name the database of the old log with --server; docs/operations.md, Several gateways".into());
        }
    };
    let copy = &config.audit.checkpoint_copy_file;
    let mut files = args.checkpoint.clone();
    files.extend(Some(copy.clone()).filter(|copy| holds_any(copy)));
    let (note, last) = newest(&files, &old)?;
    let seen = std::slice::from_ref(&last);
    let report = match &mut place {
        Place::Files(backup) => verify::database(&backup.dir, &old, seen)?,
        Place::Server { old: database, .. } => verify::verified(database, &old, seen),
    };
    if report.is_intact() {
        return Err("the old log is not behind what is known of it: put it back, and it goes on".into());
    }
    if let Some(damage) = report.damage.iter().find(|damage| damage.kind != Kind::RolledBack) {
        return Err(format!("the old log is not intact: {damage}").into());
    }

    let mut kept = copy.clone().into_os_string();
    kept.push(".before");
    let kept = PathBuf::from(kept);
    if kept.exists() {
        return Err(format!("{} is in the way: move it elsewhere, and keep it", kept.display()).into());
    }
    let data_dir = &config.gateway.data_dir;
    // An act from before there were seals is taken over if the old log has it.
    let forget = |state: StateStore, old: &mut Database| {
        state.forget_log(|act, index| {
            let leaf = old.leaf(index).ok().flatten();
            leaf.is_some_and(|leaf| acts::tells_of(&leaf, act))
        })
    };
    let (held, (recorded, passed_over)) = match &mut place {
        Place::Files(backup) => {
            let held = backup::place(backup, data_dir, &[STATE])?;
            let state = StateStore::open(&data_dir.join(STATE), keys.acts)?;
            (held, forget(state, &mut Database::open(&backup.dir)?)?)
        }
        Place::Server { old, new } => {
            // Before anything is forgotten of it.
            if Database::on(new)?.head()?.is_some() {
                return Err("there is a log in the database of [database]: it is to be a copy of the old one, with an empty schema sluice_log; docs/operations.md, Several gateways".into());
            }
            private_dir(data_dir)?;
            (log::hold(data_dir)?, forget(StateStore::on(new, keys.acts)?, old)?)
        }
    };
    if copy.exists() {
        fs::rename(copy, &kept).map_err(|e| format!("{}: {e}", kept.display()))?;
    }
    let past = log::Past { checkpoint: note, held: report.size };
    let options = Options {
        data_dir: data_dir.clone(),
        server: match place {
            Place::Files(_) => None,
            Place::Server { new, .. } => Some(new),
        },
        checkpoint_copy: copy.clone(),
        signing_key: keys.signing,
        previous_key: None,
        subject_key: keys.subjects,
        queue: config.audit.queue.get(),
        clock: Arc::new(SystemClock),
    };
    log::begin_after(options, &past, &held)?;
    println!(
        "{name} begins, and names {} at {} records, of which {} are still there; the next start records {recorded} acts \
         anew. Keep the old log; give every department the new public key",
        last.origin, last.size, report.size,
    );
    if passed_over > 0 {
        println!(
            "{passed_over} acts are in no record of the old log, and no seal shows that they were done: they stay \
             out of force; `sluice doctor` names them"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the old log is, and the new one is to be.
enum Place {
    /// In a backup, and in the data folder.
    Files(Backup),
    /// In a database that was renamed, and in its copy.
    Server { old: Database, new: Server },
}

fn holds_any(copy: &Path) -> bool {
    fs::read(copy).is_ok_and(|bytes| !checkpoints_in_copy(&bytes).is_empty())
}

/// The newest checkpoint by `key` in the files, as it stands there and opened.
fn newest(files: &[PathBuf], key: &VerifyingKey) -> Result<(String, Checkpoint), Failure> {
    let mut found = Vec::new();
    for path in files {
        let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let notes = checkpoints_in_copy(&bytes).into_iter();
        found.extend(notes.filter_map(|note| Checkpoint::open(&note, key).ok().map(|at| (note, at))));
    }
    let newest = found.into_iter().max_by_key(|(_, at)| at.size);
    newest.ok_or_else(|| "no checkpoint of the old log is known: there is nothing to go on from".into())
}
