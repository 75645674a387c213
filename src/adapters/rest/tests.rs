//! An old interface and its mapping, over real connections.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::super::testing::{Act, Provider, ok, with};
use super::super::{Adapters, Record, WorkerAdapters};
use crate::app::keys::write_private;
use crate::base::ids::{DatasetId, FieldName, RequestId};
use crate::base::{Code, Error, Value};
use crate::config::adapter::AdapterConfig;

const QUERY_HOUSE: &str = r#"
    path = "/queryHouse.do?zjhm={subject}&v=1"
    absent = { pointer = "/code", equals = "404" }
    success = { pointer = "/code", equals = "0" }
    record = "/data/rows"
    [source.rest.datasets."housing.property".fields]
    relation = { pointer = "/qlrlx", map = { "1" = "owner", "2" = "tenant" } }
    area = { pointer = "/jzmj", type = "number" }
    registered = { pointer = "/djrq", type = "date8" }
"#;

fn config(port: u16, dataset: &str) -> AdapterConfig {
    toml::from_str(&format!(
        "name = 'housing'\nurl = 'http://127.0.0.1:{port}'\nallow = ['127.0.0.1']\n\
         [source.rest]\nplaintext = true\n[source.rest.datasets.'housing.property']\n{dataset}"
    ))
    .unwrap()
}

fn worker(config: AdapterConfig) -> WorkerAdapters {
    Adapters::new("gateway.toml", &[config]).map_err(|findings| findings.to_string()).unwrap().for_worker()
}

async fn ask(worker: &WorkerAdapters, subjects: &[&str]) -> Result<Vec<Option<Record>>, Error> {
    let dataset = DatasetId::parse("housing.property").unwrap();
    let fields = ["relation", "area", "registered"].map(|field| FieldName::parse(field).unwrap());
    let subjects: Vec<_> = subjects.iter().map(|subject| Value::new(json!(subject))).collect();
    let id = RequestId::parse("00112233445566778899aabbccddeeff").unwrap();
    worker.fetch(&dataset, &fields.each_ref(), &subjects, &id, None).await
}

async fn outcome(body: &'static str) -> Result<serde_json::Value, Code> {
    let provider = Provider::plain(move |_, _| ok(body)).await;
    let records = ask(&worker(config(provider.port, QUERY_HOUSE)), &["A"]).await;
    records.map(|records| serde_json::to_value(records).unwrap()).map_err(|error| error.code)
}

#[tokio::test]
async fn the_mapped_fields_come_out_in_their_types_and_nothing_else() {
    let body = r#"{"code":0,"data":{"rows":[{"qlrlx":"1","jzmj":"89.50","djrq":"20190304","xm":"canary"}]}}"#;
    assert_eq!(
        outcome(body).await,
        Ok(json!([{ "relation": "owner", "area": 89.5, "registered": "2019-03-04" }]))
    );
}

