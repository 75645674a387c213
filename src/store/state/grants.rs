//! The grants that applications came to, and how each stands.
//!
//! Invariant: a row changes in the transaction that appends the event it follows from, with the
//! act that tells of it; no other way leads here.

use diesel::prelude::*;

use super::schema::grants::{self, dsl};
use super::{ActKey, Db, StateError, StateStore, acts, bump, emergency};
use crate::base::Timestamp;
use crate::base::ids::{ApplicationId, DepartmentId, RuleId};

/// A grant, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingGrant {
    /// Its id, such as `G-2026-000001`.
    pub id: RuleId,
    /// The application that it came of.
    pub application: ApplicationId,
    /// The department that has it.
    pub requester: DepartmentId,
    /// Its terms as JSON.
    pub terms: String,
    /// The SHA-256 of the terms, in hex.
    pub digest: String,
    /// In force from this moment.
    pub since: Timestamp,
    /// How it stands.
    pub state: GrantState,
}

/// How a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantState {
    /// In force until its last day.
    Active,
    /// Stopped for the time being.
    Suspended,
    /// Over for good.
    Ended,
}

impl GrantState {
    fn as_str(self) -> &'static str {
        match self {
            GrantState::Active => "active",
            GrantState::Suspended => "suspended",
            GrantState::Ended => "ended",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Ended].into_iter().find(|state| state.as_str() == text)
    }

    /// The kind of act by which a grant comes to stand so.
    pub fn act(self) -> &'static str {
        match self {
            GrantState::Active => "grant-active",
            GrantState::Suspended => "grant-suspended",
            GrantState::Ended => "grant-ended",
        }
    }
}

impl StateStore {
    /// All grants that are not over, and those of the files that somebody stopped for good: a
    /// row that were not read would put such a one back in force. Open emergency access is a grant
    /// too. A malformed row is told of and left out: it gives nothing, and must not keep what else
    /// changed, removals above all, from being taken up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn grants(&self) -> Result<Vec<StandingGrant>, StateError> {
        let connection = &mut self.connection()?;
        let rows = dsl::grants
            .filter(dsl::state.ne(GrantState::Ended.as_str()).or(dsl::application.eq(dsl::id)))
            .order(dsl::id)
            .select(COLUMNS)
            .load::<Row>(connection)?;
        let read = rows.into_iter().filter_map(|row| {
            let read = grant(row);
            if read.is_none() {
                tracing::error!("grants holds a malformed row: it is left out");
            }
            read
        });
        let mut grants: Vec<_> = read.collect();
        grants.extend(emergency::as_grants(connection)?);
        Ok(grants)
    }
}

type Row = (String, String, String, String, String, i64, String);
type Columns = (dsl::id, dsl::application, dsl::requester, dsl::terms, dsl::digest, dsl::since, dsl::state);
const COLUMNS: Columns =
    (dsl::id, dsl::application, dsl::requester, dsl::terms, dsl::digest, dsl::since, dsl::state);

fn grant((id, application, requester, terms, digest, since, state): Row) -> Option<StandingGrant> {
    Some(StandingGrant {
        id: RuleId::parse(&id)?,
        application: ApplicationId::parse(&application)?,
        requester: DepartmentId::parse(&requester)?,
        terms,
        digest,
        since: Timestamp::from_micros(since),
        state: GrantState::parse(&state)?,
    })
}

/// Has a grant stand as `grant` says: part of the transaction that appends the event. Gives the number
/// of the act.
pub(super) fn put(
    connection: &mut Db,
    seals: &ActKey,
    grant: &StandingGrant,
    actor: &str,
    now: Timestamp,
) -> Result<i64, StateError> {
    let row = (
        dsl::application.eq(grant.application.as_str()),
        dsl::requester.eq(grant.requester.as_str()),
        dsl::terms.eq(&grant.terms),
        dsl::digest.eq(&grant.digest),
        dsl::since.eq(grant.since.micros()),
        dsl::state.eq(grant.state.as_str()),
        dsl::changed_at.eq(now.micros()),
    );
    let known = diesel::update(dsl::grants.find(grant.id.as_str())).set(row).execute(connection)?;
    if known == 0 {
        let id = dsl::id.eq(grant.id.as_str());
        diesel::insert_into(grants::table).values((id, row)).execute(connection)?;
    }
    let act = acts::add(connection, seals, grant.state.act(), grant.id.as_str(), &grant.digest, now, actor)?;
    bump(connection)?;
    Ok(act)
}
