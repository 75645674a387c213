//! Many clients at once, each on a connection of its own that it keeps.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::client::{Client, ask};
use super::ledger::Promise;
use super::{PERSON, TestGateway};

/// Where queries about the subsistence list go.
pub const PATH: &str = "/v1/datasets/civil.subsistence/query";

/// What many clients were answered.
#[derive(Default)]
pub struct Tally {
    /// The promises of the answers with 200.
    pub promises: Vec<Promise>,
    /// How often each problem was answered, such as `503 overloaded`.
    pub problems: BTreeMap<String, usize>,
    /// How long each 200 took.
    pub served: Vec<Duration>,
    /// How long each problem took.
    pub refused: Vec<Duration>,
    /// How long the whole took.
    pub took: Duration,
}

/// `clients` ask the same, again and again as soon as they are answered, until `enough`.
///
/// Each answer is a 200 or a 503 that says when to come again.
pub async fn press(client: &Client, clients: usize, enough: Duration) -> Tally {
    let body = ask("housing-aid.review", &[PERSON], json!(["status"])).to_string();
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(client.connect().await.unwrap());
    }
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for mut connection in connections {
        let body = body.clone();
        asking.spawn(async move {
            let mut tally = Tally::default();
            while began.elapsed() < enough {
                let sent = Instant::now();
                let answer = connection.send("POST", PATH, &[], Some(body.as_bytes())).await.unwrap();
                if answer.status == 200 {
                    tally.served.push(sent.elapsed());
                    tally.promises.push(Promise::of(&answer));
                } else {
                    assert_eq!(answer.status, 503, "{}", answer.text());
                    assert!(answer.header("retry-after").is_some(), "{:?}", answer.headers);
                    assert!(!answer.text().contains("receiving"), "{}", answer.text());
                    tally.refused.push(sent.elapsed());
                    *tally.problems.entry(answer.problem()).or_default() += 1;
                }
            }
            tally
        });
    }
    let mut all = Tally::default();
    for tally in asking.join_all().await {
        all.promises.extend(tally.promises);
        all.served.extend(tally.served);
        all.refused.extend(tally.refused);
        for (problem, number) in tally.problems {
            *all.problems.entry(problem).or_default() += number;
        }
    }
    all.took = began.elapsed();
    all
}

/// A gateway for a press, not yet serving.
///
/// Its provider shares a thread with all the clients: on a busy machine it is late through no
/// fault of the gateway, so it is waited for.
pub async fn prepare() -> TestGateway {
    let mut gw = TestGateway::prepare().await;
    gw.configure("timeout_ms = 1500", "timeout_ms = 20000");
    gw
}

impl Tally {
    /// Answers with 200 in a second.
    pub fn rate(&self) -> f64 {
        self.served.len() as f64 / self.took.as_secs_f64()
    }
}

/// The time that this part, of 100, does not exceed.
pub fn percentile(times: &[Duration], part: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get((times.len() * part / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}
