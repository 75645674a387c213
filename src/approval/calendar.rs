//! Working days (工作日), by the State Council's yearly notices.
//!
//! Invariant: calendars are data. A year whose notice is not known counts as if it had no notice,
//! and every due day that depends on it says that it is provisional. The day of receipt is not
//! counted; a deadline ends with its day, Asia/Shanghai.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Date, Weekday};

/// What is known of working days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    pub(super) years: BTreeMap<i32, Year>,
}

/// One year's notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Year {
    /// Days off.
    pub off: BTreeSet<Date>,
    /// Days of a weekend on which people work (调休).
    pub work: BTreeSet<Date>,
}

/// The last day of a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// The day with which it ends, in Asia/Shanghai.
    pub day: Date,
    /// Does it depend on a year whose notice is not published yet?
    pub provisional: bool,
}

/// Days that are not counted: the first, the last and those between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: Date,
    /// The last.
    pub last: Date,
}

impl Span {
    fn holds(&self, day: Date) -> bool {
        self.first <= day && day <= self.last
    }
}

impl Calendar {
    /// Is the notice for the year known?
    pub fn knows(&self, year: i32) -> bool {
        self.years.contains_key(&year)
    }

    /// Do people work on that day? Weekends are off unless made up for, weekdays of a notice are.
    pub fn is_working(&self, day: Date) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        match self.years.get(&day.year()) {
            Some(year) if year.off.contains(&day) => false,
            Some(year) if year.work.contains(&day) => true,
            _ => !weekend,
        }
    }

    /// The last of `days` working days after `received`, leaving out the days of `paused`.
    pub fn due(&self, received: Date, days: u16, paused: &[Span]) -> Due {
        let mut due = Due { day: received, provisional: false };
        let mut left = days;
        while left > 0
            && let Some(day) = due.day.next_day()
        {
            due.day = day;
            due.provisional |= !self.knows(day.year());
            if self.is_working(day) && !paused.iter().any(|span| span.holds(day)) {
                left -= 1;
            }
        }
        due
    }

    /// The working day from which on at most `days` working days are left before the end of `day`.
    pub fn before(&self, day: Date, days: u16) -> Date {
        let (mut at, mut left) = (day, days);
        while left > 0
            && let Some(earlier) = at.previous_day()
        {
            if self.is_working(at) {
                left -= 1;
            }
            at = earlier;
        }
        at
    }

    /// Working days after `from` up to and with `to`; below zero when `to` is the earlier.
    pub fn between(&self, from: Date, to: Date) -> i32 {
        if to < from {
            return -self.between(to, from);
        }
        let days = std::iter::successors(from.next_day(), |day| day.next_day()).take_while(|day| *day <= to);
        i32::try_from(days.filter(|day| self.is_working(*day)).count()).unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::Value;
    use time::macros::date;

    use super::*;

    fn published() -> Calendar {
        let file: Value = serde_json::from_str(include_str!("../../tests/vectors/calendar.json")).unwrap();
        let days = |value: &Value| value.as_array().unwrap().iter().map(day).collect();
        let years = file.as_object().unwrap().iter().filter_map(|(year, notice)| {
            let year = year.parse::<i32>().ok()?;
            Some((year, Year { off: days(&notice["off"]), work: days(&notice["work"]) }))
        });
        Calendar { years: years.collect() }
    }

    fn day(value: &Value) -> Date {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn examples() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/workdays.json")).unwrap()
    }

    #[test]
    fn the_published_examples_are_due_on_their_days() {
        let calendar = published();
        let examples = examples();
        let examples = examples["examples"].as_array().unwrap();
        assert!(examples.len() >= 6);
        for example in examples {
            let days = u16::try_from(example["working_days"].as_u64().unwrap()).unwrap();
            let due = calendar.due(day(&example["received"]), days, &[]);
            assert_eq!(due, Due { day: day(&example["due"]), provisional: false }, "{example}");
            assert_eq!(calendar.between(day(&example["received"]), due.day), i32::from(days), "{example}");
        }
    }

    #[test]
    fn a_day_that_depends_on_an_unpublished_year_is_provisional() {
        let calendar = published();
        for example in examples()["provisional"].as_array().unwrap() {
            let days = u16::try_from(example["working_days"].as_u64().unwrap()).unwrap();
            assert!(calendar.due(day(&example["received"]), days, &[]).provisional, "{example}");
        }
        // Counted by weekends alone until the notice says more: 25 and 28-31 December, then January.
        let guess = calendar.due(date!(2026 - 12 - 24), 10, &[]);
        assert_eq!(guess.day, date!(2027 - 01 - 07));
        let mut told = calendar;
        let year = Year { off: [date!(2027 - 01 - 01)].into(), work: BTreeSet::new() };
        told.years.insert(2027, year);
        let due = told.due(date!(2026 - 12 - 24), 10, &[]);
        assert_eq!(due, Due { day: date!(2027 - 01 - 08), provisional: false });
    }

    #[test]
    fn every_published_day_off_is_off_and_every_day_made_up_is_not() {
        let calendar = published();
        for year in calendar.years.values() {
            assert!(year.off.iter().all(|day| !calendar.is_working(*day)));
            assert!(year.work.iter().all(|day| calendar.is_working(*day)));
        }
        assert!(!calendar.is_working(date!(2026 - 11 - 22)), "an ordinary Sunday");
        assert!(calendar.is_working(date!(2026 - 11 - 23)), "an ordinary Monday");
    }

    #[test]
    fn days_of_waiting_for_the_other_side_are_not_counted() {
        let calendar = published();
        let waiting = Span { first: date!(2026 - 11 - 25), last: date!(2026 - 11 - 30) };
        assert_eq!(calendar.due(date!(2026 - 11 - 22), 10, &[]).day, date!(2026 - 12 - 04));
        assert_eq!(calendar.due(date!(2026 - 11 - 22), 10, &[waiting]).day, date!(2026 - 12 - 10));
        assert_eq!(calendar.due(date!(2026 - 11 - 22), 10, &[waiting, waiting]).day, date!(2026 - 12 - 10));
    }

    #[test]
    fn nothing_is_counted_where_nothing_is_asked_and_backwards_counts_below_zero() {
        let calendar = published();
        let sunday = date!(2026 - 11 - 22);
        assert_eq!(calendar.due(sunday, 0, &[]).day, sunday);
        assert_eq!(calendar.between(sunday, sunday), 0);
        assert_eq!(calendar.between(date!(2026 - 11 - 27), date!(2026 - 11 - 24)), -3);
        assert_eq!(calendar.before(date!(2026 - 12 - 04), 2), date!(2026 - 12 - 02));
        assert_eq!(calendar.before(date!(2026 - 11 - 23), 1), date!(2026 - 11 - 22));
        assert_eq!(calendar.due(Date::MAX, 3, &[]).day, Date::MAX, "the end of all calendars");
    }
}
