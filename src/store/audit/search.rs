//! The newest records that match, and how many there are of what: for those who look for something.
//!
//! Invariant: a search looks at three numbers of each record in the time that was asked for, and at
//! the records themselves only where they are shown, or where the index does not tell them apart:
//! those are compared, a bounded number of them each time, and the answer says how far it got.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::block::{ids, part};
use super::engine::on;
use super::filing::Indexed;
use super::read::{Filter, MAX_PAGE, PATIENCE, Page, ReadError, Reader, Searched, StoredRecord, stored};
use super::schema::{key, number, record};
use super::sorts::{Count, Known, Says, Wanted};
use super::tally::{Held, Span, Tally, window};
use crate::audit::facets::Facets;
use crate::base::Timestamp;

/// The most records that one search compares because the index does not tell them apart.
pub const MAX_COMPARED: usize = 20_000;

/// Records that are read at a time.
const STEP: usize = 1000;

/// Blocks that are looked into at a time for a page.
const BLOCKS: usize = 16;

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

/// How many there are of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Of each sort, the records of that time and of the operator that was asked for, if one was.
    pub sorts: Vec<Count>,
    /// Of each operator and account, the records that match in all else.
    pub operators: Vec<(Arc<str>, u64)>,
    /// The records that match in each hour or day in which any does, the oldest first; each with
    /// its first moment.
    pub histogram: Vec<(Timestamp, u64)>,
    /// Records that may match, and that the index does not tell apart: none of the counts has them.
    pub untold: u64,
}

