//! The configuration: one TOML file, then the environment, validated into types.
//!
//! Invariant: whoever has a [`Config`] need not check it again, and its paths are anchored at the
//! folder of the file they were read from. Secrets are never in it, only the files that hold them.

pub mod adapter;
mod anchors;
mod database;
pub mod file;
mod gateway;
mod history;
mod log;
pub mod notices;
pub mod oidc;
pub mod postgres;
mod private;
mod sessions;
mod supervisor;
mod tls;
mod witness;

use std::path::Path;

use serde::Deserialize;

pub use adapter::AdapterConfig;
pub use anchors::{AnchorsSection, TimestampSection, WitnessEntry};
pub use database::DatabaseSection;
pub use gateway::{AuditSection, GatewaySection, LimitsSection};
pub use history::{ConsentHours, HistorySection};
pub use log::{LogFormat, LogSection, TracesSection};
pub use notices::NoticesSection;
pub use oidc::OidcSection;
pub use postgres::Host;
pub use private::read_private;
pub use sessions::SessionsSection;
pub use supervisor::Supervisor;
pub use tls::TlsSection;
pub use witness::WitnessConfig;

use crate::base::{Finding, Findings};

/// The file of a gateway, such as `sluice.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens and keeps things.
    pub gateway: GatewaySection,
    /// Its certificates.
    pub tls: TlsSection,
    /// Its log of accesses.
    pub audit: AuditSection,
    /// The PostgreSQL server that several gateways share; none for one that keeps to itself.
    pub database: Option<DatabaseSection>,
    /// Its bounds.
    #[serde(default)]
    pub limits: LimitsSection,
    /// How long people stay signed in.
    #[serde(default)]
    pub sessions: SessionsSection,
    /// What it takes to see who asked about a person.
    #[serde(default)]
    pub history: HistorySection,
    /// The identity provider at which people may sign in.
    pub oidc: Option<OidcSection>,
    /// Its log of itself.
    #[serde(default)]
    pub log: LogSection,
    /// Where its traces go.
    pub traces: Option<TracesSection>,
    /// How long it goes on without anybody outside who vouches for its log.
    #[serde(default)]
    pub anchors: AnchorsSection,
    /// Who cosigns its checkpoints.
    #[serde(default)]
    pub witness: Vec<WitnessEntry>,
    /// Who stamps them with the time.
    pub timestamp: Option<TimestampSection>,
    /// How people, and departments' own programs, are told.
    pub notices: Option<NoticesSection>,
    /// Where department data comes from.
    #[serde(default)]
    pub adapter: Vec<AdapterConfig>,
}

impl Config {
    /// Reads the file at `path`, with the process's environment over it.
    ///
    /// # Errors
    /// What is wrong, with file, line and what was expected.
    pub fn read(path: &Path) -> Result<Config, Findings> {
        let mut config: Config = file::read(path, &file::environment())?;
        config.resolve(path.parent().unwrap_or(Path::new("")));
        config.check(&path.display().to_string())?;
        Ok(config)
    }

    fn resolve(&mut self, dir: &Path) {
        let paths = [
            &mut self.gateway.data_dir,
            &mut self.gateway.catalogue_dir,
            &mut self.tls.certificate,
            &mut self.tls.key,
            &mut self.tls.client_ca,
            &mut self.audit.signing_key_file,
            &mut self.audit.subject_key_file,
            &mut self.audit.checkpoint_copy_file,
        ];
        let lists = self.tls.client_crls.iter_mut().chain(&mut self.audit.previous_signing_key_file);
        for path in paths.into_iter().chain(lists) {
            *path = dir.join(&*path);
        }
        let stamps = self.timestamp.iter_mut().flat_map(|t| [Some(&mut t.ca_file), t.tls_ca_file.as_mut()]);
        for path in self.witness.iter_mut().map(|w| &mut w.ca_file).chain(stamps.flatten()) {
            *path = dir.join(&*path);
        }
        if let Some(database) = &mut self.database {
            database.resolve(dir);
        }
        if let Some(ca) = self.traces.as_mut().and_then(|traces| traces.ca_file.as_mut()) {
            *ca = dir.join(&*ca);
        }
        if let Some(notices) = &mut self.notices {
            notices.resolve(dir);
        }
        if let Some(oidc) = &mut self.oidc {
            oidc.resolve(dir);
        }
        for adapter in &mut self.adapter {
            adapter.resolve(dir);
        }
    }

    /// What types cannot say: names that must differ, a dataset with two sources.
    fn check(&self, file: &str) -> Result<(), Findings> {
        let mut findings = anchors::check(file, &self.anchors, &self.witness, self.timestamp.as_ref());
        let mut names = std::collections::BTreeSet::new();
        let mut datasets = std::collections::BTreeMap::new();
        for adapter in &self.adapter {
            if !names.insert(&adapter.name) {
                let what = format!("two adapters are called `{}`", adapter.name);
                findings.push(Finding::error("adapter-twice", file, 0, what, "rename one"));
            }
            for dataset in adapter.datasets() {
                if let Some(other) = datasets.insert(dataset.clone(), &adapter.name) {
                    let what =
                        format!("dataset `{dataset}` is read from `{other}` and from `{}`", adapter.name);
                    findings.push(Finding::error(
                        "dataset-twice",
                        file,
                        0,
                        what,
                        "name it under one adapter only",
                    ));
                }
            }
        }
        let mut hooks = std::collections::BTreeSet::new();
        for hook in self.notices.iter().flat_map(|notices| &notices.webhook) {
            if !hooks.insert(&hook.department) {
                let what = format!("department `{}` has two webhooks", hook.department);
                findings.push(Finding::error("webhook-twice", file, 0, what, "keep one"));
            }
        }
        findings.0.extend(self.database.iter().flat_map(|database| database.check(file).0));
        findings.0.extend(self.oidc.as_ref().and_then(|oidc| oidc.check(file)));
        if findings.has_errors() { Err(findings) } else { Ok(()) }
    }
}
