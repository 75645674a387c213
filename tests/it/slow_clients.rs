//! Clients that are slow, or do nothing: each holds one socket for a bounded time, whatever it
//! lets trickle, and others are served meanwhile.

use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::support::client::{Client, Connection};
use crate::support::load::PATH;
use crate::support::{TestGateway, until};

/// Slow clients of each kind.
const EACH: usize = 8;

const SHORT: &str = "[limits]\nheader_seconds = 1\nbody_seconds = 1\nkeep_alive_seconds = 1\n";
const HEAD: &[u8] = b"GET /v1/datasets HTTP/1.1\r\nhost: localhost\r\n";

/// A gateway with short limits, and its sockets while nobody is connected.
async fn gateway() -> (TestGateway, usize) {
    let gw = TestGateway::start_with(SHORT).await;
    let rest = gw.sockets();
    (gw, rest)
}

async fn served(gw: &TestGateway) {
    let answer =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Connections that each worker keeps to its provider once somebody was served.
const KEPT: usize = 2;

/// While these clients dawdle others are served, and then the dawdlers are gone.
async fn are_dropped(gw: &TestGateway, rest: usize, dawdlers: Vec<JoinHandle<()>>) {
    let held = gw.sockets();
    assert!(held >= rest + EACH, "{held} sockets with the slow ones, {rest} without");
    served(gw).await;
    let dropped = async || (gw.sockets() <= rest + KEPT).then_some(());
    until("the slow ones are dropped", dropped).await;
    dawdlers.iter().for_each(JoinHandle::abort);
    served(gw).await;
}

/// Sends `first`, then one byte after another of `drip`, again and again, for as long as it can;
/// without a drip, nothing more.
async fn dawdle(mut connection: Connection, first: &'static [u8], drip: &'static [u8]) {
    if connection.write(first).await.is_err() {
        return;
    }
    if drip.is_empty() {
        std::future::pending::<()>().await;
    }
    for byte in drip.iter().cycle() {
        // The pace of the trickle: shorter than any limit.
        tokio::time::sleep(Duration::from_millis(100)).await;
        if connection.write(&[*byte]).await.is_err() {
            return;
        }
    }
}

async fn dawdlers(
    client: &Client,
    before: bool,
    first: &'static [u8],
    drip: &'static [u8],
) -> Vec<JoinHandle<()>> {
    let mut all = Vec::new();
    for _ in 0..EACH {
        let mut connection = client.connect().await.unwrap();
        if before {
            // A request that is answered, so that the next one is not the connection's first.
            assert_eq!(connection.send("GET", "/openapi.json", &[], None).await.unwrap().status, 200);
        }
        all.push(tokio::spawn(dawdle(connection, first, drip)));
    }
    all
}

#[tokio::test]
async fn who_never_ends_the_handshake_is_dropped() {
    let (gw, rest) = gateway().await;
    let mut silent = Vec::new();
    for _ in 0..EACH {
        silent.push(TcpStream::connect(gw.address()).await.unwrap());
    }
    until("they are accepted", async || (gw.sockets() >= rest + EACH).then_some(())).await;
    are_dropped(&gw, rest, Vec::new()).await;
}

#[tokio::test]
async fn who_says_nothing_after_the_handshake_is_dropped() {
    let (gw, rest) = gateway().await;
    let mut silent = Vec::new();
    for _ in 0..EACH {
        silent.push(gw.nobody().connect().await.unwrap());
    }
    are_dropped(&gw, rest, Vec::new()).await;
}

#[tokio::test]
async fn whose_headers_trickle_is_dropped() {
    let (gw, rest) = gateway().await;
    let slow = dawdlers(&gw.nobody(), false, HEAD, b"x-slow: 1\r\n").await;
    are_dropped(&gw, rest, slow).await;
}

#[tokio::test]
async fn whose_headers_trickle_in_a_later_request_is_dropped() {
    let (gw, rest) = gateway().await;
    let slow = dawdlers(&gw.nobody(), true, HEAD, b"x-slow: 1\r\n").await;
    are_dropped(&gw, rest, slow).await;
}

#[tokio::test]
async fn who_stops_in_the_middle_of_a_later_request_is_dropped() {
    let (gw, rest) = gateway().await;
    let slow = dawdlers(&gw.nobody(), true, HEAD, b"").await;
    are_dropped(&gw, rest, slow).await;
}

#[tokio::test]
async fn whose_body_trickles_is_dropped() {
    let (gw, rest) = gateway().await;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{{"
    );
    let slow = dawdlers(&gw.system("service.onestop"), true, head.leak().as_bytes(), b" ").await;
    are_dropped(&gw, rest, slow).await;
}

#[tokio::test]
async fn whose_body_trickles_where_none_is_wanted_is_dropped() {
    let (gw, rest) = gateway().await;
    let head = b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 90000\r\n\r\n";
    let slow = dawdlers(&gw.nobody(), true, head, b" ").await;
    are_dropped(&gw, rest, slow).await;
}

#[tokio::test]
async fn who_does_not_read_the_answers_is_dropped() {
    let (gw, rest) = gateway().await;
    let mut deaf = Vec::new();
    for _ in 0..EACH {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let tcp = socket.connect(gw.address()).await.unwrap();
        let mut connection = gw.nobody().connect_over(tcp).await.unwrap();
        // Far more than fits into the buffers between the two.
        let request = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200);
        deaf.push(tokio::spawn(async move {
            connection.write(&request).await.ok();
            std::future::pending::<()>().await;
        }));
    }
    are_dropped(&gw, rest, deaf).await;
}
