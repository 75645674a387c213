//! What came of it, in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// Ticks of a second in `/proc/self/stat`: the same on every Linux that this runs on.
const TICKS: f64 = 100.0;

/// The answers of one connection, or of all.
#[derive(Debug, Default)]
pub struct Tally {
    /// Microseconds of each good answer.
    took: Vec<u32>,
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<String, u64>,
    bytes: u64,
    /// All answers, those before and after the measured time too.
    all: u64,
}

impl Tally {
    /// An answer came, in the measured time or not.
    pub fn came(&mut self) {
        self.all += 1;
    }

    /// An answer came in the measured time.
    pub fn answered(&mut self, status: u16, bytes: usize, took: Duration) {
        *self.statuses.entry(status).or_default() += 1;
        self.bytes += bytes as u64;
        // A refusal that is fast must not make the answers look fast.
        if status == 200 {
            self.took.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }

    /// No answer came.
    pub fn failed(&mut self, why: String) {
        *self.failures.entry(why).or_default() += 1;
    }

    /// Adds another's answers.
    pub fn add(&mut self, other: Tally) {
        self.took.extend(other.took);
        self.bytes += other.bytes;
        self.all += other.all;
        other
            .statuses
            .into_iter()
            .for_each(|(status, count)| *self.statuses.entry(status).or_default() += count);
        other.failures.into_iter().for_each(|(why, count)| *self.failures.entry(why).or_default() += count);
    }

    /// The result as JSON. `own_cpu` is the processor time, in seconds, that the generator took.
    pub fn result(mut self, over: Duration, own_cpu: f64) -> Value {
        self.took.sort_unstable();
        let seconds = over.as_secs_f64();
        let good = self.took.len();
        let ms = |share: f64| {
            let at = ((good as f64 * share).ceil() as usize).saturating_sub(1);
            self.took.get(at).map(|micros| f64::from(*micros) / 1e3)
        };
        let statuses: BTreeMap<String, u64> =
            self.statuses.iter().map(|(s, count)| (s.to_string(), *count)).collect();
        json!({
            "rps": good as f64 / seconds,
            "p50_ms": ms(0.5),
            "p90_ms": ms(0.9),
            "p99_ms": ms(0.99),
            "max_ms": ms(1.0),
            "statuses": statuses,
            "failures": self.failures,
            "bytes": self.bytes,
            "all_answers": self.all,
            "seconds": seconds,
            "own_cpu_seconds": own_cpu,
        })
    }
}

/// Processor time of this process so far, in seconds.
pub fn cpu_seconds() -> Result<f64, String> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|e| e.to_string())?;
    // The name of the program stands in brackets and may hold anything; fields 14 and 15 are ours.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
    if ticks.len() == 2 { Ok(ticks.iter().sum::<f64>() / TICKS) } else { Err("/proc/self/stat".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_counts_good_answers_alone_as_throughput() {
        let mut tally = Tally::default();
        (1..=100).for_each(|ms| tally.answered(200, 10, Duration::from_millis(ms)));
        tally.answered(503, 10, Duration::from_millis(1));
        let result = tally.result(Duration::from_secs(2), 0.5);
        assert_eq!(
            (&result["rps"], &result["p50_ms"], &result["p99_ms"]),
            (&json!(50.0), &json!(50.0), &json!(99.0))
        );
        assert_eq!(result["statuses"], json!({"200": 100, "503": 1}));
    }
}
