//! A provider may fail in any way there is: the answer says which, and holds nothing of what the
//! provider sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice::demo::certificates::Usage;
use tokio::net::TcpSocket;
use tokio::sync::Notify;

use crate::support::client::{Answer, ask};
use crate::support::provider::{Manner, Provider, answer};
use crate::support::{OTHER, PERSON, TestGateway, now, resident_id, until};

const PURPOSE: &str = "housing-aid.review";
const CANARY: &str = "canary-7c2f9e";
/// Keeps the breaker shut: each failure is looked at by itself.
const PATIENT: &str = "breaker = { failures = 1000 }\n";

async fn status_of_person(gw: &TestGateway) -> Answer {
    gw.system("service.onestop").query("civil.subsistence", PURPOSE, &["status"]).await
}

fn ok(body: &Value) -> Manner {
    Manner::Raw(answer(200, "application/json", &body.to_string()))
}

fn records(records: Value) -> Manner {
    ok(&json!({ "protocol": "sluice-adapter/1", "records": records, "note": CANARY }))
}

#[tokio::test]
async fn whatever_the_provider_does_the_answer_says_what_and_discloses_nothing() {
    let gw = TestGateway::start_with(PATIENT).await;
    let away = gw.civil.address.port();
    let canary = |status| Manner::Raw(answer(status, "application/json", CANARY));
    let head = |rest: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{rest}\r\n{{\"records\":[\"{CANARY}\"")
    };
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: https://localhost:{away}/{CANARY}\r\ncontent-length: 0\r\n\r\n"
    );
    let deep =
        |n: usize| format!("{{\"records\":[{{\"status\":{}\"{CANARY}\"{}}}]}}", "[".repeat(n), "]".repeat(n));
    let table = [
        ("reports an error", canary(500), "502 provider-failed"),
        ("reports an error of ours", canary(400), "502 provider-failed"),
        ("answers with another status", canary(204), "502 provider-answer-invalid"),
        ("redirects", Manner::Raw(redirect.into_bytes()), "502 provider-answer-invalid"),
        (
            "answers with a page",
            Manner::Raw(answer(200, "text/html", &format!("<html>{CANARY}</html>"))),
            "502 provider-answer-invalid",
        ),
        (
            "speaks something else",
            Manner::Raw(format!("220 {CANARY} ESMTP\r\n").into_bytes()),
            "502 provider-failed",
        ),
        (
            "announces too much",
            Manner::Raw(head("content-length: 9999999\r\n").into_bytes()),
            "502 provider-answer-too-large",
        ),
        (
            "sends too much",
            Manner::Endless(head("connection: close\r\n").into_bytes()),
            "502 provider-answer-too-large",
        ),
        (
            "has headers without end",
            Manner::Endless(format!("HTTP/1.1 200 OK\r\nx-canary: {CANARY}").into_bytes()),
            "502 provider-failed",
        ),
        (
            "nests 200 deep",
            Manner::Raw(answer(200, "application/json", &deep(200))),
            "502 provider-answer-invalid",
        ),
        (
            "answers a list for a text",
            Manner::Raw(answer(200, "application/json", &deep(1))),
            "502 provider-answer-invalid",
        ),
        ("answers for nobody", records(json!([])), "502 provider-answer-invalid"),
        (
            "answers for too many",
            records(json!([{ "status": "receiving" }, { "status": CANARY }])),
            "502 provider-answer-invalid",
        ),
        ("leaves a field out", records(json!([{ "name": CANARY }])), "502 provider-answer-invalid"),
        ("breaks the schema", records(json!([{ "status": CANARY }])), "502 provider-answer-invalid"),
        (
            "has null where there must be a value",
            records(json!([{ "status": null, "name": CANARY }])),
            "502 provider-answer-invalid",
        ),
        ("answers no object", ok(&json!([CANARY])), "502 provider-answer-invalid"),
        (
            "says a member twice",
            Manner::Raw(answer(
                200,
                "application/json",
                &format!("{{\"records\":[{{\"status\":\"receiving\",\"status\":\"{CANARY}\"}}]}}"),
            )),
            "502 provider-answer-invalid",
        ),
    ];
    for (what, manner, expected) in table {
        let asked = gw.civil.asked().len();
        gw.civil.behave(manner);
        let answer = status_of_person(&gw).await;
        assert_eq!(answer.problem(), expected, "{what}");
        assert!(
            !answer.text().contains(CANARY) && !answer.text().contains("receiving"),
            "{what}: {}",
            answer.text()
        );
        assert_eq!(gw.civil.asked().len(), asked + 1, "{what}: asked once, nothing followed or repeated");
        assert_eq!(
            format!("502 {}", gw.record_of(&answer).await["outcome"].as_str().unwrap()),
            expected,
            "{what}"
        );
        gw.civil.behave(Manner::Well);
        assert_eq!(status_of_person(&gw).await.status, 200, "after: {what}");
    }
    assert!(!gw.log().contains(CANARY));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_given_up_in_time() {
    let mut gw = TestGateway::prepare().await;
    gw.configure("timeout_ms = 1500", "timeout_ms = 300");
    gw.serve().unwrap();
    assert_eq!(status_of_person(&gw).await.status, 200);
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n{{\"records\":[\"{CANARY}\"");
    for manner in [Manner::Silent, Manner::Raw(cut.into_bytes())] {
        gw.civil.behave(manner);
        let began = Instant::now();
        let answer = status_of_person(&gw).await;
        assert_eq!(answer.problem(), "504 provider-timeout");
        assert!(began.elapsed() >= Duration::from_millis(300));
        assert!(!answer.text().contains(CANARY));
        assert_eq!(gw.record_of(&answer).await["outcome"], "provider-timeout");
    }
    gw.civil.behave(Manner::Well);
    assert_eq!(status_of_person(&gw).await.status, 200);
}

#[tokio::test]
async fn a_provider_that_is_down_has_failed() {
    let mut gw = TestGateway::prepare().await;
    // Bound and not listening: nobody else gets the port, and nobody answers there.
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let down = taken.local_addr().unwrap().port();
    gw.configure(&format!(":{}\"", gw.civil.address.port()), &format!(":{down}\""));
    gw.serve().unwrap();
    let answer = status_of_person(&gw).await;
    assert_eq!(answer.problem(), "502 provider-failed");
    assert_eq!(gw.record_of(&answer).await["outcome"], "provider-failed");
}

#[tokio::test]
async fn a_provider_is_not_asked_at_an_address_that_is_not_allowed() {
    let mut gw = TestGateway::prepare().await;
    let port = gw.civil.address.port();
    gw.configure(&format!("allow = [\"127.0.0.1/32:{port}\"]"), "allow = [\"127.0.0.1/32:1\"]");
    gw.serve().unwrap();
    assert_eq!(status_of_person(&gw).await.problem(), "502 provider-failed");
    assert_eq!(gw.civil.connections(), 0);
}

#[tokio::test]
async fn a_provider_that_cannot_prove_who_it_is_is_not_asked() {
    let mut gw = TestGateway::prepare().await;
    // A certificate of the authority for systems, not of the one for adapters.
    let issued = gw.authority.issue("civil", &["localhost"], Usage::Server, now()).unwrap();
    let impostor = Provider::start(&issued).await;
    gw.configure(&format!(":{}\"", gw.civil.address.port()), &format!(":{}\"", impostor.address.port()));
    gw.serve().unwrap();
    assert_eq!(status_of_person(&gw).await.problem(), "502 provider-failed");
    assert!(impostor.connections() > 0);
    assert_eq!(impostor.asked(), Vec::<Value>::new());
}

#[tokio::test]
async fn what_was_not_asked_for_never_gets_into_the_answer() {
    let gw = TestGateway::start().await;
    gw.civil.behave(records(
        json!([{ "status": "receiving", "name": CANARY, "mobile": CANARY, "x": { "y": [CANARY] } }]),
    ));
    let answer = status_of_person(&gw).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json()["results"],
        json!([{ "subject": 0, "found": true, "data": { "status": "receiving" } }])
    );
    assert!(!answer.text().contains(CANARY));
}

