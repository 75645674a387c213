//! New versions of the catalogue and the policies, and new keys: checked, recorded, in force.
//!
//! Invariant: a change takes effect only after the log has recorded it, and as far as the log bears it
//! out. A version takes effect whole; one that cannot leaves the one before in force, and says why.

use std::path::Path;
use std::sync::Arc;

use super::deeds::Deeds;
use super::gateway::Gateway;
use super::suspensions::{Suspended, Suspension};
use super::world::{self, World};
use crate::base::{Clock, Code, Error, Finding, Findings, Moment, Sources};
use crate::store::state::grants::StandingGrant;
use crate::store::state::{Applied, RegisteredKey, StateError, StateStore, Version, Watch};

/// Folders below the catalogue's folder that are read.
const FOLDERS: [&str; 3] = ["schemas", "policies", "policies/rules"];
/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 32 << 20;

/// Reads the files of `dir` that make a catalogue and its policies.
///
/// # Errors
/// The file that cannot be read, and why.
pub fn read_sources(dir: &Path) -> Result<Sources, Findings> {
    let mut sources = Sources::default();
    let wrong = |path: &str, what: String| {
        let file = dir.join(path).display().to_string();
        Findings(vec![Finding::error(
            "file-unreadable",
            &file,
            0,
            what,
            "make it a readable UTF-8 file under 32 MiB",
        )])
    };
    for folder in FOLDERS {
        let entries = std::fs::read_dir(dir.join(folder)).map_err(|e| wrong(folder, e.to_string()))?;
        for entry in entries {
            let entry = entry.map_err(|e| wrong(folder, e.to_string()))?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if !["json", "toml", "csv", "conf"].iter().any(|ending| path.ends_with(&format!(".{ending}"))) {
                continue;
            }
            let size = entry.metadata().map_err(|e| wrong(&path, e.to_string()))?.len();
            if size > MAX_FILE {
                return Err(wrong(&path, format!("it has {size} bytes")));
            }
            let text = std::fs::read_to_string(entry.path()).map_err(|e| wrong(&path, e.to_string()))?;
            sources.0.insert(path, text);
        }
    }
    Ok(sources)
}

/// Why files were not applied.
#[derive(Debug)]
pub enum NotApplied {
    /// They do not hold together.
    Refused(Findings),
    /// They could not be stored.
    State(StateError),
}

/// Checks the files of `dir` and stores them as the newest version, which a running gateway
/// takes up within a second.
///
/// # Errors
/// What is wrong with the files, or the database; the old version then stays in force.
pub fn apply(state: &StateStore, dir: &Path, clock: &dyn Clock) -> Result<(Applied, Findings), NotApplied> {
    let sources = read_sources(dir).map_err(NotApplied::Refused)?;
    let checked = world::check(&sources).map_err(NotApplied::Refused)?;
    let applied = state.apply(&sources, clock.now()).map_err(NotApplied::State)?;
    Ok((applied, checked.warnings))
}

/// Why a change could not be taken up: the old world stays.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The log could not record it.
    #[error("the log could not record it: {0}")]
    Unrecorded(#[from] Error),
    /// The log does not say that it was done.
    #[error(
        "the log does not bear out the state database: {0}; restore the state, or apply and register again"
    )]
    Unconfirmed(String),
    /// A newer program has done something that this one does not know: it may have taken rights away.
    #[error("{0}: only a newer program can follow that, so this one answers no queries; run the newer one")]
    Beyond(String),
    /// No version was ever applied.
    #[error("no version of the catalogue was ever applied")]
    Nothing,
}

/// How often what is in doubt is read anew because something changed meanwhile.
const TRIES: usize = 3;

/// What a gateway has taken up.
pub(super) struct Seen {
    /// The revision of the state whose changes are in force.
    pub revision: i64,
    /// If the log did not bear some of it out: how many acts the log had then. A gateway of the release
    /// before records what was done by a program of its own.
    pub in_doubt: Option<u64>,
}

impl Seen {
    /// The revision before all others.
    pub const NOTHING: i64 = -1;
}

/// What the state database has, of one moment.
#[derive(Clone)]
struct Read {
    revision: i64,
    keys: Vec<RegisteredKey>,
    grants: Vec<StandingGrant>,
    suspensions: Vec<Suspension>,
    /// The newest version, where it is not the one in force.
    version: Option<Version>,
}

impl Gateway {
    /// Takes up whatever changed since the last time; at the start, when nothing was seen yet,
    /// everything is looked up in the log.
    ///
    /// # Errors
    /// Why not. Everything stays as it was, and the next call tries again.
    pub async fn take_up_changes(&self) -> Result<(), NotTaken> {
        let mut last = self.seen.lock().await;
        let began = Moment::now();
        let since = if self.may_be_settled(&last).await? { Seen::NOTHING } else { last.revision };
        let Some(mut read) = self.changed_since(since).await? else {
            self.knows_all()?;
            self.lease.renew(began);
            return Ok(());
        };
        let mut tries = TRIES;
        let in_doubt;
        let new = loop {
            self.record_acts().await?;
            self.recall().await?;
            let (new, doubts) = self.confirmed(&read, last.revision == Seen::NOTHING).await?;
            // What the log has otherwise may have changed since it was read.
            if !doubts.is_empty()
                && tries > 0
                && let Some(newer) = self.changed_since(read.revision).await?
            {
                (read, tries) = (newer, tries - 1);
                continue;
            }
            in_doubt = (!doubts.is_empty()).then(|| self.deeds(Deeds::taken));
            for doubt in doubts {
                tracing::error!(doubt, "the log does not bear out the state database: this is not in force");
            }
            break new;
        };
        tracing::info!(
            catalogue.version = new.catalogue_version,
            policy.version = new.policy_version,
            systems = new.registry.systems().count(),
            "what changed is in force"
        );
        self.metrics.versions(new.catalogue_version, new.policy_version);
        // Answers that were looked at under the old world are recorded first; those that come after
        // are looked at under the new one.
        let alone = self.answering.write().await;
        self.world.store(Arc::new(new));
        drop(alone);
        *last = Seen { revision: read.revision, in_doubt };
        self.lease.renew(began);
        Ok(())
    }

