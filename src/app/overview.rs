//! How it goes, in numbers: for security officers, who then look closer.
//!
//! Invariant: numbers, names of departments, systems and datasets, and codes; no single event. What
//! is compared with the usual is compared with the same hours of the days before.

use std::collections::BTreeMap;

use super::call::{Call, Known, PersonCaller};
use super::gateway::Gateway;
use super::readiness::Readiness;
use super::records;
use super::search::Bar;
use super::trail::Trail;
use super::world::World;
use crate::base::{Code, Result, Timestamp};
use crate::catalogue::Level;
use crate::policy::Action;
use crate::store::audit::{Count, Filter, ReadError, Reader, Span};

/// Days whose same hours make up the usual.
const USUAL: i64 = 14;
/// Days for which a caller is new.
const NEW: i64 = 7;
/// The most lines of each list.
const LINES: usize = 8;

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// How it goes.
#[derive(Debug)]
pub struct Overview {
    /// Since when it is counted: the beginning of today, in Asia/Shanghai.
    pub since: Timestamp,
    /// Queries today.
    pub queries: Compared,
    /// Those that were refused.
    pub refusals: Compared,
    /// Answers out of datasets that are sensitive or core.
    pub sensitive: Compared,
    /// Requests that failed at a provider or in the gateway.
    pub failures: Compared,
    /// Queries by day, up to and with today.
    pub days: Vec<Bar>,
    /// Refusals by code, today.
    pub reasons: Vec<(String, u64)>,
    /// Sensitive answers today: the department that asked, the dataset, how many.
    pub readers: Vec<(String, String, u64)>,
    /// Departments whose number of queries is far from the usual.
    pub unusual: Vec<(String, Compared)>,
    /// Systems that called for the first time within the last week, with that day.
    pub new_callers: Vec<(String, String, Timestamp)>,
    /// How the log and what is beside it stand.
    pub readiness: Readiness,
}

/// A number of today, and what it usually is at this hour.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Today.
    pub today: u64,
    /// Of those, in the hours that are over: the index counts by the hour, so nothing else compares.
    pub whole: u64,
    /// The median of the same hours of the days before; none when there are fewer than three days, or
    /// no hour of today is over.
    pub usual: Option<u64>,
}

impl Compared {
    /// Is it far from the usual? Thrice as many or a third, and not by a handful.
    pub fn is_unusual(&self) -> bool {
        self.usual.is_some_and(|usual| {
            self.whole.abs_diff(usual) >= 20 && (self.whole >= usual * 3 || self.whole * 3 <= usual)
        })
    }
}

/// What it is at the end of a request, as far as numbers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Given,
    Refused,
    Failed,
}

/// The numbers of today.
///
/// # Errors
/// `forbidden`, `audit-unavailable`.
pub async fn overview(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<Overview> {
    let world = gateway.world();
    let mut trail = Trail::new("overview", call);
    if !call.caller.may(&world.policy, Action::OverviewRead) {
        return Err(gateway.record_failure(&call.caller, trail, Code::Forbidden.into()).await);
    }
    let now = gateway.now();
    let since = Timestamp::start_of(now.day());
    let held = records::read(gateway, move |log| Counted::read(log, since, now)).await?;
    trail.count("found", held.today.iter().map(|count| count.records).sum());
    gateway.record(trail.end(Code::Ok)).await?;
    let readiness = gateway.readiness().await;
    Ok(held.overview(&world, since, now, readiness))
}

/// Four numbers of today, for a page that shows them already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Today {
    /// Queries.
    pub queries: u64,
    /// Those that were refused.
    pub refusals: u64,
    /// Answers out of datasets that are sensitive or core.
    pub sensitive: u64,
    /// Requests that failed at a provider or in the gateway.
    pub failures: u64,
}

