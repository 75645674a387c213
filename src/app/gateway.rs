//! The gateway: what every use case works with.
//!
//! Invariant: it is made whole or not at all; a gateway that exists has a log that starts clean,
//! a world that holds together, and keys.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;
use ring::rand::SystemRandom;

use super::admission::Places;
use super::anchors::Anchors;
use super::consents::Consents;
use super::deeds::Deeds;
use super::desk::Desk;
use super::lease::Lease;
use super::refusals::Refusals;
use super::rehearse;
use super::session::Entry;
use super::world::World;
use crate::base::ids::RequestId;
use crate::base::{Clock, Code, Error, InHand, Result, Timestamp};
use crate::config::LimitsSection;
use crate::identity::Registry;
use crate::privacy::{CountingKey, PseudonymKey};
use crate::store::audit::AuditLog;
use crate::store::state::{Quotas, StateStore};
use crate::telemetry::Metrics;

/// What is read at one time: fewer than the log has connections for readers, of which the gateway itself
/// needs some to look up what administrators did.
const READINGS: usize = 6;

/// What every use case works with.
pub struct Gateway {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: SystemRandom,
    pub(super) world: ArcSwap<World>,
    pub(super) log: AuditLog,
    pub(super) anchors: Option<Arc<Anchors>>,
    pub(super) state: StateStore,
    pub(super) quotas: Quotas,
    pub(super) pseudonyms: PseudonymKey,
    pub(super) counting: CountingKey,
    pub(super) refusals: Refusals,
    /// What each person may still try out this minute: a rehearsal costs a record, too.
    pub(super) rehearsals: Refusals,
    pub(super) places: Places,
    /// Where people and systems read what takes long.
    pub(super) reading: Desk,
    /// Where another wording, or another version, is compared with one.
    pub(super) trying: Desk,
    pub(super) entry: Entry,
    pub(super) consents: Arc<Consents>,
    /// How long what is in force here may be relied on.
    pub(super) lease: Lease,
    /// Is it told to stop?
    pub(super) stopping: AtomicBool,
    /// What the log says was done by administrators.
    pub(super) deeds: RwLock<Deeds>,
    /// The revision whose changes are in force; held while changes are taken up, so that no act is
    /// recorded twice. -1: nothing was seen yet.
    pub(super) seen: tokio::sync::Mutex<i64>,
    /// A step of taking up changes.
    pub(crate) taking_up: InHand,
    /// Shared by answers from the last look at what is in force until their records are in the
    /// log; held alone while a change comes into force. So no record of an answer comes after that
    /// of a command which took back what the answer rests on.
    pub(super) answering: tokio::sync::RwLock<()>,
    pub(super) metrics: Arc<Metrics>,
}

/// What a gateway is made of.
pub struct Parts {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The audit log, started.
    pub log: AuditLog,
    /// Who vouches for the log, when the configuration names anybody.
    pub anchors: Option<Anchors>,
    /// The state database, open.
    pub state: StateStore,
    /// What counts the use of grants.
    pub quotas: Quotas,
    /// The first world.
    pub world: World,
    /// The key of pseudonyms.
    pub pseudonyms: PseudonymKey,
    /// The key under which different people are counted.
    pub counting: CountingKey,
    /// What people sign in with.
    pub entry: Entry,
    /// What consents to see a history rest on.
    pub consents: Consents,
    /// How long what is in force may be relied on after a look at the state.
    pub lease: Lease,
    /// Bounds.
    pub limits: LimitsSection,
    /// Where measurements go.
    pub metrics: Arc<Metrics>,
}

impl Gateway {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self {
            clock: parts.clock,
            rng: SystemRandom::new(),
            world: ArcSwap::from_pointee(parts.world),
            log: parts.log,
            anchors: parts.anchors.map(Arc::new),
            state: parts.state,
            quotas: parts.quotas,
            pseudonyms: parts.pseudonyms,
            counting: parts.counting,
            refusals: Refusals::new(parts.limits.refusals_per_minute),
            rehearsals: Refusals::new(rehearse::PER_MINUTE),
            places: Places::new(parts.limits.concurrent_queries.get()),
            reading: Desk::new(READINGS),
            trying: Desk::new(1),
            entry: parts.entry,
            consents: Arc::new(parts.consents),
            lease: parts.lease,
            stopping: AtomicBool::new(false),
            deeds: RwLock::default(),
            seen: tokio::sync::Mutex::new(-1),
            taking_up: InHand::default(),
            answering: tokio::sync::RwLock::default(),
            metrics: parts.metrics,
        }
    }

    /// The systems that are known now.
    ///
    /// # Errors
    /// `not-ready` when that may have changed without having been looked at.
    pub fn registry(&self) -> Result<Arc<Registry>> {
        self.lease.check()?;
        Ok(Arc::clone(&self.world.load().registry))
    }

    /// The world as it is now.
    pub fn world(&self) -> Arc<World> {
        self.world.load_full()
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The audit log.
    pub fn log(&self) -> &AuditLog {
        &self.log
    }

    /// The state database.
    pub fn state(&self) -> StateStore {
        self.state.clone()
    }

    /// Measures the log.
    pub fn measure(&self) {
        let stats = self.log.stats();
        let waiting = stats.waiting as u64;
        self.metrics.audit_state(waiting, stats.size, stats.batches, stats.lag, stats.copied);
        if let Some(anchors) = &self.anchors {
            self.metrics.anchor_age(anchors.age(self.now()).seconds);
        }
    }

    /// Where measurements go.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// A new request id.
    ///
    /// # Errors
    /// `not-ready` when the machine gives no randomness.
    pub fn new_request_id(&self) -> Result<RequestId> {
        RequestId::new(self.now(), &self.rng).ok_or_else(|| Error::new(Code::NotReady))
    }
}
