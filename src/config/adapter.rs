//! Where department data comes from: the `[[adapter]]` entries of the gateway's configuration,
//! and (in [`process`]) the file of an adapter process.
//!
//! Invariant: everything has a bound, and its default is the safe one. Nothing here opens a file
//! or a connection: paths are as written until [`AdapterConfig::resolve`] anchors them.

mod network;
mod process;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use network::Network;
pub use process::{Column, ColumnType, Database, PostgresFile, ProcessConfig, SqliteFile, View};

use crate::base::ids::{DatasetId, FieldName};

/// One `[[adapter]]`: a provider's source, and how far the gateway trusts it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterConfig {
    /// Its name in logs, metrics and audit records, such as `civil`. Unique.
    pub name: String,
    /// Where it listens: scheme, host and port, such as `https://adapter.civil.example:8443`.
    pub url: String,
    /// The only addresses the gateway connects to for it, each as `network[:port]`, such as
    /// `10.2.0.0/24` or `127.0.0.1/32:9000`. Nothing is allowed by default.
    pub allow: Vec<Network>,
    /// Milliseconds for a whole fetch: connecting, asking, reading. Default 3000.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// Milliseconds to resolve, connect and shake hands. Default 1000.
    #[serde(default = "connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// Milliseconds to wait for a place when all are taken. Default 50.
    #[serde(default = "wait_ms")]
    pub wait_ms: u64,
    /// Milliseconds that an unused connection is kept; less than the adapter keeps it.
    /// Default 30000.
    #[serde(default = "idle_ms")]
    pub idle_ms: u64,
    /// Most calls to it at once, over all workers. Default 64.
    #[serde(default = "concurrency")]
    pub concurrency: NonZeroU32,
    /// Most bytes of one answer. Default 1048576 (1 MiB).
    #[serde(default = "max_answer_bytes")]
    pub max_answer_bytes: usize,
    /// When to stop calling it.
    #[serde(default)]
    pub breaker: BreakerConfig,
    /// The CA, certificate and key of this connection. Required for https.
    pub tls: Option<ClientTls>,
    /// What kind of interface it has.
    pub source: Source,
}

/// `[adapter.breaker]`: when to stop calling a provider, and for how long.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row that open it. Default 5.
    #[serde(default = "failures")]
    pub failures: NonZeroU32,
    /// Milliseconds that it stays open before one call probes. Default 5000.
    #[serde(default = "open_ms")]
    pub open_ms: u64,
}

/// `[adapter.tls]`: mutual TLS towards the provider. All are PEM files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// The CA whose certificate the provider must show.
    pub ca: PathBuf,
    /// The certificate (chain) the gateway shows.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// `[adapter.source.…]`: the kind of interface.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The adapter protocol, `docs/adapter-protocol.md`.
    Sluice(SluiceSource),
    /// An existing REST/JSON interface that nobody will change.
    Rest(RestSource),
}

/// `[adapter.source.sluice]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SluiceSource {
    /// The datasets it answers.
    pub datasets: Vec<DatasetId>,
}

/// `[adapter.source.rest]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestSource {
    /// Allows an `http:` URL: everything then travels unencrypted. Default false.
    #[serde(default)]
    pub plaintext: bool,
    /// A file of `Name: value` lines sent with each call, for the interface's own keys.
    pub headers_file: Option<PathBuf>,
    /// Calls at once for one query of several subjects. Default 4.
    #[serde(default = "parallel")]
    pub parallel: NonZeroU32,
    /// How each dataset is asked for.
    pub datasets: BTreeMap<DatasetId, RestDataset>,
}

/// `[adapter.source.rest.datasets."…"]`: one dataset of a REST interface, one subject a call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestDataset {
    /// Path and query with `{subject}` where the identifier goes, percent-encoded:
    /// `/queryHouse.do?zjhm={subject}`.
    pub path: String,
    /// A JSON body with `{subject}` inside a string, JSON-escaped. With a body the call is a
    /// POST, without a GET.
    pub body: Option<String>,
    /// What holds in an answer that says "nothing is known of this person".
    pub absent: Option<Equals>,
    /// What holds in every good answer. For interfaces that report errors with status 200.
    pub success: Option<Equals>,
    /// JSON Pointer to the record. Null or an empty array there means no record, an array of one
    /// is that one, more is an error. Default: the whole answer.
    #[serde(default)]
    pub record: String,
    /// The fields.
    pub fields: BTreeMap<FieldName, RestField>,
}

/// A scalar of an answer compared with a constant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equals {
    /// JSON Pointer into the answer.
    pub pointer: String,
    /// The text of the scalar there: `"0"` matches both `0` and `"0"`.
    pub equals: String,
}

