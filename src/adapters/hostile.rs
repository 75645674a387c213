//! Providers that misbehave, over real connections: nothing they do hurts more than their own
//! answers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use serde_json::json;

use super::testing::{Act, Pki, Provider, ok, until, with};
use super::*;

const RECEIVING: &str = r#"{"records":[{"status":"receiving"}]}"#;

fn worker(config: AdapterConfig) -> WorkerAdapters {
    Adapters::new("gateway.toml", &[config]).map_err(|findings| findings.to_string()).unwrap().for_worker()
}

/// Asks for the status of one person.
async fn ask(worker: &WorkerAdapters) -> Result<Vec<Option<Record>>> {
    ask_about(worker, &["A"]).await
}

async fn ask_about(worker: &WorkerAdapters, subjects: &[&str]) -> Result<Vec<Option<Record>>> {
    let dataset = DatasetId::parse("civil.subsistence").unwrap();
    let status = FieldName::parse("status").unwrap();
    let subjects: Vec<_> = subjects.iter().map(|subject| Value::new(json!(subject))).collect();
    let id = RequestId::parse("00112233445566778899aabbccddeeff").unwrap();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    worker.fetch(&dataset, &[&status], &subjects, &id, Some(trace)).await
}

async fn code(worker: &WorkerAdapters) -> Code {
    ask(worker).await.map_or_else(|error| error.code, |_| Code::Ok)
}

/// What comes of one act, and of how many requests.
async fn outcome(act: impl Fn() -> Act + Send + Sync + 'static) -> (Code, usize) {
    let pki = Pki::new();
    let provider = Provider::tls(&pki, move |_, _| act()).await;
    let worker = worker(pki.sluice(provider.port, "timeout_ms = 2000\nmax_answer_bytes = 65536"));
    let code = code(&worker).await;
    (code, provider.requests().len())
}

#[tokio::test]
async fn a_good_answer_arrives_and_the_connection_is_kept() {
    let pki = Pki::new();
    let provider = Provider::tls(&pki, |_, _| ok(RECEIVING)).await;
    let worker = worker(pki.sluice(provider.port, ""));
    for _ in 0..3 {
        let records = ask(&worker).await.unwrap();
        assert_eq!(serde_json::to_value(records).unwrap(), json!([{"status": "receiving"}]));
    }
    assert_eq!((provider.connections(), provider.requests().len()), (1, 3));
}

