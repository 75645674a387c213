//! The file of `sluice witness --config FILE`.
//!
//! Invariant: keys of logs are parsed here, so that a mistyped one is named with its line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::LogSection;
use crate::audit::VerifyingKey;

/// The file of a witness, such as `witness.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Where to listen, such as `0.0.0.0:8445`. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// PEM file: the certificate (chain) shown to gateways.
    pub certificate: PathBuf,
    /// PEM file: its private key.
    pub key: PathBuf,
    /// The key that cosigns; `sluice witness keys` makes it. Readable by the witness alone.
    pub signing_key_file: PathBuf,
    /// The database of what was cosigned, made when it is not there. It must survive: a witness
    /// that lost it begins anew under a new key.
    pub database: PathBuf,
    /// The public keys of the logs that are witnessed: NAME+ID+KEY. A log that changes keys has two.
    pub logs: Vec<VerifyingKey>,
    /// What it says about its own running.
    #[serde(default)]
    pub log: LogSection,
}

impl WitnessConfig {
    /// Anchors relative paths at `dir`: the folder of the configuration file.
    pub fn resolve(&mut self, dir: &Path) {
        for path in [&mut self.certificate, &mut self.key, &mut self.signing_key_file, &mut self.database] {
            *path = dir.join(&*path);
        }
    }
}
