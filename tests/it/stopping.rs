//! A stop finishes what was accepted, lets go of connections that wait for nothing, and is told to
//! the service manager.

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Notify;

use crate::support::client::ask;
use crate::support::provider::Manner;
use crate::support::vault::answers;
use crate::support::{PATIENCE, PERSON, TestGateway, until};

const QUERY: &str = "/v1/datasets/civil.subsistence/query";

#[tokio::test]
async fn a_query_in_hand_is_answered_and_idle_connections_do_not_hold_up_the_end() {
    let mut gw = TestGateway::start().await;
    let desk = gw.system("service.onestop");
    // Connections that were used and are kept.
    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut connection = desk.connect().await.unwrap();
        let answer = connection.send("GET", "/v1/datasets", desk.headers(), None).await.unwrap();
        assert_eq!(answer.status, 200);
        idle.push(connection);
    }
    // One of them asks again, and the provider takes its time.
    let gate = Arc::new(Notify::new());
    gw.civil.behave(Manner::Held(Arc::clone(&gate)));
    let mut busy = idle.pop().unwrap();
    let headers = desk.headers().to_vec();
    let asked = gw.civil.asked().len();
    let in_hand = tokio::spawn(async move {
        let body = serde_json::to_vec(&ask("housing-aid.review", &[PERSON], json!(["status"]))).unwrap();
        let answer = busy.send("POST", QUERY, &headers, Some(&body)).await.unwrap();
        (answer, busy)
    });
    until("the provider is asked", async || (gw.civil.asked().len() > asked).then_some(())).await;

    let began = Instant::now();
    gw.ask_to_stop();
    // Those that wait for nothing are let go while one is still at work.
    for connection in idle {
        connection.rest("an idle connection").await;
    }
    assert!(!in_hand.is_finished());
    gate.notify_one();
    let (answer, busy) = in_hand.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    busy.rest("the connection that was at work").await;
    gw.ended();
    // Far below the 20 s that a stop may take, and the keep-alive time of 75 s.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let (code, said) = gw.verify_with(&["--checkpoint", "second-place/checkpoint"]);
    assert_eq!(code, 0, "{said}");
    let receipt = answer.json()["receipt"]["index"].to_string();
    let (code, out, err) = gw.sluice(&["audit", "prove", "--db", "data", "--index", &receipt]);
    assert!(code == 0 && out.contains("civil.subsistence"), "{out}{err}");
}

#[tokio::test]
async fn until_others_have_noticed_the_probe_says_that_it_stops_and_everybody_is_answered() {
    let mut gw = TestGateway::prepare().await;
    // Longer than any test: asked once more it does not wait.
    gw.environment.insert("SLUICE_LIMITS__LEAVING_SECONDS".into(), "600".into());
    gw.serve().unwrap();
    let desk = gw.system("service.onestop");
    let mut kept = desk.connect().await.unwrap();
    let answer = kept.send("GET", "/v1/datasets", desk.headers(), None).await.unwrap();
    assert!(answer.status == 200 && answer.header("connection").is_none(), "{}", answer.text());
    gw.ask_to_stop();
    let said = until("the probe says so", async || {
        let (status, body) = gw.ops("/readyz").await;
        (status == 503).then_some(body)
    });
    assert!(said.await.contains("\"stopping\":true"));
    assert_eq!(gw.ops("/livez").await.0, 200, "it is not to be killed");
    // Who comes is answered, and led elsewhere the next time.
    let answer = kept.send("GET", "/v1/datasets", desk.headers(), None).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    kept.rest("a connection that was kept").await;
    answers(&gw, 1).await;
    gw.ask_to_stop();
    gw.ended();
}

#[tokio::test]
async fn the_service_manager_hears_ready_then_signs_of_life_then_stopping() {
    let mut gw = TestGateway::prepare().await;
    let path = gw.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    gw.environment.insert("NOTIFY_SOCKET".into(), path);
    gw.environment.insert("WATCHDOG_USEC".into(), "1500000".into());
    gw.serve().unwrap();
    assert_eq!(heard(&manager), "READY=1");
    // By then it answers.
    answers(&gw, 1).await;
    assert_eq!((heard(&manager), heard(&manager)), ("WATCHDOG=1".into(), "WATCHDOG=1".into()));
    gw.ask_to_stop();
    let last = loop {
        let word = heard(&manager);
        if word != "WATCHDOG=1" {
            break word;
        }
    };
    assert_eq!(last, "STOPPING=1");
    gw.ended();
}

/// The first line of the next message.
fn heard(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 200];
    let length = manager.recv(&mut buffer).unwrap();
    std::str::from_utf8(&buffer[..length]).unwrap().lines().next().unwrap().to_owned()
}
