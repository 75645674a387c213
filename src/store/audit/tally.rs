//! How many records there are of what, and when: counted block by block as it is asked.
//!
//! Invariant: what is counted is what the index holds in that time, to the microsecond. Records that
//! the index does not tell apart are counted as such and nowhere else. The time that it takes is that
//! of looking at three numbers of each record.

use std::collections::BTreeMap;
use std::ops::Range;

use diesel::prelude::*;
use diesel::result::QueryResult;

use super::block::{self, LENGTH, ids, part};
use super::read::Filter;
use super::schema::{block as blocks, key};
use super::sorts::{Says, Wanted};
use crate::base::Timestamp;

/// Asia/Shanghai is eight hours ahead of UTC, all year.
const AHEAD: i64 = 8 * 3600;

/// Blocks that are read at a time.
const AT_A_TIME: usize = 64;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// An hour.
    Hour,
    /// A day in Asia/Shanghai.
    Day,
}

impl Span {
    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        match self {
            Span::Hour => 3600,
            Span::Day => 86_400,
        }
    }

    /// The first second of the span in which `moment` is.
    pub fn start(self, moment: Timestamp) -> i64 {
        (moment.seconds() + AHEAD).div_euclid(self.seconds()) * self.seconds() - AHEAD
    }
}

/// Counts, by the numbers of sorts and actors.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Of each sort, what matches by who acted.
    pub sorts: Vec<u64>,
    /// Of everybody, what matches in all else.
    pub actors: Vec<u64>,
    /// What matches, by the first second of the span.
    pub spans: BTreeMap<i64, u64>,
    /// What might match: the index does not tell.
    pub untold: u64,
    /// The blocks that hold any of that.
    pub holding: Vec<i64>,
}

impl Tally {
    /// Counts everything in the time of `filter`.
    pub fn of(
        index: &mut SqliteConnection,
        wanted: &Wanted,
        filter: &Filter,
        span: Span,
    ) -> QueryResult<Self> {
        let mut tally = Self::default();
        let numbers: Vec<i64> = window(index, filter, 0..i64::MAX)?.collect();
        for some in numbers.chunks(AT_A_TIME) {
            for held in Held::read(index, some, true)? {
                let piece = held.within(index, filter, 0..i64::MAX, Some(span))?;
                tally.add(&held, &piece, wanted, span);
            }
        }
        Ok(tally)
    }

    fn add(&mut self, held: &Held, piece: &Piece, wanted: &Wanted, span: Span) {
        let (mut all, untold) = (0, self.untold);
        for (start, range) in piece.by_span(held.first, span) {
            let mut matching = 0;
            let (sorts, actors) = (ids(part(&held.sorts, &range)), ids(part(&held.actors, &range)));
            for (sort, actor) in sorts.zip(actors) {
                let (of_sort, of_actor) = (wanted.sort(sort), wanted.actor(actor));
                if of_actor == Says::Yes {
                    one_more(&mut self.sorts, sort);
                }
                if of_sort == Says::Yes {
                    one_more(&mut self.actors, actor);
                }
                match of_sort.and(of_actor) {
                    Says::Yes => matching += 1,
                    Says::Maybe => self.untold += 1,
                    Says::No => {}
                }
            }
            if matching > 0 {
                *self.spans.entry(start).or_default() += matching;
            }
            all += matching;
        }
        if all > 0 || self.untold > untold {
            self.holding.push(held.number);
        }
    }
}

fn one_more(counts: &mut Vec<u64>, of: u32) {
    let at = of as usize;
    match counts.get_mut(at) {
        Some(count) => *count += 1,
        None if of == block::UNTOLD => {}
        None => {
            counts.resize(at + 1, 0);
            one_more(counts, of);
        }
    }
}

