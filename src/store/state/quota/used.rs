//! How much of a grant was used, for people to read: nothing rests on it.

use diesel::prelude::*;
use time::Date;

use super::super::schema::quota::dsl;
use super::super::{StateError, StateStore};
use crate::base::ids::RuleId;

/// What was used of a grant on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayUse {
    /// The day, in Asia/Shanghai.
    pub day: String,
    /// Subjects asked about, repeated ones counted each time.
    pub used: i64,
    /// Different subjects.
    pub people: i64,
}

impl StateStore {
    /// What was used of a grant on each day from `since` on, by what its use is counted under.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn used(&self, grant: &RuleId, since: Date) -> Result<Vec<DayUse>, StateError> {
        let days = dsl::quota.filter(dsl::grant_id.eq(grant.as_str()).and(dsl::day.ge(since.to_string())));
        let rows = days.order(dsl::day).select((dsl::day, dsl::used, dsl::people));
        let rows = rows.load::<(String, i64, i64)>(&mut *self.connection()?)?;
        Ok(rows.into_iter().map(|(day, used, people)| DayUse { day, used, people }).collect())
    }
}
