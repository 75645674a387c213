//! Counters, gauges and histograms for Prometheus, all named `sluice_...`.
//!
//! Invariant: the number of series is bounded by the interface and the configuration. Labels are
//! route templates, codes and names of departments: never a path, a caller's text or a value.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::base::Code;
use crate::base::ids::DepartmentId;

/// Everything that is measured. Shared by reference; all methods are cheap and never wait long.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    fields_refused: Family<Refused, Counter>,
    adapter_answers: Family<Answer, Counter>,
    adapter_durations: Family<Provider, Histogram, fn() -> Histogram>,
    audit_appends: Histogram,
    audit_batches: Gauge,
    audit_queue: Gauge,
    audit_size: Gauge,
    audit_index_lag: Gauge,
    audit_copied: Gauge,
    anchors: Family<Anchor, Counter>,
    anchor_age: Gauge,
    acts_unsealed: Gauge,
    policy_version: Gauge,
    catalogue_version: Gauge,
    crl_age: Gauge,
    crl_left: Gauge,
    certificate_left: Gauge,
    notices_waiting: Family<Channel, Gauge>,
    notices_parked: Gauge,
    notices_age: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    status: u16,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    provider: String,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Provider {
    provider: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Anchor {
    by: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Channel {
    channel: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("sluice"),
            requests: Family::default(),
            durations: Family::new_with_constructor(latencies),
            in_flight: Gauge::default(),
            fields_refused: Family::default(),
            adapter_answers: Family::default(),
            adapter_durations: Family::new_with_constructor(latencies),
            audit_appends: latencies(),
            audit_batches: Gauge::default(),
            audit_queue: Gauge::default(),
            audit_size: Gauge::default(),
            audit_index_lag: Gauge::default(),
            audit_copied: Gauge::default(),
            anchors: Family::default(),
            anchor_age: Gauge::default(),
            acts_unsealed: Gauge::default(),
            policy_version: Gauge::default(),
            catalogue_version: Gauge::default(),
            crl_age: Gauge::default(),
            crl_left: Gauge::default(),
            certificate_left: Gauge::default(),
            notices_waiting: Family::default(),
            notices_parked: Gauge::default(),
            notices_age: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

/// From a quarter of a millisecond to eight seconds.
fn latencies() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        r.register("requests", "Requests answered, by route, status and code", self.requests.clone());
        let help = "From the end of the request's headers to the answer";
        r.register_with_unit("request_duration", help, Unit::Seconds, self.durations.clone());
        r.register("requests_in_flight", "Requests being worked on", self.in_flight.clone());
        r.register("fields_refused", "Fields not given, by code", self.fields_refused.clone());
        let help = "Answers of providers' adapters, by provider and code";
        r.register("adapter_answers", help, self.adapter_answers.clone());
        let help = "From asking a provider's adapter to its answer";
        r.register_with_unit("adapter_duration", help, Unit::Seconds, self.adapter_durations.clone());
        let help = "From handing a record to the log until it is durable";
        r.register_with_unit("audit_append_duration", help, Unit::Seconds, self.audit_appends.clone());
        r.register("audit_queue_records", "Records waiting for the log's writer", self.audit_queue.clone());
        r.register("audit_log_records", "Records in the log", self.audit_size.clone());
        let help = "Batches written to the log since the start, each under one checkpoint";
        r.register("audit_batches", help, self.audit_batches.clone());
        let help = "Records in the log that its search index has yet to take up";
        r.register("audit_index_lag_records", help, self.audit_index_lag.clone());
        let help = "1 when the log's newest checkpoint reached the second place, 0 when it did not";
        r.register("audit_checkpoint_copied", help, self.audit_copied.clone());
        let help = "Checkpoints shown to witnesses and timestamp authorities, by name and outcome";
        r.register("anchors", help, self.anchors.clone());
        let help =
            "Since the newest checkpoint for which as many vouched as are required; 0 where nobody is asked";
        r.register_with_unit("anchor_age", help, Unit::Seconds, self.anchor_age.clone());
        let help = "Acts in the state database that no program with the gateway's keys did";
        r.register("acts_unsealed", help, self.acts_unsealed.clone());
        r.register("policy_version", "The version of the policies in force", self.policy_version.clone());
        let help = "The version of the catalogue in force";
        r.register("catalogue_version", help, self.catalogue_version.clone());
        let help = "Since the oldest certificate revocation list was issued";
        r.register_with_unit("crl_age", help, Unit::Seconds, self.crl_age.clone());
        let help = "Until the first certificate revocation list is stale and its clients are refused";
        r.register_with_unit("crl_left", help, Unit::Seconds, self.crl_left.clone());
        let help = "Until the gateway's own certificate expires";
        r.register_with_unit("certificate_left", help, Unit::Seconds, self.certificate_left.clone());
        let help = "Letters with notices that have not left, by channel";
        r.register("notices_waiting", help, self.notices_waiting.clone());
        let help = "Letters with notices that were given up in the last 30 days";
        r.register("notices_parked", help, self.notices_parked.clone());
        let help = "Since the oldest letter with notices that has not left was made";
        r.register_with_unit("notices_age", help, Unit::Seconds, self.notices_age.clone());
    }

    /// A request came in; pair with [`Metrics::request_ended`].
    pub fn request_began(&self) {
        self.in_flight.inc();
    }

    /// A request that came in is no longer worked on, answered or not.
    pub fn request_ended(&self) {
        self.in_flight.dec();
    }

    /// A request was answered. `route` is a template of the table of routes.
    pub fn answered(&self, route: &'static str, status: u16, code: &'static str, after: Duration) {
        self.requests.get_or_create(&Answered { route, status, code }).inc();
        self.durations.get_or_create(&Route { route }).observe(after.as_secs_f64());
    }

    /// A field was not given.
    pub fn field_refused(&self, code: Code) {
        self.fields_refused.get_or_create(&Refused { code: code.as_str() }).inc();
    }

    /// A provider's adapter answered, or failed to, with `code`.
    pub fn adapter_answered(&self, provider: &DepartmentId, code: Code, after: Duration) {
        let answer = Answer { provider: provider.as_str().to_owned(), code: code.as_str() };
        self.adapter_answers.get_or_create(&answer).inc();
        let provider = Provider { provider: answer.provider };
        self.adapter_durations.get_or_create(&provider).observe(after.as_secs_f64());
    }

    /// A record became durable.
    pub fn audit_appended(&self, after: Duration) {
        self.audit_appends.observe(after.as_secs_f64());
    }

    /// The state of the log: records waiting for its writer, records in it, batches since the
    /// start, records that the search index has yet to take up, and whether the newest checkpoint
    /// reached the second place.
    pub fn audit_state(&self, waiting: u64, size: u64, batches: u64, index_lag: u64, copied: bool) {
        self.audit_queue.set(count(waiting));
        self.audit_size.set(count(size));
        self.audit_batches.set(count(batches));
        self.audit_index_lag.set(count(index_lag));
        self.audit_copied.set(i64::from(copied));
    }

    /// A checkpoint was shown to `by`, a witness's name in the configuration or `timestamp`.
    pub fn anchored(&self, by: &str, outcome: &'static str) {
        self.anchors.get_or_create(&Anchor { by: by.to_owned(), outcome }).inc();
    }

    /// Seconds since the newest checkpoint for which as many vouched as are required.
    pub fn anchor_age(&self, seconds: i64) {
        self.anchor_age.set(seconds);
    }

    /// Acts in the state database that wait in vain, since no program with the gateway's keys did them.
    pub fn acts_unsealed(&self, acts: usize) {
        self.acts_unsealed.set(i64::try_from(acts).unwrap_or(i64::MAX));
    }

    /// The versions in force.
    pub fn versions(&self, catalogue: u64, policy: u64) {
        self.catalogue_version.set(count(catalogue));
        self.policy_version.set(count(policy));
    }

    /// Seconds since the oldest revocation list was issued and until the first is stale, and
    /// until the gateway's certificate expires; negative once that has passed.
    pub fn certificates(&self, crl_age: i64, crl_left: i64, certificate_left: i64) {
        self.crl_age.set(crl_age);
        self.crl_left.set(crl_left);
        self.certificate_left.set(certificate_left);
    }

    /// The state of the outbox: letters by mail and by webhook that have not left, letters that
    /// were given up, and the seconds since the oldest that has not left was made.
    pub fn notices(&self, mail: i64, webhook: i64, parked: i64, age: i64) {
        for (channel, waiting) in [("mail", mail), ("webhook", webhook)] {
            self.notices_waiting.get_or_create(&Channel { channel }).set(waiting);
        }
        self.notices_parked.set(parked);
        self.notices_age.set(age);
    }

    /// All of it in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        text::encode(&mut out, &self.registry).ok();
        out
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_can_be_read_back() {
        let metrics = Metrics::default();
        metrics.request_began();
        metrics.answered(
            "/v1/datasets/{dataset}/query",
            403,
            Code::Refused.as_str(),
            Duration::from_millis(3),
        );
        metrics.field_refused(Code::GrantRequired);
        let provider = DepartmentId::parse("civil").unwrap();
        metrics.adapter_answered(&provider, Code::ProviderTimeout, Duration::from_secs(2));
        metrics.audit_appended(Duration::from_micros(800));
        metrics.audit_state(3, 1_000, 90, 2, true);
        metrics.anchored("civil", "forked");
        metrics.anchor_age(61);
        metrics.acts_unsealed(1);
        metrics.versions(7, 41);
        metrics.certificates(60, -1, 86_400);
        metrics.notices(5, 1, 2, 90);
        let text = metrics.text();
        for line in [
            "sluice_build_info{version=\"0.1.0\"} 1",
            "sluice_requests_total{route=\"/v1/datasets/{dataset}/query\",status=\"403\",code=\"refused\"} 1",
            "sluice_request_duration_seconds_bucket{le=\"0.004\",route=\"/v1/datasets/{dataset}/query\"} 1",
            "sluice_requests_in_flight 1",
            "sluice_fields_refused_total{code=\"grant-required\"} 1",
            "sluice_adapter_answers_total{provider=\"civil\",code=\"provider-timeout\"} 1",
            "sluice_audit_append_duration_seconds_count 1",
            "sluice_audit_batches 90",
            "sluice_audit_queue_records 3",
            "sluice_audit_log_records 1000",
            "sluice_audit_index_lag_records 2",
            "sluice_audit_checkpoint_copied 1",
            "sluice_anchors_total{by=\"civil\",outcome=\"forked\"} 1",
            "sluice_anchor_age_seconds 61",
            "sluice_acts_unsealed 1",
            "sluice_policy_version 41",
            "sluice_catalogue_version 7",
            "sluice_crl_age_seconds 60",
            "sluice_crl_left_seconds -1",
            "sluice_certificate_left_seconds 86400",
            "sluice_notices_waiting{channel=\"mail\"} 5",
            "sluice_notices_waiting{channel=\"webhook\"} 1",
            "sluice_notices_parked 2",
            "sluice_notices_age_seconds 90",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
