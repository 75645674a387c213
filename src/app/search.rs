//! Looking for events: the newest that match, how many there are of what, and when.
//!
//! Invariant: what is counted is what the reader may read; and that somebody looked, and for what,
//! is recorded before anything is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::call::{Call, Caller};
use super::gateway::Gateway;
use super::records::{self, PAGE, Search};
use super::trail::Trail;
use crate::base::{Code, Lang, Result, Timestamp};
use crate::store::audit::{Count, Filter, Found, Span, Within};

/// The most bars of a histogram.
const BARS: i64 = 60;
/// The longest time that is counted by the hour, in seconds.
const BY_HOUR: i64 = 4 * 86_400;
/// The most values of a facet that are shown.
const VALUES: usize = 12;

/// What to look for. All that are given must match.
#[derive(Debug, Default, Clone)]
pub struct Look {
    /// By what every record is filed.
    pub search: Search,
    /// By what only the record itself says.
    pub operator: Option<String>,
    /// A field that was asked for.
    pub field: Option<String>,
    /// A form that a field was given in.
    pub form: Option<String>,
    /// The rule or grant that decided.
    pub rule: Option<String>,
    /// Only records with an index below this one: the `next` of the page before.
    pub before: Option<u64>,
}

/// What was found.
#[derive(Debug)]
pub struct Events {
    /// The newest, the newest first.
    pub events: Vec<EventLine>,
    /// Where to go on, if there is more.
    pub next: Option<u64>,
    /// The search stopped at its bound before the page was full: there may be more further back.
    pub stopped: bool,
    /// Records that the index had not seen.
    pub lag: u64,
    /// How many match by what every record is filed by.
    pub total: u64,
    /// When they were.
    pub bars: Vec<Bar>,
    /// How many there are of what, but for what each facet itself was narrowed to.
    pub facets: Vec<Facet>,
    /// The department to whose records it was narrowed.
    pub department: Option<String>,
}

/// One bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment behind it.
    pub until: Timestamp,
    /// How many records.
    pub records: u64,
}

/// A facet: what there is of it, the most frequent first.
#[derive(Debug, PartialEq, Eq)]
pub struct Facet {
    /// Its name among the parameters.
    pub name: &'static str,
    /// What it is narrowed to.
    pub chosen: Option<String>,
    /// Its values.
    pub values: Vec<(String, u64)>,
}

/// One event in a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EventLine {
    /// The index of its record.
    pub index: u64,
    /// When, UTC.
    pub time: String,
    /// What it was.
    pub kind: String,
    /// The id of the request.
    pub request_id: String,
    /// Who called.
    pub caller: EventCaller,
    /// The official on whose behalf a system asked.
    pub operator: String,
    /// The business case.
    pub case: String,
    /// The dataset.
    pub dataset: String,
    /// The purpose.
    pub purpose: String,
    /// The code that the caller saw.
    pub outcome: String,
    /// What was decided, field by field.
    pub fields: Vec<EventField>,
    /// The version of the catalogue.
    pub catalogue_version: Option<u64>,
    /// The version of the policies.
    pub policy_version: Option<u64>,
    /// How long it took, in microseconds.
    pub duration_us: Option<u64>,
    /// An administrative act.
    pub action: String,
    /// What that was done to.
    pub object: String,
}

/// Who called.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EventCaller {
    /// The department.
    pub department: String,
    /// The system, where one called.
    pub system: String,
    /// The account, where a person did.
    pub account: String,
}

/// One field of a query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EventField {
    /// The field.
    pub field: String,
    /// The form that it was given in.
    pub form: String,
    /// The rule or grant that decided.
    pub rule: String,
    /// Why it was not given.
    pub code: String,
}

impl EventLine {
    /// Reads it out of a leaf; what cannot be read is empty.
    pub fn of(leaf: &str) -> Self {
        serde_json::from_str(leaf).unwrap_or_default()
    }

    /// What its outcome means.
    pub fn meaning(&self, lang: Lang) -> String {
        let known = Code::ALL.iter().find(|code| code.as_str() == self.outcome);
        known.map(|code| code.title(lang).to_owned()).unwrap_or_default()
    }
}