impl Reader {
    /// The newest records that match, `limit` of them (at most 1000), with an index below `before`.
    pub fn newest(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Result<Found, ReadError> {
        let (limit, end) = (limit.clamp(1, MAX_PAGE), before.map_or(i64::MAX, key));
        let searched = self.search(filter, |index, wanted| {
            let numbers: Vec<i64> = window(index, filter, 0..end)?.rev().collect();
            Candidates::of(index, filter, wanted, &numbers, Way::Back(end), limit)
        })?;
        self.found(&searched.found, filter, limit, searched.lag)
    }

    /// The same, with how many there are of what in all of the filter's time.
    pub fn look(
        &self,
        span: Span,
        filter: &Filter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Found, Counted), ReadError> {
        let (limit, end) = (limit.clamp(1, MAX_PAGE), before.map_or(i64::MAX, key));
        let Searched { found: (tally, candidates), lag, by } = self.search(filter, |index, wanted| {
            let mut tally = Tally::of(index, wanted, filter, span)?;
            tally.holding.reverse();
            let candidates = Candidates::of(index, filter, wanted, &tally.holding, Way::Back(end), limit)?;
            Ok((tally, candidates))
        })?;
        Ok((self.found(&candidates, filter, limit, lag)?, in_words(&tally, &by)?))
    }

    /// How many records of each sort match.
    pub fn counts(&self, filter: &Filter) -> Result<Vec<Count>, ReadError> {
        let searched = self.search(filter, |index, wanted| {
            let mut tally = Tally::of(index, wanted, filter, Span::Day)?;
            for (sort, records) in (0..).zip(&mut tally.sorts) {
                *records *= u64::from(wanted.sort(sort) == Says::Yes);
            }
            Ok(tally)
        })?;
        Ok(in_words(&searched.found, &searched.by)?.sorts)
    }

    /// How many records match in each hour or day in which any does, the oldest first; each with
    /// its first moment.
    pub fn histogram(&self, span: Span, filter: &Filter) -> Result<Vec<(Timestamp, u64)>, ReadError> {
        let searched = self.search(filter, |index, wanted| Tally::of(index, wanted, filter, span))?;
        Ok(by_moment(&searched.found))
    }

    /// The systems that ever called, by department and name, each with the time of its first record.
    pub fn first_calls(&self) -> Result<Vec<(String, String, Timestamp)>, ReadError> {
        let searched = self.look_up(PATIENCE, |_| Ok(()))?;
        let first = searched.by.known(Known::first_calls).into_iter();
        let moment = Timestamp::from_micros;
        Ok(first
            .map(|((department, system), at)| (department.to_string(), system.to_string(), moment(at)))
            .collect())
    }

    /// Records that match, `limit` of them (at most 1000), with an index greater than `after`.
    pub fn records(&self, filter: &Filter, after: Option<u64>, limit: usize) -> Result<Page, ReadError> {
        let (limit, start) =
            (limit.clamp(1, MAX_PAGE), after.map_or(0, |after| key(after).saturating_add(1)));
        let searched = self.search(filter, |index, wanted| {
            let numbers: Vec<i64> = window(index, filter, start..i64::MAX)?.collect();
            Candidates::of(index, filter, wanted, &numbers, Way::On(start), limit)
        })?;
        let Found { records, next, lag, .. } = self.found(&searched.found, filter, limit, searched.lag)?;
        Ok(Page { records, next, lag })
    }

    /// Reads the candidates, in their order, and leaves out those that do not match.
    fn found(
        &self,
        candidates: &Candidates,
        filter: &Filter,
        limit: usize,
        lag: u64,
    ) -> Result<Found, ReadError> {
        let (mut records, mut last) = (Vec::new(), None);
        for some in candidates.found.chunks(STEP) {
            let mut rows = self.these(some)?;
            for (index, says) in some {
                // One that the log has no record of is the verifier's affair.
                let Some(leaf) = rows.remove(index) else { continue };
                let found = stored(number(*index), leaf)?;
                if *says == Says::Maybe && !filter.matches(&Facets::of(found.leaf.as_bytes())) {
                    last = Some(found.index);
                    continue;
                }
                if records.len() == limit {
                    return Ok(Found { records, next: last, stopped: false, lag });
                }
                last = Some(found.index);
                records.push(found);
            }
        }
        let stopped = candidates.more && records.len() < limit;
        Ok(Found { records, next: last.filter(|_| candidates.more), stopped, lag })
    }

    fn these(
        &self,
        candidates: &[(i64, Says)],
    ) -> Result<std::collections::HashMap<i64, Vec<u8>>, ReadError> {
        let ids: Vec<i64> = candidates.iter().map(|(index, _)| *index).collect();
        let rows: Vec<(i64, Vec<u8>)> = on!(&mut *self.log()?, conn => {
            record::table.filter(record::idx.eq_any(ids)).load(conn)
        })?;
        Ok(rows.into_iter().collect())
    }
}

fn in_words(tally: &Tally, by: &Indexed) -> Result<Counted, ReadError> {
    let words = |known: &Known| {
        // It knows all that was counted, unless it is being read anew.
        let knows = known.sorts() >= tally.sorts.len();
        knows.then(|| (known.counts(&tally.sorts), known.actors(&tally.actors)))
    };
    let (sorts, operators) = by.known(words).ok_or(ReadError::Behind)?;
    Ok(Counted { sorts, operators, histogram: by_moment(tally), untold: tally.untold })
}

fn by_moment(tally: &Tally) -> Vec<(Timestamp, u64)> {
    let zero = Timestamp::from_micros(0);
    tally.spans.iter().map(|(start, records)| (zero.plus_seconds(*start), *records)).collect()
}

/// Which way a search goes through the log.
#[derive(Clone, Copy)]
enum Way {
    /// From before this index back.
    Back(i64),
    /// From this index on.
    On(i64),
}

/// Records that match or may match, in the order in which they were looked for.
struct Candidates {
    found: Vec<(i64, Says)>,
    /// There may be more.
    more: bool,
}

impl Candidates {
    /// Looks through those blocks until there are enough for a page and one more.
    fn of(
        index: &mut SqliteConnection,
        filter: &Filter,
        wanted: &Wanted,
        numbers: &[i64],
        way: Way,
        limit: usize,
    ) -> QueryResult<Self> {
        let range = match way {
            Way::Back(end) => 0..end,
            Way::On(start) => start..i64::MAX,
        };
        let (mut found, mut sure, mut unsure) = (Vec::new(), 0, 0);
        for some in numbers.chunks(BLOCKS) {
            for held in Held::read(index, some, matches!(way, Way::On(_)))? {
                let piece = held.within(index, filter, range.clone(), None)?;
                let start = held.start().saturating_add_unsigned(piece.range.start as u64);
                let both = ids(part(&held.sorts, &piece.range)).zip(ids(part(&held.actors, &piece.range)));
                let told =
                    (start..).zip(both.map(|(sort, actor)| wanted.sort(sort).and(wanted.actor(actor))));
                let mut told: Vec<(i64, Says)> = told.filter(|(_, says)| *says != Says::No).collect();
                if matches!(way, Way::Back(_)) {
                    told.reverse();
                }
                for (index, says) in told {
                    if sure > limit || unsure == MAX_COMPARED {
                        return Ok(Self { found, more: true });
                    }
                    *(if says == Says::Yes { &mut sure } else { &mut unsure }) += 1;
                    found.push((index, says));
                }
            }
        }
        Ok(Self { found, more: false })
    }
}

impl Filter {
    /// Does a record match, in all but its time?
    fn matches(&self, of: &Facets<'_>) -> bool {
        let is = |asked: &Option<String>, said: &str| asked.as_deref().is_none_or(|asked| asked == said);
        let no_field = self.field.is_none() && self.form.is_none() && self.rule.is_none();
        is(&self.kind, &of.kind)
            && is(&self.department, &of.caller.department)
            && is(&self.system, &of.caller.system)
            && (self.datasets.is_empty() || self.datasets.iter().any(|dataset| *dataset == of.dataset))
            && is(&self.purpose, &of.purpose)
            && is(&self.outcome, &of.outcome)
            && is(&self.operator, of.actor())
            && (no_field
                || of.fields.iter().any(|field| {
                    is(&self.field, &field.field)
                        && is(&self.form, &field.form)
                        && is(&self.rule, &field.rule)
                }))
    }
}
