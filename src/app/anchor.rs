//! The log is shown to who is outside: its newest checkpoint to the witnesses, and from time to
//! time to a timestamp authority.
//!
//! Invariant: all witnesses of one round are shown the same checkpoint, since only cosignatures on
//! one checkpoint count together. A log in which nothing happened but the records of its own
//! anchors is shown with the checkpoint of the round before, and records nothing: anchoring an idle
//! log does not make it grow. No query waits for any of this.
//!
//! How old the newest anchor is decides, when it is configured so, whether queries are answered.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;

use super::gateway::Gateway;
use super::records::read;
use crate::anchors::{Answer, Authority, Witness};
use crate::audit::cosignature::{Witnessed, witnessed};
use crate::audit::proof::{self, HashReader, ProofError};
use crate::audit::record::Draft;
use crate::audit::tree::tile_hashes;
use crate::audit::{Checkpoint, Hash, Offer, Tile, VerifyingKey, WitnessKey};
use crate::base::{Code, Error, Findings, Result, Timestamp};
use crate::config::Config;
use crate::store::anchors::{AnchorStore, AnchorStoreError, Cosignature, Stamp};
use crate::store::audit::{ReadError, Reader};

/// Checkpoints whose stored cosignatures are looked through for enough that hold.
const LOOKED_THROUGH: usize = 16;

/// Who vouches for the log, and what they have said.
pub struct Anchors {
    /// The log's public key.
    key: VerifyingKey,
    witnesses: Vec<Witness>,
    authority: Option<Authority>,
    store: AnchorStore,
    /// Witnesses that must agree.
    require: usize,
    /// Seconds: between rounds, between timestamps, until the alarm, until the stop.
    every: u32,
    stamp_every: i64,
    alarm_after: i64,
    stop_after: Option<i64>,
    /// When the newest anchor was made; before there is one, when the gateway started.
    anchored: AtomicI64,
    last: Mutex<Option<Round>>,
}

/// What was shown last.
#[derive(Clone)]
struct Round {
    note: Arc<str>,
    /// The size of the log once the anchors of that round were recorded.
    end: u64,
}

/// What came of showing the log to one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The witness's name, or `timestamp`.
    pub by: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What can come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It vouches for the checkpoint; `first` says that it did not before, so it was recorded.
    Anchored {
        /// See above.
        first: bool,
    },
    /// The witness has seen another log under this name, or more of it than there is: the log was
    /// put back, rewritten, or is being shown in two versions.
    Forked {
        /// The size that the witness has seen.
        witnessed: u64,
        /// The size that it was shown.
        shown: u64,
    },
    /// It could not be asked, or its answer does not hold; why, for the operator.
    Failed(String),
}

impl Outcome {
    /// The name in measurements.
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Anchored { .. } => "anchored",
            Outcome::Forked { .. } => "forked",
            Outcome::Failed(_) => "failed",
        }
    }
}

/// How old the newest anchor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// When it was made; before there is one, when the gateway started.
    pub since: Timestamp,
    /// Seconds since then.
    pub seconds: i64,
    /// Older than it should be.
    pub overdue: bool,
    /// So old that no query is answered.
    pub stopped: bool,
}

impl Anchors {
    /// What the configuration `file` names; `None` when it names nobody. `key` is the log's.
    ///
    /// # Errors
    /// Entries that cannot be used.
    pub fn new(
        file: &str,
        config: &Config,
        key: VerifyingKey,
        store: impl FnOnce() -> Result<AnchorStore, AnchorStoreError>,
        now: Timestamp,
    ) -> Result<Option<Self>, Findings> {
        if config.witness.is_empty() && config.timestamp.is_none() {
            return Ok(None);
        }
        let one = |finding| Findings(vec![finding]);
        let witnesses = config.witness.iter().map(|entry| Witness::new(file, entry)).collect::<Result<_, _>>();
        let authority = config.timestamp.as_ref().map(|section| Authority::new(file, section)).transpose();
        let store = store().map_err(|e| {
            let (dir, what) = (config.gateway.data_dir.display().to_string(), e.to_string());
            one(crate::base::Finding::error("anchors", &dir, 0, what, "it may be moved away: anchors are then made anew"))
        })?;
        let section = &config.anchors;
        let minutes = |n: std::num::NonZeroU32| i64::from(n.get()) * 60;
        let anchors = Self {
            key,
            witnesses: witnesses.map_err(one)?,
            authority: authority.map_err(one)?,
            store,
            require: section.require.map_or(config.witness.len(), std::num::NonZeroUsize::get),
            every: section.every_seconds.get(),
            stamp_every: config.timestamp.as_ref().map_or(0, |section| minutes(section.every_minutes)),
            alarm_after: minutes(section.alarm_after_minutes),
            stop_after: section.stop_after_minutes.map(minutes),
            anchored: AtomicI64::new(now.micros()),
            last: Mutex::default(),
        };
        match anchors.newest() {
            Ok(Some(since)) => anchors.anchored.store(since.micros().min(now.micros()), Ordering::Relaxed),
            Ok(None) => {}
            Err(e) => tracing::error!(anchors.error = %e, "the anchors so far cannot be read"),
        }
        Ok(Some(anchors))
    }

