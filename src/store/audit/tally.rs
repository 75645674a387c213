//! How many records there are of what: counted by hour and by day as the index is written.
//!
//! Invariant: the counts are part of the transaction that files the records, so they say what the
//! index holds, no more and no less. Only names and codes are counted by, never anything of a person.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;

use super::read::Filter;
use super::schema::{number, tally};
use crate::audit::facets::Facets;
use crate::base::Timestamp;

/// Asia/Shanghai is eight hours ahead of UTC, all year.
const AHEAD: i64 = 8 * 3600;

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

/// Records that are alike, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The kind of record.
    pub kind: String,
    /// The caller's department.
    pub department: String,
    /// The calling system.
    pub system: String,
    /// The dataset.
    pub dataset: String,
    /// The purpose.
    pub purpose: String,
    /// The code that the caller saw.
    pub outcome: String,
    /// How many.
    pub records: u64,
}

type Names = [String; 6];

/// Counts of one chunk, on their way into the table.
#[derive(Debug, Default)]
pub(super) struct Tallies(HashMap<(Span, i64, Names), i64>);

impl Tallies {
    pub(super) fn count(&mut self, of: &Facets<'_>) {
        let time = Timestamp::parse(&of.time).unwrap_or_default();
        let names =
            [&of.kind, &of.caller.department, &of.caller.system, &of.dataset, &of.purpose, &of.outcome];
        for span in [Span::Hour, Span::Day] {
            let names = names.map(|name| name.to_string());
            *self.0.entry((span, span.start(time), names)).or_default() += 1;
        }
    }

    pub(super) fn add_to(self, index: &mut SqliteConnection) -> QueryResult<()> {
        for ((span, start, names), records) in self.0 {
            let [kind, department, system, dataset, purpose, outcome] = &names;
            let key = (span.seconds(), start, kind, department, system, dataset, purpose, outcome);
            let known = diesel::update(tally::table.find(key))
                .set(tally::records.eq(tally::records + records))
                .execute(index)?;
            if known == 0 {
                diesel::insert_into(tally::table)
                    .values((
                        tally::span.eq(span.seconds()),
                        tally::start.eq(start),
                        tally::kind.eq(kind),
                        tally::department.eq(department),
                        tally::system.eq(system),
                        tally::dataset.eq(dataset),
                        tally::purpose.eq(purpose),
                        tally::outcome.eq(outcome),
                        tally::records.eq(records),
                    ))
                    .execute(index)?;
            }
        }
        Ok(())
    }
}

/// What both questions ask of a row. An empty text asks nothing.
const MATCHING: &str = "span = ?1 AND start >= ?2 AND start < ?3 AND (?4 = '' OR kind = ?4) \
     AND (?5 = '' OR department = ?5) AND (?6 = '' OR system = ?6) \
     AND (?7 = '[]' OR dataset IN (SELECT value FROM json_each(?7))) \
     AND (?8 = '' OR purpose = ?8) AND (?9 = '' OR outcome = ?9)";

/// The most groups of alike records that are told apart.
const MAX_COUNTS: usize = 20_000;

/// Starts of the spans that touch the filter's time, with how many records match in each; the
/// newest first.
pub(super) fn by_start(
    index: &mut SqliteConnection,
    span: Span,
    filter: &Filter,
) -> QueryResult<Vec<(i64, u64)>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        start: i64,
        #[diesel(sql_type = BigInt)]
        records: i64,
    }
    let select = format!(
        "SELECT start, sum(records) AS records FROM tally WHERE {MATCHING} GROUP BY start ORDER BY start DESC"
    );
    let rows: Vec<Row> = asked(&select, span, filter).load(index)?;
    Ok(rows.into_iter().map(|row| (row.start, number(row.records))).collect())
}

/// How many records of each sort are in the spans that touch the filter's time.
pub(super) fn by_names(index: &mut SqliteConnection, span: Span, filter: &Filter) -> QueryResult<Vec<Count>> {
    let select = format!(
        "SELECT kind, department, system, dataset, purpose, outcome, sum(records) AS records FROM tally \
         WHERE {MATCHING} GROUP BY 1, 2, 3, 4, 5, 6 LIMIT {MAX_COUNTS}"
    );
    let rows: Vec<CountRow> = asked(&select, span, filter).load(index)?;
    Ok(rows.into_iter().map(Count::from).collect())
}

fn asked<'q>(select: &str, span: Span, filter: &'q Filter) -> BoxedSqlQuery<'q, Sqlite, SqlQuery> {
    let text = |name: &'q Option<String>| name.as_deref().unwrap_or_default();
    let datasets: Vec<serde_json::Value> = filter.datasets.iter().map(|d| d.as_str().into()).collect();
    diesel::sql_query(select)
        .into_boxed()
        .bind::<BigInt, _>(span.seconds())
        .bind::<BigInt, _>(filter.from.map_or(i64::MIN, |from| span.start(from)))
        .bind::<BigInt, _>(filter.until.map_or(i64::MAX, Timestamp::seconds))
        .bind::<Text, _>(text(&filter.kind))
        .bind::<Text, _>(text(&filter.department))
        .bind::<Text, _>(text(&filter.system))
        .bind::<Text, _>(serde_json::Value::Array(datasets).to_string())
        .bind::<Text, _>(text(&filter.purpose))
        .bind::<Text, _>(text(&filter.outcome))
}

/// The systems that ever called, each with the first second of the day on which it first did.
pub(super) fn first_days(index: &mut SqliteConnection) -> QueryResult<Vec<(String, String, i64)>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        department: String,
        #[diesel(sql_type = Text)]
        system: String,
        #[diesel(sql_type = BigInt)]
        start: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT department, system, min(start) AS start FROM tally WHERE span = ? AND system <> '' \
         GROUP BY department, system",
    )
    .bind::<BigInt, _>(Span::Day.seconds())
    .load(index)?;
    Ok(rows.into_iter().map(|row| (row.department, row.system, row.start)).collect())
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    department: String,
    #[diesel(sql_type = Text)]
    system: String,
    #[diesel(sql_type = Text)]
    dataset: String,
    #[diesel(sql_type = Text)]
    purpose: String,
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = BigInt)]
    records: i64,
}

impl From<CountRow> for Count {
    fn from(row: CountRow) -> Self {
        let CountRow { kind, department, system, dataset, purpose, outcome, records } = row;
        Self { kind, department, system, dataset, purpose, outcome, records: number(records) }
    }
}
