//! Clients of several gateways, the ledgers that they keep of what they were answered, and the checker
//! that holds the ledgers against the log.

use std::collections::BTreeMap;
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

use super::client::{Client, ask};
use super::ledger::{Promise, held};
use super::load::PATH;
use super::replicas::Replicas;
use super::{PERSON, until};

/// What a revocation has to be in force after, on every gateway.
pub const IN_FORCE: Duration = Duration::from_secs(1);

/// How late a client of this busy machine may read an answer that was sent in time.
const LATE: Duration = Duration::from_millis(500);

/// What came of one question, as its client saw it.
pub struct Line {
    sent: Instant,
    came: Instant,
    /// 0 where the connection ended without an answer.
    status: u16,
    /// Status and code of what is not a 200.
    pub problem: String,
    promise: Option<Promise>,
}

/// The answers to some clients that ask the same.
pub type Ledger = Arc<Mutex<Vec<Line>>>;

/// The answers with 200 so far.
pub fn answered(ledger: &Ledger) -> usize {
    ledger.lock().unwrap().iter().filter(|line| line.status == 200).count()
}

/// Clients that ask until they are told to stop.
pub struct Clients {
    stop: Arc<AtomicBool>,
    asking: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Nobody yet.
    pub fn new() -> Self {
        Self { stop: Arc::default(), asking: Vec::new() }
    }

    /// So many more, that live in `world` and ask for `field`.
    pub fn ask(
        &mut self,
        world: &Handle,
        client: &Client,
        many: usize,
        field: &'static str,
        ledger: &Ledger,
    ) {
        for _ in 0..many {
            self.asking.push(asks(world, client.clone(), field, ledger, &self.stop));
        }
    }

    /// Has them stop, and waits for their last answers.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.asking {
            client.await.unwrap();
        }
    }
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
                let answer = connection.send("POST", PATH, &[], Some(body.as_bytes())).await.ok();
                let status = answer.as_ref().map_or(0, |answer| answer.status);
                let problem = answer.as_ref().filter(|_| status != 200).map(|answer| answer.problem());
                let promise = answer.filter(|_| status == 200).map(|answer| Promise::of(&answer));
                let (came, problem) = (Instant::now(), problem.unwrap_or_default());
                ledger.lock().unwrap().push(Line { sent, came, status, problem, promise });
                match status {
                    200 => sleep(Duration::from_millis(3)).await,
                    0 => break,
                    // The next may be another gateway's; and the machine has others to serve.
                    _ => {
                        sleep(Duration::from_millis(50)).await;
                        break;
                    }
                }
            }
        }
    })
}

/// A key of `housing.aid` under which clients ask, and which is to be revoked.
pub struct Doomed {
    pub key: Issued,
    ledger: Ledger,
    clients: Clients,
}

impl Doomed {
    /// Registers one, and waits until it is answered under.
    pub async fn start(world: &Handle, replicas: &Replicas) -> Self {
        let now = SystemClock.now();
        let key = replicas.gw.authority.issue("housing.aid", &[], Usage::Client, now).unwrap();
        replicas.register("housing.aid", &key);
        let (ledger, mut clients) = (Ledger::default(), Clients::new());
        clients.ask(world, &replicas.client(&key), 2, "status", &ledger);
        until("the new key is taken", async || (answered(&ledger) > 10).then_some(())).await;
        Self { key, ledger, clients }
    }

    /// It was revoked, which was acknowledged at that moment: its clients go on for as long as
    /// somebody might still answer by what was taken back.
    pub async fn revoked(self, acknowledged: Instant) -> Revoked {
        sleep(IN_FORCE * 2).await;
        self.clients.stop().await;
        Revoked { acknowledged, ledger: self.ledger }
    }
}

/// A key that was revoked while something was going on.
pub struct Revoked {
    acknowledged: Instant,
    ledger: Ledger,
}

/// Everything that clients were told.
#[derive(Default)]
pub struct History {
    /// By clients whom nothing bounds.
    pub open: Ledger,
    /// By clients who ask under a grant for less than they ask for.
    pub bounded: Ledger,
    /// By clients whose keys were revoked.
    pub revoked: Vec<Revoked>,
}

impl History {
    /// How often each problem was answered; questions whose connection ended are under the empty name.
    pub fn problems(&self) -> BTreeMap<String, usize> {
        let mut problems = BTreeMap::new();
        for ledger in self.ledgers() {
            for line in ledger.lock().unwrap().iter().filter(|line| line.status != 200) {
                *problems.entry(line.problem.clone()).or_default() += 1;
            }
        }
        problems
    }

    fn ledgers(&self) -> impl Iterator<Item = &Ledger> {
        [&self.open, &self.bounded].into_iter().chain(self.revoked.iter().map(|revoked| &revoked.ledger))
    }

    /// Holds the ledgers against the log, and says how much there was to hold.
    pub fn check(&self, replicas: &Replicas, quota: usize) -> String {
        let bounded = answered(&self.bounded);
        let mut lines = Vec::new();
        for ledger in self.ledgers() {
            lines.extend(std::mem::take(&mut *ledger.lock().unwrap()).into_iter().map(|line| (ledger, line)));
        }
        // Nobody was answered under a key that had been taken back.
        let mut after = 0;
        for Revoked { acknowledged, ledger } in &self.revoked {
            let in_force = *acknowledged + IN_FORCE;
            let of_key = || lines.iter().filter(|(of, line)| Arc::ptr_eq(of, ledger) && line.status != 0);
            for (_, line) in of_key().filter(|(_, line)| line.sent > *acknowledged) {
                after += 1;
                assert!(
                    line.status != 200 || line.sent < in_force,
                    "asked after its key was revoked, and answered"
                );
            }
            let late = of_key().filter(|(_, line)| line.status == 200 && line.came > in_force + LATE);
            assert_eq!(late.count(), 0, "answered long after the key was revoked");
        }
        assert!(bounded <= quota, "{bounded} answers under a grant for {quota}");
        let spent = lines.iter().any(|(of, line)| Arc::ptr_eq(of, &self.bounded) && line.status == 429);
        assert!(spent, "the grant was used up");

        let key = std::fs::read_to_string(replicas.gw.path().join("keys/audit.vkey")).unwrap();
        let key = VerifyingKey::parse(&key).unwrap();
        let (code, said) = replicas.verify();
        assert_eq!(code, 0, "{said}");
        let mut database = replicas.database();
        let report = verify(&mut database, &key, &[], &mut |_, _| {}).unwrap();
        assert!(report.is_intact(), "{:?}", report.damage);
        let records: Vec<_> = database.records(0, report.size).unwrap();
        assert_eq!(records.len() as u64, report.size, "no place of the log is empty");
        let refused = lines.iter().filter(|(_, line)| ![0, 200].contains(&line.status)).count();
        let promises: Vec<_> = lines.into_iter().filter_map(|(_, line)| line.promise).collect();
        held(&records.into_iter().collect(), &key, &promises, "at the end");
        format!(
            "{} answers, each with its record among {}; {refused} refusals; {bounded} of {quota} under the \
             quota; {} revocations, {after} answers after them, none under the key; the log verifies",
            promises.len(),
            report.size,
            self.revoked.len(),
        )
    }
}