    /// Has the log more acts than when something was in doubt?
    async fn may_be_settled(&self, last: &Seen) -> Result<bool, NotTaken> {
        let Some(taken) = last.in_doubt else { return Ok(false) };
        self.read_on().await?;
        Ok(self.deeds(Deeds::taken) != taken)
    }

    /// Tells when it is time to take up changes.
    ///
    /// # Errors
    /// When nobody can be set to listen for them.
    pub fn watch(&self) -> Result<Watch, StateError> {
        self.state.watch()
    }

    /// What is in the state database now, unless nothing changed since revision `seen`.
    async fn changed_since(&self, seen: i64) -> Result<Option<Read>, NotTaken> {
        let _in_hand = self.taking_up.begin();
        let (state, served, now) = (self.state.clone(), self.world().seq, self.now());
        blocking(move || {
            // The revision is read first: a change after that moment is found by the next call.
            let revision = state.look(now)?;
            if revision == seen {
                return Ok(None);
            }
            let (keys, grants, suspensions) = (state.keys()?, state.grants()?, state.suspensions()?);
            let version = match state.newest_seq()? == Some(served) {
                true => None,
                false => Some(state.newest_version()?.ok_or(NotTaken::Nothing)?),
            };
            Ok(Some(Read { revision, keys, grants, suspensions, version }))
        })
        .await
    }

    /// The world that `read` makes, as far as the log bears it out, and what it does not. No key,
    /// grant or version in doubt keeps the rest from being taken up, removals above all; but when the
    /// gateway starts there is no version that could stay in force instead.
    async fn confirmed(&self, read: &Read, first: bool) -> Result<(World, Vec<String>), NotTaken> {
        let old = self.world();
        let Read { mut keys, grants, suspensions, version, .. } = read.clone();
        let mut doubts = self.confirm_keys(&mut keys);
        let rekeyed = old.rekeyed(&keys).with_grants(grants.clone());
        let mut new = match version {
            None => rekeyed,
            Some(version) => {
                let (served, newest) = (Arc::clone(&old), version.clone());
                let built = blocking(move || Ok(World::build(&newest, &keys, Some(&served))));
                match built.await? {
                    // Somebody's program applied it: one that knows more than this. What it took away,
                    // nobody can say here.
                    Err(findings) if self.was_applied(&version) => {
                        let what = format!("the newest version cannot be read: {findings}");
                        return Err(self.outgrown(what));
                    }
                    // Nobody did. The old one stays, but a key that was revoked does not stay with it.
                    Err(findings) => {
                        tracing::error!(%findings, "the newest version does not hold together, and the log has no record of it; the one before stays in force");
                        rekeyed
                    }
                    Ok(built) => match self.confirm_version(&built) {
                        Err(NotTaken::Unconfirmed(why)) if !first => {
                            doubts.push(why);
                            rekeyed
                        }
                        confirmed => confirmed.map(|()| built.with_grants(grants))?,
                    },
                }
            }
        };
        if first {
            self.confirm_version(&new)?;
        }
        let distrusted = self.not_borne_out(&new);
        doubts.extend(distrusted.iter().map(|id| format!("how the grant {id} stands")));
        if *new.standing.distrusted() != distrusted {
            let standing = new.standing.distrusting(distrusted);
            new = new.with_standing(standing);
        }
        let stopped = self.stopped_by_the_log();
        if stopped.iter().any(|whom| suspensions.iter().all(|row| row.whom != *whom)) {
            // A gateway of the release before may have yet to record that.
            doubts.push("that somebody who was stopped may go on".to_owned());
        }
        Ok((new.with_suspended(Suspended::of(&suspensions, stopped)), doubts))
    }

    /// Has a change that a use case has stored recorded and in force: to be awaited before it
    /// answers.
    ///
    /// # Errors
    /// `audit-unavailable`: the change is not in force yet, and becomes so once it can be recorded.
    pub(super) async fn in_force(&self) -> crate::base::Result<()> {
        let taken = self.take_up_changes().await;
        taken.map_err(|e| Error::new(Code::AuditUnavailable).retry_after(1).because(e))
    }
}

/// Does `work` on a thread where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotTaken> + Send + 'static,
) -> Result<T, NotTaken> {
    // Boxed: else each work makes a task of a type of its own.
    let work: Box<dyn FnOnce() -> Result<T, NotTaken> + Send> = Box::new(work);
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(NotTaken::Unrecorded(Error::new(Code::Internal).because(e))))
}
