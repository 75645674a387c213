//! Three gateways, one truth: killed, stopped, cut off, their server restarted and replaced, while
//! clients go on asking and keep a ledger of what they were answered.
//!
//! What must hold is read from the ledgers and the log at the end: every 200 has its record, no
//! place in the log is missing or promised twice, no key is answered a second after its revocation
//! was acknowledged, no quota is exceeded, and the log verifies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use sluice::audit::VerifyingKey;
use sluice::audit::verify::{Stored, verify};
use sluice::base::{Clock, SystemClock};
use sluice::demo::certificates::{Issued, Usage};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::client::{Client, ask};
use crate::support::ledger::{Promise, held};
use crate::support::load::PATH;
use crate::support::proxy::Network;
use crate::support::replicas::{Replicas, world};
use crate::support::{PERSON, Random, until};

/// How often something goes wrong.
const ROUNDS: u64 = 12;

/// What the grant allows in a day: less than is asked for.
const QUOTA: usize = 100;

/// What a revocation has to be in force after, on every gateway.
const IN_FORCE: Duration = Duration::from_secs(1);

/// How late a client of this busy machine may read an answer that was sent in time.
const LATE: Duration = Duration::from_millis(500);

/// One answer, as its client saw it.
struct Line {
    sent: Instant,
    came: Instant,
    status: u16,
    promise: Option<Promise>,
}

/// The answers to some clients that ask the same.
type Ledger = Arc<Mutex<Vec<Line>>>;

