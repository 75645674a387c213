//! Looking for events: the newest that match, how many there are of what, and when.
//!
//! Invariant: what is counted is what the reader may read; and that somebody looked, and for what,
//! is recorded before anything is shown.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::call::{Call, Caller};
use super::gateway::Gateway;
use super::records::{self, PAGE, Search};
use super::trail::Trail;
use crate::base::{Code, Error, Lang, Result, Timestamp};
use crate::catalogue::reference;
use crate::store::audit::{Count, CountField, Counted, Filter, Found, ReadError, Reader, Span};

/// The most bars of a histogram.
const BARS: i64 = 60;
/// The longest time that is counted by the hour, in seconds.
const BY_HOUR: i64 = 4 * 86_400;
/// The most values of a facet that are shown.
const VALUES: usize = 12;

/// What to look for. All that are given must match.
#[derive(Debug, Default, Clone)]
pub struct Look {
    /// What every search of records has.
    pub search: Search,
    /// The official on whose behalf a system asked, or the account that acted or that somebody could
    /// not sign in to.
    pub operator: Option<String>,
    /// A field that was asked for. Of this and the next two, all that are given must hold of one
    /// field.
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
    /// How many match.
    pub total: u64,
    /// How many may match besides: the index does not tell them apart, and none of the counts has
    /// them.
    pub untold: u64,
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
    /// An account: the one that somebody could not sign in to, or that something was done to.
    pub account: String,
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

