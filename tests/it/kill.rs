//! kill -9 under load: whatever an answer promised, the log holds.
//!
//! The clients keep a ledger of their own. Killing a process does not lose what it has handed to
//! the operating system, so this shows the order of append and answer and the recovery after a
//! torn end, not the syncing of disks.

use serde_json::json;
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::support::client::{Client, ask};
use crate::support::gateway::program;
use crate::support::ledger::{Promise, intact};
use crate::support::load::PATH;
use crate::support::{PERSON, Random, TestGateway};

const CLIENTS: usize = 8;
const ROUNDS: u64 = 20;

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
        let when = format!("round {round}");
        // As the kill left it, and as the next start takes it over.
        intact(&gw, &ledger, &when);
        gw.serve().unwrap_or_else(|said| panic!("{when}: {said}"));
        intact(&gw, &ledger, &when);
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

/// The number of records in what `verify` says.
fn records(said: &str) -> u64 {
    let (before, _) = said.split_once(" records").unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}
