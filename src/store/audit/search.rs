//! The newest records that match, and how many there are: for those who look for something.
//!
//! Invariant: a search looks only where the counts say that there is something, hour by hour from
//! the newest, so its first page takes as long among ten million records as among ten thousand.
//! What only a record itself can say (operator, field, form, rule) is compared with the record,
//! a bounded number of them each time; the answer says how far it got.

use diesel::prelude::*;
use diesel::result::QueryResult;
use serde::Deserialize;

use super::engine::on;
use super::read::{Filter, MAX_PAGE, PATIENCE, ReadError, Reader, StoredRecord, matching, stored};
use super::schema::{entry, key, number, record};
use super::tally::{self, Count, Span};
use crate::base::Timestamp;

/// The most records that one search compares with what only they can say.
pub const MAX_COMPARED: usize = 20_000;

/// Records that are compared at a time.
const STEP: usize = 1000;

/// What only a record itself can say. Of the last three, all that are given must hold of one field.
#[derive(Debug, Clone, Default)]
pub struct Within {
    /// The official on whose behalf a system asked, or the account that acted.
    pub operator: Option<String>,
    /// A field that was asked for.
    pub field: Option<String>,
    /// A form that a field was given in.
    pub form: Option<String>,
    /// The rule or grant that decided about a field.
    pub rule: Option<String>,
}

/// The newest of what was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The records, the newest first.
    pub records: Vec<StoredRecord>,
    /// Give this as `before` to go on; `None` when there is nothing more.
    pub next: Option<u64>,
    /// Did the search stop at its bound before the page was full?
    pub stopped: bool,
    /// Records that the index had not seen when it was asked.
    pub lag: u64,
}

impl Reader {
    /// The newest records that match, `limit` of them (at most 1000), with an index below `before`.
    pub fn newest(
        &self,
        filter: &Filter,
        within: &Within,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Found, ReadError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let (ids, lag) = self.look_up(PATIENCE, |index| {
            let most = if within.is_empty() { limit + 1 } else { MAX_COMPARED + 1 };
            candidates(index, filter, before.map_or(i64::MAX, key), most)
        })?;
        let more = ids.len() > if within.is_empty() { limit } else { MAX_COMPARED };
        let (mut records, mut last) = (Vec::new(), None);
        for ids in ids.get(..ids.len() - usize::from(more)).unwrap_or_default().chunks(STEP) {
            for found in self.these(ids)? {
                if records.len() == limit {
                    return Ok(Found { records, next: last, stopped: false, lag });
                }
                last = Some(found.index);
                if within.matches(&found.leaf) {
                    records.push(found);
                }
            }
        }
        let stopped = more && records.len() < limit;
        Ok(Found { records, next: last.filter(|_| more), stopped, lag })
    }

    /// How many records of each sort there are in the time of `filter`, which it matches otherwise.
    pub fn counts(&self, span: Span, filter: &Filter) -> Result<Vec<Count>, ReadError> {
        Ok(self.look_up(PATIENCE, |index| tally::by_names(index, span, filter))?.0)
    }

    /// How many records match in each hour or day in which any does, the oldest first; each with
    /// its first moment.
    pub fn histogram(&self, span: Span, filter: &Filter) -> Result<Vec<(Timestamp, u64)>, ReadError> {
        let (spans, _) = self.look_up(PATIENCE, |index| tally::by_start(index, span, filter))?;
        Ok(spans.into_iter().rev().map(|(start, records)| (second(start), records)).collect())
    }

    /// The systems that ever called, by department and name, each with the day on which it first did.
    pub fn first_calls(&self) -> Result<Vec<(String, String, Timestamp)>, ReadError> {
        let (days, _) = self.look_up(PATIENCE, tally::first_days)?;
        Ok(days.into_iter().map(|(department, system, start)| (department, system, second(start))).collect())
    }

    /// These records, in their order here.
    fn these(&self, ids: &[i64]) -> Result<Vec<StoredRecord>, ReadError> {
        let rows: Vec<(i64, Vec<u8>)> = on!(&mut *self.log()?, conn => {
            record::table.filter(record::idx.eq_any(ids)).order(record::idx.desc()).load(conn)
        })?;
        rows.into_iter().map(|(index, leaf)| stored(number(index), leaf)).collect()
    }
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_micros(0).plus_seconds(seconds)
}

