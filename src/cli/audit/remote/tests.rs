//! Whatever answers in a gateway's place, the verifier says what it is and neither hangs nor
//! takes it for a damaged log.

use super::*;
use crate::adapters::testing::{Act, Pki, Provider, ok, with};

/// Reads from what `act` answers, on a thread where blocking is allowed.
async fn read<T: Send + 'static>(
    act: impl Fn(&str, usize) -> Act + Send + Sync + 'static,
    read: impl FnOnce(&mut Remote) -> Result<T, RemoteError> + Send + 'static,
) -> (Result<T, String>, Provider) {
    let pki = Pki::new();
    let gateway = Provider::tls(&pki, act).await;
    let url = format!("https://127.0.0.1:{}", gateway.port);
    let [ca, certificate, key] = ["ca.pem", "client.pem", "client.key"].map(|file| pki.path(file));
    let tls = ClientTls { ca, certificate, key };
    let done = tokio::task::spawn_blocking(move || {
        let mut remote = Remote::new(&url, &tls).unwrap();
        read(&mut remote).map_err(|error| error.to_string())
    });
    (done.await.unwrap(), gateway)
}

fn page(indices: std::ops::Range<u64>, more: &str) -> String {
    let lines: Vec<_> =
        indices.map(|index| format!(r#"{{"index":{index},"leaf":"leaf {index}"}}"#)).collect();
    format!(r#"{{"records":[{}],{more}}}"#, lines.join(","))
}

/// The targets of the requests.
fn asked(gateway: &Provider) -> Vec<String> {
    gateway.requests().iter().map(|request| request.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_no_page_of_the_whole_log_is_an_error() {
    let moved = with("302 Found", "location: https://elsewhere/\r\n", "");
    let denied = with("403 Forbidden", "", r#"{"code":"forbidden"}"#);
    let unwell = with("503 Service Unavailable", "", r#"{"code":"audit-unavailable"}"#);
    let told = with("500 Internal Server Error", "", "{\"code\":\"\u{1b}[2J\"}");
    let page = |body: &str| with("200 OK", "", body);
    for (answer, error) in [
        (moved, "answered 302 to GET /v1/audit/records?limit=1000"),
        (denied, "not an auditor's"),
        (page(r#"{"records":[],"index_lag":0,"department":"civil"}"#), "not an auditor's"),
        (unwell, "answered 503 (audit-unavailable: "),
        (told, "answered 500 to GET"),
        (page("<html>"), "its page of records cannot be read"),
        (page(r#"{"records":[],"index_lag":0,"next":0}"#), "its page of records cannot be read"),
        (page(r#"{"records":[],"index_lag":7}"#), "7 records behind"),
    ] {
        let (read, _) = read(move |_, _| Act::Answer(answer.clone()), |log| log.records(0, 5)).await;
        let said = read.unwrap_err();
        assert!(said.contains(error) && !said.contains('\u{1b}'), "{said}");
    }
}

#[tokio::test]
async fn pages_are_read_once_each_until_all_is_covered() {
    let act = |request: &str, _: usize| match request.split(' ').nth(1).unwrap() {
        "/v1/audit/records?limit=1000" => ok(&page(0..3, r#""next":2,"index_lag":4"#)),
        // Record 4 is gone, and the index has not come to 6.
        "/v1/audit/records?limit=1000&after=2" => {
            ok(&page(3..4, r#""index_lag":3"#).replace(']', r#",{"index":5,"leaf":"leaf 5"}]"#))
        }
        _ => ok(&page(6..9, r#""index_lag":0"#)),
    };
    let (read, gateway) =
        read(act, |log| Ok((log.records(0, 2)?, log.records(2, 7)?, log.records(7, 8)?))).await;
    let (one, two, three) = read.unwrap();
    let indices =
        |records: Vec<(u64, Vec<u8>)>| records.into_iter().map(|(index, _)| index).collect::<Vec<_>>();
    assert_eq!(one[1], (1, b"leaf 1".to_vec()));
    assert_eq!((indices(one), indices(two), indices(three)), (vec![0, 1], vec![2, 3, 5, 6], vec![7]));
    let pages = ["", "&after=2", "&after=5"].map(|after| format!("/v1/audit/records?limit=1000{after}"));
    assert_eq!(asked(&gateway), pages);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_made_anew() {
    let tile = with("200 OK", "", "hashes");
    let act = move |_: &str, _: usize| Act::Last(tile.clone());
    let (read, gateway) =
        read(act, |log| Ok([0, 1, 2].map(|index| log.tile(Tile::full(0, index)).unwrap()))).await;
    assert_eq!(read.unwrap(), [0; 3].map(|_| Some(b"hashes".to_vec())));
    assert_eq!((asked(&gateway)[2].as_str(), gateway.connections()), ("/v1/audit/tile/0/002", 3));
}

#[tokio::test]
async fn an_answer_has_an_end() {
    let endless = |_: &str, _: usize| {
        Act::Endless("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n", "0123456789abcdef")
    };
    assert_eq!(read(endless, Remote::head).await.0.unwrap_err(), "the answer is too large");
    let headers = |_: &str, _: usize| Act::Endless("HTTP/1.1 200 OK\r\n", "x-more: 0123456789abcdef\r\n");
    assert!(read(headers, Remote::head).await.0.unwrap_err().contains("broke off"));
    let closed = |_: &str, _: usize| Act::Close;
    assert!(read(closed, Remote::head).await.0.unwrap_err().contains("broke off"));
}

#[tokio::test]
async fn a_long_page_is_asked_for_in_shorter_ones() {
    let long = "x".repeat(MAX_PAGE / 2);
    let act = move |request: &str, _: usize| {
        let whole = request.contains("limit=1000");
        let line = |index| format!(r#"{{"index":{index},"leaf":"{long}"}}"#);
        let records = if whole { [line(0), line(1)].join(",") } else { line(0) };
        ok(&format!(r#"{{"records":[{records}],"index_lag":0}}"#))
    };
    let (read, gateway) = read(act, |log| log.records(0, 1)).await;
    assert_eq!(read.unwrap().len(), 1);
    assert_eq!(asked(&gateway), ["/v1/audit/records?limit=1000", "/v1/audit/records?limit=500"]);
}
