//! The counts on a PostgreSQL server: a statement for each kind of row, for every statement is a
//! journey there and back.
//!
//! Invariant: whoever charges holds the rows of all counts that it touches, taken in one order, so
//! that two gateways wait for each other and never both.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Text};
use time::Date;

use super::Charge;
use super::sheet::{Count, Key, Sheet, keys, people};
use crate::base::ids::RuleId;
use crate::store::state::StateError;

/// The counts that have a row, as far as this process knows: rows stay.
pub(super) type Rows = BTreeSet<Key>;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    grant_id: String,
    #[diesel(sql_type = Text)]
    day: String,
    #[diesel(sql_type = BigInt)]
    used: i64,
    #[diesel(sql_type = BigInt)]
    people: i64,
}

#[derive(QueryableByName)]
struct Met {
    #[diesel(sql_type = Text)]
    grant_id: String,
    #[diesel(sql_type = Text)]
    day: String,
    #[diesel(sql_type = Binary)]
    token: Vec<u8>,
}

/// Locks and reads what a batch touches.
pub(super) fn load(
    connection: &mut PgConnection,
    rows: &mut Rows,
    charges: &[&Charge],
) -> Result<Sheet, StateError> {
    let keys = keys(charges);
    let mut sheet = Sheet { counts: lock(connection, rows, &keys)?, ..Sheet::default() };
    // Only now: whoever held the rows before may have met more.
    let people = people(charges);
    if people.is_empty() {
        return Ok(sheet);
    }
    let (of, tokens): (Vec<&Key>, Vec<&[u8]>) = people.iter().map(|(key, token)| (key, &token[..])).unzip();
    let (grants, days) = columns(of);
    let found: Vec<Met> = diesel::sql_query(
        "SELECT grant_id, day, token FROM quota_people
         WHERE (grant_id, day, token) IN (SELECT * FROM unnest($1, $2, $3))",
    )
    .bind::<Array<Text>, _>(grants)
    .bind::<Array<Text>, _>(days)
    .bind::<Array<Binary>, _>(tokens)
    .load(connection)?;
    for Met { grant_id, day, token } in found {
        let token = <[u8; 16]>::try_from(token).map_err(|_| malformed())?;
        sheet.known.insert((key(&grant_id, &day)?, token));
    }
    Ok(sheet)
}

/// Locks the rows of `keys` in their order, makes those that are not there yet, and reads them.
fn lock(
    connection: &mut PgConnection,
    rows: &mut Rows,
    keys: &BTreeSet<Key>,
) -> Result<std::collections::BTreeMap<Key, Count>, StateError> {
    if !keys.is_subset(rows) {
        let (grants, days) = columns(keys.iter().collect());
        diesel::sql_query(
            "INSERT INTO quota (grant_id, day, used, people)
             SELECT grant_id, day, 0, 0 FROM unnest($1, $2) AS new (grant_id, day)
             ON CONFLICT DO NOTHING",
        )
        .bind::<Array<Text>, _>(grants)
        .bind::<Array<Text>, _>(days)
        .execute(connection)?;
    }
    let (grants, days) = columns(keys.iter().collect());
    let found: Vec<Row> = diesel::sql_query(
        "SELECT grant_id, day, used, people FROM quota
         WHERE (grant_id, day) IN (SELECT * FROM unnest($1, $2))
         ORDER BY grant_id, day FOR UPDATE",
    )
    .bind::<Array<Text>, _>(grants)
    .bind::<Array<Text>, _>(days)
    .load(connection)?;
    let count = |row: Row| {
        let count = Count { used: row.used, people: row.people, stored: true, changed: false };
        Ok((key(&row.grant_id, &row.day)?, count))
    };
    let counts =
        found.into_iter().map(count).collect::<Result<std::collections::BTreeMap<_, _>, StateError>>()?;
    if counts.len() != keys.len() {
        rows.clear();
        return Err(StateError::new("a count has vanished"));
    }
    rows.extend(keys.iter().cloned());
    Ok(counts)
}

/// Writes what changed.
pub(super) fn store(connection: &mut PgConnection, sheet: Sheet) -> Result<(), StateError> {
    if !sheet.met.is_empty() {
        let (of, tokens): (Vec<&Key>, Vec<&[u8]>) =
            sheet.met.iter().map(|(key, token)| (key, &token[..])).unzip();
        let (grants, days) = columns(of);
        diesel::sql_query("INSERT INTO quota_people (grant_id, day, token) SELECT * FROM unnest($1, $2, $3)")
            .bind::<Array<Text>, _>(grants)
            .bind::<Array<Text>, _>(days)
            .bind::<Array<Binary>, _>(tokens)
            .execute(connection)?;
    }
    let changed: Vec<(&Key, &Count)> = sheet.counts.iter().filter(|(_, count)| count.changed).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let (grants, days) = columns(changed.iter().map(|(key, _)| *key).collect());
    diesel::sql_query(
        "UPDATE quota SET used = new.used, people = new.people
         FROM unnest($1, $2, $3, $4) AS new (grant_id, day, used, people)
         WHERE quota.grant_id = new.grant_id AND quota.day = new.day",
    )
    .bind::<Array<Text>, _>(grants)
    .bind::<Array<Text>, _>(days)
    .bind::<Array<BigInt>, _>(changed.iter().map(|(_, count)| count.used).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(changed.iter().map(|(_, count)| count.people).collect::<Vec<_>>())
    .execute(connection)?;
    Ok(())
}

/// Deletes who was asked about before that day.
pub(super) fn forget_before(connection: &mut PgConnection, day: String) -> Result<(), StateError> {
    diesel::sql_query("DELETE FROM quota_people WHERE day < $1").bind::<Text, _>(day).execute(connection)?;
    Ok(())
}

fn columns(keys: Vec<&Key>) -> (Vec<&str>, Vec<String>) {
    keys.into_iter().map(|(grant, day)| (grant.as_str(), day.to_string())).unzip()
}

fn key(grant: &str, day: &str) -> Result<Key, StateError> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    RuleId::parse(grant).zip(Date::parse(day, format).ok()).ok_or_else(malformed)
}

fn malformed() -> StateError {
    StateError::new("quota holds a malformed row")
}
