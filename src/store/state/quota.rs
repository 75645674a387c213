//! How much of a grant was used today.
//!
//! Invariant: the count never passes the limit, however many requests charge at one time,
//! because the check and the charge are one statement.

use diesel::prelude::*;
use time::Date;

use super::schema::quota::dsl;
use super::{StateError, StateStore};
use crate::base::ids::RuleId;

/// What charging came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Charged; so many subjects remain today.
    Charged {
        /// Subjects that remain.
        remaining: u64,
    },
    /// Not charged: fewer remain than were asked for.
    Exhausted {
        /// Subjects that remain.
        remaining: u64,
    },
}

impl StateStore {
    /// Charges `subjects` to a grant on `day`, of which `limit` are allowed.
    ///
    /// # Errors
    /// When the database cannot be written; nothing was charged then.
    pub fn charge(&self, grant: &RuleId, day: Date, subjects: u32, limit: u32) -> Result<Charge, StateError> {
        let (key, day) = (grant.as_str(), day.to_string());
        let (subjects, limit) = (i64::from(subjects), i64::from(limit));
        self.write(|connection| {
            let row = dsl::quota.find((key, &day));
            let charged = diesel::update(row.filter(dsl::used.le(limit - subjects)))
                .set(dsl::used.eq(dsl::used + subjects))
                .execute(connection)?;
            let used = row.select(dsl::used).first::<i64>(connection).optional()?;
            let left = |used: i64| u64::try_from(limit - used).unwrap_or(0);
            match used {
                Some(used) if charged == 1 => Ok(Charge::Charged { remaining: left(used) }),
                Some(used) => Ok(Charge::Exhausted { remaining: left(used) }),
                None if subjects > limit => Ok(Charge::Exhausted { remaining: left(0) }),
                None => {
                    diesel::insert_into(dsl::quota)
                        .values((dsl::grant_id.eq(key), dsl::day.eq(&day), dsl::used.eq(subjects)))
                        .execute(connection)?;
                    Ok(Charge::Charged { remaining: left(subjects) })
                }
            }
        })
    }
}
