//! What people sign in with.
//!
//! Invariant: what a person changes here ends the person's other sessions and gives the one that
//! changed it another token, in one transaction with the act; so a stolen session does not outlive
//! the change. Secrets come and go hashed or sealed.

use diesel::prelude::*;

use super::accounts::outside_holder;
use super::schema::{account_keys, accounts};
use super::{StateError, StateStore, acts, bump, sessions};
use crate::base::ids::{AccountId, Fingerprint};
use crate::base::{Secret, Timestamp};
use crate::identity::Outside;

/// What an account is signed in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// What is kept of the password.
    pub password: Option<Secret<String>>,
    /// For a one-time password, until when it can be used.
    pub until: Option<Timestamp>,
    /// The secret of the code generator, sealed.
    pub code_secret: Option<String>,
    /// The secret of one that is being set up, sealed.
    pub code_pending: Option<String>,
    /// The last step whose code was used.
    pub code_step: i64,
}

/// The session in which a person changes credentials, and how it goes on.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// Whose.
    pub account: &'a AccountId,
    /// The session.
    pub session: &'a str,
    /// The SHA-256 of its next token, in hex.
    pub token: &'a str,
    /// What shows that the gateway gave it that.
    pub seal: &'a str,
}

/// A row of `accounts`: the credentials.
type Row = (Option<String>, Option<i64>, Option<String>, Option<String>, i64);

impl StateStore {
    /// What the account is signed in with; none when there is no such account.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn credentials(&self, id: &AccountId) -> Result<Option<Credentials>, StateError> {
        let row = accounts::table.find(id.as_str()).select((
            accounts::password,
            accounts::password_until,
            accounts::code_secret,
            accounts::code_pending,
            accounts::code_step,
        ));
        let row = row.first::<Row>(&mut self.connection()?).optional()?;
        Ok(row.map(|(password, until, code_secret, code_pending, code_step)| Credentials {
            password: password.map(Secret::new),
            until: until.map(Timestamp::from_micros),
            code_secret,
            code_pending,
            code_step,
        }))
    }

    /// The account that signs in with this key's certificate.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn account_of_key(&self, key: &Fingerprint) -> Result<Option<AccountId>, StateError> {
        let row = account_keys::table.find(key.to_string()).select(account_keys::account);
        let id = row.first::<String>(&mut self.connection()?).optional()?;
        Ok(id.and_then(|id| AccountId::parse(&id)))
    }

    /// The account of whoever this is at the identity provider.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn account_of_outside(&self, outside: &Outside) -> Result<Option<AccountId>, StateError> {
        let id = outside_holder(&mut *self.connection()?, outside)?;
        Ok(id.and_then(|id| AccountId::parse(&id)))
    }

    /// Has the person's own password in place of the one before; false when the session is over.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn choose_password(
        &self,
        rotation: Rotation<'_>,
        password: &Secret<String>,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        let set = (accounts::password.eq(password.reveal()), accounts::password_until.eq(None::<i64>));
        self.write(|connection| {
            if !sessions::rotate(connection, rotation)? {
                return Ok(false);
            }
            diesel::update(accounts::table.find(rotation.account.as_str())).set(set).execute(connection)?;
            let account = rotation.account.as_str();
            acts::add(connection, &self.seals, "password-changed", account, "", now, account)?;
            bump(connection)?;
            Ok(true)
        })
    }

    /// Keeps the sealed secret of a code generator that is being set up.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn offer_code(&self, account: &AccountId, sealed: &str) -> Result<(), StateError> {
        let row = accounts::table.find(account.as_str());
        diesel::update(row).set(accounts::code_pending.eq(sealed)).execute(&mut self.connection()?)?;
        Ok(())
    }

    /// Puts the code generator that was set up, `sealed`, in place of the one before; the code of
    /// `step` has shown that it works. False when the session is over, or another was set up
    /// meanwhile.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn take_code(
        &self,
        rotation: Rotation<'_>,
        sealed: &str,
        step: i64,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        let account = rotation.account.as_str();
        self.write(|connection| {
            let pending = accounts::table.find(account).filter(accounts::code_pending.eq(sealed));
            if pending.count().get_result::<i64>(connection)? == 0 || !sessions::rotate(connection, rotation)?
            {
                return Ok(false);
            }
            let set = (
                accounts::code_secret.eq(sealed),
                accounts::code_pending.eq(None::<String>),
                accounts::code_step.eq(step),
            );
            diesel::update(accounts::table.find(account)).set(set).execute(connection)?;
            acts::add(connection, &self.seals, "code-changed", account, "", now, account)?;
            bump(connection)?;
            Ok(true)
        })
    }
}