#[tokio::test]
async fn someone_without_a_record_is_not_found_in_place() {
    let gw = TestGateway::start().await;
    let unknown = resident_id("11010519800101001");
    let body = ask(PURPOSE, &[PERSON, &unknown, OTHER], json!(["status"]));
    let answer = gw.system("service.onestop").post("/v1/datasets/civil.subsistence/query", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let results = &answer.json()["results"];
    assert_eq!(results[1], json!({ "subject": 1, "found": false, "data": {} }));
    assert_eq!((&results[0]["found"], &results[2]["found"]), (&json!(true), &json!(true)));
    assert_eq!(gw.record_of(&answer).await["found"], 2);
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_and_then_tried_again() {
    let gw = TestGateway::start_with("breaker = { failures = 2, open_ms = 3000 }\n").await;
    gw.civil.behave(Manner::Raw(answer(500, "application/json", "{}")));
    for _ in 0..2 {
        assert_eq!(status_of_person(&gw).await.problem(), "502 provider-failed");
    }
    let suspended = status_of_person(&gw).await;
    assert_eq!(suspended.problem(), "502 provider-suspended");
    let wait: u32 = suspended.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3).contains(&wait), "{wait}");
    assert_eq!(gw.civil.asked().len(), 2, "not asked while suspended");
    assert_eq!(gw.record_of(&suspended).await["outcome"], "provider-suspended");

    // The probe fails: one call, and it is left alone again.
    let probed = until("a probe", async || {
        Some(status_of_person(&gw).await).filter(|a| a.problem() != "502 provider-suspended")
    });
    assert_eq!(probed.await.problem(), "502 provider-failed");
    assert_eq!(gw.civil.asked().len(), 3);
    assert_eq!(status_of_person(&gw).await.problem(), "502 provider-suspended");

    gw.civil.behave(Manner::Well);
    until("the provider is back", async || (status_of_person(&gw).await.status == 200).then_some(())).await;
    assert_eq!(status_of_person(&gw).await.status, 200);
}

#[tokio::test]
async fn a_slow_provider_takes_up_its_own_places_only() {
    let mut gw = TestGateway::prepare().await;
    gw.configure("timeout_ms = 1500", "timeout_ms = 30000\nconcurrency = 1");
    gw.serve().unwrap();
    let go = Arc::new(Notify::new());
    gw.civil.behave(Manner::Held(Arc::clone(&go)));
    let client = gw.system("service.onestop");
    let held = {
        let client = client.clone();
        tokio::spawn(async move { client.query("civil.subsistence", PURPOSE, &["status"]).await })
    };
    until("the first is under way", async || (gw.civil.asked().len() == 1).then_some(())).await;
    let busy = status_of_person(&gw).await;
    assert_eq!(busy.problem(), "503 provider-busy");
    assert!(busy.header("retry-after").is_some());
    assert_eq!(client.get("/v1/datasets").await.status, 200, "the gateway itself is not held up");
    go.notify_one();
    assert_eq!(held.await.unwrap().status, 200);
    assert_eq!(gw.record_of(&busy).await["outcome"], "provider-busy");
}