/// How one field is read from a record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestField {
    /// JSON Pointer within the record. A missing member reads as null.
    pub pointer: String,
    /// What the value is made into. Default: as it is.
    #[serde(rename = "type")]
    pub kind: Option<FieldType>,
    /// The interface's codes and what they mean: `{ "1" = "owner" }`. A code that is not listed
    /// makes the answer invalid.
    pub map: Option<BTreeMap<String, String>>,
}

/// What a value of a REST interface is made into: old systems send numbers as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// Text without the blanks around it.
    String,
    /// A whole number: `"2800"`, `"2800.00"`.
    Integer,
    /// A number: `"2800.50"`.
    Number,
    /// `1`, `"1"`, `"Y"`, `"true"`; `0`, `"0"`, `"N"`, `"false"`.
    Boolean,
    /// `"20260131"`, made into `"2026-01-31"`.
    Date8,
}

impl AdapterConfig {
    /// Anchors relative paths at `dir`: the folder of the configuration file.
    pub fn resolve(&mut self, dir: &Path) {
        if let Some(tls) = &mut self.tls {
            tls.ca = dir.join(&tls.ca);
            tls.certificate = dir.join(&tls.certificate);
            tls.key = dir.join(&tls.key);
        }
        if let Source::Rest(RestSource { headers_file: Some(file), .. }) = &mut self.source {
            *file = dir.join(&*file);
        }
    }

    /// The datasets it answers.
    pub fn datasets(&self) -> Vec<&DatasetId> {
        match &self.source {
            Source::Sluice(sluice) => sluice.datasets.iter().collect(),
            Source::Rest(rest) => rest.datasets.keys().collect(),
        }
    }

    /// The bound on a whole fetch.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: failures(), open_ms: open_ms() }
    }
}

fn timeout_ms() -> u64 {
    3_000
}

fn connect_timeout_ms() -> u64 {
    1_000
}

fn wait_ms() -> u64 {
    50
}

fn idle_ms() -> u64 {
    30_000
}

fn concurrency() -> NonZeroU32 {
    number(64)
}

fn max_answer_bytes() -> usize {
    1 << 20
}

fn failures() -> NonZeroU32 {
    number(5)
}

fn open_ms() -> u64 {
    5_000
}

fn parallel() -> NonZeroU32 {
    number(4)
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SLUICE: &str = r#"
        name = "civil"
        url = "https://127.0.0.1:9443"
        allow = ["127.0.0.1/32"]
        [tls]
        ca = "ca.pem"
        certificate = "/etc/sluice/gateway.pem"
        key = "gateway.key"
        [source.sluice]
        datasets = ["civil.subsistence"]
    "#;

    #[test]
    fn an_entry_needs_little_and_is_bounded_by_default() {
        let config: AdapterConfig = toml::from_str(SLUICE).unwrap();
        assert_eq!(
            (config.timeout_ms, config.concurrency.get(), config.breaker.failures.get()),
            (3_000, 64, 5)
        );
        assert_eq!(config.max_answer_bytes, 1_048_576);
    }

    #[test]
    fn relative_paths_are_anchored_and_absolute_ones_kept() {
        let mut config: AdapterConfig = toml::from_str(SLUICE).unwrap();
        config.resolve(Path::new("/srv"));
        let tls = config.tls.unwrap();
        assert_eq!(tls.ca, Path::new("/srv/ca.pem"));
        assert_eq!(tls.certificate, Path::new("/etc/sluice/gateway.pem"));
    }

    #[test]
    fn an_unknown_key_is_an_error_everywhere() {
        for (before, after) in [
            ("name =", "nmae = 1\nname ="),
            ("[tls]", "[tls]\nverify = false"),
            ("datasets =", "plaintext = true\ndatasets ="),
        ] {
            let text = SLUICE.replace(before, after);
            assert!(toml::from_str::<AdapterConfig>(&text).is_err(), "{after}");
        }
    }

    #[test]
    fn no_address_is_allowed_by_default() {
        let text = SLUICE.replace("allow = [\"127.0.0.1/32\"]", "");
        assert!(toml::from_str::<AdapterConfig>(&text).unwrap_err().message().contains("allow"));
    }

    #[test]
    fn the_documented_examples_are_accepted_and_the_same_in_both_languages() {
        #[derive(Deserialize)]
        struct Gateway {
            adapter: Vec<AdapterConfig>,
        }
        let examples = |page: &str| -> Vec<String> {
            let blocks = page.split("```toml\n").skip(1);
            blocks.filter_map(|block| block.split_once("```").map(|(text, _)| text.to_owned())).collect()
        };
        let english = examples(include_str!("../../docs/adapter-protocol.md"));
        let [process, sluice, rest] = english.as_slice() else { panic!("three examples") };
        toml::from_str::<ProcessConfig>(process).unwrap();
        for gateway in [sluice, rest] {
            assert_eq!(toml::from_str::<Gateway>(gateway).unwrap().adapter.len(), 1);
        }
        assert_eq!(english, examples(include_str!("../../docs/adapter-protocol.zh-CN.md")));
    }
}
