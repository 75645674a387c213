//! The counts on a PostgreSQL server: a statement for each kind of row, for every statement is a
//! journey there and back.
//!
//! Invariant: whoever charges holds the rows of all counts that it touches, taken in one order, so
//! that two gateways wait for each other and never both.

use std::collections::{BTreeMap, BTreeSet};

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Text};
use time::Date;

use super::Charge;
use super::sheet::{Count, Key, Sheet, people};
use crate::base::ids::RuleId;
use crate::store::state::StateError;

/// The counts that have a row, as far as this process knows: rows stay.
pub(super) type Rows = BTreeSet<Key>;

#[derive(QueryableByName)]
struct Met {
    #[diesel(sql_type = Text)]
    grant_id: String,
    #[diesel(sql_type = Text)]
    day: String,
    #[diesel(sql_type = Binary)]
    token: Vec<u8>,
}

/// Reads the rest of what a batch touches, under its locks: whoever held the counts before may have
/// met more people.
pub(super) fn load(
    connection: &mut PgConnection,
    counts: BTreeMap<Key, Count>,
    charges: &[&Charge],
) -> Result<Sheet, StateError> {
    let mut sheet = Sheet { counts, ..Sheet::default() };
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
pub(super) fn lock(
    connection: &mut PgConnection,
    rows: &mut Rows,
    keys: &BTreeSet<Key>,
) -> Result<BTreeMap<Key, Count>, StateError> {
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
    let found: Vec<(String, String, i64, i64)> = Lock { grants, days }.load(connection)?;
    let count = |(grant, day, used, people): (String, String, i64, i64)| {
        Ok((key(&grant, &day)?, Count { used, people, stored: true, changed: false }))
    };
    let counts = found.into_iter().map(count).collect::<Result<BTreeMap<_, _>, StateError>>()?;
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
    let (used, people) = changed.iter().map(|(_, count)| (count.used, count.people)).unzip();
    Write { grants, days, used, people }.execute(connection)?;
    Ok(())
}

/// Locks and reads counts. This and [`Write`] are of every batch, so they are prepared once:
/// `sql_query` would have them planned each time.
struct Lock<'a> {
    grants: Vec<&'a str>,
    days: Vec<String>,
}

impl QueryId for Lock<'_> {
    type QueryId = Lock<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Lock<'_> {
    type SqlType = (Text, Text, BigInt, BigInt);
}

impl RunQueryDsl<PgConnection> for Lock<'_> {}

impl QueryFragment<Pg> for Lock<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT grant_id, day, used, people FROM quota ");
        out.push_sql("WHERE (grant_id, day) IN (SELECT * FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.grants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.days)?;
        out.push_sql(")) ORDER BY grant_id, day FOR UPDATE");
        Ok(())
    }
}

/// Writes counts.
struct Write<'a> {
    grants: Vec<&'a str>,
    days: Vec<String>,
    used: Vec<i64>,
    people: Vec<i64>,
}

impl QueryId for Write<'_> {
    type QueryId = Write<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Write<'_> {}

impl QueryFragment<Pg> for Write<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE quota SET used = new.used, people = new.people FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.grants)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.days)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.used)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.people)?;
        out.push_sql(") AS new (grant_id, day, used, people) ");
        out.push_sql("WHERE quota.grant_id = new.grant_id AND quota.day = new.day");
        Ok(())
    }
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
