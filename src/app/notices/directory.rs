//! Who is meant by a recipient, at the time a letter is written.

use std::sync::Arc;

use super::Directory;
use crate::store::state::StateStore;
use crate::store::state::notice::Recipient;

/// The accounts of `state`: those that hold a role now, wherever the notice was made.
pub fn directory(state: StateStore) -> Directory {
    Arc::new(move |recipient| match recipient {
        Recipient::Account(id) => Ok(state.account(id)?.map(|profile| profile.account).into_iter().collect()),
        Recipient::Role(role, department) => state.holders(*role, Some(department)),
        Recipient::Office(role) => state.holders(*role, None),
        // A program, which has no account.
        Recipient::Department(_) => Ok(Vec::new()),
    })
}
