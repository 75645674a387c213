//! Lists of applications: a page at a time, each through an index.

use diesel::prelude::*;

use super::{Wait, from_name};
use crate::approval::State;
use crate::base::Timestamp;
use crate::base::ids::{ApplicationId, DatasetId, DepartmentId};
use crate::store::db::MultiBackend;
use crate::store::state::schema::{application_waits, applications};
use crate::store::state::{Db, StateError, StateStore};

/// An application in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationRow {
    /// Its id.
    pub id: ApplicationId,
    /// The number of its events.
    pub version: u32,
    /// Where it stands.
    pub state: State,
    /// The department that asks.
    pub requester: DepartmentId,
    /// The department that owns the dataset.
    pub provider: DepartmentId,
    /// The dataset.
    pub dataset: DatasetId,
    /// The last day for whoever is waited for, such as `2026-12-31`.
    pub due: Option<String>,
    /// When something last happened to it.
    pub updated_at: Timestamp,
}

/// Which applications to list.
#[derive(Debug, Clone)]
pub enum Whose {
    /// All.
    All,
    /// Those that a department asks for or is asked for.
    Department(DepartmentId),
    /// Those that a department has asked of one dataset.
    Asked(DepartmentId, DatasetId),
    /// Those that wait for one of these.
    WaitingFor(Vec<Wait>),
}

/// One page: the newest ids first.
#[derive(Debug, Clone)]
pub struct List {
    /// Which applications.
    pub whose: Whose,
    /// Only those that stand so.
    pub state: Option<State>,
    /// Only those that came to a grant.
    pub granted: bool,
    /// Only those whose id comes before this one: the last of the page before.
    pub before: Option<ApplicationId>,
    /// The most on the page.
    pub limit: usize,
}

pub(super) type Columns = (String, i64, String, String, String, String, Option<String>, i64);
type Selected = (
    applications::id,
    applications::version,
    applications::state,
    applications::requester,
    applications::provider,
    applications::dataset,
    applications::due_on,
    applications::updated_at,
);
pub(super) const COLUMNS: Selected = (
    applications::id,
    applications::version,
    applications::state,
    applications::requester,
    applications::provider,
    applications::dataset,
    applications::due_on,
    applications::updated_at,
);
type Query<'a> = applications::BoxedQuery<'a, MultiBackend>;

impl StateStore {
    /// A page of applications.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn applications(&self, list: &List) -> Result<Vec<ApplicationRow>, StateError> {
        let state = list.state.map(|state| state.as_str().to_owned());
        let connection = &mut self.connection()?;
        let mut rows = Vec::new();
        // A query for each way in which a row can belong here: each has its index, where one with
        // an OR would have none.
        match &list.whose {
            Whose::All => rows.extend(load(connection, applications::table.into_boxed(), list, state)?),
            Whose::Department(department) => {
                let department = department.as_str();
                let asks = applications::table.filter(applications::requester.eq(department));
                rows.extend(load(connection, asks.into_boxed(), list, state.clone())?);
                let asked = applications::table.filter(applications::provider.eq(department));
                rows.extend(load(connection, asked.into_boxed(), list, state)?);
            }
            Whose::Asked(department, dataset) => {
                let asked = applications::table
                    .filter(applications::requester.eq(department.as_str()))
                    .filter(applications::dataset.eq(dataset.as_str()));
                rows.extend(load(connection, asked.into_boxed(), list, state)?);
            }
            Whose::WaitingFor(waits) => {
                let ids = waiting(connection, waits, list)?;
                let these = applications::table.filter(applications::id.eq_any(ids));
                rows.extend(load(connection, these.into_boxed(), list, state)?);
            }
        }
        rows.sort_by(|a, b| b.0.cmp(&a.0));
        rows.dedup_by(|a, b| a.0 == b.0);
        rows.truncate(list.limit);
        rows.into_iter().map(row).collect()
    }
}

fn load(
    connection: &mut Db,
    mut query: Query<'_>,
    list: &List,
    state: Option<String>,
) -> Result<Vec<Columns>, StateError> {
    if let Some(state) = state {
        query = query.filter(applications::state.eq(state));
    }
    if list.granted {
        query = query.filter(applications::granted_at.is_not_null());
    }
    if let Some(before) = &list.before {
        query = query.filter(applications::id.lt(before.as_str().to_owned()));
    }
    let limit = i64::try_from(list.limit).map_err(StateError::new)?;
    Ok(query.order(applications::id.desc()).limit(limit).select(COLUMNS).load(connection)?)
}

/// The newest ids that wait for any of `waits`.
fn waiting(connection: &mut Db, waits: &[Wait], list: &List) -> Result<Vec<String>, StateError> {
    let limit = i64::try_from(list.limit).map_err(StateError::new)?;
    let mut ids = Vec::new();
    for wait in waits {
        let department = wait.department.as_ref().map_or("", |d| d.as_str());
        let mut query = application_waits::table
            .filter(application_waits::department.eq(department))
            .filter(application_waits::role.eq(wait.role.as_str()))
            .into_boxed();
        if let Some(before) = &list.before {
            query = query.filter(application_waits::application.lt(before.as_str()));
        }
        let found = query
            .order(application_waits::application.desc())
            .limit(limit)
            .select(application_waits::application)
            .load::<String>(connection)?;
        ids.extend(found);
    }
    Ok(ids)
}

pub(super) fn row(columns: Columns) -> Result<ApplicationRow, StateError> {
    let (id, version, state, requester, provider, dataset, due, updated_at) = columns;
    let malformed = || StateError::new("applications holds a malformed row");
    Ok(ApplicationRow {
        id: ApplicationId::parse(&id).ok_or_else(malformed)?,
        version: u32::try_from(version).map_err(StateError::new)?,
        state: from_name(&state)?,
        requester: DepartmentId::parse(&requester).ok_or_else(malformed)?,
        provider: DepartmentId::parse(&provider).ok_or_else(malformed)?,
        dataset: DatasetId::parse(&dataset).ok_or_else(malformed)?,
        due,
        updated_at: Timestamp::from_micros(updated_at),
    })
}
