//! The counts in SQLite: a statement for each row, for they cost next to nothing there.

use diesel::dsl::exists;
use diesel::prelude::*;

use super::Charge;
use super::sheet::{Count, Sheet, keys, people};
use crate::store::state::StateError;
use crate::store::state::schema::quota::dsl;
use crate::store::state::schema::quota_people::dsl as person;

/// Reads what a batch touches: part of the transaction that holds the write lock.
pub(super) fn load(connection: &mut SqliteConnection, charges: &[&Charge]) -> Result<Sheet, StateError> {
    let mut sheet = Sheet::default();
    for (grant, day) in keys(charges) {
        let row = dsl::quota.find((grant.as_str(), day.to_string()));
        let stored = row.select((dsl::used, dsl::people)).first::<(i64, i64)>(connection).optional()?;
        let (used, people) = stored.unwrap_or_default();
        let count = Count { used, people, stored: stored.is_some(), changed: false };
        sheet.counts.insert((grant, day), count);
    }
    for asked in people(charges) {
        let ((grant, day), token) = &asked;
        let row = person::quota_people.find((grant.as_str(), day.to_string(), token.as_slice()));
        if diesel::select(exists(row)).get_result::<bool>(connection)? {
            sheet.known.insert(asked);
        }
    }
    Ok(sheet)
}

/// Writes what changed.
pub(super) fn store(connection: &mut SqliteConnection, sheet: Sheet) -> Result<(), StateError> {
    for ((grant, day), token) in sheet.met {
        let row = (
            person::grant_id.eq(grant.as_str()),
            person::day.eq(day.to_string()),
            person::token.eq(token.as_slice()),
        );
        diesel::insert_into(person::quota_people).values(row).execute(connection)?;
    }
    for ((grant, day), count) in sheet.counts.into_iter().filter(|(_, count)| count.changed) {
        let (grant, day) = (grant.as_str(), day.to_string());
        let counted = (dsl::used.eq(count.used), dsl::people.eq(count.people));
        if count.stored {
            diesel::update(dsl::quota.find((grant, &day))).set(counted).execute(connection)?;
        } else {
            let row = (dsl::grant_id.eq(grant), dsl::day.eq(&day), counted);
            diesel::insert_into(dsl::quota).values(row).execute(connection)?;
        }
    }
    Ok(())
}

/// Deletes who was asked about before that day.
pub(super) fn forget_before(connection: &mut SqliteConnection, day: String) -> Result<(), StateError> {
    diesel::delete(person::quota_people.filter(person::day.lt(day))).execute(connection)?;
    Ok(())
}
