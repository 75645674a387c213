//! Can the gateway answer queries now?
//!
//! Invariant: asking is cheap, and tells numbers and versions only.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use super::gateway::Gateway;
use crate::base::Moment;

/// How long a look at the databases may take before they count as not there.
const MOMENT: Duration = Duration::from_secs(1);

/// How long what takes moments may last before it counts as never coming back. A server that waits
/// for its standby is waited for; but the connection may as well be to one that will never answer, and
/// the next one goes to whichever takes writes.
const STUCK: Duration = Duration::from_secs(45);

/// What a gateway needs in order to answer, and whether it has it.
#[derive(Debug, Serialize)]
pub struct Readiness {
    /// Does it have all of it?
    pub ready: bool,
    /// The database of versions, keys and quotas can be read.
    pub database: bool,
    /// The audit log can be read, and the last try to write it was durable.
    pub log: bool,
    /// Records in the log.
    pub log_records: u64,
    /// Records that the log's search index has yet to take up.
    pub log_index_lag: u64,
    /// The newest checkpoint reached the second place.
    pub log_copied: bool,
    /// What is in force was compared with the database too long ago for queries to be answered:
    /// another gateway may have changed it.
    pub stale: bool,
    /// A newer program has done what this one cannot follow, so it answers no queries.
    pub outgrown: bool,
    /// It is told to stop, and answers only until nobody is led to it any more.
    pub stopping: bool,
    /// Seconds since somebody outside vouched for the log, where anybody is asked to; and whether
    /// that is too long ago for queries to be answered.
    #[serde(flatten)]
    pub anchor: Option<AnchorReadiness>,
    /// The version of the catalogue in force.
    pub catalogue_version: u64,
    /// The version of the policies in force.
    pub policy_version: u64,
}

/// The part of [`Readiness`] about anchors.
#[derive(Debug, Serialize)]
pub struct AnchorReadiness {
    /// Seconds since the newest anchor; before there is one, since the start.
    pub anchor_age_seconds: i64,
    /// It is older than `[anchors] alarm_after_minutes`.
    pub anchor_overdue: bool,
    /// It is older than `[anchors] stop_after_minutes`: queries get 503 until there is another.
    pub anchor_stopped: bool,
}

impl Gateway {
    /// From now on it says that it is not ready, and goes on answering.
    pub fn leave(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Was it told to stop?
    pub fn is_leaving(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// What has been going on for so long that only a restart ends it, if anything.
    pub fn stuck(&self) -> Option<&'static str> {
        self.in_hand_for(STUCK)
    }

    fn in_hand_for(&self, long: Duration) -> Option<&'static str> {
        let going_on = [
            ("the log is being written", self.log.lasts()),
            ("quotas are being counted", self.quotas.lasts()),
            ("changes are being taken up", self.taking_up.lasts()),
        ];
        going_on.into_iter().find(|(_, lasts)| *lasts > long).map(|(what, _)| what)
    }

    /// Looks at what the gateway stands on.
    pub async fn readiness(&self) -> Readiness {
        let (state, audit, last) =
            (self.state.clone(), self.log.clone(), self.log.stats().size.saturating_sub(1));
        let looked = tokio::task::spawn_blocking(move || {
            (state.revision().is_ok(), audit.reader().record(last).is_ok())
        });
        // A server that went silent has not been read.
        let (database, log) =
            timeout(MOMENT, looked).await.map(Result::unwrap_or_default).unwrap_or_default();
        let (world, stats) = (self.world(), self.log.stats());
        let log = log && stats.writes;
        let (stale, outgrown) = (self.lease.is_stale(Moment::now()), self.lease.is_outgrown());
        let stopping = self.is_leaving();
        let anchor = self.anchors.as_ref().map(|anchors| anchors.age(self.now()));
        Readiness {
            ready: database
                && log
                && !stale
                && !outgrown
                && !stopping
                && !anchor.is_some_and(|age| age.stopped),
            database,
            log,
            log_records: stats.size,
            log_index_lag: stats.lag,
            log_copied: stats.copied,
            stale,
            outgrown,
            stopping,
            anchor: anchor.map(|age| AnchorReadiness {
                anchor_age_seconds: age.seconds,
                anchor_overdue: age.overdue,
                anchor_stopped: age.stopped,
            }),
            catalogue_version: world.catalogue_version,
            policy_version: world.policy_version,
        }
    }
}
