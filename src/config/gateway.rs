//! The gateway's own sections: where it listens, where it keeps things, what bounds it has.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use serde::Deserialize;

/// `[gateway]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySection {
    /// Where systems connect: HTTPS.
    pub listen: SocketAddr,
    /// Where operators look: `/livez`, `/readyz`, `/metrics`, plain HTTP. Keep it on loopback.
    pub ops_listen: SocketAddr,
    /// The folder of the databases.
    pub data_dir: PathBuf,
    /// The folder that holds `schemas/` and `policies/`.
    pub catalogue_dir: PathBuf,
    /// Worker threads. Default: one for each processor.
    #[serde(default = "processors")]
    pub workers: NonZeroUsize,
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSection {
    /// The Ed25519 key that signs checkpoints, and with it the log's name (`sluice keys` makes
    /// it). Readable by the gateway alone.
    pub signing_key_file: PathBuf,
    /// To change keys: the key before, of the same log name. At the first start with both, a
    /// record that both have signed makes the new one the log's key; afterwards this line and
    /// the old key can go.
    pub previous_signing_key_file: Option<PathBuf>,
    /// 32 random bytes as 64 hex digits, from which the keys for subject indexes, openings and
    /// pseudonyms are derived. Readable by the gateway alone.
    pub subject_key_file: PathBuf,
    /// Where the last checkpoint is kept a second time, best on another disk: with it, a restored
    /// old database is noticed at the start.
    pub checkpoint_copy_file: PathBuf,
    /// Records that may wait for the writer; beyond it, 503.
    #[serde(default = "queue")]
    pub queue: NonZeroUsize,
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Queries in hand at one time, each of which is worked on or waits for its record; more wait
    /// 25 ms, then get 503. One that a provider is slow to answer is not counted.
    pub concurrent_queries: NonZeroUsize,
    /// Connections that are open at one time.
    pub connections: NonZeroUsize,
    /// Seconds for the request line and headers to arrive.
    pub header_seconds: NonZeroU32,
    /// Seconds for the body to arrive.
    pub body_seconds: NonZeroU32,
    /// Seconds that an idle connection is kept.
    pub keep_alive_seconds: NonZeroU32,
    /// Refused requests of one caller that are recorded one by one in a minute; beyond it the
    /// caller gets 429 and the surplus is recorded as a count. All who are not known at the door
    /// share a tenth of it.
    pub refusals_per_minute: NonZeroU32,
    /// Seconds for which a gateway that is told to stop goes on answering while `/readyz` says that it
    /// is not ready: longer than a load balancer that asks there takes to notice. Then it waits for the
    /// work in hand.
    pub leaving_seconds: u32,
    /// Seconds that a stop waits for the work in hand.
    pub shutdown_seconds: NonZeroU32,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            concurrent_queries: size(256),
            connections: size(4096),
            header_seconds: seconds(5),
            body_seconds: seconds(10),
            keep_alive_seconds: seconds(75),
            refusals_per_minute: seconds(600),
            leaving_seconds: 0,
            shutdown_seconds: seconds(20),
        }
    }
}

fn size(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

fn seconds(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn queue() -> NonZeroUsize {
    size(4096)
}
