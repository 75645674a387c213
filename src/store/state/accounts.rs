//! Stand-in until the accounts' tables are merged.
#![allow(missing_docs)]
use super::{StateError, StateStore};
use crate::base::ids::{AccountId, PersonId};
use crate::identity::Account;
pub struct Profile {
    pub account: Account,
}
impl StateStore {
    pub fn account(&self, _id: &AccountId) -> Result<Option<Profile>, StateError> {
        Ok(None)
    }
    pub fn accounts_of(&self, _person: &PersonId) -> Result<Vec<Account>, StateError> {
        Ok(Vec::new())
    }
}
