//! The grants that applications came to, and how each stands.
//!
//! Invariant: a row changes in the transaction that appends the event it follows from, with the
//! act that tells of it; no other way leads here.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::schema::grants::{self, dsl};
use super::{StateError, StateStore, acts, bump};
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
    /// All grants that are not over.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn grants(&self) -> Result<Vec<StandingGrant>, StateError> {
        let rows = dsl::grants
            .filter(dsl::state.ne(GrantState::Ended.as_str()))
            .order(dsl::id)
            .select((
                dsl::id,
                dsl::application,
                dsl::requester,
                dsl::terms,
                dsl::digest,
                dsl::since,
                dsl::state,
            ))
            .load::<(String, String, String, String, String, i64, String)>(&mut self.connection()?)?;
        rows.into_iter()
            .map(|(id, application, requester, terms, digest, since, state)| {
                Some(StandingGrant {
                    id: RuleId::parse(&id)?,
                    application: ApplicationId::parse(&application)?,
                    requester: DepartmentId::parse(&requester)?,
                    terms,
                    digest,
                    since: Timestamp::from_micros(since),
                    state: GrantState::parse(&state)?,
                })
            })
            .map(|grant| grant.ok_or_else(|| StateError::new("grants holds a malformed row")))
            .collect()
    }
}

/// Has a grant stand as `grant` says: part of the transaction that appends the event.
pub(super) fn put(
    connection: &mut SqliteConnection,
    grant: &StandingGrant,
    actor: &str,
    now: Timestamp,
) -> Result<(), StateError> {
    let row = (
        dsl::id.eq(grant.id.as_str()),
        dsl::application.eq(grant.application.as_str()),
        dsl::requester.eq(grant.requester.as_str()),
        dsl::terms.eq(&grant.terms),
        dsl::digest.eq(&grant.digest),
        dsl::since.eq(grant.since.micros()),
        dsl::state.eq(grant.state.as_str()),
        dsl::changed_at.eq(now.micros()),
    );
    diesel::replace_into(grants::table).values(row).execute(connection)?;
    acts::add(connection, grant.state.act(), grant.id.as_str(), &grant.digest, now, actor)?;
    bump(connection)
}
