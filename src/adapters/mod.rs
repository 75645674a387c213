//! Where department data comes from.
//!
//! The gateway's side: [`Adapters`] holds every provider of the configuration; a worker thread
//! takes its [`WorkerAdapters`] and calls [`WorkerAdapters::fetch`]. Two kinds of interface are
//! spoken: the adapter protocol ([`sluice`]) and an existing REST/JSON interface ([`rest`]). The
//! adapter process's side, which reads a database, is [`sql`].
//!
//! Invariant: a fetch is bounded in time, bytes and number; it goes only to addresses that the
//! configuration allows; and what it returns holds the fields that were asked for and nothing
//! else. This room does not know the catalogue's schemas: whoever calls checks the values.

mod breaker;
pub mod egress;
mod gate;
mod link;
mod query;
mod reach;
pub mod rest;
pub mod sluice;
pub mod sql;
pub mod tls;

#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::Semaphore;
use url::Url;

use self::breaker::Outcome;
use self::gate::Gate;
use self::link::{Link, Target};
use self::query::Query;
use self::rest::Rest;
use crate::base::ids::{DatasetId, FieldName, RequestId};
use crate::base::{Code, Error, Finding, Findings, Result, Value};
use crate::config::adapter::{AdapterConfig, Source};

/// What an adapter knows about one subject: exactly the fields that were asked for.
pub type Record = serde_json::Map<String, serde_json::Value>;

/// Every provider of the configuration.
#[derive(Clone, Default)]
pub struct Adapters {
    providers: Arc<[Provider]>,
    by_dataset: Arc<BTreeMap<DatasetId, usize>>,
}

/// One worker thread's way to the providers: connections of its own, gates shared with all.
pub struct WorkerAdapters {
    shared: Adapters,
    links: Box<[Link]>,
}

/// How one adapter stands, as seen by those who call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Its name in the configuration.
    pub name: String,
    /// What it answers.
    pub datasets: Vec<DatasetId>,
    /// Calls that run now.
    pub running: usize,
    /// How many may at once.
    pub places: usize,
    /// Is it called? Not after it has failed several times in a row, until a single call has found it
    /// well again.
    pub called: bool,
}

struct Provider {
    name: String,
    gate: Gate,
    timeout: Duration,
    target: Arc<Target>,
    kind: Kind,
}

enum Kind {
    Sluice,
    Rest(Rest),
}

impl Adapters {
    /// Builds the providers of the configuration that was read from `file`. No connection is made.
    ///
    /// # Errors
    /// Everything that cannot be used: a URL, a missing certificate, a dataset named twice.
    pub fn new(file: &str, configs: &[AdapterConfig]) -> Result<Self, Findings> {
        let mut findings = Findings::default();
        let mut providers = Vec::with_capacity(configs.len());
        let mut by_dataset = BTreeMap::new();
        for config in configs {
            for dataset in config.datasets() {
                if by_dataset.insert(dataset.clone(), providers.len()).is_some() {
                    let what = format!("adapter `{}`: dataset `{dataset}` has a source already", config.name);
                    findings.push(fault(file, what, "let one adapter answer each dataset"));
                }
            }
            match Provider::new(file, config) {
                Ok(provider) => providers.push(provider),
                Err(finding) => findings.push(finding),
            }
        }
        match findings.has_errors() {
            true => Err(findings),
            false => Ok(Self { providers: providers.into(), by_dataset: Arc::new(by_dataset) }),
        }
    }

    /// A worker's own handle. Use it on that worker's runtime only: its connections live there.
    pub fn for_worker(&self) -> WorkerAdapters {
        let links = self.providers.iter().map(|provider| Link::new(provider.target.clone())).collect();
        WorkerAdapters { shared: self.clone(), links }
    }

    /// How every adapter stands.
    pub fn health(&self) -> Vec<Health> {
        let of = |(at, provider): (usize, &Provider)| {
            let datasets = self.by_dataset.iter().filter(|(_, index)| **index == at);
            let (running, places, called) = provider.gate.health();
            Health {
                name: provider.name.clone(),
                datasets: datasets.map(|(dataset, _)| dataset.clone()).collect(),
                running,
                places,
                called,
            }
        };
        self.providers.iter().enumerate().map(of).collect()
    }

    /// The name of the adapter that answers `dataset`.
    pub fn name_of(&self, dataset: &DatasetId) -> Option<&str> {
        let provider = self.providers.get(*self.by_dataset.get(dataset)?)?;
        Some(&provider.name)
    }
}

impl WorkerAdapters {
    /// Fetches `fields` of `subjects` from the adapter that answers `dataset`: for each subject,
    /// in order, its record or `None` when there is none. A record has exactly the fields asked
    /// for, null where the provider does not know the value. The values are not yet checked.
    ///
    /// # Errors
    /// `provider-busy`, `provider-suspended`, `provider-timeout`, `provider-failed`,
    /// `provider-answer-invalid`, `provider-answer-too-large`.
    pub async fn fetch(
        &self,
        dataset: &DatasetId,
        fields: &[&FieldName],
        subjects: &[Value],
        request_id: &RequestId,
        traceparent: Option<&str>,
    ) -> Result<Vec<Option<Record>>> {
        let subjects = identifiers(subjects)?;
        let query = Query { dataset, fields, subjects: &subjects, request_id, traceparent };
        let found = self.shared.by_dataset.get(dataset);
        let (provider, link) = found
            .and_then(|&index| Some((self.shared.providers.get(index)?, self.links.get(index)?)))
            .ok_or_else(|| {
                Error::new(Code::ProviderFailed).because("no adapter is configured for the dataset")
            })?;
        provider.fetch(link, &query).await
    }