/// The numbers of the blocks that have records of the filter's time, and of those indexes.
pub(super) fn window(
    index: &mut SqliteConnection,
    filter: &Filter,
    of: Range<i64>,
) -> QueryResult<Range<i64>> {
    let length = key(LENGTH);
    let newest = |index: &mut SqliteConnection, before: i64| -> QueryResult<Option<i64>> {
        blocks::table
            .filter(blocks::first.lt(before))
            .order((blocks::first.desc(), blocks::number.desc()))
            .select(blocks::number)
            .first(index)
            .optional()
    };
    // What is of the same moment may begin in the block in front of the one that begins with it.
    let from = match filter.from {
        Some(from) => newest(index, from.micros())?.unwrap_or(0),
        None => 0,
    };
    let end = match filter.until {
        Some(until) => newest(index, until.micros())?.map_or(0, |last| last + 1),
        None => blocks::table
            .select(diesel::dsl::max(blocks::number))
            .first::<Option<i64>>(index)?
            .map_or(0, |last| last + 1),
    };
    let last = of.end.saturating_sub(1).div_euclid(length);
    Ok(from.max(of.start.div_euclid(length))..end.min(last.saturating_add(1)))
}

/// A block as it is held.
#[derive(Queryable)]
pub(super) struct Held {
    pub number: i64,
    pub first: i64,
    pub last: i64,
    pub sorts: Vec<u8>,
    pub actors: Vec<u8>,
}

/// The part of a block that lies within a time.
pub(super) struct Piece {
    /// Where in the block.
    pub range: Range<usize>,
    /// The times of its records, if it took them to tell.
    times: Option<Vec<i64>>,
}

impl Held {
    /// Reads these blocks, the oldest first or the newest.
    pub fn read(index: &mut SqliteConnection, numbers: &[i64], oldest_first: bool) -> QueryResult<Vec<Self>> {
        let mut held: Vec<Self> = blocks::table
            .filter(blocks::number.eq_any(numbers))
            .order(blocks::number)
            .select((blocks::number, blocks::first, blocks::last, blocks::sorts, blocks::actors))
            .load(index)?;
        if !oldest_first {
            held.reverse();
        }
        Ok(held)
    }

    /// The index of its first record.
    pub fn start(&self) -> i64 {
        self.number.saturating_mul(key(LENGTH))
    }

    /// The records that are of the filter's time and have those indexes; with their times, if they
    /// are to be told apart by `span`.
    pub fn within(
        &self,
        index: &mut SqliteConnection,
        filter: &Filter,
        of: Range<i64>,
        span: Option<Span>,
    ) -> QueryResult<Piece> {
        let of = of.start.saturating_sub(self.start())..of.end.saturating_sub(self.start());
        let inside = |at: i64| usize::try_from(at).unwrap_or(0).min(ids(&self.sorts).len());
        let mut range = inside(of.start)..inside(of.end);
        let from = filter.from.map(Timestamp::micros).filter(|from| *from > self.first);
        let until = filter.until.map(Timestamp::micros).filter(|until| *until <= self.last);
        let straddles = span.is_some_and(|span| {
            span.start(Timestamp::from_micros(self.first)) != span.start(Timestamp::from_micros(self.last))
        });
        if from.is_none() && until.is_none() && !straddles {
            return Ok(Piece { range, times: None });
        }
        let column: Vec<u8> = blocks::table.find(self.number).select(blocks::times).first(index)?;
        let times = block::times(self.first, &column);
        if let Some(from) = from {
            range.start = range.start.max(times.partition_point(|time| *time < from));
        }
        if let Some(until) = until {
            range.end = range.end.min(times.partition_point(|time| *time < until));
        }
        Ok(Piece { range, times: Some(times) })
    }
}

impl Piece {
    /// Its records by the span in which they are; `first` is the time of the block's first.
    fn by_span(&self, first: i64, span: Span) -> Vec<(i64, Range<usize>)> {
        let start = |time: i64| span.start(Timestamp::from_micros(time));
        let Some(times) = &self.times else { return vec![(start(first), self.range.clone())] };
        let mut runs = Vec::new();
        let mut at = self.range.start;
        while let Some(time) = times.get(at).filter(|_| at < self.range.end) {
            let begins = start(*time);
            let ends = begins + span.seconds();
            let behind = times.partition_point(|time| Timestamp::from_micros(*time).seconds() < ends);
            let end = behind.clamp(at + 1, self.range.end.max(at + 1));
            runs.push((begins, at..end));
            at = end;
        }
        runs
    }
}