    /// Who called: the system, or the account; or the one that somebody could not sign in to.
    pub fn who(&self) -> &str {
        let EventCaller { system, account, .. } = &self.caller;
        [system, account, &self.account].into_iter().find(|name| !name.is_empty()).map_or("", |name| name)
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
        look.check(gateway.now())?;
        let (search, own) = records::permit(gateway, &call.caller, look.search.clone())?;
        Ok((Look { search, ..look }, own))
    });
    let (look, own) = match permitted {
        Ok(permitted) => permitted,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    look.note(&mut trail);
    let now = gateway.now();
    let known = own.clone();
    let found = records::read(gateway, move |log| find(log, look, now, known.as_deref())).await?;
    trail.count("found", found.events.len() as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    Ok(Events { department: own, ..found })
}

/// Looks in the log, whoever asks: who may see what was found is decided before. `own` is the
/// department of somebody who may see only what that asked or was asked. Blocks.
///
/// # Errors
/// When the log or its index cannot be read.
pub fn find(log: &Reader, look: Look, now: Timestamp, own: Option<&str>) -> Result<Events, ReadError> {
    let Look { search, operator, field, form, rule, before } = look;
    let limit = search.limit.unwrap_or(PAGE);
    let filter = Filter { operator, field, form, rule, ..search.filter() };
    let span = span(&filter, now);
    let (found, counted) = log.look(span, &filter, before, limit)?;
    let Found { records, next, stopped, lag } = found;
    Ok(Events {
        events: records.iter().map(|record| EventLine::of(&record.leaf)).collect(),
        next,
        stopped,
        lag,
        total: counted.histogram.iter().map(|(_, records)| records).sum(),
        untold: counted.untold,
        bars: bars(&counted.histogram, span, &filter, now),
        facets: facets(&counted, &filter, own),
        department: None,
    })
}

impl Look {
    /// No record's operator or rule is a person's number, so nobody is searched for by one.
    fn check(&self, now: Timestamp) -> Result<()> {
        for (pointer, text) in [("/operator", &self.operator), ("/rule", &self.rule)] {
            if text.as_deref().is_some_and(|text| reference::names_somebody(text, now.day())) {
                return Err(Error::at(Code::InvalidRequest, pointer, Code::NotAllowedValue));
            }
        }
        Ok(())
    }

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

/// A facet that a sort of records has one value of.
type Name = (&'static str, fn(&Count) -> &str, fn(&Filter) -> Option<&str>);

const NAMES: [Name; 6] = [
    ("kind", |count| &count.kind, |asked| asked.kind.as_deref()),
    ("department", |count| &count.department, |asked| asked.department.as_deref()),
    ("system", |count| &count.system, |asked| asked.system.as_deref()),
    ("dataset", |count| &count.dataset, |asked| asked.datasets.first().map(String::as_str)),
    ("purpose", |count| &count.purpose, |asked| asked.purpose.as_deref()),
    ("outcome", |count| &count.outcome, |asked| asked.outcome.as_deref()),
];

/// A facet that each of its fields has one value of.
type FieldName = (&'static str, fn(&CountField) -> &str, fn(&Filter) -> Option<&str>);

const FIELDS: [FieldName; 3] = [
    ("field", |field| &field.field, |asked| asked.field.as_deref()),
    ("form", |field| &field.form, |asked| asked.form.as_deref()),
    ("rule", |field| &field.rule, |asked| asked.rule.as_deref()),
];

/// Each facet, narrowed by all the others and not by itself.
fn facets(counted: &Counted, asked: &Filter, own: Option<&str>) -> Vec<Facet> {
    // An officer's own department is not a choice, or else the dataset of its own: nothing else may be
    // counted. Which of the two, `records::permit` has said.
    let fixed =
        own.map(|own| if asked.department.as_deref() == Some(own) { "department" } else { "dataset" });
    let by_names = |count: &Count, except: Option<&str>| {
        NAMES.iter().all(|(name, of, chosen)| {
            (Some(*name) == except && Some(*name) != fixed)
                || chosen(asked).is_none_or(|chosen| of(count) == chosen)
        })
    };
    let by_field = |field: &CountField, except: Option<&str>| {
        FIELDS.iter().all(|(name, of, chosen)| {
            Some(*name) == except || chosen(asked).is_none_or(|chosen| of(field) == chosen)
        })
    };
    let no_field = FIELDS.iter().all(|(_, _, chosen)| chosen(asked).is_none());
    let of_names = NAMES.iter().map(|(name, of, chosen)| {
        let mut sums: HashMap<&str, u64> = HashMap::new();
        let fits = |count: &&Count| {
            by_names(count, Some(name))
                && (no_field || count.fields.iter().any(|field| by_field(field, None)))
        };
        for count in counted.sorts.iter().filter(fits) {
            *sums.entry(of(count)).or_default() += count.records;
        }
        facet(name, chosen(asked), sums)
    });
    let of_fields = FIELDS.iter().map(|(name, of, chosen)| {
        let mut sums: HashMap<&str, u64> = HashMap::new();
        for count in counted.sorts.iter().filter(|count| by_names(count, None)) {
            // A record counts once for each value, whatever many of its fields have it.
            let fits = count.fields.iter().filter(|field| by_field(field, Some(name)));
            let mut values: Vec<&str> = fits.map(of).collect();
            values.sort_unstable();
            values.dedup();
            for value in values {
                *sums.entry(value).or_default() += count.records;
            }
        }
        facet(name, chosen(asked), sums)
    });
    let operators = counted.operators.iter().map(|(name, records)| (&**name, *records)).collect();
    let operator = facet("operator", asked.operator.as_deref(), operators);
    of_names.chain([operator]).chain(of_fields).collect()
}

/// The most frequent values.
fn facet(name: &'static str, chosen: Option<&str>, mut sums: HashMap<&str, u64>) -> Facet {
    sums.remove("");
    let mut values: Vec<(&str, u64)> = sums.into_iter().collect();
    let by_frequency = |(a, x): &(&str, u64), (b, y): &(&str, u64)| y.cmp(x).then_with(|| a.cmp(b));
    if values.len() > VALUES {
        values.select_nth_unstable_by(VALUES, by_frequency);
        values.truncate(VALUES);
    }
    values.sort_unstable_by(by_frequency);
    let values = values.into_iter().map(|(value, records)| (value.to_owned(), records)).collect();
    Facet { name, chosen: chosen.map(str::to_owned), values }
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
            system: format!("{department}.s").into(),
            dataset: dataset.into(),
            purpose: "p".into(),
            outcome: outcome.into(),
            fields: Vec::new(),
            records,
        }
    }

    /// What is counted of these sorts, and is shown of that facet.
    fn shown(sorts: &[Count], asked: &Filter, own: Option<&str>, name: &str) -> Vec<(String, u64)> {
        let counted =
            Counted { sorts: sorts.to_vec(), operators: Vec::new(), histogram: Vec::new(), untold: 0 };
        let found = facets(&counted, asked, own);
        found.into_iter().find(|facet| facet.name == name).unwrap().values
    }

    #[test]
    fn a_facet_is_narrowed_by_the_others_and_not_by_itself() {
        let counts =
            [count("housing", "a", "ok", 5), count("housing", "b", "ok", 2), count("medical", "a", "no", 9)];
        let filter = Filter { datasets: vec!["a".into()], ..Filter::default() };
        let shown = |name| shown(&counts, &filter, None, name);
        assert_eq!(shown("dataset"), [("a".to_owned(), 14), ("b".to_owned(), 2)]);
        assert_eq!(shown("department"), [("medical".to_owned(), 9), ("housing".to_owned(), 5)]);
        assert_eq!(shown("outcome"), [("no".to_owned(), 9), ("ok".to_owned(), 5)]);
    }

    #[test]
    fn what_is_asked_of_a_field_must_hold_of_one_and_each_record_counts_once() {
        let field = |field: &str, form: &str, rule: &str| CountField {
            field: field.into(),
            form: form.into(),
            rule: rule.into(),
        };
        let both = [field("status", "plain", "r-1"), field("income", "predicate", "r-1")];
        let counts = [
            Count { fields: both.to_vec(), ..count("housing", "a", "ok", 5) },
            Count { fields: vec![field("income", "", "r-2")], ..count("medical", "a", "no", 3) },
        ];
        let asked = Filter { field: Some("income".into()), form: Some("plain".into()), ..Filter::default() };
        assert_eq!(shown(&counts, &asked, None, "outcome"), [], "income was never given plain");
        assert_eq!(shown(&counts, &asked, None, "form"), [("predicate".to_owned(), 5)], "refused is no form");
        let any = Filter::default();
        assert_eq!(shown(&counts, &any, None, "rule"), [("r-1".to_owned(), 5), ("r-2".to_owned(), 3)]);
        assert_eq!(shown(&counts, &any, None, "field"), [("income".to_owned(), 8), ("status".to_owned(), 5)]);
    }

    #[test]
    fn an_officer_counts_nothing_of_other_departments() {
        let counts = [count("housing", "a", "ok", 5), count("medical", "b", "no", 9)];
        let asked = Filter { department: Some("housing".into()), ..Filter::default() };
        assert_eq!(shown(&counts, &asked, Some("housing"), "department"), [("housing".to_owned(), 5)]);
        assert_eq!(shown(&counts, &asked, Some("housing"), "outcome"), [("ok".to_owned(), 5)]);
        let was_asked = Filter { datasets: vec!["b".into()], ..Filter::default() };
        let by_medical = Filter { department: Some("medical".into()), ..was_asked.clone() };
        let counts = [&counts[..], &[count("medical", "a", "no", 7)]].concat();
        for asked in [was_asked, by_medical] {
            assert_eq!(shown(&counts, &asked, Some("welfare"), "dataset"), [("b".to_owned(), 9)]);
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
