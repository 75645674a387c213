//! Answers that were given under a key of the caller's choice, so that a command sent twice is
//! done once (draft-ietf-httpapi-idempotency-key-header).
//!
//! Invariant: an answer is kept in the transaction that does what it answers. Keys live 24 hours;
//! an account has at most [`MAX_KEYS`] of them, of which the oldest go first.

use diesel::prelude::*;

use super::schema::idempotency_keys::{self, dsl};
use super::{Db, StateError, StateStore, revision};
use crate::base::Timestamp;
use crate::base::ids::AccountId;

/// How long a key is remembered, in seconds.
pub const LIFE: i64 = 86_400;
/// The most keys of one account.
pub const MAX_KEYS: i64 = 1000;

/// A key, and the request that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Whose key it is: two accounts may choose the same.
    pub account: AccountId,
    /// The key.
    pub key: String,
    /// The SHA-256 of the request, in hex.
    pub request: String,
}

/// What a change rests on, and the answer that is kept of it.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// The state's revision before everything that it rests on was read: when something changed
    /// since, be it the account of who makes it, nothing is done.
    pub seen: i64,
    /// The answer, under the key that the caller chose for it, if any.
    pub answer: Option<(&'a Key, &'a str)>,
}

impl Basis<'_> {
    /// Is everything as it was read?
    pub(super) fn stands(&self, connection: &mut Db) -> Result<bool, StateError> {
        Ok(revision(connection)? == self.seen)
    }

    /// Keeps the answer: part of the transaction that does what it answers.
    pub(super) fn keep_answer(&self, connection: &mut Db, now: Timestamp) -> Result<(), StateError> {
        self.answer.map_or(Ok(()), |(key, answer)| put(connection, key, answer, now))
    }
}

/// What a key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Nothing: it is new.
    No,
    /// What was answered to the same request.
    Before(String),
    /// It was used for another request.
    OtherRequest,
}

impl StateStore {
    /// What was answered under the key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn answered(&self, key: &Key, now: Timestamp) -> Result<Answered, StateError> {
        let mut connection = self.connection()?;
        find(&mut connection, key, now)
    }
}

pub(super) fn find(connection: &mut Db, key: &Key, now: Timestamp) -> Result<Answered, StateError> {
    let row = dsl::idempotency_keys
        .find((key.account.as_str(), &key.key))
        .filter(dsl::at.gt(now.plus_seconds(-LIFE).micros()))
        .select((dsl::request, dsl::answer))
        .first::<(String, String)>(connection)
        .optional()?;
    Ok(match row {
        None => Answered::No,
        Some((request, answer)) if request == key.request => Answered::Before(answer),
        Some(_) => Answered::OtherRequest,
    })
}

/// Keeps an answer: part of the transaction that does what it answers.
pub(super) fn put(connection: &mut Db, key: &Key, answer: &str, now: Timestamp) -> Result<(), StateError> {
    let ended = dsl::idempotency_keys.filter(dsl::at.le(now.plus_seconds(-LIFE).micros()));
    diesel::delete(ended).execute(connection)?;
    let row = (
        dsl::account.eq(key.account.as_str()),
        dsl::key.eq(&key.key),
        dsl::request.eq(&key.request),
        dsl::answer.eq(answer),
        dsl::at.eq(now.micros()),
    );
    // One that was used before the 24 hours makes room.
    diesel::delete(dsl::idempotency_keys.find((key.account.as_str(), &key.key))).execute(connection)?;
    diesel::insert_into(idempotency_keys::table).values(row).execute(connection)?;
    // The newest beyond the bound, if there is one, and all that are older go.
    let surplus = dsl::idempotency_keys
        .filter(dsl::account.eq(key.account.as_str()))
        .order(dsl::at.desc())
        .offset(MAX_KEYS)
        .select(dsl::at)
        .first::<i64>(connection)
        .optional()?;
    if let Some(oldest) = surplus {
        let surplus =
            dsl::idempotency_keys.filter(dsl::account.eq(key.account.as_str())).filter(dsl::at.le(oldest));
        diesel::delete(surplus).execute(connection)?;
    }
    Ok(())
}