/// The numbers of today as they are by now. Opening the page left a record, and its numbers going on
/// while it is open leaves no other: they say less than the page did.
///
/// # Errors
/// `forbidden`, `audit-unavailable`.
pub async fn today(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<Today> {
    let world = gateway.world();
    if !call.caller.may(&world.policy, Action::OverviewRead) {
        let trail = Trail::new("overview", call);
        return Err(gateway.record_failure(&call.caller, trail, Code::Forbidden.into()).await);
    }
    let now = gateway.now();
    let since = Timestamp::start_of(now.day());
    let counts = records::read(gateway, move |log| log.counts(&queries(since, now.plus_seconds(1)))).await?;
    let sum = |is: &dyn Fn(&Count) -> bool| counts.iter().filter(|c| is(c)).map(|c| c.records).sum();
    Ok(Today {
        queries: sum(&|_| true),
        refusals: sum(&|count| ending(&count.outcome) == End::Refused),
        sensitive: sum(&|count| is_sensitive_answer(&world, count)),
        failures: sum(&|count| ending(&count.outcome) == End::Failed),
    })
}

/// Queries between two moments.
fn queries(from: Timestamp, until: Timestamp) -> Filter {
    Filter { from: Some(from), until: Some(until), kind: Some("query".to_owned()), ..Filter::default() }
}

/// What the log's index counts.
struct Counted {
    today: Vec<Count>,
    /// Of today, the hours that are over.
    whole: Vec<Count>,
    /// The same hours of each day before, where there was anything on that day.
    before: Vec<Vec<Count>>,
    days: Vec<(Timestamp, u64)>,
    first_calls: Vec<(String, String, Timestamp)>,
}

impl Counted {
    fn read(log: &Reader, since: Timestamp, now: Timestamp) -> Result<Self, ReadError> {
        let today = log.counts(&queries(since, now.plus_seconds(1)))?;
        let over = hours_over(since, now);
        let whole = if over == since { Vec::new() } else { log.counts(&queries(since, over))? };
        let mut before = Vec::new();
        for day in 1..=if over == since { 0 } else { USUAL } {
            let (from, until) = (since.plus_seconds(-day * DAY), over.plus_seconds(-day * DAY));
            before.push(log.counts(&queries(from, until))?);
        }
        let days =
            log.histogram(Span::Day, &queries(since.plus_seconds(-USUAL * DAY), now.plus_seconds(1)))?;
        // Days before the gateway was asked at all say nothing about what is usual.
        let known = days.first().map_or(0, |(first, _)| (since.seconds() - first.seconds()) / DAY);
        before.truncate(usize::try_from(known).unwrap_or_default());
        Ok(Self { today, whole, before, days, first_calls: log.first_calls()? })
    }

    fn overview(self, world: &World, since: Timestamp, now: Timestamp, readiness: Readiness) -> Overview {
        let ended = |end: End| move |count: &Count| ending(&count.outcome) == end;
        let sensitive = |count: &Count| is_sensitive_answer(world, count);
        let mut departments: Vec<&str> = self.today.iter().map(|count| &*count.department).collect();
        departments.extend(self.before.iter().flatten().map(|count| &*count.department));
        departments.sort_unstable();
        departments.dedup();
        let of = |department: &str| self.compare(|count| *count.department == *department);
        let unusual = departments.iter().map(|department| ((*department).to_owned(), of(department)));
        let week = now.plus_seconds(-NEW * DAY);
        let mut new_callers = self.first_calls.clone();
        new_callers.retain(|(_, _, first)| *first >= week);
        new_callers.sort_by_key(|(_, _, first)| std::cmp::Reverse(*first));
        new_callers.truncate(LINES);
        Overview {
            since,
            queries: self.compare(|_| true),
            refusals: self.compare(ended(End::Refused)),
            sensitive: self.compare(sensitive),
            failures: self.compare(ended(End::Failed)),
            days: days(&self.days, since),
            reasons: most(self.today.iter().filter(|c| ended(End::Refused)(c)), |c| c.outcome.to_string()),
            readers: most(self.today.iter().filter(|c| sensitive(c)), |c| {
                (c.department.to_string(), c.dataset.to_string())
            })
            .into_iter()
            .map(|((department, dataset), records)| (department, dataset, records))
            .collect(),
            unusual: unusual.filter(|(_, compared)| compared.is_unusual()).take(LINES).collect(),
            new_callers,
            readiness,
        }
    }

    fn compare(&self, is: impl Fn(&Count) -> bool) -> Compared {
        let sum = |counts: &[Count]| counts.iter().filter(|c| is(c)).map(|c| c.records).sum::<u64>();
        let mut before: Vec<u64> = self.before.iter().map(|day| sum(day)).collect();
        before.sort_unstable();
        let usual = before.get(before.len() / 2).copied().filter(|_| before.len() >= 3);
        Compared { today: sum(&self.today), whole: sum(&self.whole), usual }
    }
}

/// Until when the hours of today are over.
fn hours_over(since: Timestamp, now: Timestamp) -> Timestamp {
    since.plus_seconds((now.seconds() - since.seconds()).div_euclid(HOUR) * HOUR)
}

/// What a code means for the numbers: who is refused was told no, who failed was told nothing.
fn ending(outcome: &str) -> End {
    match Code::ALL.iter().find(|code| code.as_str() == outcome) {
        Some(Code::Ok) => End::Given,
        Some(code) if code.status() >= 500 => End::Failed,
        _ => End::Refused,
    }
}

fn is_sensitive_answer(world: &World, count: &Count) -> bool {
    let dataset = world.dataset(&count.dataset).filter(|_| ending(&count.outcome) == End::Given);
    dataset.is_some_and(|dataset| dataset.level() >= Level::Sensitive)
}

/// The last days, those without anything too.
fn days(histogram: &[(Timestamp, u64)], since: Timestamp) -> Vec<Bar> {
    let day = |ago: i64| {
        let (from, until) = (since.plus_seconds(-ago * DAY), since.plus_seconds((1 - ago) * DAY));
        let records = histogram.iter().filter(|(start, _)| (from..until).contains(start));
        Bar { from, until, records: records.map(|(_, records)| records).sum() }
    };
    (0..=USUAL).rev().map(day).collect()
}

/// How many there are of each, the most first.
fn most<'a, K: Ord>(counts: impl Iterator<Item = &'a Count>, of: impl Fn(&Count) -> K) -> Vec<(K, u64)> {
    let mut sums: BTreeMap<K, u64> = BTreeMap::new();
    for count in counts {
        *sums.entry(of(count)).or_default() += count.records;
    }
    let mut sums: Vec<(K, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, records)| std::cmp::Reverse(*records));
    sums.truncate(LINES);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(today: u64, before: &[u64]) -> Counted {
        let of = |records: u64| {
            vec![Count {
                kind: "query".into(),
                department: "housing".into(),
                system: "housing.aid".into(),
                dataset: "civil.subsistence".into(),
                purpose: "p".into(),
                outcome: "ok".into(),
                fields: Vec::new(),
                records,
            }]
        };
        let before = before.iter().map(|records| of(*records)).collect();
        Counted { today: of(today), whole: of(today), before, days: Vec::new(), first_calls: Vec::new() }
    }

    #[test]
    fn the_usual_is_the_median_of_the_days_before_and_needs_three() {
        assert_eq!(
            counted(5, &[1, 100, 7]).compare(|_| true),
            Compared { today: 5, whole: 5, usual: Some(7) }
        );
        assert_eq!(counted(5, &[1, 100]).compare(|_| true).usual, None);
    }

    #[test]
    fn thrice_the_usual_or_a_third_is_unusual_and_a_handful_is_not() {
        for (today, usual, expected) in [
            (300, 100, true),
            (299, 100, false),
            (33, 100, true),
            (34, 100, false),
            (9, 1, false),
            (90, 0, true),
        ] {
            let compared = Compared { today, whole: today, usual: Some(usual) };
            assert_eq!(compared.is_unusual(), expected, "{today} of {usual}");
        }
        assert!(!Compared { today: 900, whole: 900, usual: None }.is_unusual());
    }

    #[test]
    fn the_hour_that_runs_is_counted_and_not_compared() {
        let since = Timestamp::from_micros(0);
        for (now, over) in [(0, 0), (3_599, 0), (3_600, 3_600), (9_000, 7_200)] {
            assert_eq!(hours_over(since, since.plus_seconds(now)).seconds(), over, "{now}");
        }
        // A surge of this hour waits for its end; an hour that has just begun is no drop.
        assert!(!Compared { today: 900, whole: 100, usual: Some(100) }.is_unusual());
        assert!(!Compared { today: 105, whole: 100, usual: Some(110) }.is_unusual());
    }

    #[test]
    fn an_outcome_is_given_refused_or_failed() {
        assert_eq!(ending("ok"), End::Given);
        assert_eq!(ending("grant-required"), End::Refused);
        assert_eq!(ending("provider-timeout"), End::Failed);
    }
}
