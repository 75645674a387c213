//! Three gateways, one truth: killed, stopped, cut off, their server restarted and replaced, while
//! clients go on asking and keep a ledger of what they were answered.
//!
//! What must hold is read from the ledgers and the log at the end: every 200 has its record, no
//! place in the log is missing or promised twice, no key is answered a second after its revocation
//! was acknowledged, no quota is exceeded, and the log verifies.

use std::time::{Duration, Instant};

use sluice::demo::certificates::Issued;
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::support::history::{Clients, Doomed, History, Revoked, answered};
use crate::support::proxy::Network;
use crate::support::replicas::{Replicas, world};
use crate::support::{Random, until};

/// How often something goes wrong.
const ROUNDS: u64 = 12;

/// What the grant allows in a day: less than is asked for.
const QUOTA: usize = 100;

#[tokio::test]
async fn three_gateways_lose_nothing_and_behave_as_one() {
    let rounds = std::env::var("REPLICA_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let began = Instant::now();
    let world = world();
    let mut replicas = Replicas::start(&world, |gw| {
        gw.edit("policies/grants.toml", "per_day = 5000", &format!("per_day = {QUOTA}"));
    })
    .await;
    let mut history = History::default();
    let onestop = replicas.client(&replicas.gw.issued["service.onestop"]);
    let mut clients = Clients::new();
    clients.ask(&world, &onestop, 4, "status", &history.open);
    clients.ask(&world, &onestop, 2, "name", &history.bounded);

    let mut random = Random::new(0x5EED);
    for round in 0..rounds {
        history.revoked.push(go_wrong(&world, &mut replicas, round, &mut random).await);
        replicas.all_ready().await;
        let before = answered(&history.open);
        until("the clients are answered again", async || {
            (answered(&history.open) > before + 50).then_some(())
        })
        .await;
    }
    clients.stop().await;
    let counts = history.check(&replicas, QUOTA);
    eprintln!("{rounds} rounds in {:.0} s: {counts}", began.elapsed().as_secs_f64());
}

/// One thing goes wrong, and a key is revoked in the midst of it.
async fn go_wrong(world: &Handle, replicas: &mut Replicas, round: u64, random: &mut Random) -> Revoked {
    let doomed = Doomed::start(world, replicas).await;
    let key = &doomed.key;
    let hit = usize::try_from(random.below(3)).unwrap();
    let acknowledged = match round % 6 {
        0 => {
            replicas.gateways[hit].kill();
            let acknowledged = replicas.revoke(key);
            replicas.gateways[hit].serve();
            acknowledged
        }
        1 => {
            // Longer than the server lets anybody hold the head of the log.
            replicas.gateways[hit].signal("STOP");
            let acknowledged = revoke_within(replicas, key, Duration::from_secs(4)).await;
            replicas.gateways[hit].signal("CONT");
            acknowledged
        }
        2 => {
            replicas.gateways[hit].network(Network::Silent);
            let acknowledged = revoke_within(replicas, key, Duration::from_secs(4)).await;
            let (status, said) = replicas.readiness(hit).await;
            assert_eq!(status, 503, "a gateway that is cut off is not ready: {said}");
            replicas.gateways[hit].network(Network::Up);
            acknowledged
        }
        3 => {
            // Nothing tells it that they are dead: it has to give them up by itself.
            replicas.gateways[hit].deafen();
            let acknowledged = revoke_within(replicas, key, Duration::from_secs(4)).await;
            let (status, said) = replicas.readiness(hit).await;
            assert_eq!(status, 503, "a gateway that hears nothing is not ready: {said}");
            acknowledged
        }
        4 => {
            replicas.restart_server();
            replicas.revoke(key)
        }
        _ => {
            replicas.fail_over();
            replicas.revoke(key)
        }
    };
    doomed.revoked(acknowledged).await
}

/// Revokes the key in the midst of a time in which something is wrong.
async fn revoke_within(replicas: &Replicas, key: &Issued, time: Duration) -> Instant {
    let began = Instant::now();
    sleep(time / 4).await;
    let acknowledged = replicas.revoke(key);
    sleep(time.saturating_sub(began.elapsed())).await;
    acknowledged
}
