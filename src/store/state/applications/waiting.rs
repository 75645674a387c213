//! What waits for somebody: in the order in which it is due, a page at a time.
//!
//! Invariant: a page is what comes behind a place, a day and an id, and not behind a number of rows. So
//! what is decided while somebody turns pages is missing from those that follow and moves nothing else:
//! nothing is shown twice, and nothing is passed over.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::list::{COLUMNS, Columns, row};
use super::{ApplicationRow, Wait};
use crate::base::ids::ApplicationId;
use crate::store::db::MultiBackend;
use crate::store::state::schema::{application_waits as waits_table, application_waits::dsl, applications};
use crate::store::state::{StateError, StateStore};

/// What stands for the last day where there is none: behind all days.
const NEVER: &str = "9999-12-31";

/// Where in the order something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    due: String,
    id: ApplicationId,
}

impl Place {
    /// That of an application.
    pub fn of(row: &ApplicationRow) -> Self {
        Self { due: row.due.clone().unwrap_or_else(|| NEVER.to_owned()), id: row.id.clone() }
    }

    /// The place that was written as text: `2026-12-31.A-2026-000001`.
    pub fn parse(text: &str) -> Option<Self> {
        let (due, id) = text.split_once('.')?;
        let digits =
            |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
        let day = due.len() == NEVER.len() && due.bytes().enumerate().all(digits);
        ApplicationId::parse(id).filter(|_| day).map(|id| Self { due: due.to_owned(), id })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.due, self.id)
    }
}

/// Something that waits, and for which of those that were asked about.
#[derive(Debug, Clone)]
pub struct Due {
    /// It.
    pub row: ApplicationRow,
    /// For whom it waits.
    pub waits: Vec<Wait>,
}

impl StateStore {
    /// What waits for any of `waits` and comes behind `after`, at most `limit`, what is due first first.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn inbox(&self, waits: &[Wait], after: Option<&Place>, limit: usize) -> Result<Vec<Due>, StateError> {
        let most = i64::try_from(limit).map_err(StateError::new)?;
        let connection = &mut self.connection()?;
        let mut found: BTreeMap<Place, Due> = BTreeMap::new();
        // A query for each role: each reads the index from its place on, where one with an OR would read
        // and sort all that waits. The first of all are among the first of each.
        for wait in waits {
            let mut query = waits_table::table
                .inner_join(applications::table.on(applications::id.eq(dsl::application)))
                .filter(dsl::department.eq(department(wait)))
                .filter(dsl::role.eq(wait.role.as_str()))
                .into_boxed::<MultiBackend>();
            if let Some(Place { due, id }) = after {
                // Not as one would say it, `due > d OR (due = d AND id > i)`: that has no beginning in the
                // index.
                let behind = dsl::due_on.gt(due.as_str()).or(dsl::application.gt(id.as_str()));
                query = query.filter(dsl::due_on.ge(due.as_str())).filter(behind);
            }
            let of_role = query.order((dsl::due_on, dsl::application)).limit(most).select(COLUMNS);
            for columns in of_role.load::<Columns>(connection)? {
                let row = row(columns)?;
                let due = found.entry(Place::of(&row)).or_insert_with(|| Due { row, waits: Vec::new() });
                due.waits.push(wait.clone());
            }
        }
        Ok(found.into_values().take(limit).collect())
    }

    /// How many wait for any of `waits`; it is counted up to `most`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn number_waiting(&self, waits: &[Wait], most: usize) -> Result<usize, StateError> {
        let limit = i64::try_from(most).map_err(StateError::new)?;
        let connection = &mut self.connection()?;
        let mut ids = BTreeSet::new();
        for wait in waits {
            let of_role = dsl::department.eq(department(wait)).and(dsl::role.eq(wait.role.as_str()));
            let found = dsl::application_waits.filter(of_role).limit(limit).select(dsl::application);
            ids.extend(found.load::<String>(connection)?);
        }
        Ok(ids.len().min(most))
    }
}

fn department(wait: &Wait) -> &str {
    wait.department.as_ref().map_or("", |department| department.as_str())
}