#[tokio::test]
async fn the_request_is_as_the_protocol_has_it() {
    let pki = Pki::new();
    let provider = Provider::tls(&pki, |_, _| ok(RECEIVING)).await;
    let worker = worker(pki.sluice(provider.port, ""));
    ask(&worker).await.unwrap();
    let request = provider.requests().remove(0).replace(&provider.port.to_string(), "PORT");
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    lines[1..].sort_unstable();
    insta::assert_snapshot!(format!("{}\n\n{body}", lines.join("\n")), @r#"
    POST /v1/fetch HTTP/1.1
    accept: application/json
    content-length: 146
    content-type: application/json
    host: 127.0.0.1:PORT
    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01

    {"protocol":"sluice-adapter/1","request_id":"00112233445566778899aabbccddeeff","dataset":"civil.subsistence","fields":["status"],"subjects":["A"]}
    "#);
}

#[tokio::test]
async fn fields_that_were_not_asked_for_go_no_further() {
    let pki = Pki::new();
    let provider =
        Provider::tls(&pki, |_, _| ok(r#"{"records":[{"name":"canary","status":"receiving"}]}"#)).await;
    let records = ask(&worker(pki.sluice(provider.port, ""))).await.unwrap();
    assert_eq!(serde_json::to_value(records).unwrap(), json!([{"status": "receiving"}]));
}

#[tokio::test]
async fn an_answer_that_is_not_the_protocol_is_invalid() {
    for body in ["", "<html>", "{}", r#"{"records":[]}"#, r#"{"records":[null,null]}"#, r#"{"records":[{}]}"#]
    {
        assert_eq!(outcome(move || ok(body)).await, (Code::ProviderInvalid, 1), "{body}");
    }
    let deep = format!(r#"{{"records":[{{"status":{}"#, "[".repeat(20_000));
    assert_eq!(outcome(move || ok(&deep)).await, (Code::ProviderInvalid, 1));
}

#[tokio::test]
async fn an_answer_over_the_bound_is_not_read() {
    const FOREVER: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let huge = || Act::Answer("HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n{".into());
    assert_eq!(outcome(huge).await, (Code::ProviderTooLarge, 1));
    let endless = || Act::Endless(FOREVER, "a\r\n0123456789\r\n");
    assert_eq!(outcome(endless).await, (Code::ProviderTooLarge, 1));
    let exact = || {
        let padding = " ".repeat(65_536 - RECEIVING.len());
        ok(&format!("{RECEIVING}{padding}"))
    };
    assert_eq!(outcome(exact).await, (Code::Ok, 1));
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let (code, _) = outcome(|| Act::Endless("HTTP/1.1 200 OK\r\n", "x-more: 0123456789\r\n")).await;
    assert_eq!(code, Code::ProviderFailed);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_is_given_up() {
    let pki = Pki::new();
    for act in [|| Act::Hang, || Act::Endless("HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n", "")] {
        let provider = Provider::tls(&pki, move |_, _| act()).await;
        let worker = worker(pki.sluice(provider.port, "timeout_ms = 100"));
        assert_eq!(code(&worker).await, Code::ProviderTimeout);
        assert_eq!(provider.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_provider_that_never_shakes_hands_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let worker = worker(Pki::new().sluice(port, "connect_timeout_ms = 50"));
    assert_eq!(code(&worker).await, Code::ProviderTimeout);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let pki = Pki::new();
    let elsewhere = Provider::tls(&pki, |_, _| ok(RECEIVING)).await;
    let target = elsewhere.port;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let location = format!("location: https://127.0.0.1:{target}/v1/fetch\r\n");
        let redirecting = Provider::tls(&pki, move |_, _| Act::Answer(with(status, &location, ""))).await;
        assert_eq!(code(&worker(pki.sluice(redirecting.port, ""))).await, Code::ProviderInvalid, "{status}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_server_error_is_a_failure() {
    let failing = || Act::Answer(with("500 Oops", "", "canary"));
    assert_eq!(outcome(failing).await, (Code::ProviderFailed, 1));
}

#[tokio::test]
async fn a_provider_with_a_certificate_of_another_ca_is_not_talked_to() {
    let (own, foreign) = (Pki::new(), Pki::new());
    let provider = Provider::tls(&foreign, |_, _| ok(RECEIVING)).await;
    assert_eq!(code(&worker(own.sluice(provider.port, ""))).await, Code::ProviderFailed);
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn an_address_not_on_the_allow_list_is_not_connected_to() {
    let pki = Pki::new();
    let provider = Provider::tls(&pki, |_, _| ok(RECEIVING)).await;
    // `localhost` is a name like any other: what counts is where it leads.
    for (url, allow) in
        [("127.0.0.1", "10.0.0.0/8"), ("localhost", "0.0.0.0/0"), ("localhost", "127.0.0.1:1")]
    {
        let mut config = pki.sluice(provider.port, "");
        config.url = format!("https://{url}:{}", provider.port);
        config.allow = vec![allow.parse().unwrap()];
        assert_eq!(code(&worker(config)).await, Code::ProviderFailed, "{url} {allow}");
    }
    assert_eq!(provider.connections(), 0);
}

#[tokio::test]
async fn a_request_that_may_have_been_read_is_not_sent_again() {
    assert_eq!(outcome(|| Act::Close).await, (Code::ProviderFailed, 1));
    let broken_off = || Act::Last("HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{".into());
    assert_eq!(outcome(broken_off).await, (Code::ProviderFailed, 1));
}

#[tokio::test]
async fn a_connection_that_could_not_be_made_is_tried_once_more() {
    let pki = Pki::new();
    for (hang_ups, code_wanted, connections) in [(1, Code::Ok, 2), (2, Code::ProviderFailed, 2)] {
        let provider = Provider::shy(&pki, hang_ups, |_, _| ok(RECEIVING)).await;
        let worker = worker(pki.sluice(provider.port, ""));
        assert_eq!(code(&worker).await, code_wanted, "{hang_ups}");
        assert_eq!(provider.connections(), connections, "{hang_ups}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_is_replaced() {
    let pki = Pki::new();
    let provider = Provider::tls(&pki, |_, _| Act::Last(with("200 OK", "", RECEIVING))).await;
    let worker = worker(pki.sluice(provider.port, ""));
    assert_eq!(code(&worker).await, Code::Ok);
    until(|| worker.links[0].open() == 0).await;
    assert_eq!(code(&worker).await, Code::Ok);
    assert_eq!((provider.connections(), provider.requests().len()), (2, 2));
}

#[tokio::test]
async fn the_breaker_opens_after_failures_and_one_probe_closes_it() {
    let pki = Pki::new();
    let provider = Provider::tls(&pki, |_, number| match number {
        0 | 1 => Act::Answer(with("500 Oops", "", "")),
        _ => ok(RECEIVING),
    })
    .await;
    let worker = worker(pki.sluice(provider.port, "breaker = { failures = 2, open_ms = 500 }"));
    assert_eq!(code(&worker).await, Code::ProviderFailed);
    assert_eq!(code(&worker).await, Code::ProviderFailed);
    let suspended = ask(&worker).await.unwrap_err();
    assert_eq!((suspended.code, suspended.retry_after), (Code::ProviderSuspended, Some(1)));
    assert_eq!(provider.requests().len(), 2, "nothing is asked of a suspended provider");
    let probed = async {
        while code(&worker).await == Code::ProviderSuspended {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), probed).await.unwrap();
    assert_eq!(provider.requests().len(), 3);
    assert_eq!(code(&worker).await, Code::Ok);
}

#[tokio::test]
async fn a_request_that_the_provider_finds_wrong_does_not_open_the_breaker() {
    let pki = Pki::new();
    let provider = Provider::tls(&pki, |_, _| Act::Answer(with("422 No", "", ""))).await;
    let worker = worker(pki.sluice(provider.port, "breaker = { failures = 1 }"));
    for _ in 0..3 {
        assert_eq!(code(&worker).await, Code::ProviderFailed);
    }
}

#[tokio::test]
async fn a_damaged_record_fails_its_query_and_does_not_open_the_breaker() {
    let pki = Pki::new();
    for damaged in [
        with("409 Conflict", "", ""),
        with("200 OK", "", r#"{"records":[{}]}"#),
        with("200 OK", "", r#"{"records":[null,null]}"#),
    ] {
        let provider = Provider::tls(&pki, move |_, _| Act::Answer(damaged.clone())).await;
        let worker = worker(pki.sluice(provider.port, "breaker = { failures = 1 }"));
        for _ in 0..3 {
            assert_eq!(code(&worker).await, Code::ProviderInvalid);
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_not_json_opens_the_breaker() {
    let pki = Pki::new();
    for nonsense in ["<html>", r#"{"records":["#] {
        let provider = Provider::tls(&pki, move |_, _| ok(nonsense)).await;
        let worker = worker(pki.sluice(provider.port, "breaker = { failures = 1 }"));
        assert_eq!(code(&worker).await, Code::ProviderInvalid);
        assert_eq!(code(&worker).await, Code::ProviderSuspended, "{nonsense}");
    }
}

#[tokio::test]
async fn the_bound_on_calls_at_once_holds_across_workers() {
    let pki = Pki::new();
    let provider = Provider::tls(&pki, |_, _| Act::Hang).await;
    let config = pki.sluice(provider.port, "concurrency = 1\nwait_ms = 1");
    let adapters = Adapters::new("gateway.toml", &[config]).unwrap();
    let (first, second) = (Arc::new(adapters.for_worker()), adapters.for_worker());
    let hanging = tokio::spawn({
        let first = first.clone();
        async move { code(&first).await }
    });
    until(|| provider.requests().len() == 1).await;
    assert_eq!(code(&second).await, Code::ProviderBusy);
    // A caller who goes away gives the place back, and says nothing about the provider.
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    let asking = tokio::time::timeout(Duration::from_millis(50), code(&second)).await;
    assert!(asking.is_err(), "the second call waits for the provider, not for a place");
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn an_error_tells_nothing_of_an_answer() {
    let pki = Pki::new();
    let provider = Provider::tls(&pki, |_, _| ok(r#"{"records":["canary-7"]}"#)).await;
    let error = ask_about(&worker(pki.sluice(provider.port, "")), &["canary-8"]).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
}

#[test]
fn a_configuration_that_would_not_be_safe_is_refused() {
    let pki = Pki::new();
    let refused = |change: &dyn Fn(&mut AdapterConfig)| {
        let mut config = pki.sluice(9_443, "");
        change(&mut config);
        Adapters::new("gateway.toml", &[config]).map(|_| ()).unwrap_err().to_string()
    };
    assert!(refused(&|c| c.url = "http://127.0.0.1:9443".into()).contains("only https"));
    assert!(refused(&|c| c.url = "ftp://127.0.0.1:9443".into()).contains("only https"));
    assert!(refused(&|c| c.url = "https://u:p@127.0.0.1".into()).contains("more than an origin"));
    assert!(refused(&|c| c.url = "https://127.0.0.1/v1".into()).contains("more than an origin"));
    assert!(refused(&|c| c.url = "127.0.0.1".into()).contains("`url`"));
    assert!(refused(&|c| c.tls = None).contains("[adapter.tls]"));
    assert!(refused(&|c| c.tls.as_mut().unwrap().ca = "/nowhere.pem".into()).contains("/nowhere.pem"));
    assert!(refused(&|c| c.tls.as_mut().unwrap().key = pki.path("ca.pem")).contains("chmod 600"));
    let twice =
        Adapters::new("gateway.toml", &[pki.sluice(1, ""), pki.sluice(2, "")]).map(|_| ()).unwrap_err();
    assert!(twice.to_string().contains("has a source already"), "{twice}");
}
