//! Requests that are slow, too large or not HTTP: the limits, and no request hidden in another.

use super::*;

const QUERY: &str =
    "POST /v1/datasets/civil.subsistence/query HTTP/1.1\r\nHost: localhost\r\nAccept-Language: en\r\n";

/// Limits short enough to wait for.
fn short() -> LimitsSection {
    let second = 1.try_into().unwrap();
    LimitsSection { header_seconds: second, body_seconds: second, ..LimitsSection::default() }
}

fn housing(served: &Served) -> Client {
    served.connect(Some(&served.housing))
}

#[test]
fn a_body_that_is_announced_or_turns_out_too_large_is_refused() {
    let served = Served::start();
    let mut announced = housing(&served);
    announced
        .send(format!("{QUERY}Content-Type: application/json\r\nContent-Length: 262145\r\n\r\n").as_bytes());
    assert_eq!(announced.answer().code(), "too-large");
    let mut chunked = housing(&served);
    chunked.send(
        format!("{QUERY}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes(),
    );
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..5 {
        chunked.send(chunk.as_bytes());
    }
    assert_eq!(chunked.answer().code(), "too-large");
}

#[test]
fn a_body_that_does_not_arrive_is_not_waited_for() {
    let served = Served::start_with(short());
    let mut client = housing(&served);
    client.send(format!("{QUERY}Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{{").as_bytes());
    let answer = client.answer();
    assert_eq!((answer.status, answer.code().as_str()), (408, "request-timeout"));
    assert!(client.is_closed());
}

#[test]
fn headers_that_do_not_arrive_are_not_waited_for() {
    let served = Served::start_with(short());
    let mut client = housing(&served);
    client.send(b"GET /v1/datasets HTTP/1.1\r\nHost: loc");
    assert_eq!(client.answer().status, 408);
    assert!(client.is_closed());
}

#[test]
fn a_body_that_is_not_json_by_its_own_account_is_refused() {
    let served = Served::start();
    for headers in
        ["Content-Type: text/plain\r\n", "", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"]
    {
        let mut client = housing(&served);
        client.send(format!("{QUERY}{headers}Content-Length: 2\r\n\r\n{{}}").as_bytes());
        let answer = client.answer();
        assert_eq!((answer.status, answer.code().as_str()), (415, "unsupported-media-type"), "{headers:?}");
    }
}

#[test]
fn a_request_framed_in_two_ways_is_refused_and_nothing_after_it_is_read() {
    let served = Served::start();
    let hidden = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for framing in [
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "Content-Length: 0, 5\r\n\r\n",
        "Content-Length: +2\r\n\r\n{}",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "X: a\r\n folded: b\r\n\r\n",
    ] {
        let mut client = housing(&served);
        client.send(format!("{QUERY}Content-Type: application/json\r\n{framing}{hidden}").as_bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 400, "{framing:?}: {answer:?}");
        assert!(client.is_closed(), "{framing:?}");
    }
}

#[test]
fn a_body_in_broken_chunks_ends_the_connection_and_nothing_after_it_is_read() {
    let served = Served::start();
    let hidden = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for chunks in ["Z\r\n\r\n", "2\r\n{}x\r\n0\r\n\r\n", "fffffffffffffffff\r\n{}", "-1\r\n{}"] {
        let mut client = housing(&served);
        let headers = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send(format!("{QUERY}{headers}{chunks}{hidden}").as_bytes());
        let answer = read_answer(&mut client.0);
        assert!(!answer.is_ok_and(|a| a.status == 200), "{chunks:?}");
        assert!(client.is_closed(), "{chunks:?}");
    }
}

#[test]
fn what_is_not_http_is_refused() {
    let served = Served::start();
    for request in [
        "GET /v1/datasets HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
        "GET /v1/datasets HTTP/1.1\r\nHost: localhost\r\nBad Name: a\r\n\r\n",
        "GET /v1/\u{1}datasets HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET  /v1/datasets HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /v1/datasets HTTP/3.7\r\nHost: localhost\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
    ] {
        let mut client = housing(&served);
        client.send(request.as_bytes());
        assert_eq!(client.answer().status, 400, "{request:?}");
        assert!(client.is_closed(), "{request:?}");
    }
}

#[test]
fn requests_sent_at_once_are_answered_one_by_one() {
    let served = Served::start();
    let mut client = housing(&served);
    client.send(
        b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\nGET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    assert_eq!(client.answer().status, 404);
    assert_eq!(client.answer().status, 200);
}

#[test]
fn plain_http_is_not_answered_on_the_port_of_tls() {
    let served = Served::start();
    let mut tcp = TcpStream::connect(served.address).unwrap();
    tcp.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut heard = Vec::new();
    // Closed or reset, after a TLS alert at most.
    tcp.read_to_end(&mut heard).ok();
    assert!(heard.len() < 16 && !heard.starts_with(b"HTTP"), "{heard:?}");
}
