//! Requests and their stages reach a collector of traces as spans, without holding anybody up.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use sluice::demo::certificates::Usage;

use crate::support::receiver::Receiver;
use crate::support::{PERSON, TestGateway, now, until};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A gateway that sends its traces to a collector.
async fn stage() -> (TestGateway, Receiver) {
    let mut gw = TestGateway::prepare().await;
    let certificate = gw.authority.issue("collector", &["localhost"], Usage::Server, now()).unwrap();
    let collector = Receiver::start(&certificate).await;
    collector.behave("200 OK");
    let section = format!(
        "[traces]\nurl = \"https://localhost:{}/v1/traces\"\nca_file = \"ca/systems/ca.pem\"\n\n[[adapter]]",
        collector.address.port()
    );
    gw.configure("[[adapter]]", &section);
    gw.serve().unwrap();
    (gw, collector)
}

fn spans(collector: &Receiver) -> Vec<Span> {
    let messages = collector.taken().into_iter().map(|taken| {
        assert_eq!(taken.target, "/v1/traces");
        assert_eq!(taken.header("content-type"), "application/x-protobuf");
        ExportTraceServiceRequest::decode(&*taken.content).unwrap()
    });
    let scopes = messages.flat_map(|message| message.resource_spans).flat_map(|spans| spans.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_query_is_one_trace_with_the_callers_in_which_fetching_and_recording_are_stages() {
    let (gw, collector) = stage().await;
    let client = gw.system("service.onestop").with_header("traceparent", PARENT);
    let answer = client.query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let of_the_query = || spans(&collector).into_iter().filter(|s| hex(&s.trace_id) == PARENT[3..35]);
    until("the spans arrived", async || (of_the_query().count() == 3).then_some(())).await;
    let named = |name: &str| of_the_query().find(|span| span.name == name).unwrap();
    let request = named("POST /v1/datasets/{dataset}/query");
    assert_eq!(hex(&request.parent_span_id), PARENT[36..52]);
    // What the adapter and the answer's reader got to go on with.
    assert_eq!(hex(&request.span_id), answer.header("traceparent").unwrap()[36..52]);
    for name in ["fetch", "record"] {
        let stage = named(name);
        assert_eq!(stage.parent_span_id, request.span_id, "{name}");
        assert!(stage.start_time_unix_nano >= request.start_time_unix_nano, "{name}");
    }
    for taken in collector.taken() {
        let text = String::from_utf8_lossy(&taken.content).into_owned();
        for value in [PERSON, "receiving", "110105"] {
            assert!(!text.contains(value), "{value}");
        }
    }
}

#[tokio::test]
async fn a_trace_that_the_caller_does_not_keep_is_not_sent() {
    let (gw, collector) = stage().await;
    let unkept = PARENT.replace("-01", "-00").replace("4bf9", "5bf9");
    let dropped = gw.system("service.onestop").with_header("traceparent", &unkept);
    let kept = gw.system("service.onestop").with_header("traceparent", PARENT);
    for client in [dropped, kept] {
        assert_eq!(client.query("civil.subsistence", "housing-aid.review", &["status"]).await.status, 200);
    }
    let is_kept = |span: &Span| hex(&span.trace_id) == PARENT[3..35];
    until("the kept one arrived", async || spans(&collector).iter().any(is_kept).then_some(())).await;
    assert!(spans(&collector).iter().all(|span| !hex(&span.trace_id).starts_with("5bf9")));
}

#[tokio::test]
async fn a_collector_that_never_answers_keeps_nobody_waiting() {
    let (mut gw, collector) = stage().await;
    collector.hold();
    for _ in 0..20 {
        let answer =
            gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
        assert_eq!(answer.status, 200);
    }
    until("it was asked", async || (!collector.taken().is_empty()).then_some(())).await;
    gw.stop();
}
