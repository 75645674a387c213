//! The audit log by itself: appends on an empty log and on a large one, a person's history out of
//! the large one, verification. Run by `benches/compare`; prints one JSON object. A program and not a
//! `cargo bench`, so that it is built with the gateway, from the same libraries.
//!
//! Many tasks append at once, as many queries do, each waiting for its receipt. Nothing is left
//! out: subjects are sealed, the tree grows, checkpoints are signed, the search index follows.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made ends loudly")]

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use ring::rand::SystemRandom;
use serde_json::json;
use sluice::audit::verify::verify;
use sluice::audit::{Draft, Object, SigningKey, SubjectKey, VerifyingKey};
use sluice::base::{Secret, SystemClock};
use sluice::store::audit::{AuditLog, Database, Options};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

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
    let large = Site::new(&args.dir.join("large"));
    let log = large.open();
    let (began, patience) = (Instant::now(), Duration::from_secs(args.patience));
    grow(&runtime, &log, args.records, people, patience / 2);
    let records = log.stats().size;
    let lag = wait_for_index(&log, patience.saturating_sub(began.elapsed()));
    // A search waits for an index that is behind: that wait would be all that is measured.
    let look_ups = if lag == 0 { LOOK_UPS } else { 0 };
    let histories = sorted((0..look_ups).map(|person| history_ms(&log, person)).collect());

    // In turn, so that both see the same machine.
    let rounds: Vec<Round> = (0..ROUNDS)
        .map(|number| {
            let small = Site::new(&args.dir.join(format!("small-{number}")));
            let empty = per_second(&runtime, &small.open(), people, seconds);
            let verified = small.verify_per_second();
            let full = per_second(&runtime, &log, people, seconds);
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

/// Where a log is, and its key.
struct Site {
    dir: PathBuf,
    key: String,
}

impl Site {
    fn new(dir: &Path) -> Self {
        let key = SigningKey::generate("bench/log", &SystemRandom::new()).unwrap();
        Self { dir: dir.into(), key: key.to_secret_text().reveal().clone() }
    }

    fn open(&self) -> AuditLog {
        AuditLog::open(Options {
            data_dir: self.dir.join("data"),
            server: None,
            checkpoint_copy: self.dir.join("checkpoint"),
            signing_key: SigningKey::parse(&self.key).unwrap(),
            previous_key: None,
            subject_key: SubjectKey::new(&Secret::new([7; 32])).unwrap(),
            clock: Arc::new(SystemClock),
            queue: usize::try_from(WAITING).unwrap(),
        })
        .unwrap()
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

fn per_second(runtime: &Runtime, log: &AuditLog, people: u64, seconds: Duration) -> Appended {
    let (began, before) = (Instant::now(), log.stats());
    append(runtime, log, people, move |_| began.elapsed() < seconds);
    let (took, after) = (began.elapsed(), log.stats());
    let records = (after.size - before.size) as f64;
    Appended {
        per_second: records / took.as_secs_f64(),
        batch: records / (after.batches - before.batches) as f64,
    }
}

fn grow(runtime: &Runtime, log: &AuditLog, records: u64, people: u64, patience: Duration) {
    let began = Instant::now();
    append(runtime, log, people, move |index| index + WAITING < records && began.elapsed() < patience);
}

/// Appends from many tasks as long as `more`, which is told the index of the newest record.
fn append(runtime: &Runtime, log: &AuditLog, people: u64, more: impl Fn(u64) -> bool + 'static) {
    let more = Rc::new(more);
    let tasks = LocalSet::new();
    for _ in 0..WAITING {
        let (log, more) = (log.clone(), Rc::clone(&more));
        tasks.spawn_local(async move {
            let mut newest = log.stats().size;
            while more(newest) {
                newest = log.append(query(newest, people)).await.unwrap().index;
            }
        });
    }
    runtime.block_on(tasks);
}

/// A record of a query, about as long as the gateway's own.
fn query(number: u64, people: u64) -> Draft {
    let mut caller = Object::new();
    caller
        .text("certificate", &"5f".repeat(32))
        .text("department", "service")
        .text("system", "service.onestop");
    let field = |name: &str, form: &str, rule: &str| {
        let mut field = Object::new();
        field.text("field", name).text("form", form).text("rule", rule);
        field
    };
    let fields =
        [field("status", "plain", "CS-010"), field("monthly_income", "predicate", "grant:G-2026-0001")];
    let mut draft = Draft::new("query");
    draft
        .members()
        .text("request_id", &format!("{number:032x}"))
        .object("caller", &caller)
        .text("dataset", "civil.subsistence")
        .text("purpose", "housing-aid.review")
        .objects("fields", &fields)
        .text("outcome", "ok");
    draft.subject("resident-id", &person(scattered(number) % people));
    draft
}

fn person(number: u64) -> String {
    format!("110105{number:012}")
}

/// Spreads neighbouring numbers (the finaliser of SplitMix64), so that people come in no order.
fn scattered(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Waits for the search index; gives how many records it has still not seen.
fn wait_for_index(log: &AuditLog, patience: Duration) -> u64 {
    let began = Instant::now();
    while log.stats().lag > 0 && began.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(100));
    }
    log.stats().lag
}

fn history_ms(log: &AuditLog, number: u64) -> f64 {
    let began = Instant::now();
    let page = log.reader().subject_history("resident-id", &person(number), None, 100).unwrap();
    let took = began.elapsed().as_secs_f64() * 1e3;
    assert!(page.lag == 0);
    took
}
