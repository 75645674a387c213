//! What waits for somebody, over everything: what is due first first, a page at a time; and how much it is.
//!
//! Invariant: what waits for the own roles and for those that are lent, and nothing else. Reading leaves
//! no record, being refused does.

use std::sync::Arc;

use super::reading::{MAX_PAGE, line, refuse, waits_for};
use super::view::ApplicationLine;
use super::{blocking, state};
use crate::app::call::{Call, PersonCaller};
use crate::app::gateway::Gateway;
use crate::approval::State;
use crate::base::{Code, Error, Result};
use crate::identity::Account;
use crate::store::state::applications::{Due, Place, Wait};

/// A page of what waits.
#[derive(Debug)]
pub struct Waiting {
    /// The applications, what is due first first; without a last day, last.
    pub applications: Vec<WaitingLine>,
    /// Ask with `after` set to this for the next page; none when there is no more.
    pub next: Option<String>,
}

/// Something that waits.
#[derive(Debug)]
pub struct WaitingLine {
    /// It.
    pub line: ApplicationLine,
    /// May the reader vote about it in a role of its own, as far as its state says?
    pub votes: bool,
}

/// What waits for the reader behind `after`, the `next` of the page before; at most `limit`, up to 100.
///
/// # Errors
/// `forbidden`, `invalid-request`.
pub async fn waiting(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    after: Result<Option<String>>,
    limit: usize,
) -> Result<Waiting> {
    let (held, account) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let found = blocking(move || {
        let place = |text: String| Place::parse(&text).ok_or_else(|| wrong("/after"));
        let after = after?.map(place).transpose()?;
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(wrong("/limit"));
        }
        let waits = waits_for(&held, &held.world(), &account, held.now())?;
        // One more than is shown: so it is known whether there is more.
        let mut rows = held.state.inbox(&waits, after.as_ref(), limit + 1).map_err(state)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|due| Place::of(&due.row).to_string());
        let applications =
            rows.into_iter().map(|due| WaitingLine { votes: votes(&due, &account), line: line(due.row) });
        Ok(Waiting { next, applications: applications.collect() })
    });
    match found.await {
        Ok(page) => Ok(page),
        Err(error) => refuse(gateway, call, error).await,
    }
}

/// How many wait for the reader, counted up to `most`.
///
/// # Errors
/// `forbidden`.
pub async fn number_waiting(gateway: &Arc<Gateway>, call: &Call<PersonCaller>, most: usize) -> Result<usize> {
    let (held, account) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let found = blocking(move || {
        let waits = waits_for(&held, &held.world(), &account, held.now())?;
        held.state.number_waiting(&waits, most).map_err(state)
    });
    match found.await {
        Ok(number) => Ok(number),
        Err(error) => refuse(gateway, call, error).await,
    }
}

/// It is with the provider, and a role of the reader's own in that department is waited for.
fn votes(due: &Due, account: &Account) -> bool {
    let own = |wait: &Wait| wait.department.as_ref() == Some(&due.row.provider) && account.holds(wait.role);
    due.row.state == State::InReview && account.department == due.row.provider && due.waits.iter().any(own)
}

fn wrong(pointer: &str) -> Error {
    Error::at(Code::InvalidRequest, pointer, Code::NotAllowedValue)
}
