//! Bytes that try to be two requests in one, or none: nobody reads what they hide.
//!
//! Each case has a connection of its own, with a registered certificate, and ends in a whole
//! request for a page that nothing else here asks for. The oracle: the gateway's own access log
//! never names that page; what comes back is well-formed HTTP, at most one answer, of the
//! client's fault; the connection is closed; and a good query is answered afterwards.

use futures_util::StreamExt;
use futures_util::stream;

use crate::support::TestGateway;
use crate::support::client::{Answer, Client};

const PAGE: &str = "/openapi.json";
const HIDDEN: &str = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LAST: &str = "GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const QUERY: &str = "POST /v1/datasets/civil.subsistence/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
const LIST: &str = "GET /v1/datasets HTTP/1.1\r\nHost: localhost\r\n";

/// Bodies framed in two ways, or in none that holds.
const FRAMING: &[(&str, &str)] = &[
    ("CL.TE", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"),
    ("CL.TE, length first and zero", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nX"),
    ("TE.TE, the second is another", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"),
    ("TE.TE, the first is another", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("TE.TE, twice the same", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("TE: xchunked", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("TE: chunked,", "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    ("TE: ,chunked", "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
    ("TE: chunked, identity", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("TE: identity", "Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n"),
    ("TE: gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("TE: \"chunked\"", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ("TE: chunked;q=1", "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    ("TE with a vertical tab", "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    ("TE without a value", "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    ("TE behind a space", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("TE behind a tab", "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
    ("TE on a folded line", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("TE behind a folded line", "X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("CL twice, different", "Content-Length: 0\r\nContent-Length: 44\r\n\r\n"),
    ("CL twice, the same", "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    ("CL: a list", "Content-Length: 0, 44\r\n\r\n"),
    ("CL: a list of one number", "Content-Length: 2, 2\r\n\r\n{}"),
    ("CL: negative", "Content-Length: -1\r\n\r\n"),
    ("CL: signed", "Content-Length: +2\r\n\r\n{}"),
    ("CL: hexadecimal", "Content-Length: 0x2\r\n\r\n{}"),
    ("CL: a fraction", "Content-Length: 2.0\r\n\r\n{}"),
    ("CL: an exponent", "Content-Length: 2e0\r\n\r\n{}"),
    ("CL: a digit of another script", "Content-Length: \u{662}\r\n\r\n{}"),
    ("CL: with an underscore", "Content-Length: 0_2\r\n\r\n{}"),
    ("CL: none", "Content-Length:\r\n\r\n"),
    ("CL: two numbers", "Content-Length: 0 44\r\n\r\n"),
    ("CL: more than 64 bits", "Content-Length: 18446744073709551618\r\n\r\n{}"),
    ("CL: the most of 64 bits", "Content-Length: 18446744073709551615\r\n\r\n{}"),
    ("CL behind a space", "Content-Length : 2\r\n\r\n{}"),
    ("a header folded", "X: a\r\n b: c\r\nContent-Length: 2\r\n\r\n{}"),
    ("a header line that is folded first", " X: a\r\nContent-Length: 2\r\n\r\n{}"),
    ("a header without a name", ": a\r\nContent-Length: 2\r\n\r\n{}"),
    ("a header without a colon", "X\r\nContent-Length: 2\r\n\r\n{}"),
    ("a name with a space", "X Y: a\r\nContent-Length: 2\r\n\r\n{}"),
    ("a name of another script", "X\u{ff0d}Y: a\r\nContent-Length: 2\r\n\r\n{}"),
    ("a bare CR in a value", "X: a\rContent-Length: 44\r\nContent-Length: 0\r\n\r\n"),
    ("a bare CR for an end of line", "X: a\rY: b\r\nContent-Length: 2\r\n\r\n{}"),
    ("NUL in a value", "X: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
    ("NUL in a name", "X\0: a\r\nContent-Length: 2\r\n\r\n{}"),
    ("DEL in a value", "X: a\x7fb\r\nContent-Length: 2\r\n\r\n{}"),
    ("a second host", "Host: elsewhere\r\nContent-Length: 2\r\n\r\n{}"),
];

/// Bodies whose chunks do not hold what they say.
const CHUNKS: &[(&str, &str)] = &[
    ("no size", "\r\n{}\r\n0\r\n\r\n"),
    ("a size that is none", "Z\r\n{}\r\n0\r\n\r\n"),
    ("a negative size", "-2\r\n{}\r\n0\r\n\r\n"),
    ("a signed size", "+2\r\n{}\r\n0\r\n\r\n"),
    ("a size written 0x", "0x2\r\n{}\r\n0\r\n\r\n"),
    ("a size with a space before it", " 2\r\n{}\r\n0\r\n\r\n"),
    ("a size of two words", "0 2\r\n{}\r\n0\r\n\r\n"),
    ("a size beyond 64 bits", "10000000000000002\r\n{}\r\n0\r\n\r\n"),
    ("the greatest size of 64 bits", "ffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    ("a chunk longer than it says", "2\r\n{}x\r\n0\r\n\r\n"),
    ("a chunk shorter than it says", "3\r\n{}\r\n0\r\n\r\n"),
    ("a chunk that ends in a bare LF", "2\r\n{}\n0\r\n\r\n"),
    ("a chunk that ends in a bare CR", "2\r\n{}\r0\r\n\r\n"),
    ("a size that ends in a bare LF", "2\n{}\r\n0\r\n\r\n"),
    ("a size that ends in a bare CR", "2\r{}\r\n0\r\n\r\n"),
    ("an extension that ends in a bare LF", "2;x\n{}\r\n0\r\n\r\n"),
    ("a last chunk that ends in a bare LF", "2\r\n{}\r\n0\n\n"),
    ("a last chunk that ends in CR and something else", "2\r\n{}\r\n0\rX\n"),
    ("an end that is CR and something else", "2\r\n{}\r\n0\r\n\rX"),
];

/// Bodies framed oddly and yet as RFC 9112 section 7.1 has it: one body, with one end.
const ODD: &[(&str, &str)] = &[
    ("one chunk for each byte", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
    ("leading zeros", "00000000000000000000000000000000000000002\r\n{}\r\n000\r\n\r\n"),
    ("a space behind the size", "2 \r\n{}\r\n0\r\n\r\n"),
    ("an extension", "2;a=\"b\";c\r\n{}\r\n0;d\r\n\r\n"),
    ("an extension that looks like an end", "2;0\\r\\n\\r\\n\r\n{}\r\n0\r\n\r\n"),
    ("trailers", "2\r\n{}\r\n0\r\nX: y\r\nContent-Length: 44\r\n\r\n"),
    ("a trailer that names another framing", "2\r\n{}\r\n0\r\nTransfer-Encoding: identity\r\n\r\n"),
];

/// What is not a request line.
const LINES: &[(&str, &str)] = &[
    ("HTTP/0.9", "GET /v1/datasets\r\n\r\n"),
    ("HTTP/0.9 by name", "GET /v1/datasets HTTP/0.9\r\n\r\n"),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("HTTP/1.2", "GET /v1/datasets HTTP/1.2\r\nHost: localhost\r\n\r\n"),
    ("a version with more digits", "GET /v1/datasets HTTP/1.10\r\nHost: localhost\r\n\r\n"),
    ("a version in lower case", "GET /v1/datasets http/1.1\r\nHost: localhost\r\n\r\n"),
    ("another protocol", "HELO localhost\r\n\r\n"),
    ("no method", " /v1/datasets HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("no target", "GET HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("two spaces", "GET  /v1/datasets HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a tab", "GET\t/v1/datasets HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a space in the target", "GET /v1/ datasets HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a bare CR in the target", "GET /v1/\rdatasets HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("NUL in the target", "GET /v1/\0datasets HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a method of another script", "G\u{415}T /v1/datasets HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a target without a slash", "GET v1/datasets HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("HTTP/1.1 without a host", "GET /v1/datasets HTTP/1.1\r\n\r\n"),
    (
        "chunks in HTTP/1.0",
        "POST /v1/subjects/history HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
];

/// Everything that must be refused.
fn refused() -> Vec<(String, Vec<u8>)> {
    let chunked = format!("{QUERY}Transfer-Encoding: chunked\r\n\r\n");
    let mut cases: Vec<(String, String)> = Vec::new();
    cases.extend(FRAMING.iter().map(|(name, rest)| ((*name).into(), format!("{QUERY}{rest}"))));
    cases.extend(
        CHUNKS.iter().map(|(name, chunks)| (format!("chunks: {name}"), format!("{chunked}{chunks}"))),
    );
    cases.extend(LINES.iter().map(|(name, line)| (format!("line: {name}"), (*line).into())));
    let headers = |count: usize, size: usize| format!("X: {}\r\n", "y".repeat(size)).repeat(count);
    let chunk = |size: usize| format!("{size:x}\r\n{}\r\n", "x".repeat(size));
    cases.extend([
        ("10,000 headers".into(), format!("{LIST}{}\r\n", headers(10_000, 1))),
        ("a header of 1 MB".into(), format!("{LIST}{}\r\n", headers(1, 1 << 20))),
        ("a header that never ends".into(), format!("{LIST}X: {}", "y".repeat(1 << 20))),
        ("a name of 1 MB".into(), format!("{LIST}{}: x\r\n\r\n", "y".repeat(1 << 20))),
        (
            "a target of 1 MB".into(),
            format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "y".repeat(1 << 20)),
        ),
        ("a method of 1 MB".into(), format!("{} / HTTP/1.1\r\nHost: localhost\r\n\r\n", "Y".repeat(1 << 20))),
        ("chunks: of 1 MB and no end".into(), format!("{chunked}{}2\r\n", chunk(4096).repeat(256))),
        ("a body announced too large".into(), format!("{QUERY}Content-Length: 262145\r\n\r\n")),
    ]);
    cases.into_iter().map(|(name, text)| (name, format!("{text}{HIDDEN}").into_bytes())).collect()
}

/// Requests whose bodies nobody reads, because the answer is known without: each hides a request
/// whole, and is followed by one that is meant to be read.
fn unread() -> Vec<(String, u16, Vec<u8>)> {
    let length = HIDDEN.len();
    let bodies = [
        format!("Content-Length: {length}\r\n\r\n{HIDDEN}{LAST}"),
        format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n{LAST}"),
    ];
    let heads = [
        ("GET /v1/datasets", "", 200),
        ("GET https://elsewhere/v1/datasets", "", 200),
        ("GET /v1/datasets", "Connection: Upgrade\r\nUpgrade: websocket\r\n", 200),
        ("GET /v1/datasets", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", 200),
        ("GET /v1/datasets", "Expect: 100-continue\r\n", 200),
        ("DELETE /v1/datasets", "", 405),
        ("BREW /v1/datasets", "", 405),
        ("TRACE /v1/datasets", "", 405),
        ("OPTIONS *", "", 404),
        ("CONNECT localhost:443", "", 404),
        ("GET //openapi.json", "", 404),
        ("POST /nowhere", "", 404),
        ("POST /v1/datasets/civil.subsistence/query", "Content-Type: text/plain\r\n", 415),
    ];
    let cases = heads.iter().flat_map(|(line, headers, status)| {
        bodies.iter().map(move |body| {
            let text = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}{body}");
            (text.chars().take(100).collect(), *status, text.into_bytes())
        })
    });
    cases.collect()
}

/// Sends the bytes; everything that comes back until the connection is closed.
async fn exchange(case: &str, client: &Client, bytes: &[u8]) -> Vec<u8> {
    let mut connection = client.connect().await.unwrap();
    // A gateway that has seen enough hangs up while bytes are on their way.
    connection.write(bytes).await.ok();
    connection.rest(case).await
}

/// The answers in `bytes`, which must be nothing but answers.
fn answers(case: &str, mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let begin = || String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        let (answer, rest) = parsed(bytes).unwrap_or_else(|| panic!("{case}: {:?}", begin()));
        answers.push(answer);
        bytes = rest;
    }
    answers
}

/// The first answer in `bytes`, if it is one to the letter, and what follows.
fn parsed(bytes: &[u8]) -> Option<(Answer, &[u8])> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ").or(head.strip_prefix("HTTP/1.0 "))?;
    let status = status.get(..3)?.parse().ok()?;
    let headers: Option<Vec<(String, String)>> = lines
        .map(|line| {
            let (name, value) = line.split_once(": ")?;
            let token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let printable = value.bytes().all(|b| (b' '..=b'~').contains(&b));
            (token && printable).then(|| (name.to_ascii_lowercase(), value.to_owned()))
        })
        .collect();
    let headers = headers?;
    let lengths: Vec<&str> = headers
        .iter()
        .filter(|(name, _)| name == "content-length")
        .map(|(_, value)| value.as_str())
        .collect();
    let length = match lengths[..] {
        [] => 0,
        [one] => one.parse().ok()?,
        _ => return None,
    };
    let rest = &bytes[end + 4..];
    let (body, rest) = rest.split_at_checked(length)?;
    Some((Answer { status, headers, body: body.to_vec() }, rest))
}

/// How often the gateway was asked for the hidden page.
fn seen(gw: &TestGateway) -> usize {
    gw.log().lines().filter(|line| line.contains(PAGE)).count()
}

async fn is_well(gw: &TestGateway) {
    let client = gw.system("service.onestop");
    let answer = client.query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(seen(gw), 0, "a hidden request was read");
    // The oracle sees: a request of its own is in the log once it is answered.
    assert_eq!(client.get(PAGE).await.status, 200);
    crate::support::until("the page is in the log", async || (seen(gw) == 1).then_some(())).await;
    assert!(!gw.log().contains("panicked"), "{}", gw.log());
}

#[tokio::test]
async fn what_is_not_one_whole_request_is_refused_and_ends_the_connection() {
    let gw = TestGateway::start_with("[limits]\nbody_seconds = 2\nkeep_alive_seconds = 2\n").await;
    let client = gw.system("service.onestop");
    let told = stream::iter(refused()).map(|(name, bytes)| {
        let client = &client;
        async move {
            let told = exchange(&name, client, &bytes).await;
            (name, told)
        }
    });
    let told: Vec<(String, Vec<u8>)> = told.buffer_unordered(16).collect().await;
    let mut wrong = Vec::new();
    for (name, bytes) in told {
        let statuses: Vec<u16> = answers(&name, &bytes).iter().map(|answer| answer.status).collect();
        // No answer at all is one too: the end of the connection.
        if !matches!(statuses[..], [] | [400 | 408 | 413 | 431]) {
            wrong.push(format!("{name}: {statuses:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    is_well(&gw).await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_the_next_request() {
    let gw = TestGateway::start().await;
    for (client, known) in [(gw.system("service.onestop"), true), (gw.nobody(), false)] {
        for (name, status, bytes) in unread() {
            let told = exchange(&name, &client, &bytes).await;
            let statuses: Vec<u16> = answers(&name, &told).iter().map(|answer| answer.status).collect();
            let expected = if known || matches!(status, 404 | 405) { status } else { 401 };
            let statuses = statuses.strip_prefix(&[100]).unwrap_or(&statuses);
            // The last request is answered, or the connection was closed before it was read.
            assert!(statuses == [expected] || statuses == [expected, 404], "{name}: {statuses:?}");
        }
    }
    is_well(&gw).await;
}

#[tokio::test]
async fn a_body_framed_oddly_is_one_body_and_the_next_request_is_the_next() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    let long = ("an extension of 1 MB", format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(1 << 20)));
    for (name, chunks) in ODD.iter().map(|(name, chunks)| (*name, (*chunks).to_owned())).chain([long]) {
        let text = format!("{QUERY}Transfer-Encoding: chunked\r\n\r\n{chunks}{LAST}");
        let told = exchange(name, &client, text.as_bytes()).await;
        let statuses: Vec<u16> = answers(name, &told).iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [422, 404], "{name}");
    }
    is_well(&gw).await;
}
