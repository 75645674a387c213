//! Traces for OpenTelemetry: what requests and their stages took, as spans to a collector.
//!
//! A stage is told as an event of one target; without a collector nobody listens to it, and telling
//! costs a load and a branch. The collector speaks OTLP over HTTP, in protobuf (OTLP 1, "OTLP/HTTP").
//!
//! Invariant: no request ever waits for the collector. What it is too slow for, or does not take, is
//! dropped; a span holds the same codes, routes and names of systems as a log line, and nothing else.

use std::time::Duration;

use crate::base::ids::hex;

/// What events of a stage are filed under.
pub const TARGET: &str = "sluice::stage";

/// Tells of one request that was answered: the span that `trace`, its `traceparent`, names.
/// `parent` is the caller's span.
pub fn request(
    trace: &impl std::fmt::Display,
    parent: Option<[u8; 8]>,
    [method, route, code, system]: [&str; 4],
    status: u16,
    took: Duration,
) {
    tracing::trace!(target: TARGET, { trace = %trace, parent = parent.map(|parent| hex(&parent)), took = micros(took), method, route, status, code, system }, "request");
}

/// Tells of one stage of a request: a span below the one that `trace` names.
pub fn stage(name: &'static str, trace: &str, code: &str, took: Duration) {
    tracing::trace!(target: TARGET, { trace, took = micros(took), stage = name, code }, "stage");
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(feature = "otel")]
pub(super) use export::Spans;

#[cfg(feature = "otel")]
mod export {
    use std::fmt::{self, Debug};
    use std::sync::{Mutex, PoisonError};
    use std::time::{Duration, SystemTime};

    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
    use opentelemetry::{InstrumentationScope, KeyValue};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
    use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
    use opentelemetry_sdk::trace::{
        BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor,
    };
    use prost::Message;
    use ring::rand::{SecureRandom, SystemRandom};
    use tracing::field::{Field, Visit};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::Context;

    use crate::anchors::Post;
    use crate::base::ids::decode_hex;
    use crate::base::{Clock, Finding, SystemClock};
    use crate::config::TracesSection;

    /// Spans that may wait for the collector; those beyond it are dropped.
    const WAITING: usize = 8192;
    /// The most spans of one message, and the longest that one waits for others.
    const BATCH: usize = 512;
    const GATHER: Duration = Duration::from_secs(2);

    /// Hears of stages and sends them as spans. What still waits goes out when it is dropped.
    pub struct Spans {
        processor: BatchSpanProcessor,
        scope: InstrumentationScope,
    }

