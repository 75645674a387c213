//! The audit log by itself: appends on an empty log and on a large one, a person's history and the
//! page of every sort of search out of the large one, verification. Run by `benches/compare`; prints one JSON object. A program and not a
//! `cargo bench`, so that it is built with the gateway, from the same libraries.
//!
//! Many tasks append at once, as many queries do, each waiting for its receipt. Nothing is left
//! out: subjects are sealed, the tree grows, checkpoints are signed, the search index follows.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement that cannot be made ends loudly"
)]

mod looking;
mod world;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use ring::rand::SystemRandom;
use serde_json::json;
use sluice::audit::verify::verify;
use sluice::audit::{SigningKey, SubjectKey, VerifyingKey};
use sluice::base::{Clock, Secret};
use sluice::store::audit::{AuditLog, Database, Options};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use self::world::{Pace, happened, person};

/// Appends that wait at one time: as many as the gateway's queue holds by default.
const WAITING: u64 = 4096;
/// Records of the large log that name one person, on average.
const RECORDS_OF_A_PERSON: u64 = 50;
/// Turns in which appends are measured.
const ROUNDS: u64 = 3;
/// Whose histories are looked up: none of them twice.
const LOOK_UPS: u64 = 50;

#[derive(Parser)]
struct Args {
    /// A folder on the disk to measure
    #[arg(long)]
    dir: PathBuf,
    /// Records of the large log
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// How long to measure appends
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Seconds for the large log and its index: after half of them the log is taken as large as it
    /// has become
    #[arg(long, default_value_t = 480)]
    patience: u64,
}

fn main() {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seconds = Duration::from_secs(args.seconds);

    let people = (args.records / RECORDS_OF_A_PERSON).max(LOOK_UPS);
    let large = Site::new(&args.dir.join("large"), args.records);
    let log = large.open();
    let (began, patience) = (Instant::now(), Duration::from_secs(args.patience));
    grow(&runtime, &large, &log, args.records, people, patience / 2);
    let grown = began.elapsed();
    let records = log.stats().size;
    let lag = wait_for_index(&log, patience.saturating_sub(began.elapsed()));
    // A search waits for an index that is behind: that wait would be all that is measured.
    let look_ups = if lag == 0 { LOOK_UPS } else { 0 };
    let indexed = began.elapsed();
    let searches = if lag == 0 { looking::measure(log.reader(), large.pace.now()) } else { Vec::new() };
    let longest = |figure: &str| searches.iter().filter_map(|one| one[figure].as_f64()).reduce(f64::max);
    let (acts, acts_ms) = acts_ms(&log);
    let histories = sorted((0..look_ups).map(|person| history_ms(&log, person)).collect());

    // In turn, so that both see the same machine.
    let rounds: Vec<Round> = (0..ROUNDS)
        .map(|number| {
            let small = Site::new(&args.dir.join(format!("small-{number}")), args.records);
            let empty = per_second(&runtime, &small, &small.open(), people, seconds);
            let verified = small.verify_per_second();
            let full = per_second(&runtime, &large, &log, people, seconds);
            wait_for_index(&log, seconds * 10);
            Round { empty, full, verified }
        })
        .collect();
    let median = |figure: fn(&Round) -> f64| share(&sorted(rounds.iter().map(figure).collect()), 50);

    let result = json!({
        "append_per_s": median(|round| round.empty.per_second),
        "append_batch": median(|round| round.empty.batch),
        "append_10m_over_empty": median(|round| round.full.per_second / round.empty.per_second),
        "verify_records_per_s": median(|round| round.verified),
        "history_ms_10m": share(&histories, 50),
        "history_p90_ms_10m": share(&histories, 90),
        "search_median_ms_10m": longest("median_ms"),
        "search_longest_ms_10m": longest("longest_ms"),
        "acts_read_ms": acts_ms,
        "acts": acts,
        "grown_in_s": grown.as_secs_f64(),
        "indexed_in_s": indexed.as_secs_f64(),
        "index_mib": large.index_mib(),
        "searches": searches,
        "records_in_large_log": records,
        "index_lag_in_large_log": lag,
        "leaf_bytes": log.reader().record(1).unwrap().unwrap().leaf.len(),
    });
    println!("{result}");
}

/// One turn of both logs.
struct Round {
    empty: Appended,
    full: Appended,
    /// Records of the small log verified in a second.
    verified: f64,
}

fn sorted(mut figures: Vec<f64>) -> Vec<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    figures
}

