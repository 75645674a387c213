//! Half of what it can do, for a while: nothing grows, nothing fails, nothing falls behind.
//!
//! `SOAK_SECONDS` says for how long (default 20); `tests/run soak` takes ten minutes.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::support::client::ask;
use crate::support::load::{PATH, percentile, prepare, press};
use crate::support::{PERSON, TestGateway, until};

const CLIENTS: usize = 16;
/// Lines of the table.
const LOOKS: u32 = 20;

/// What a look at the gateway saw.
struct Seen {
    at: Duration,
    memory: f64,
    descriptors: usize,
    waiting: u64,
    lag: u64,
    records: u64,
}

async fn look(gw: &TestGateway, began: Instant) -> Seen {
    let metrics = gw.ops("/metrics").await.1;
    let gauge = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}: {metrics}")).trim().parse::<u64>().unwrap()
    };
    Seen {
        at: began.elapsed(),
        memory: gw.memory(),
        descriptors: gw.descriptors(),
        waiting: gauge("sluice_audit_queue_records"),
        lag: gauge("sluice_audit_index_lag_records"),
        records: gauge("sluice_audit_log_records"),
    }
}

#[tokio::test]
async fn at_half_load_nothing_grows_fails_or_falls_behind() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(20, |seconds| seconds.parse().unwrap());
    let whole = Duration::from_secs(seconds);
    let mut gw = prepare().await;
    gw.serve().unwrap();
    let desk = gw.system("service.onestop");
    press(&desk, CLIENTS, Duration::from_secs(1)).await;
    let peak = press(&desk, CLIENTS, Duration::from_secs(3)).await.rate();
    let pace = Duration::from_secs_f64(CLIENTS as f64 * 2.0 / peak);

    let began = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut connection = desk.connect().await.unwrap();
        let body = ask("housing-aid.review", &[PERSON], json!(["status"])).to_string();
        asking.spawn(async move {
            let mut ticks = interval(pace);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut times = Vec::new();
            while began.elapsed() < whole {
                ticks.tick().await;
                let sent = Instant::now();
                let answer = connection.send("POST", PATH, &[], Some(body.as_bytes())).await.unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
                times.push(sent.elapsed());
            }
            times
        });
    }
    let mut looks = interval(whole / LOOKS);
    let mut seen = Vec::new();
    for _ in 0..LOOKS {
        looks.tick().await;
        seen.push(look(&gw, began).await);
    }
    let times: Vec<Duration> = asking.join_all().await.into_iter().flatten().collect();
    seen.push(look(&gw, began).await);

    eprintln!("peak {peak:.0}/s; {} answers at half of it, all 200", times.len());
    eprintln!("p50 {:?}, p99 {:?}", percentile(&times, 50), percentile(&times, 99));
    eprintln!(
        "{:>9} {:>11} {:>11} {:>9} {:>11} {:>9}",
        "seconds", "memory MiB", "descriptors", "waiting", "index lag", "records"
    );
    for Seen { at, memory, descriptors, waiting, lag, records } in &seen {
        eprintln!(
            "{:>9.1} {memory:>11.1} {descriptors:>11} {waiting:>9} {lag:>11} {records:>9}",
            at.as_secs_f64()
        );
    }
    // The first half warms up: caches fill, the database's memory reaches its bound.
    let (first, second) = seen.split_at(seen.len() / 2);
    let slope = slope(second);
    eprintln!("memory: {slope:+.3} MiB a minute in the second half");
    let grown = second.last().unwrap().memory - second[0].memory;
    assert!(grown < 12.0, "memory grew by {grown:.1} MiB in the second half");
    let most = |seen: &[Seen]| seen.iter().map(|seen| seen.descriptors).max().unwrap();
    assert!(most(second) <= most(first) + 4, "file descriptors: {} and then {}", most(first), most(second));
    assert!(
        times.len() as f64 > 0.25 * peak * whole.as_secs_f64(),
        "{} answers are less than half load",
        times.len()
    );
    until("the index has caught up", async || (look(&gw, began).await.lag == 0).then_some(())).await;
    let (code, said) = gw.verify();
    assert_eq!(code, 0, "{said}");
}

/// MiB a minute, by least squares.
fn slope(seen: &[Seen]) -> f64 {
    let number = seen.len() as f64;
    let minutes = |seen: &Seen| seen.at.as_secs_f64() / 60.0;
    let (x, y) = (
        seen.iter().map(minutes).sum::<f64>() / number,
        seen.iter().map(|seen| seen.memory).sum::<f64>() / number,
    );
    let (mut above, mut below) = (0.0, 0.0);
    for seen in seen {
        above += (minutes(seen) - x) * (seen.memory - y);
        below += (minutes(seen) - x).powi(2);
    }
    above / below
}
