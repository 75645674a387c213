//! kill -9 under load: whatever an answer promised, the log holds.
//!
//! The clients keep a ledger of their own. Killing a process does not lose what it has handed to
//! the operating system, so this shows the order of append and answer and the recovery after a
//! torn end, not the syncing of disks.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use sluice::audit::verify::Stored;
use sluice::audit::{Checkpoint, Hash, VerifyingKey};
use sluice::store::audit::Database;
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::support::client::{Answer, Client, ask};
use crate::support::gateway::program;
use crate::support::{PERSON, Random, TestGateway};

const CLIENTS: usize = 8;
const ROUNDS: u64 = 20;
const PATH: &str = "/v1/datasets/civil.subsistence/query";

/// What a client was promised with a 200.
struct Promise {
    request_id: String,
    index: u64,
    leaf_hash: String,
    checkpoint: String,
}

#[tokio::test]
async fn every_answer_that_a_client_holds_is_in_the_log_after_kill_9() {
    let rounds = std::env::var("KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut gw = TestGateway::start().await;
    let mut random = Random::new(0x5EED);
    let mut ledger = Vec::new();
    for round in 0..rounds {
        let (sender, mut promises) = unbounded_channel();
        let clients = load(&gw, &sender);
        drop(sender);
        for _ in 0..1 + random.below(150) {
            ledger.push(promises.recv().await.expect("the clients are answered until the gateway is killed"));
        }
        gw.kill();
        while let Some(promise) = promises.recv().await {
            ledger.push(promise);
        }
        for client in clients {
            client.await.unwrap();
        }
        // As the kill left it, and as the next start takes it over.
        intact(&gw, &ledger, round);
        gw.serve().unwrap_or_else(|said| panic!("round {round}: {said}"));
        intact(&gw, &ledger, round);
    }
    eprintln!("{} answers over {rounds} kills", ledger.len());
}

#[tokio::test]
async fn a_log_verifies_at_any_moment_while_it_grows() {
    let mut gw = TestGateway::start().await;
    let (sender, mut promises) = unbounded_channel();
    let clients = load(&gw, &sender);
    drop(sender);
    let mut sizes = Vec::new();
    for _ in 0..20 {
        promises.recv().await.unwrap();
        // Beside the clients, not between their requests.
        let verify = ["audit", "verify", "--db", "data", "--pubkey", "keys/audit.vkey"];
        let verify = Command::new(program()).args(verify).current_dir(gw.path()).output().await.unwrap();
        let said = String::from_utf8_lossy(&verify.stdout);
        assert!(verify.status.success(), "{said}{}", String::from_utf8_lossy(&verify.stderr));
        sizes.push(records(&said));
    }
    assert!(sizes.is_sorted() && sizes[0] < sizes[19], "it grew meanwhile: {sizes:?}");
    gw.kill();
    for client in clients {
        client.await.unwrap();
    }
}

/// Clients that ask, each on a connection that it keeps, until the gateway is gone.
fn load(gw: &TestGateway, promises: &UnboundedSender<Promise>) -> Vec<JoinHandle<()>> {
    let client = || tokio::spawn(ask_on(gw.system("service.onestop"), promises.clone()));
    std::iter::repeat_with(client).take(CLIENTS).collect()
}

async fn ask_on(client: Client, promises: UnboundedSender<Promise>) {
    let body = ask("housing-aid.review", &[PERSON], json!(["status"])).to_string();
    let Ok(mut connection) = client.connect().await else { return };
    while let Ok(answer) = connection.send("POST", PATH, &[], Some(body.as_bytes())).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
        promises.send(Promise::of(&answer)).ok();
    }
}

/// The log verifies under the public key, has grown from the last checkpoint that a client was
/// given, and holds every promise at its place.
fn intact(gw: &TestGateway, ledger: &[Promise], round: u64) {
    let newest = ledger.iter().max_by_key(|promise| promise.index).unwrap();
    std::fs::write(gw.path().join("seen"), &newest.checkpoint).unwrap();
    let (code, said) = gw.verify_with(&["--checkpoint", "seen"]);
    assert_eq!(code, 0, "round {round}: {said}");

    let key = std::fs::read_to_string(gw.path().join("keys/audit.vkey")).unwrap();
    let key = VerifyingKey::parse(&key).unwrap();
    let log = leaves(&gw.path().join("data"));
    let mut places = HashMap::new();
    for Promise { request_id, index, leaf_hash, checkpoint } in ledger {
        if let Some(other) = places.insert(index, request_id) {
            panic!("round {round}: index {index} was promised to {other} and to {request_id}");
        }
        let leaf = log.get(index).unwrap_or_else(|| panic!("round {round}: {request_id} is not at {index}"));
        assert_eq!(&Hash::of_leaf(leaf).to_string(), leaf_hash, "round {round}: {request_id} at {index}");
        let record: Value = serde_json::from_slice(leaf).unwrap();
        assert_eq!(record["request_id"], **request_id, "round {round}: at {index}");
        assert_eq!(record["outcome"], "ok", "round {round}: {request_id} at {index}");
        let covered = Checkpoint::open(checkpoint, &key).unwrap();
        assert!(covered.size > *index, "round {round}: the receipt of {request_id} covers it");
    }
}

fn leaves(data: &Path) -> HashMap<u64, Vec<u8>> {
    let mut database = Database::open(data).unwrap();
    let (size, _) = database.head().unwrap().unwrap();
    database.records(0, size).unwrap().into_iter().collect()
}

/// The number of records in what `verify` says.
fn records(said: &str) -> u64 {
    let (before, _) = said.split_once(" records").unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

impl Promise {
    fn of(answer: &Answer) -> Self {
        let body = answer.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let receipt = &body["receipt"];
        Self {
            request_id: text(&body["request_id"]),
            index: receipt["index"].as_u64().unwrap(),
            leaf_hash: text(&receipt["leaf_hash"]),
            checkpoint: text(&receipt["checkpoint"]),
        }
    }
}