    /// Seconds between two rounds.
    pub fn every(&self) -> u32 {
        self.every
    }

    /// How old the newest anchor is at `now`.
    pub fn age(&self, now: Timestamp) -> Age {
        let since = Timestamp::from_micros(self.anchored.load(Ordering::Relaxed));
        let seconds = now.seconds() - since.seconds();
        let stopped = self.stop_after.is_some_and(|stop| seconds > stop);
        Age { since, seconds, overdue: seconds > self.alarm_after, stopped }
    }

    /// When the newest anchor of those that are required was made, by what is stored.
    fn newest(&self) -> Result<Option<Timestamp>, AnchorStoreError> {
        let cosigned = match self.witnesses.is_empty() {
            true => None,
            false => Some(self.cosigned(self.require)?.and_then(|(_, told)| told.since)),
        };
        let stamped = match self.authority {
            None => None,
            Some(_) => Some(self.store.last_stamp()?),
        };
        // The older of both; none when one of those that are required never was.
        Ok([cosigned, stamped].into_iter().flatten().min().flatten())
    }

    /// The newest checkpoint that at least `count` of the witnesses have cosigned.
    fn cosigned(&self, count: usize) -> Result<Option<(String, Witnessed)>, AnchorStoreError> {
        let keys: Vec<WitnessKey> = self.witnesses.iter().map(|witness| witness.key().clone()).collect();
        let mut before = None;
        for _ in 0..LOOKED_THROUGH {
            let Some((size, note)) = self.store.cosigned(count, before)? else { break };
            let told = witnessed(&note, self.key.name(), &keys);
            if told.by >= count && told.checkpoint.is_some() {
                return Ok(Some((note, told)));
            }
            before = Some(size);
        }
        Ok(None)
    }

