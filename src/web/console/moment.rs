//! A moment as people read it: the time of day in Asia/Shanghai, with UTC behind it.

use std::fmt;

use crate::base::Timestamp;

/// What Asia/Shanghai is ahead of UTC, in seconds.
const AHEAD: i64 = 8 * 3600;
const DAY: i64 = 24 * 3600;

/// A moment, or a text that is none.
#[derive(Debug, Clone)]
pub struct Moment {
    text: String,
    at: Option<Timestamp>,
}

impl Moment {
    /// The moment that a text names (RFC 3339).
    pub fn of(text: &str) -> Self {
        Self { text: text.to_owned(), at: Timestamp::parse(text) }
    }

    /// As programs read it: RFC 3339, UTC.
    pub fn machine(&self) -> &str {
        &self.text
    }

    /// `2026-11-22 07:05:28 UTC`.
    pub fn utc(&self) -> String {
        let text = self.text.get(..19).unwrap_or(&self.text);
        format!("{} UTC", text.replace('T', " "))
    }
}

/// `2026-11-22 15:05`, in Asia/Shanghai.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = self.at else { return f.write_str(&self.text) };
        let seconds = (at.seconds() + AHEAD).rem_euclid(DAY);
        write!(f, "{} {:02}:{:02}", at.day(), seconds / 3600, seconds / 60 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_the_time_of_shanghai_and_find_utc_behind_it() {
        let moment = Moment::of("2026-11-22T16:05:28.000000Z");
        assert_eq!(moment.to_string(), "2026-11-23 00:05");
        assert_eq!(moment.utc(), "2026-11-22 16:05:28 UTC");
        assert_eq!(Moment::of("never").to_string(), "never");
    }
}
