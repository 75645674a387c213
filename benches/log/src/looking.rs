//! How long the page of a search takes: the newest fifty events, the counts beside each facet, the
//! histogram. All of it but the writing of the HTML.

use std::time::Instant;

use serde_json::{Value, json};
use sluice::app::records::Search;
use sluice::app::search::{Look, find};
use sluice::base::Timestamp;
use sluice::store::audit::Reader;

/// Turns of each search.
const TURNS: usize = 20;

type Narrow = fn(&mut Look);

/// Searches by name; `now` is the end of the year.
const SEARCHES: [(&str, Option<i64>, Narrow); 34] = [
    ("nothing asked", None, |_| {}),
    ("last hour", Some(3600), |_| {}),
    ("last day", Some(86_400), |_| {}),
    ("last 30 days", Some(30 * 86_400), |_| {}),
    ("kind", None, |look| look.search.kind = text("query")),
    ("kind, rare", None, |look| look.search.kind = text("log-created")),
    ("department", None, |look| look.search.department = text("department-0")),
    ("department, rare", None, |look| look.search.department = text("rare")),
    ("system", None, |look| look.search.system = text("system-0")),
    ("system, rare", None, |look| look.search.system = text("rare")),
    ("operator", None, |look| look.operator = text("official-0")),
    ("operator, rare", None, |look| look.operator = text("rare")),
    ("operator, nobody", None, |look| look.operator = text("nobody")),
    ("purpose", None, |look| look.search.purpose = text("purpose-0.review")),
    ("purpose, rare", None, |look| look.search.purpose = text("rare")),
    ("dataset", None, |look| look.search.dataset = text("register.dataset-0")),
    ("dataset, rare", None, |look| look.search.dataset = text("rare")),
    ("field", None, |look| look.field = text("status")),
    ("field, rare", None, |look| look.field = text("rare")),
    ("form", None, |look| look.form = text("plain")),
    ("form, rare", None, |look| look.form = text("full")),
    ("outcome", None, |look| look.search.outcome = text("ok")),
    ("outcome, rare", None, |look| look.search.outcome = text("provider-timeout")),
    ("rule", None, |look| look.rule = text("R-000-0")),
    ("rule, rare", None, |look| look.rule = text("rare")),
    ("operator and field", None, |look| (look.operator, look.field) = (text("official-0"), text("status"))),
    ("department and form", None, |look| {
        look.search.department = text("department-1");
        look.form = text("banded");
    }),
    ("outcome and rule", None, |look| {
        look.search.outcome = text("field-refused");
        look.rule = text("R-000-0");
    }),
    ("field, form and rule", None, |look| {
        (look.field, look.form, look.rule) = (text("status"), text("plain"), text("R-007-0"));
    }),
    ("everything, rare", None, |look| {
        (look.operator, look.field, look.form, look.rule) =
            (text("rare"), text("rare"), text("full"), text("rare"));
        look.search.department = text("rare");
        look.search.outcome = text("provider-timeout");
    }),
    ("what there is not together", None, |look| {
        look.search.department = text("department-0");
        look.search.system = text("system-1");
    }),
    ("operator, last day", Some(86_400), |look| look.operator = text("official-0")),
    ("rule, last 30 days", Some(30 * 86_400), |look| look.rule = text("R-000-0")),
    ("field, deep in the past", None, |look| {
        look.field = text("status");
        look.before = Some(100_000);
    }),
];

fn text(name: &str) -> Option<String> {
    Some(name.to_owned())
}

/// Each search: how many it found, the median and the longest time of its page, in milliseconds.
pub fn measure(log: &Reader, now: Timestamp) -> Vec<Value> {
    let of_one = |(name, seconds, narrow): &(&str, Option<i64>, Narrow)| {
        let mut look = Look { search: Search { limit: Some(50), ..Search::default() }, ..Look::default() };
        look.search.from = seconds.map(|seconds| now.plus_seconds(-seconds));
        narrow(&mut look);
        let mut total = 0;
        let mut times: Vec<f64> = (0..TURNS)
            .map(|_| {
                let began = Instant::now();
                let found = find(log, look.clone(), now, None).unwrap();
                let took = began.elapsed().as_secs_f64() * 1e3;
                assert!(!found.stopped && found.untold == 0 && found.lag == 0);
                total = found.total;
                took
            })
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        json!({ "search": name, "matching": total, "median_ms": times[TURNS / 2], "longest_ms": times[TURNS - 1] })
    };
    SEARCHES.iter().map(of_one).collect()
}