/// The figure below which this many percent of the sorted ones lie.
fn share(sorted: &[f64], percent: usize) -> Option<f64> {
    sorted.get(sorted.len() * percent / 100).copied()
}

/// Where a log is, its key and its time.
struct Site {
    dir: PathBuf,
    key: String,
    pace: Arc<Pace>,
}

impl Site {
    fn new(dir: &Path, records: u64) -> Self {
        let key = SigningKey::generate("bench/log", &SystemRandom::new()).unwrap();
        Self {
            dir: dir.into(),
            key: key.to_secret_text().reveal().clone(),
            pace: Arc::new(Pace::new(records)),
        }
    }

    fn open(&self) -> AuditLog {
        AuditLog::open(Options {
            data_dir: self.dir.join("data"),
            server: None,
            checkpoint_copy: self.dir.join("checkpoint"),
            signing_key: SigningKey::parse(&self.key).unwrap(),
            previous_key: None,
            subject_key: SubjectKey::new(&Secret::new([7; 32])).unwrap(),
            clock: self.pace.clone(),
            queue: usize::try_from(WAITING).unwrap(),
        })
        .unwrap()
    }

    /// The search index, with what is not moved into it yet.
    fn index_mib(&self) -> f64 {
        let of = |name: &str| self.dir.join("data").join(name).metadata().map_or(0, |found| found.len());
        (of("audit-index.db") + of("audit-index.db-wal")) as f64 / f64::from(1 << 20)
    }

    /// On this thread alone, with nothing else going on in the process.
    fn verify_per_second(&self) -> f64 {
        let key: VerifyingKey = SigningKey::parse(&self.key).unwrap().public().clone();
        let mut database = Database::open(&self.dir.join("data")).unwrap();
        let began = Instant::now();
        let report = verify(&mut database, &key, &[], &mut |_, _| {}).unwrap();
        assert!(report.is_intact());
        report.size as f64 / began.elapsed().as_secs_f64()
    }
}

/// What appending for a while came to.
struct Appended {
    per_second: f64,
    /// Records of a batch, on average.
    batch: f64,
}

fn per_second(runtime: &Runtime, site: &Site, log: &AuditLog, people: u64, seconds: Duration) -> Appended {
    let (began, before) = (Instant::now(), log.stats());
    append(runtime, site, log, people, move |_| began.elapsed() < seconds);
    let (took, after) = (began.elapsed(), log.stats());
    let records = (after.size - before.size) as f64;
    Appended {
        per_second: records / took.as_secs_f64(),
        batch: records / (after.batches - before.batches) as f64,
    }
}

fn grow(runtime: &Runtime, site: &Site, log: &AuditLog, records: u64, people: u64, patience: Duration) {
    let began = Instant::now();
    append(runtime, site, log, people, move |index| index + WAITING < records && began.elapsed() < patience);
}

/// Appends from many tasks as long as `more`, which is told the index of the newest record.
fn append(runtime: &Runtime, site: &Site, log: &AuditLog, people: u64, more: impl Fn(u64) -> bool + 'static) {
    let more = Rc::new(more);
    let tasks = LocalSet::new();
    for _ in 0..WAITING {
        let (log, more, pace) = (log.clone(), Rc::clone(&more), Arc::clone(&site.pace));
        tasks.spawn_local(async move {
            let mut newest = log.stats().size;
            while more(newest) {
                newest = log.append(happened(newest, people)).await.unwrap().index;
                pace.reach(newest);
            }
        });
    }
    runtime.block_on(tasks);
}

/// Waits for the search index; gives how many records it has still not seen.
fn wait_for_index(log: &AuditLog, patience: Duration) -> u64 {
    let began = Instant::now();
    while log.stats().lag > 0 && began.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(100));
    }
    log.stats().lag
}

/// Reads all administrative acts, as a gateway does when it starts: how many, and how long.
fn acts_ms(log: &AuditLog) -> (u64, f64) {
    let (began, mut acts) = (Instant::now(), 0);
    log.reader().acts(0, usize::MAX, |_| acts += 1).unwrap();
    (acts, began.elapsed().as_secs_f64() * 1e3)
}

fn history_ms(log: &AuditLog, number: u64) -> f64 {
    let began = Instant::now();
    let page = log.reader().subject_history("resident-id", &person(number), None, 100).unwrap();
    let took = began.elapsed().as_secs_f64() * 1e3;
    assert!(page.lag == 0);
    took
}