/// Looks for events: auditors in the whole log, officers in what their department asked or was asked.
///
/// # Errors
/// `forbidden`, `invalid-request`, `audit-unavailable`.
pub async fn events(gateway: &Gateway, call: &Call<Caller>, look: Result<Look>) -> Result<Events> {
    let mut trail = Trail::new("audit-search", call);
    let permitted = look.and_then(|look| {
        let (search, own) = records::permit(gateway, &call.caller, look.search.clone())?;
        Ok((Look { search, ..look }, own))
    });
    let (look, own) = match permitted {
        Ok(permitted) => permitted,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    look.note(&mut trail);
    let now = gateway.now();
    let Look { search, operator, field, form, rule, before } = look;
    let within = Within { operator, field, form, rule };
    let limit = search.limit.unwrap_or(PAGE);
    let filter = search.filter();
    let asked = filter.clone();
    let (found, counts, histogram, span) = records::read(gateway, move |log| {
        let span = span(&filter, now);
        let found = log.newest(&filter, &within, before, limit)?;
        // Everything in that time: each facet is narrowed by the others, not by itself.
        let time = Filter { from: filter.from, until: filter.until, ..Filter::default() };
        Ok((found, log.counts(span, &time)?, log.histogram(span, &filter)?, span))
    })
    .await?;
    trail.count("found", found.records.len() as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    let Found { records, next, stopped, lag } = found;
    Ok(Events {
        events: records.iter().map(|record| EventLine::of(&record.leaf)).collect(),
        next,
        stopped,
        lag,
        total: histogram.iter().map(|(_, records)| records).sum(),
        bars: bars(&histogram, span, &asked, now),
        facets: facets(&counts, &asked, own.as_deref()),
        department: own,
    })
}

impl Look {
    fn note(&self, trail: &mut Trail) {
        self.search.note(trail);
        for (name, value) in [("for_field", &self.field), ("for_form", &self.form)] {
            if let Some(value) = value.as_deref().filter(|value| records::is_name(value)) {
                trail.note(name, value);
            }
        }
        // What was typed there may be anything, a person's number too.
        for (name, value) in [("for_operator", &self.operator), ("for_rule", &self.rule)] {
            if value.is_some() {
                trail.note(name, "given");
            }
        }
    }
}

/// Short times are counted by the hour, others by the day.
fn span(filter: &Filter, now: Timestamp) -> Span {
    let end = filter.until.unwrap_or(now);
    match filter.from {
        Some(from) if end.seconds() - from.seconds() <= BY_HOUR => Span::Hour,
        _ => Span::Day,
    }
}

/// Fills the time between with empty spans, and puts so many together that there are no more than
/// [`BARS`].
fn bars(histogram: &[(Timestamp, u64)], span: Span, filter: &Filter, now: Timestamp) -> Vec<Bar> {
    let Some((oldest, _)) = histogram.first() else { return Vec::new() };
    let newest = histogram.last().map_or(*oldest, |(start, _)| *start);
    let first = span.start(filter.from.unwrap_or(*oldest));
    let end = filter.until.unwrap_or(now).seconds().max(newest.seconds() + 1);
    let spans = (end - first + span.seconds() - 1).div_euclid(span.seconds()).max(1);
    let width = (spans + BARS - 1).div_euclid(BARS) * span.seconds();
    let zero = Timestamp::from_micros(0);
    (0..(spans * span.seconds() + width - 1).div_euclid(width))
        .map(|n| (zero.plus_seconds(first + n * width), zero.plus_seconds(first + (n + 1) * width)))
        .map(|(from, until)| {
            let within = histogram.iter().filter(|(start, _)| (from..until).contains(start));
            Bar { from, until, records: within.map(|(_, records)| records).sum() }
        })
        .collect()
}

type Name = (&'static str, fn(&Count) -> &str);

const FACETS: [Name; 6] = [
    ("kind", |count| &count.kind),
    ("department", |count| &count.department),
    ("system", |count| &count.system),
    ("dataset", |count| &count.dataset),
    ("purpose", |count| &count.purpose),
    ("outcome", |count| &count.outcome),
];

fn facets(counts: &[Count], filter: &Filter, own: Option<&str>) -> Vec<Facet> {
    let chosen = [
        filter.kind.as_deref(),
        filter.department.as_deref(),
        filter.system.as_deref(),
        filter.datasets.first().map(String::as_str),
        filter.purpose.as_deref(),
        filter.outcome.as_deref(),
    ];
    // An officer's own department is not a choice, or else the dataset of its own: nothing else may be
    // counted. Which of the two, `records::permit` has said.
    let fixed = own.map(|own| if filter.department.as_deref() == Some(own) { 1 } else { 3 });
    let narrowed = |count: &Count, except: usize| {
        FACETS.iter().zip(chosen).enumerate().all(|(at, ((_, of), chosen))| {
            (at == except && fixed != Some(at)) || chosen.is_none_or(|chosen| of(count) == chosen)
        })
    };
    let facet = |(at, ((name, of), chosen)): (usize, (&Name, Option<&str>))| {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for count in counts.iter().filter(|count| narrowed(count, at) && !of(count).is_empty()) {
            *sums.entry(of(count)).or_default() += count.records;
        }
        let mut values: Vec<(String, u64)> = sums.into_iter().map(|(v, n)| (v.to_owned(), n)).collect();
        values.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        values.truncate(VALUES);
        Facet { name, chosen: chosen.map(str::to_owned), values }
    };
    FACETS.iter().zip(chosen).enumerate().map(facet).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

    fn count(department: &str, dataset: &str, outcome: &str, records: u64) -> Count {
        Count {
            kind: "query".into(),
            department: department.into(),
            system: format!("{department}.s"),
            dataset: dataset.into(),
            purpose: "p".into(),
            outcome: outcome.into(),
            records,
        }
    }

    #[test]
    fn a_facet_is_narrowed_by_the_others_and_not_by_itself() {
        let counts =
            [count("housing", "a", "ok", 5), count("housing", "b", "ok", 2), count("medical", "a", "no", 9)];
        let filter = Filter { datasets: vec!["a".into()], ..Filter::default() };
        let found = facets(&counts, &filter, None);
        assert_eq!(found[3].values, [("a".to_owned(), 14), ("b".to_owned(), 2)]);
        assert_eq!(found[1].values, [("medical".to_owned(), 9), ("housing".to_owned(), 5)]);
        assert_eq!(found[5].values, [("no".to_owned(), 9), ("ok".to_owned(), 5)]);
    }

    #[test]
    fn an_officer_counts_nothing_of_other_departments() {
        let counts = [count("housing", "a", "ok", 5), count("medical", "b", "no", 9)];
        let asked = Filter { department: Some("housing".into()), ..Filter::default() };
        let found = facets(&counts, &asked, Some("housing"));
        assert_eq!(found[1].values, [("housing".to_owned(), 5)]);
        assert_eq!(found[5].values, [("ok".to_owned(), 5)]);
        let was_asked = Filter { datasets: vec!["b".into()], ..Filter::default() };
        let by_medical = Filter { department: Some("medical".into()), ..was_asked.clone() };
        let counts = [&counts[..], &[count("medical", "a", "no", 7)]].concat();
        for filter in [was_asked, by_medical] {
            let found = facets(&counts, &filter, Some("welfare"));
            assert_eq!(found[3].values, [("b".to_owned(), 9)]);
        }
    }

    #[test]
    fn bars_fill_the_time_and_are_no_more_than_sixty() {
        let day = 86_400;
        let start = Timestamp::from_micros(0).plus_seconds(Span::Day.start(NOON));
        let filter = Filter { from: Some(start.plus_seconds(-9 * day)), ..Filter::default() };
        let drawn = bars(&[(start.plus_seconds(-2 * day), 3), (start, 4)], Span::Day, &filter, NOON);
        assert_eq!(drawn.iter().map(|bar| bar.records).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 0, 0, 3, 0, 4]);
        let long =
            bars(&[(start.plus_seconds(-400 * day), 1), (start, 1)], Span::Day, &Filter::default(), NOON);
        assert!(long.len() <= 60, "{}", long.len());
        assert_eq!(long.iter().map(|bar| bar.records).sum::<u64>(), 2);
    }
}