/// The newest indexes below `before` that match, at most `most`: looked up day by day, and within a
/// day hour by hour, where the counts say that there are any.
fn candidates(
    index: &mut SqliteConnection,
    filter: &Filter,
    before: i64,
    most: usize,
) -> QueryResult<Vec<i64>> {
    let mut filter = filter.clone();
    if let Some(end) = moment_of(index, before)? {
        // The record at `before` is of no interest, but others of its second are.
        let end = end.plus_seconds(1);
        filter.until = Some(filter.until.map_or(end, |until| until.min(end)));
    }
    let mut found = Vec::new();
    for (day, _) in tally::by_start(index, Span::Day, &filter)? {
        let of_day = narrowed(&filter, day, Span::Day);
        for (hour, _) in tally::by_start(index, Span::Hour, &of_day)? {
            let of_hour = narrowed(&of_day, hour, Span::Hour);
            found.extend(within_hour(index, &of_hour, before, most - found.len())?);
            if found.len() >= most {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

fn narrowed(filter: &Filter, start: i64, span: Span) -> Filter {
    let (from, until) = (second(start), second(start).plus_seconds(span.seconds()));
    Filter {
        from: Some(filter.from.map_or(from, |f| f.max(from))),
        until: Some(filter.until.map_or(until, |u| u.min(until))),
        ..filter.clone()
    }
}

fn moment_of(index: &mut SqliteConnection, before: i64) -> QueryResult<Option<Timestamp>> {
    let time: Option<i64> = entry::table.find(before).select(entry::time).first(index).optional()?;
    Ok(time.map(Timestamp::from_micros))
}

/// The records of a short time that match. The time is turned into indexes first, since the log is in
/// the order of time: every other index of the table then yields its rows in the order wanted.
fn within_hour(
    index: &mut SqliteConnection,
    filter: &Filter,
    before: i64,
    most: usize,
) -> QueryResult<Vec<i64>> {
    let first = first_at(index, filter.from)?;
    let end = first_at(index, filter.until)?.min(before);
    let query = entry::table
        .filter(entry::idx.ge(first).and(entry::idx.lt(end)))
        .select(entry::idx)
        .order(entry::idx.desc())
        .into_boxed();
    matching(query, filter).limit(key(most as u64)).load(index)
}

/// The index of the first record that is not before `moment`; past every record when there is none.
fn first_at(index: &mut SqliteConnection, moment: Option<Timestamp>) -> QueryResult<i64> {
    let Some(moment) = moment else { return Ok(i64::MAX) };
    let found: Option<i64> = entry::table
        .filter(entry::time.ge(moment.micros()))
        .order((entry::time, entry::idx))
        .select(entry::idx)
        .first(index)
        .optional()?;
    Ok(found.unwrap_or(i64::MAX))
}

/// The members of a record that a search is compared with.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Compared {
    operator: String,
    caller: ComparedCaller,
    fields: Vec<ComparedField>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ComparedCaller {
    account: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ComparedField {
    field: String,
    form: String,
    rule: String,
}

impl Within {
    /// Does it ask for nothing?
    pub fn is_empty(&self) -> bool {
        [&self.operator, &self.field, &self.form, &self.rule].iter().all(|asked| asked.is_none())
    }

    fn matches(&self, leaf: &str) -> bool {
        if self.is_empty() {
            return true;
        }
        let is = |asked: &Option<String>, said: &str| asked.as_deref().is_none_or(|asked| asked == said);
        let record: Compared = serde_json::from_str(leaf).unwrap_or_default();
        let of_field = |f: &ComparedField| {
            is(&self.field, &f.field) && is(&self.form, &f.form) && is(&self.rule, &f.rule)
        };
        let no_field = self.field.is_none() && self.form.is_none() && self.rule.is_none();
        (is(&self.operator, &record.operator) || is(&self.operator, &record.caller.account))
            && (no_field || record.fields.iter().any(of_field))
    }
}
