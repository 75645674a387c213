//! Can the gateway answer queries now?
//!
//! Invariant: asking is cheap, and tells numbers and versions only.

use serde::Serialize;

use super::gateway::Gateway;

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
    /// The version of the catalogue in force.
    pub catalogue_version: u64,
    /// The version of the policies in force.
    pub policy_version: u64,
}

impl Gateway {
    /// Looks at what the gateway stands on.
    pub async fn readiness(&self) -> Readiness {
        let (state, audit, last) =
            (self.state.clone(), self.log.clone(), self.log.stats().size.saturating_sub(1));
        let looked = tokio::task::spawn_blocking(move || {
            (state.revision().is_ok(), audit.reader().record(last).is_ok())
        });
        let (database, log) = looked.await.unwrap_or_default();
        let (world, stats) = (self.world(), self.log.stats());
        let log = log && stats.writes;
        Readiness {
            ready: database && log,
            database,
            log,
            log_records: stats.size,
            log_index_lag: stats.lag,
            log_copied: stats.copied,
            catalogue_version: world.catalogue_version,
            policy_version: world.policy_version,
        }
    }
}
