//! What operators see: probes, measurements, traces and log lines.

use serde_json::Value;

use crate::support::{PERSON, TestGateway, now, until};

const PURPOSE: &str = "housing-aid.review";

#[tokio::test]
async fn the_probes_tell_numbers_and_nothing_twice() {
    let gw = TestGateway::start().await;
    assert_eq!(gw.ops("/livez").await, (200, "ok\n".into()));
    let (status, body) = gw.ops("/readyz").await;
    assert_eq!(status, 200);
    // The strict reader refuses a member that stands twice.
    let told = sluice::base::json::parse(body.as_bytes(), 4).unwrap();
    assert_eq!(told["ready"], true);
    for member in [
        "database",
        "log",
        "log_records",
        "catalogue_version",
        "policy_version",
        "certificate_ends",
        "crl_ends",
    ] {
        assert!(!told[member].is_null(), "{member}: {told}");
    }
    assert_eq!((&told["catalogue_version"], &told["policy_version"]), (&1.into(), &1.into()));
    for path in ["/", "/v1/datasets", "/openapi.json"] {
        assert_eq!(gw.ops(path).await.0, 404, "{path} is not for the operations port");
    }
}

#[tokio::test]
async fn a_gateway_with_a_stale_revocation_list_is_alive_and_not_ready() {
    let gw = TestGateway::start().await;
    gw.revoke(&[], now().plus_seconds(-1));
    let body = until("not ready", async || {
        let (status, body) = gw.ops("/readyz").await;
        (status == 503).then_some(body)
    });
    let told = sluice::base::json::parse(body.await.as_bytes(), 4).unwrap();
    assert_eq!(told["ready"], false);
    assert_eq!(told["log"], true, "{told}");
    assert_eq!(gw.ops("/livez").await.0, 200);
}

#[tokio::test]
async fn the_measurements_are_openmetrics_and_count_what_happened() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    client.query("civil.subsistence", PURPOSE, &["status"]).await;
    client.query("civil.subsistence", PURPOSE, &["mobile"]).await;
    gw.nobody().get("/v1/datasets").await;
    gw.nobody().get(&format!("/{PERSON}")).await;
    let (status, text) = gw.ops("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n"));
    let mut typed = Vec::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (keyword, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(["HELP", "TYPE", "UNIT"].contains(&keyword) && name.starts_with("sluice_"), "{line}");
            if keyword == "TYPE" {
                typed.push(name.to_owned());
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(typed.iter().any(|name| series.starts_with(name.as_str())), "{line} has no type");
        if let Some((_, labels)) = series.split_once('{') {
            assert!(labels.ends_with('}'), "{line}");
        }
    }
    let counted = |route: &str, code: &str| {
        let wanted = [format!("\"{route}\""), format!("\"{code}\"")];
        let line = text.lines().find(|l| l.contains("_total{") && wanted.iter().all(|w| l.contains(w)));
        line.map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
    };
    let query = "/v1/datasets/{dataset}/query";
    assert_eq!(counted(query, "ok").as_deref(), Some("1"), "{text}");
    assert_eq!(counted(query, "refused").as_deref(), Some("1"));
    assert_eq!(counted("/v1/datasets", "certificate-required").as_deref(), Some("1"));
    assert_eq!(counted("unknown", "not-found").as_deref(), Some("1"));
}

#[tokio::test]
async fn a_trace_goes_on_through_the_gateway_to_the_provider_and_into_the_log() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let gw = TestGateway::start().await;
    let client =
        gw.system("service.onestop").with_header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let answer = client.query("civil.subsistence", PURPOSE, &["status"]).await;
    let back = answer.header("traceparent").unwrap();
    assert!(back.starts_with(&format!("00-{TRACE}-")) && back.ends_with("-01"), "{back}");
    assert!(!back.contains("00f067aa0ba902b7"), "the gateway has a span of its own");
    let head = gw.civil.heads().pop().unwrap();
    assert!(head.contains(&format!("traceparent: {back}")), "{head}");
    assert_eq!(gw.record_of(&answer).await["trace"], back);

    // None, or one that is none, begins a new trace; and nothing of tracestate goes on.
    let client = gw
        .system("service.onestop")
        .with_header("traceparent", "00-1-2-3")
        .with_header("tracestate", "a=canary");
    let answer = client.query("civil.subsistence", PURPOSE, &["status"]).await;
    let (fresh, id) = (answer.header("traceparent").unwrap(), answer.header("x-request-id").unwrap());
    assert!(fresh.starts_with(&format!("00-{id}-")), "{fresh}");
    assert!(!gw.civil.heads().pop().unwrap().contains("canary"));
}

#[tokio::test]
async fn each_log_line_is_one_object_that_reads_alone() {
    let gw = TestGateway::start().await;
    let answer = gw.system("service.onestop").query("civil.subsistence", PURPOSE, &["mobile"]).await;
    let id = answer.header("x-request-id").unwrap();
    let line = until("the access line", async || {
        let log = gw.log();
        log.lines().find(|line| line.contains(id) && line.contains("sluice::access")).map(str::to_owned)
    });
    let line: Value = serde_json::from_str(&line.await).unwrap();
    assert_eq!(line["request.id"], id);
    assert_eq!(line["caller.system"], "service.onestop");
    assert_eq!(line["http.method"], "POST");
    assert_eq!(line["http.route"], "/v1/datasets/{dataset}/query");
    assert_eq!((&line["http.status"], &line["code"]), (&403.into(), &"refused".into()));
    assert!(line["duration_ms"].is_number() && line["trace.id"].is_string());
    for line in gw.log().lines() {
        let object = sluice::base::json::parse(line.as_bytes(), 8).unwrap_or_else(|_| panic!("{line}"));
        for member in ["timestamp", "level", "message", "target"] {
            assert!(object[member].is_string(), "{member}: {line}");
        }
    }
}