#[tokio::test]
async fn three_gateways_lose_nothing_and_behave_as_one() {
    let rounds = std::env::var("REPLICA_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let began = Instant::now();
    let world = world();
    let mut replicas = Replicas::start(&world, |gw| {
        gw.edit("policies/grants.toml", "per_day = 5000", &format!("per_day = {QUOTA}"));
    })
    .await;
    let stop = Arc::new(AtomicBool::new(false));
    let (open, bounded) = (Ledger::default(), Ledger::default());
    let onestop = replicas.client(&replicas.gw.issued["service.onestop"]);
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(asks(&world, onestop.clone(), "status", &open, &stop));
    }
    for _ in 0..2 {
        clients.push(asks(&world, onestop.clone(), "name", &bounded, &stop));
    }

    let mut random = Random::new(0x5EED);
    let mut revoked = Vec::new();
    for round in 0..rounds {
        revoked.push(go_wrong(&world, &mut replicas, round, &mut random).await);
        replicas.all_ready().await;
        let before = answered(&open);
        until("the clients are answered again", async || (answered(&open) > before + 50).then_some(())).await;
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let counts = check(&replicas, &[&open, &bounded], &revoked, answered(&bounded));
    eprintln!("{rounds} rounds in {:.0} s: {counts}", began.elapsed().as_secs_f64());
}

/// A key that was revoked while something was wrong.
struct Revoked {
    acknowledged: Instant,
    ledger: Ledger,
}

/// One thing goes wrong, and a key is revoked in the midst of it.
async fn go_wrong(world: &Handle, replicas: &mut Replicas, round: u64, random: &mut Random) -> Revoked {
    let now = SystemClock.now();
    let key = replicas.gw.authority.issue("housing.aid", &[], Usage::Client, now).unwrap();
    replicas.register("housing.aid", &key);
    let (ledger, stop) = (Ledger::default(), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> =
        (0..2).map(|_| asks(world, replicas.client(&key), "status", &ledger, &stop)).collect();
    until("the new key is taken", async || (answered(&ledger) > 10).then_some(())).await;

    let hit = usize::try_from(random.below(3)).unwrap();
    let acknowledged = match round % 6 {
        0 => {
            replicas.gateways[hit].kill();
            let acknowledged = replicas.revoke(&key);
            replicas.gateways[hit].serve();
            acknowledged
        }
        1 => {
            // Longer than the server lets anybody hold the head of the log.
            replicas.gateways[hit].signal("STOP");
            let acknowledged = revoke_within(replicas, &key, Duration::from_secs(4)).await;
            replicas.gateways[hit].signal("CONT");
            acknowledged
        }
        2 => {
            replicas.gateways[hit].network(Network::Silent);
            let acknowledged = revoke_within(replicas, &key, Duration::from_secs(4)).await;
            let (status, said) = replicas.readiness(hit).await;
            assert_eq!(status, 503, "a gateway that is cut off is not ready: {said}");
            replicas.gateways[hit].network(Network::Up);
            acknowledged
        }
        3 => {
            // Nothing tells it that they are dead: it has to give them up by itself.
            replicas.gateways[hit].deafen();
            let acknowledged = revoke_within(replicas, &key, Duration::from_secs(4)).await;
            let (status, said) = replicas.readiness(hit).await;
            assert_eq!(status, 503, "a gateway that hears nothing is not ready: {said}");
            acknowledged
        }
        4 => {
            replicas.restart_server();
            replicas.revoke(&key)
        }
        _ => {
            replicas.fail_over();
            replicas.revoke(&key)
        }
    };
    // For as long as somebody might still answer by what was taken back.
    sleep(IN_FORCE * 2).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    Revoked { acknowledged, ledger }
}

/// Revokes the key in the midst of a time in which something is wrong.
async fn revoke_within(replicas: &Replicas, key: &Issued, time: Duration) -> Instant {
    let began = Instant::now();
    sleep(time / 4).await;
    let acknowledged = replicas.revoke(key);
    sleep(time.saturating_sub(began.elapsed())).await;
    acknowledged
}

/// A client that asks again and again, on a connection that it keeps while it is answered there.
fn asks(
    world: &Handle,
    client: Client,
    field: &'static str,
    ledger: &Ledger,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let (ledger, stop) = (Arc::clone(ledger), Arc::clone(stop));
    let body = ask("housing-aid.review", &[PERSON], json!([field])).to_string();
    world.spawn(async move {
        while !stop.load(Ordering::SeqCst) {
            let Ok(Ok(mut connection)) = timeout(Duration::from_secs(2), client.connect()).await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            while !stop.load(Ordering::SeqCst) {
                let sent = Instant::now();
                let Ok(answer) = connection.send("POST", PATH, &[], Some(body.as_bytes())).await else {
                    break;
                };
                let promise = (answer.status == 200).then(|| Promise::of(&answer));
                let line = Line { sent, came: Instant::now(), status: answer.status, promise };
                let refused = line.promise.is_none();
                ledger.lock().unwrap().push(line);
                // The next may be another gateway's; and the machine has others to serve.
                if refused {
                    sleep(Duration::from_millis(50)).await;
                    break;
                }
                sleep(Duration::from_millis(3)).await;
            }
        }
    })
}

/// The answers with 200 so far.
fn answered(ledger: &Ledger) -> usize {
    ledger.lock().unwrap().iter().filter(|line| line.status == 200).count()
}

/// Holds the ledgers against the log, and says how much there was to hold.
fn check(replicas: &Replicas, ledgers: &[&Ledger], revoked: &[Revoked], bounded: usize) -> String {
    let mut lines = Vec::new();
    let revoked_ledgers = revoked.iter().map(|revoked| &revoked.ledger);
    for ledger in ledgers.iter().copied().chain(revoked_ledgers.clone()) {
        lines.extend(std::mem::take(&mut *ledger.lock().unwrap()).into_iter().map(|line| (ledger, line)));
    }
    // Nobody was answered under a key that had been taken back.
    let mut after = 0;
    for Revoked { acknowledged, ledger } in revoked {
        let in_force = *acknowledged + IN_FORCE;
        for (_, line) in
            lines.iter().filter(|(of, line)| Arc::ptr_eq(of, ledger) && line.sent > *acknowledged)
        {
            after += 1;
            assert!(
                line.status != 200 || line.sent < in_force,
                "asked after its key was revoked, and answered"
            );
        }
        let late = lines.iter().filter(|(of, line)| {
            Arc::ptr_eq(of, ledger) && line.status == 200 && line.came > in_force + LATE
        });
        assert_eq!(late.count(), 0, "answered long after the key was revoked");
    }
    assert!(bounded <= QUOTA, "{bounded} answers under a grant for {QUOTA}");
    let spent = lines.iter().filter(|(of, line)| Arc::ptr_eq(of, ledgers[1]) && line.status == 429).count();
    assert!(spent > 0, "the grant was used up");

    let key = std::fs::read_to_string(replicas.gw.path().join("keys/audit.vkey")).unwrap();
    let key = VerifyingKey::parse(&key).unwrap();
    let (code, said) = replicas.verify();
    assert_eq!(code, 0, "{said}");
    let mut database = replicas.database();
    let report = verify(&mut database, &key, &[], &mut |_, _| {}).unwrap();
    assert!(report.is_intact(), "{:?}", report.damage);
    let records: Vec<_> = database.records(0, report.size).unwrap();
    assert_eq!(records.len() as u64, report.size, "no place of the log is empty");
    let refused = lines.iter().filter(|(_, line)| line.status != 200).count();
    let promises: Vec<_> = lines.into_iter().filter_map(|(_, line)| line.promise).collect();
    held(&records.into_iter().collect(), &key, &promises, "at the end");
    format!(
        "{} answers, each with its record among {}; {refused} refusals; {bounded} of {QUOTA} under the quota; \
         {} revocations, {after} answers after them, none under the key; the log verifies",
        promises.len(),
        report.size,
        revoked.len(),
    )
}