    impl Spans {
        /// Spans for the collector that `config` names.
        ///
        /// # Errors
        /// When its address or its CA cannot be used.
        pub fn start(config: &TracesSection) -> Result<Self, Finding> {
            let post = Post::new("[traces]", "traces", &config.url, "", config.ca_file.as_deref())?;
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| {
                    Finding::error(
                        "traces",
                        "[traces]",
                        0,
                        e.to_string(),
                        "the machine gives no more: free some",
                    )
                })?;
            let attributes = [KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))];
            let resource =
                Resource::builder_empty().with_service_name("sluice").with_attributes(attributes).build();
            let exporter = Exporter { post, runtime: Mutex::new(runtime), resource: (&resource).into() };
            let limits = BatchConfigBuilder::default()
                .with_max_queue_size(WAITING)
                .with_max_export_batch_size(BATCH)
                .with_scheduled_delay(GATHER)
                .build();
            let scope =
                InstrumentationScope::builder("sluice").with_version(env!("CARGO_PKG_VERSION")).build();
            Ok(Self { processor: BatchSpanProcessor::new(exporter, limits), scope })
        }
    }

    impl<S: tracing::Subscriber> Layer<S> for Spans {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            let mut heard = Heard::default();
            event.record(&mut heard);
            if let Some(span) = heard.span(&self.scope) {
                self.processor.on_end(span);
            }
        }
    }

    impl Drop for Spans {
        fn drop(&mut self) {
            // Nobody is left to tell that the last ones did not arrive.
            self.processor.shutdown().ok();
        }
    }

    /// The members of one event.
    #[derive(Default)]
    struct Heard {
        trace: String,
        parent: Option<String>,
        took: u64,
        stage: Option<String>,
        method: String,
        route: String,
        status: u64,
        code: String,
        system: String,
    }

    impl Visit for Heard {
        fn record_u64(&mut self, field: &Field, value: u64) {
            match field.name() {
                "took" => self.took = value,
                "status" => self.status = value,
                _ => {}
            }
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            match field.name() {
                "trace" => self.trace = value.into(),
                "parent" => self.parent = Some(value.into()),
                "stage" => self.stage = Some(value.into()),
                "method" => self.method = value.into(),
                "route" => self.route = value.into(),
                "code" => self.code = value.into(),
                "system" => self.system = value.into(),
                _ => {}
            }
        }

        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.record_str(field, &format!("{value:?}"));
        }
    }

    impl Heard {
        /// The span; none where the caller does not want this trace kept.
        fn span(self, scope: &InstrumentationScope) -> Option<SpanData> {
            // Always of version 00, made by the entrance.
            let mut parts = self.trace.split('-').skip(1);
            let trace = TraceId::from_bytes(decode_hex(parts.next()?)?);
            let own = SpanId::from_bytes(decode_hex(parts.next()?)?);
            if parts.next()? != "01" {
                return None;
            }
            let (id, parent, kind, name) = match self.stage {
                None => {
                    let parent = self.parent.as_deref().and_then(decode_hex);
                    let parent = parent.map_or(SpanId::INVALID, SpanId::from_bytes);
                    (own, parent, SpanKind::Server, format!("{} {}", self.method, self.route))
                }
                Some(stage) => (chance()?, own, SpanKind::Internal, stage),
            };
            let end = SystemTime::UNIX_EPOCH
                + Duration::from_micros(u64::try_from(SystemClock.now().micros()).unwrap_or_default());
            let mut attributes = vec![KeyValue::new("sluice.code", self.code)];
            if kind == SpanKind::Server {
                attributes.push(KeyValue::new("http.request.method", self.method));
                attributes.push(KeyValue::new("http.route", self.route));
                attributes.push(KeyValue::new("http.response.status_code", i64::try_from(self.status).ok()?));
                attributes.push(KeyValue::new("sluice.system", self.system));
            }
            let flags = TraceFlags::SAMPLED;
            Some(SpanData {
                span_context: SpanContext::new(trace, id, flags, false, TraceState::default()),
                parent_span_id: parent,
                parent_span_is_remote: kind == SpanKind::Server,
                span_kind: kind,
                name: name.into(),
                start_time: end.checked_sub(Duration::from_micros(self.took))?,
                end_time: end,
                attributes,
                dropped_attributes_count: 0,
                events: SpanEvents::default(),
                links: SpanLinks::default(),
                status: if self.status >= 500 { Status::error("") } else { Status::Unset },
                instrumentation_scope: scope.clone(),
            })
        }
    }

    fn chance() -> Option<SpanId> {
        let mut bytes = [0; 8];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(SpanId::from_bytes(bytes))
    }

    /// Sends batches, on the processor's own thread.
    struct Exporter {
        post: Post,
        runtime: Mutex<tokio::runtime::Runtime>,
        resource: ResourceAttributesWithSchema,
    }

    impl Debug for Exporter {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Exporter")
        }
    }

    impl SpanExporter for Exporter {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let spans = batch.len();
            let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
            let message = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
            let sent = {
                let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
                runtime.block_on(self.post.send("application/x-protobuf", message))
            };
            let fault = match sent {
                Ok((200..300, _)) => return Ok(()),
                Ok((status, _)) => format!("it answers {status}"),
                Err(e) => e.to_string(),
            };
            tracing::warn!(traces.spans = spans, traces.error = %fault, "spans did not reach the collector and are dropped");
            Err(OTelSdkError::InternalFailure(fault))
        }
    }
}
