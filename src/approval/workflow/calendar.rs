//! Reads `policies/calendar.toml`.
//!
//! Invariant: a notice that contradicts itself, or a year that is left out between two, is an
//! error: a deadline that is counted wrongly is a right that somebody loses.

use std::collections::BTreeSet;

use serde::Deserialize;
use time::{Date, Weekday};
use toml::Spanned;

use super::{CALENDAR, Workflow};
use crate::approval::calendar::{Calendar, Year};
use crate::base::locate::line_at;
use crate::base::{Finding, Findings, Sources, Timestamp};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    year: Vec<Spanned<Notice>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notice {
    year: i32,
    notice: String,
    off: Vec<Spanned<Date>>,
    work: Vec<Spanned<Date>>,
}

/// The calendar of `sources`; what is wrong with it is among the findings.
pub(super) fn load(sources: &Sources, findings: &mut Findings) -> Calendar {
    let mut calendar = Calendar::default();
    let text = sources.file(CALENDAR).unwrap_or_default();
    let Some(file) = sources.toml::<File>(CALENDAR, findings) else { return calendar };
    let mut error = |code, at: usize, what: String, fix: &str| {
        findings.push(Finding::error(code, CALENDAR, line_at(text, at), what, fix));
    };
    if file.year.is_empty() {
        error("calendar-empty", 0, "no year is published".to_owned(), "add the notices of the State Council");
    }
    for entry in file.year {
        let (at, notice) = (entry.span().start, entry.into_inner());
        let year = notice.year;
        if notice.notice.trim().is_empty() {
            let what = format!("where {year} was published is missing");
            error("calendar-source", at, what, "name the notice");
        }
        let mut read = Year::default();
        for (days, into, weekend) in
            [(&notice.off, &mut read.off, None), (&notice.work, &mut read.work, Some(()))]
        {
            for entry in days {
                let (at, day) = (entry.span().start, *entry.get_ref());
                if day.year() != year {
                    let what = format!("{day} is not of {year}");
                    error("calendar-day", at, what, "put it with its own year");
                }
                if weekend.is_some() && !is_weekend(day) {
                    let what = format!("{day} is a working day anyway");
                    error("calendar-day", at, what, "`work` is for days of a weekend that are made up");
                }
                if !into.insert(day) {
                    error("calendar-day", at, format!("{day} stands here twice"), "keep one of the two");
                }
            }
        }
        if let Some(day) = read.off.intersection(&read.work).next() {
            error("calendar-day", at, format!("{day} is off and worked"), "keep one of the two");
        }
        if calendar.years.insert(year, read).is_some() {
            error("calendar-twice", at, format!("{year} stands here twice"), "keep one of the two");
        }
    }
    let years: BTreeSet<i32> = calendar.years.keys().copied().collect();
    if let (Some(first), Some(last)) = (years.first(), years.last()) {
        for gap in (*first..*last).filter(|year| !years.contains(year)).take(10) {
            error("calendar-gap", 0, format!("{gap} is missing"), "add its notice");
        }
    }
    calendar
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

impl Workflow {
    /// What time has done to it: years that were published by `now` and are not here.
    pub fn worn(&self, now: Timestamp) -> Findings {
        let today = now.day();
        // The notice for a year comes out in the last months of the year before.
        let next = (today.month() == time::Month::December).then(|| today.year() + 1);
        let missing = [Some(today.year()), next].into_iter().flatten().filter(|y| !self.calendar.knows(*y));
        let findings = missing.map(|year| {
            let what = format!("{year} is missing: deadlines in it are provisional");
            Finding::warning("calendar-year", CALENDAR, 0, what, "add the notice of the State Council")
        });
        Findings(findings.collect())
    }
}
