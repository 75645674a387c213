//! Who outside vouches for the log, and how old their newest word is.
//!
//! Invariant: how old the newest cosigned checkpoint is follows from signatures that hold, checked
//! when it is asked; a timestamp was checked when it came. Before there is either, the age counts
//! from when the gateway started.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::anchors::{Authority, Witness};
use crate::audit::cosignature::{Witnessed, witnessed};
use crate::audit::{VerifyingKey, WitnessKey};
use crate::base::{Finding, Findings, Timestamp};
use crate::config::Config;
use crate::store::anchors::{AnchorStore, AnchorStoreError};

/// Checkpoints whose stored cosignatures are looked through for enough that hold.
const LOOKED_THROUGH: usize = 16;

/// Who vouches for the log, and what they have said.
pub struct Anchors {
    /// The log's public key.
    pub(super) key: VerifyingKey,
    pub(super) witnesses: Vec<Witness>,
    pub(super) authority: Option<Authority>,
    pub(super) store: AnchorStore,
    /// Witnesses that must agree.
    require: usize,
    /// Seconds: between rounds, between timestamps, until the alarm, until the stop.
    every: u32,
    pub(super) stamp_every: i64,
    alarm_after: i64,
    stop_after: Option<i64>,
    /// When the newest anchor was made; before there is one, when the gateway started.
    anchored: AtomicI64,
    last: Mutex<Option<Round>>,
}

/// What was shown last.
#[derive(Clone)]
pub(super) struct Round {
    /// The checkpoint.
    pub note: Arc<str>,
    /// The size of the log once the anchors of that round were recorded.
    pub end: u64,
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
        let one = |finding: Finding| Findings(vec![finding]);
        let witnesses =
            config.witness.iter().map(|entry| Witness::new(file, entry)).collect::<Result<_, _>>();
        let authority = config.timestamp.as_ref().map(|section| Authority::new(file, section)).transpose();
        let store = store().map_err(|e| {
            let (dir, what) = (config.gateway.data_dir.display().to_string(), e.to_string());
            one(Finding::error("anchors", &dir, 0, what, "it may be moved away: anchors are then made anew"))
        })?;
        let section = &config.anchors;
        let minutes = |n: NonZeroU32| i64::from(n.get()) * 60;
        let anchors = Self {
            key,
            witnesses: witnesses.map_err(one)?,
            authority: authority.map_err(one)?,
            store,
            require: section.require.map_or(config.witness.len(), NonZeroUsize::get),
            every: section.every_seconds.get(),
            stamp_every: config.timestamp.as_ref().map_or(0, |section| minutes(section.every_minutes)),
            alarm_after: minutes(section.alarm_after_minutes),
            stop_after: section.stop_after_minutes.map(minutes),
            anchored: AtomicI64::new(now.micros()),
            last: Mutex::default(),
        };
        match anchors.newest() {
            Ok(Some(since)) => anchors.anchored(since, now),
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
    ///
    /// # Errors
    /// When the stored cannot be read.
    pub fn newest(&self) -> Result<Option<Timestamp>, AnchorStoreError> {
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
    pub(super) fn cosigned(&self, count: usize) -> Result<Option<(String, Witnessed)>, AnchorStoreError> {
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

    /// Takes note of when the newest anchor was made.
    pub(super) fn anchored(&self, since: Timestamp, now: Timestamp) {
        // The clock of who anchored may be ahead: that must not buy time.
        self.anchored.store(since.micros().min(now.micros()), Ordering::Relaxed);
    }

    /// What was shown last, unless there is something new to show.
    pub(super) fn last(&self) -> Option<Round> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of what was shown last; `None` when there is something new to show already.
    pub(super) fn shown(&self, round: Option<Round>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = round;
    }
}