    fn last(&self) -> Option<Round> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Gateway {
    /// Who vouches for the log, when anybody is asked to.
    pub fn anchors(&self) -> Option<&Anchors> {
        self.anchors.as_ref()
    }

    /// May queries be answered, as far as it depends on anchors?
    ///
    /// # Errors
    /// `not-ready` when the newest is older than is configured for a stop.
    pub(super) fn check_anchored(&self) -> Result<()> {
        match self.anchors.as_ref().map(|anchors| anchors.age(self.now())) {
            Some(Age { stopped: true, seconds, .. }) => {
                Err(Error::new(Code::NotReady).because(format!("the newest anchor is {seconds} s old")))
            }
            _ => Ok(()),
        }
    }

    /// The newest checkpoint with the cosignatures of at least `count` witnesses.
    ///
    /// # Errors
    /// `not-found` when there is none; `audit-unavailable`.
    pub async fn cosigned_checkpoint(self: &Arc<Self>, count: usize) -> Result<String> {
        let unavailable = |e: String| Error::new(Code::AuditUnavailable).because(e);
        let gateway = Arc::clone(self);
        let found = tokio::task::spawn_blocking(move || match &gateway.anchors {
            Some(anchors) if (1..=anchors.witnesses.len()).contains(&count) => anchors.cosigned(count),
            _ => Ok(None),
        });
        let found = found.await.map_err(|e| unavailable(e.to_string()))?;
        let found = found.map_err(|e| unavailable(e.to_string()))?;
        found.map(|(note, _)| note).ok_or_else(|| Code::NotFound.into())
    }

    /// Shows the newest checkpoint to everybody who vouches for the log; says what came of each.
    ///
    /// # Errors
    /// `audit-unavailable` when the log or the anchors cannot be read or written.
    pub async fn anchor(&self) -> Result<Vec<Told>> {
        let Some(anchors) = &self.anchors else { return Ok(Vec::new()) };
        let last = anchors.last().filter(|round| round.end == self.log.stats().size);
        let note = last.as_ref().map_or_else(|| self.log.checkpoint(), |round| Arc::clone(&round.note));
        let shown = Checkpoint::open(&note, &anchors.key).map_err(broken)?;

        let offers = anchors.witnesses.iter().map(async |witness| {
            let outcome = self.offer(anchors, witness, &note, &shown).await?;
            Ok::<_, Error>(Told { by: witness.name().to_owned(), outcome })
        });
        let mut told = join_all(offers).await.into_iter().collect::<Result<Vec<_>>>()?;
        if let Some(authority) = &anchors.authority
            && let Some(outcome) = self.stamp(anchors, authority, &note, &shown).await?
        {
            told.push(Told { by: "timestamp".into(), outcome });
        }
        if let Some(newest) = anchors.newest().map_err(broken)? {
            anchors.anchored.store(newest.micros().min(self.now().micros()), Ordering::Relaxed);
        }
        let end = self.log.stats().size;
        // Only if nothing but the records of these anchors came behind what was shown.
        let quiet = last.map_or(shown.size, |round| round.end);
        let first = |told: &&Told| told.outcome == Outcome::Anchored { first: true };
        let recorded = told.iter().filter(first).count() as u64;
        let round = (end <= quiet + recorded).then_some(Round { note, end });
        *anchors.last.lock().unwrap_or_else(PoisonError::into_inner) = round;
        Ok(told)
    }

    /// Offers a checkpoint to one witness, from the size that it saw last.
    async fn offer(
        &self,
        anchors: &Anchors,
        witness: &Witness,
        note: &str,
        shown: &Checkpoint,
    ) -> Result<Outcome> {
        let last = anchors.store.last_size(witness.name()).map_err(broken)?.unwrap_or(0);
        // What is larger than the log cannot be its beginning: the witness then says what it has.
        let mut old = if last > shown.size { 0 } else { last };
        // Once more, should the witness have seen another size than is noted here.
        for _ in 0..2 {
            let proof = self.proof(old, shown.size).await?;
            let offer = Offer { old, proof, note: note.to_owned() };
            match witness.offer(&offer, self.now()).await {
                Ok(Answer::Cosigned(line, time)) => {
                    let kept = Cosignature {
                        witness: witness.name().to_owned(),
                        size: shown.size,
                        time,
                        note: note.to_owned(),
                        line,
                    };
                    let first = self.keep_cosignature(anchors, &kept).await?;
                    return Ok(Outcome::Anchored { first });
                }
                // A larger one may have been shown by another gateway of this log in the meantime.
                Ok(Answer::Last(size)) if size > self.log.stats().size => {
                    return Ok(Outcome::Forked { witnessed: size, shown: shown.size });
                }
                Ok(Answer::Last(size)) if size > shown.size => {
                    return Ok(Outcome::Failed("has seen a newer checkpoint; the next round goes on".into()));
                }
                Ok(Answer::Last(size)) if size != old => old = size,
                // It has this very size, or its beginning, and of another log.
                Ok(Answer::Last(_) | Answer::NotConsistent) => {
                    return Ok(Outcome::Forked { witnessed: old, shown: shown.size });
                }
                Err(e) => return Ok(Outcome::Failed(e.to_string())),
            }
        }
        Ok(Outcome::Failed("goes on from one size to another while it is asked".into()))
    }

    async fn keep_cosignature(&self, anchors: &Anchors, kept: &Cosignature) -> Result<bool> {
        let first = anchors.store.keep_cosignature(kept).map_err(broken)?;
        if first {
            let mut draft = Draft::new("anchor");
            draft.members().text("witness", &kept.witness).number("size", kept.size);
            draft.members().hex("cosignature", &Hash::of_bytes(kept.line.as_bytes()).0);
            self.record(draft).await?;
        }
        Ok(first)
    }

    /// Has a checkpoint stamped when it is time; `None` when it is not.
    async fn stamp(
        &self,
        anchors: &Anchors,
        authority: &Authority,
        note: &str,
        shown: &Checkpoint,
    ) -> Result<Option<Outcome>> {
        let last = anchors.store.last_stamp().map_err(broken)?;
        if last.is_some_and(|last| self.now() < last.plus_seconds(anchors.stamp_every)) {
            return Ok(None);
        }
        let (token, stamped) = match authority.stamp(note, self.now()).await {
            Ok(answered) => answered,
            Err(e) => return Ok(Some(Outcome::Failed(e.to_string()))),
        };
        let mut draft = Draft::new("anchor-timestamp");
        draft.members().number("size", shown.size).text("stamped_at", &stamped.time.to_string());
        draft.members().hex("token", &Hash::of_bytes(&token).0);
        let kept = Stamp { size: shown.size, time: stamped.time, note: note.to_owned(), token };
        let first = anchors.store.keep_stamp(&kept).map_err(broken)?;
        if first {
            self.record(draft).await?;
        }
        Ok(Some(Outcome::Anchored { first }))
    }

    /// The consistency proof between two sizes of the log.
    async fn proof(&self, old: u64, size: u64) -> Result<Vec<Hash>> {
        read(self, move |log| {
            proof::consistency(&mut Tiles(log), old, size).map_err(|e| match e {
                ProofError::Read(e) => e,
                ProofError::OutOfRange => ReadError::Damaged("the tree has another size"),
                ProofError::ShortTile => ReadError::Damaged("a tile is too short"),
            })
        })
        .await
    }
}

/// The log's hashes, for a proof about a size that need not be its newest.
struct Tiles<'r>(&'r Reader);

impl HashReader for Tiles<'_> {
    type Error = ReadError;

    fn tile(&mut self, tile: Tile) -> Result<Vec<Hash>, ReadError> {
        let bytes = self.0.tile(tile)?.ok_or(ReadError::Damaged("a tile is missing"))?;
        tile_hashes(&bytes).ok_or(ReadError::Damaged("a tile is no row of hashes"))
    }
}

fn broken(e: impl std::fmt::Display) -> Error {
    Error::new(Code::AuditUnavailable).because(e.to_string())
}
