//! Searches of the log that people keep, each under a name of its own.
//!
//! Invariant: an account has at most so many, and a name stands for one of them. What a search says is
//! not looked at here. Nothing rests on what is kept, so there is no act of it.

use diesel::prelude::*;

use super::schema::saved_searches::{self, dsl};
use super::{StateError, StateStore};
use crate::base::Timestamp;
use crate::base::ids::AccountId;

/// A search that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSearch {
    /// Its number.
    pub id: i64,
    /// What its keeper calls it.
    pub name: String,
    /// What is looked for.
    pub query: String,
}

impl StateStore {
    /// Keeps a search, in the place of one of that name; false when the account keeps `most` already.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn save_search(
        &self,
        account: &AccountId,
        name: &str,
        query: &str,
        most: i64,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.write(|connection| {
            let own = || dsl::saved_searches.filter(dsl::account.eq(account.as_str()));
            diesel::delete(own().filter(dsl::name.eq(name))).execute(connection)?;
            if own().count().get_result::<i64>(connection)? >= most {
                return Ok(false);
            }
            let row = (
                dsl::account.eq(account.as_str()),
                dsl::name.eq(name),
                dsl::query.eq(query),
                dsl::saved_at.eq(now.micros()),
            );
            diesel::insert_into(saved_searches::table).values(row).execute(connection)?;
            Ok(true)
        })
    }

    /// What an account keeps, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn saved_searches(&self, account: &AccountId) -> Result<Vec<SavedSearch>, StateError> {
        let rows = dsl::saved_searches
            .filter(dsl::account.eq(account.as_str()))
            .order(dsl::name)
            .select((dsl::id, dsl::name, dsl::query))
            .load::<(i64, String, String)>(&mut self.connection()?)?;
        Ok(rows.into_iter().map(|(id, name, query)| SavedSearch { id, name, query }).collect())
    }

    /// Forgets a search; false when the account keeps none of that number.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_search(&self, account: &AccountId, id: i64) -> Result<bool, StateError> {
        self.write(|connection| {
            let one = dsl::saved_searches.find(id).filter(dsl::account.eq(account.as_str()));
            Ok(diesel::delete(one).execute(connection)? > 0)
        })
    }
}
