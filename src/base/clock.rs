//! Time as a parameter.
//!
//! Invariant: this is the only place in the package that asks the machine for the time of day; a test
//! reads the sources to keep it so. Storage is UTC; people see Asia/Shanghai.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, UtcOffset};

/// China Standard Time, UTC+08:00 the whole year: the time of day that people here mean.
pub const SHANGHAI: UtcOffset = time::macros::offset!(+8);

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and `seconds` more (or fewer).
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// The calendar day in Asia/Shanghai.
    pub fn day(self) -> Date {
        self.utc().to_offset(SHANGHAI).date()
    }

    /// The first moment of a calendar day in Asia/Shanghai.
    pub fn start_of(day: Date) -> Self {
        let seconds = day.midnight().assume_offset(SHANGHAI).unix_timestamp();
        Self(seconds.saturating_mul(1_000_000))
    }

    /// The first moment after a calendar day in Asia/Shanghai: when a deadline of that day is over.
    pub fn end_of(day: Date) -> Self {
        Self::start_of(day).plus_seconds(24 * 60 * 60)
    }

    /// Parses RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos() / 1_000).ok().map(Self)
    }

    fn utc(self) -> OffsetDateTime {
        // Out of the calendar's range only for numbers that no clock of ours gives.
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// A moment by two clocks, to measure by what time has passed since, whatever became of the machine: it
/// may have slept, have stood still as a whole, or have had its clock set.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Since the machine was started: nobody sets it, and it goes on while the machine sleeps.
    pub up: Duration,
    /// By the clock that people and the network set, so it knows when the machine as a whole stood still,
    /// as soon as it was set right.
    pub at: Timestamp,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let whole = Duration::from_secs(u64::try_from(up.tv_sec).unwrap_or(0));
        let part = Duration::from_nanos(u64::try_from(up.tv_nsec).unwrap_or(0));
        Self { up: whole + part, at: SystemClock.now() }
    }

    /// What has passed since `earlier`: by whichever clock says more.
    pub fn since(self, earlier: Self) -> Duration {
        let by_the_day = self.at.micros().saturating_sub(earlier.at.micros());
        let by_the_day = Duration::from_micros(u64::try_from(by_the_day).unwrap_or(0));
        self.up.saturating_sub(earlier.up).max(by_the_day)
    }
}

/// RFC 3339 in UTC with exactly six decimals, so that equal lengths sort by time.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.utc();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.microsecond()
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("a time as RFC 3339 has it, such as 2026-11-22T08:00:00Z")
        })
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as 1970: the log's start check then refuses to go on.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is set: for tests.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock standing at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.micros()))
    }

    /// Sets the time, forwards or backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_survives_its_text() {
        let t = Timestamp::from_micros(1_795_334_400_123_456);
        assert_eq!(t.to_string(), "2026-11-22T08:00:00.123456Z");
        assert_eq!(Timestamp::parse(&t.to_string()), Some(t));
    }

    #[test]
    fn the_day_turns_at_midnight_in_shanghai() {
        let before = Timestamp::parse("2026-11-22T15:59:59Z").map(Timestamp::day);
        let after = Timestamp::parse("2026-11-22T16:00:00Z").map(Timestamp::day);
        assert_eq!(before.map(Date::day), Some(22));
        assert_eq!(after.map(Date::day), Some(23));
    }
}