    /// The name of the adapter that answers `dataset`.
    pub fn name_of(&self, dataset: &DatasetId) -> Option<&str> {
        self.shared.name_of(dataset)
    }

    /// The places of the adapter that answers `dataset`, one for each query that goes there.
    /// Whoever fetches takes one before.
    pub fn places_of(&self, dataset: &str) -> Option<&Semaphore> {
        let provider = self.shared.providers.get(*self.shared.by_dataset.get(dataset)?)?;
        Some(&provider.gate.callers)
    }
}

impl Provider {
    fn new(file: &str, config: &AdapterConfig) -> Result<Self, Finding> {
        let wrong = |what: &str, fix: &str| fault(file, format!("adapter `{}`: {what}", config.name), fix);
        let url = Url::parse(&config.url).map_err(|error| {
            wrong(&format!("`url`: {error}"), "write it as https://host:port, without a path")
        })?;
        if url.path() != "/"
            || url.query().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(wrong(
                "`url` is more than an origin",
                "write it as https://host:port, without a path",
            ));
        }
        let plaintext = matches!(&config.source, Source::Rest(rest) if rest.plaintext);
        let tls = match (url.scheme(), &config.tls) {
            ("https", Some(tls)) => Some(tls::client(tls)?),
            ("https", None) => {
                return Err(wrong("https needs [adapter.tls]", "name its ca, certificate and key"));
            }
            ("http", None) if plaintext => None,
            _ => {
                return Err(wrong(
                    "only https is accepted",
                    "use https; or for a REST interface without it set plaintext = true and leave [adapter.tls] out",
                ));
            }
        };
        let target =
            Target::new(config, &url, tls).map_err(|what| wrong(what, "name a host or an address"))?;
        let kind = match &config.source {
            Source::Sluice(_) => Kind::Sluice,
            Source::Rest(rest) => Kind::Rest(Rest::new(rest).map_err(|(what, fix)| wrong(&what, &fix))?),
        };
        Ok(Self {
            name: config.name.clone(),
            gate: Gate::new(config),
            timeout: config.timeout(),
            target: Arc::new(target),
            kind,
        })
    }

    async fn fetch(&self, link: &Link, query: &Query<'_>) -> Result<Vec<Option<Record>>> {
        let places = match &self.kind {
            Kind::Sluice => 1,
            Kind::Rest(rest) => rest.parallel(query.subjects.len()),
        };
        let pass = self.gate.enter(places).await?;
        let call = async {
            match &self.kind {
                Kind::Sluice => sluice::fetch(link, query).await,
                Kind::Rest(rest) => rest.fetch(link, query, pass.places as usize).await,
            }
        };
        let fetched = match tokio::time::timeout(self.timeout, call).await {
            Ok(fetched) => fetched,
            Err(elapsed) => Err(Error::new(Code::ProviderTimeout).because(elapsed)),
        };
        pass.end(outcome(fetched.as_ref().err()));
        fetched
    }
}

/// What the end of a fetch says about the provider's health.
fn outcome(error: Option<&Error>) -> Outcome {
    let Some(error) = error else { return Outcome::Success };
    match error.cause() {
        // One damaged record must not keep everybody else's from being read.
        Some(cause) if cause.is::<DataFault>() => Outcome::Success,
        Some(cause) if cause.is::<OurFault>() => Outcome::Unknown,
        _ if error.code == Code::Internal => Outcome::Unknown,
        _ => Outcome::Failure,
    }
}

/// The provider is well and answered; what it has about these people is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct DataFault(String);

impl DataFault {
    /// The error of a query that met one. `what` quotes nothing of the answer.
    fn error(what: impl Into<String>) -> Error {
        Error::new(Code::ProviderInvalid).because(Self(what.into()))
    }
}

/// What went wrong is not for the provider to mend.
#[derive(Debug, thiserror::Error)]
enum OurFault {
    #[error("the provider refused the request with status {0}")]
    Refused(StatusCode),
    #[error("field `{0}` is not mapped")]
    Unmapped(FieldName),
}

/// Only 200 is an answer. A redirect is not followed: the allow list names where data comes from.
fn check_status(status: StatusCode) -> Result<()> {
    match status {
        StatusCode::OK => Ok(()),
        status if status.is_server_error() => {
            Err(Error::new(Code::ProviderFailed).because(format!("status {status}")))
        }
        status if status.is_client_error() => {
            Err(Error::new(Code::ProviderFailed).because(OurFault::Refused(status)))
        }
        status => Err(Error::new(Code::ProviderInvalid).because(format!("status {status}"))),
    }
}

/// The identifiers as text, as the catalogue normalised them.
fn identifiers(subjects: &[Value]) -> Result<Vec<&str>> {
    subjects
        .iter()
        .map(|subject| subject.reveal().as_str())
        .collect::<Option<_>>()
        .ok_or_else(|| Error::new(Code::Internal).because("a subject's identifier is not text"))
}

fn fault(file: &str, what: String, fix: &str) -> Finding {
    Finding::error("adapter-config", file, 0, what, fix)
}