#[tokio::test]
async fn no_record_is_what_the_mapping_says_it_is() {
    for body in
        [r#"{"code":"404"}"#, r#"{"code":"0","data":{"rows":[]}}"#, r#"{"code":0,"data":{"rows":null}}"#]
    {
        assert_eq!(outcome(body).await, Ok(json!([null])), "{body}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_understood_is_never_taken_for_no_record() {
    for (body, code) in [
        (r#"{"code":"500","msg":"timeout"}"#, Code::ProviderFailed),
        (r#"{}"#, Code::ProviderFailed),
        ("", Code::ProviderInvalid),
        ("<html>login</html>", Code::ProviderInvalid),
        (r#"{"code":"0","data":{}}"#, Code::ProviderInvalid),
        (r#"{"code":"0","data":{"rows":"none"}}"#, Code::ProviderInvalid),
        (r#"{"code":"0","data":{"rows":[{},{}]}}"#, Code::ProviderInvalid),
        (r#"{"code":"0","data":{"rows":[{"qlrlx":"9"}]}}"#, Code::ProviderInvalid),
        (r#"{"code":"0","data":{"rows":[{"jzmj":"many"}]}}"#, Code::ProviderInvalid),
    ] {
        assert_eq!(outcome(body).await, Err(code), "{body}");
    }
}

#[tokio::test]
async fn an_identifier_is_percent_encoded_in_the_url() {
    let provider = Provider::plain(|_, _| ok(r#"{"code":404}"#)).await;
    ask(&worker(config(provider.port, QUERY_HOUSE)), &["a b&admin=1#/../?%张\r\nx: y"]).await.unwrap();
    let request = provider.requests().remove(0);
    assert_eq!(
        request.lines().next(),
        Some(
            "GET /queryHouse.do?zjhm=a%20b%26admin%3D1%23%2F..%2F%3F%25%E5%BC%A0%0D%0Ax%3A%20y&v=1 HTTP/1.1"
        )
    );
}

#[tokio::test]
async fn an_identifier_is_escaped_in_a_body() {
    let provider = Provider::plain(|_, _| ok(r#"{"code":404}"#)).await;
    let post = QUERY_HOUSE
        .replace("/queryHouse.do?zjhm={subject}&v=1", "/query")
        .replace("absent", "body = '{\"id\": \"{subject}\"}'\nabsent");
    let subject = "A\",\"admin\":\"1\"";
    ask(&worker(config(provider.port, &post)), &[subject]).await.unwrap();
    let request = provider.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /query HTTP/1.1"), "{head}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap(), json!({ "id": subject }));
}

#[tokio::test]
async fn several_subjects_are_asked_for_one_by_one_and_answered_in_order() {
    let provider = Provider::plain(|request, _| {
        let subject = request.split(['=', '&']).nth(1).unwrap();
        ok(&format!(r#"{{"code":0,"data":{{"rows":{{"jzmj":"{subject}"}}}}}}"#))
    })
    .await;
    let subjects: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let records = ask(&worker(config(provider.port, QUERY_HOUSE)), &subjects).await.unwrap();
    for (at, record) in records.iter().enumerate() {
        assert_eq!(record.as_ref().unwrap()["area"], json!(at));
    }
    assert_eq!(provider.requests().len(), 100);
    assert!(provider.connections() <= 4, "no more calls at once than the configuration says");
}

#[tokio::test]
async fn one_failed_call_fails_the_query() {
    let provider = Provider::plain(|_, number| match number {
        5 => Act::Answer(with("500 Oops", "", "")),
        _ => ok(r#"{"code":404}"#),
    })
    .await;
    let error = ask(&worker(config(provider.port, QUERY_HOUSE)), &["A"; 10]).await.unwrap_err();
    assert_eq!(error.code, Code::ProviderFailed);
}

#[tokio::test]
async fn one_damaged_record_does_not_keep_the_others_from_being_read() {
    let provider = Provider::plain(|request, _| match request.contains("zjhm=damaged") {
        true => ok(r#"{"code":"0","data":{"rows":[{"qlrlx":"9"}]}}"#),
        false => ok(r#"{"code":"404"}"#),
    })
    .await;
    let mut config = config(provider.port, QUERY_HOUSE);
    config.breaker.failures = std::num::NonZeroU32::MIN;
    let worker = worker(config);
    for _ in 0..3 {
        assert_eq!(ask(&worker, &["damaged"]).await.unwrap_err().code, Code::ProviderInvalid);
        assert!(ask(&worker, &["A"]).await.is_ok());
    }
}

#[tokio::test]
async fn an_interface_that_answers_with_a_page_is_left_alone() {
    let provider = Provider::plain(|_, _| ok("<html>login</html>")).await;
    let mut config = config(provider.port, QUERY_HOUSE);
    config.breaker.failures = std::num::NonZeroU32::MIN;
    let worker = worker(config);
    assert_eq!(ask(&worker, &["A"]).await.unwrap_err().code, Code::ProviderInvalid);
    assert_eq!(ask(&worker, &["A"]).await.unwrap_err().code, Code::ProviderSuspended);
}

#[tokio::test]
async fn secret_headers_are_sent_and_never_printed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("headers");
    write_private(&file, "X-App-Key: canary-key\n\nX-App-Id: sluice\n").unwrap();
    let provider = Provider::plain(|_, _| ok(r#"{"code":404}"#)).await;
    let mut config = config(provider.port, QUERY_HOUSE);
    let crate::config::adapter::Source::Rest(rest) = &mut config.source else { unreachable!() };
    rest.headers_file = Some(file.clone());
    let rest = super::Rest::new(rest).unwrap();
    assert!(!format!("{rest:?}").contains("canary"));
    ask(&worker(config.clone()), &["A"]).await.unwrap();
    let request = provider.requests().remove(0);
    assert!(
        request.contains("x-app-key: canary-key\r\n") && request.contains("x-app-id: sluice\r\n"),
        "{request}"
    );
    std::fs::write(&file, "canary without a colon").unwrap();
    let refused =
        || Adapters::new("gateway.toml", std::slice::from_ref(&config)).map(|_| ()).unwrap_err().to_string();
    assert!(refused().contains(":1: not a header") && !refused().contains("canary"), "{}", refused());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refused().contains("others on this machine may read it") && refused().contains("chmod 600"));
}

#[test]
fn a_mapping_that_would_not_work_is_refused() {
    for (before, after, named) in [
        ("/queryHouse.do?zjhm={subject}", "queryHouse.do?zjhm={subject}", "does not begin with /"),
        ("{subject}", "", "names the subject"),
        ("absent", "body = '{\"id\": {subject}}'\nabsent", "inside a string"),
        ("\"/data/rows\"", "\"data.rows\"", "not a JSON Pointer"),
        ("\"/jzmj\"", "\"jzmj\"", "not a JSON Pointer"),
    ] {
        let config = config(9_000, &QUERY_HOUSE.replace(before, after));
        let refused = Adapters::new("gateway.toml", &[config]).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains(named), "{after}: {refused}");
    }
}
