//! Where people are signed in.
//!
//! Invariant: a token is kept as its SHA-256 only; and a session is found with the account as it is
//! at that moment, so whatever was taken from the account is taken from its sessions. A row alone
//! signs nobody in: it carries a seal, which whoever looks it up must open.

use diesel::prelude::*;

use super::account::Profile;
use super::accounts;
use super::schema::sessions::{self as table, dsl};
use super::{Db, Rotation, StateError, StateStore};
use crate::base::Timestamp;
use crate::base::ids::AccountId;

/// What somebody signed in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// A password, and the code of a code generator where one is set up.
    Password,
    /// A client certificate.
    Certificate,
    /// Another authority's word (OpenID Connect).
    Oidc,
}

impl Means {
    const ALL: [Means; 3] = [Means::Password, Means::Certificate, Means::Oidc];

    /// The name in answers and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Means::Password => "password",
            Means::Certificate => "certificate",
            Means::Oidc => "oidc",
        }
    }
}

/// A session, with the account as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What the log and its holder call it: not what signs in.
    pub id: String,
    /// SHA-256 of its token, in hex.
    pub token: String,
    /// What shows that the gateway made the row.
    pub seal: String,
    /// Whose it is.
    pub profile: Profile,
    /// What was signed in with.
    pub means: Means,
    /// Since when.
    pub since: Timestamp,
    /// When it was last used, within a minute.
    pub used: Timestamp,
}

/// A session to be begun.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Its name.
    pub id: &'a str,
    /// SHA-256 of its token, in hex.
    pub token: &'a str,
    /// What shows that the gateway made it.
    pub seal: &'a str,
    /// Whose.
    pub account: &'a AccountId,
    /// What was signed in with.
    pub means: Means,
    /// The step of the code that was used, to be used no more.
    pub code_step: Option<i64>,
}

/// How long a session lasts, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Lasting {
    /// Seconds without use.
    pub idle: i64,
    /// Seconds in all.
    pub whole: i64,
    /// Sessions of one account.
    pub per_account: usize,
}

impl Lasting {
    /// Is a session over that began and was used then?
    fn is_over(&self, since: Timestamp, used: Timestamp, now: Timestamp) -> bool {
        now >= since.plus_seconds(self.whole) || now >= used.plus_seconds(self.idle)
    }
}

impl StateStore {
    /// Begins a session and ends the oldest of the account beyond those allowed; false, and nothing
    /// is begun, when the account is not active or the code was used meanwhile.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn begin_session(
        &self,
        new: &NewSession<'_>,
        lasting: Lasting,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.write(|connection| {
            if !use_step(connection, new.account, new.code_step)? {
                return Ok(false);
            }
            let row = (
                dsl::id.eq(new.id),
                dsl::token.eq(new.token),
                dsl::seal.eq(new.seal),
                dsl::account.eq(new.account.as_str()),
                dsl::means.eq(new.means.as_str()),
                dsl::since.eq(now.micros()),
                dsl::used.eq(now.micros()),
            );
            diesel::insert_into(table::table).values(row).execute(connection)?;
            let past = now.plus_seconds(-lasting.whole).micros();
            diesel::delete(dsl::sessions.filter(dsl::since.le(past))).execute(connection)?;
            let of_account = dsl::sessions.filter(dsl::account.eq(new.account.as_str()));
            let newest = of_account.order((dsl::since.desc(), dsl::id)).select(dsl::id);
            let surplus: Vec<String> =
                newest.load(connection)?.into_iter().skip(lasting.per_account).collect();
            diesel::delete(dsl::sessions.filter(dsl::id.eq_any(surplus))).execute(connection)?;
            Ok(true)
        })
    }

    /// The session of a token, if it is not over and its account may act.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn session(
        &self,
        token: &str,
        lasting: Lasting,
        now: Timestamp,
    ) -> Result<Option<Session>, StateError> {
        let connection = &mut *self.connection()?;
        let row = dsl::sessions.filter(dsl::token.eq(token)).select(COLUMNS);
        let Some(row) = row.first::<Row>(connection).optional()? else { return Ok(None) };
        let session = read(connection, row)?;
        let stands = |session: &Session| {
            session.profile.account.active && !lasting.is_over(session.since, session.used, now)
        };
        Ok(session.filter(stands))
    }

    /// The sessions of an account that are not over, newest first.
    ///
    /// # Errors
    /// As for [`StateStore::session`].
    pub fn sessions_of(
        &self,
        account: &AccountId,
        lasting: Lasting,
        now: Timestamp,
    ) -> Result<Vec<Session>, StateError> {
        let connection = &mut *self.connection()?;
        let of_account = dsl::sessions.filter(dsl::account.eq(account.as_str()));
        let rows = of_account.order((dsl::since.desc(), dsl::id)).select(COLUMNS).load::<Row>(connection)?;
        let found = rows.into_iter().filter_map(|row| read(connection, row).transpose());
        let sessions = found.collect::<Result<Vec<_>, _>>()?;
        Ok(sessions.into_iter().filter(|s| !lasting.is_over(s.since, s.used, now)).collect())
    }

    /// Notes that a session was used.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn touch_session(&self, id: &str, now: Timestamp) -> Result<(), StateError> {
        let row = dsl::sessions.find(id);
        diesel::update(row).set(dsl::used.eq(now.micros())).execute(&mut self.connection()?)?;
        Ok(())
    }

    /// Ends a session of the account; false when it has none of that name.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn end_session(&self, account: &AccountId, id: &str) -> Result<bool, StateError> {
        let row = dsl::sessions.filter(dsl::id.eq(id).and(dsl::account.eq(account.as_str())));
        Ok(diesel::delete(row).execute(&mut self.connection()?)? > 0)
    }
}

type Row = (String, String, String, String, String, i64, i64);
type Columns = (dsl::id, dsl::token, dsl::seal, dsl::account, dsl::means, dsl::since, dsl::used);
const COLUMNS: Columns = (dsl::id, dsl::token, dsl::seal, dsl::account, dsl::means, dsl::since, dsl::used);

fn read(
    connection: &mut Db,
    (id, token, seal, account, means, since, used): Row,
) -> Result<Option<Session>, StateError> {
    // Begun by a newer program, in a way of which this one cannot say what it is worth: no session here.
    let Some(means) = Means::ALL.into_iter().find(|known| known.as_str() == means) else { return Ok(None) };
    let account =
        AccountId::parse(&account).ok_or_else(|| StateError::new("sessions holds a malformed row"))?;
    let profile = accounts::profile(connection, &account)?;
    let (since, used) = (Timestamp::from_micros(since), Timestamp::from_micros(used));
    Ok(profile.map(|profile| Session { id, token, seal, profile, means, since, used }))
}

/// Marks a code's step as used; false when it was, or the account may not act. Two who send one
/// code at one time queue up here, and one of them gets in.
fn use_step(connection: &mut Db, account: &AccountId, step: Option<i64>) -> Result<bool, StateError> {
    use super::schema::accounts::dsl as a;
    let active = a::accounts.filter(a::id.eq(account.as_str()).and(a::active.eq(true)));
    let used = match step {
        Some(step) => diesel::update(active.filter(a::code_step.lt(step)))
            .set(a::code_step.eq(step))
            .execute(connection)?,
        None => usize::try_from(active.count().get_result::<i64>(connection)?).unwrap_or_default(),
    };
    Ok(used > 0)
}

/// Ends every session of an account: part of the transaction that changes it.
pub(super) fn end_all(connection: &mut Db, account: &AccountId) -> Result<(), StateError> {
    diesel::delete(dsl::sessions.filter(dsl::account.eq(account.as_str()))).execute(connection)?;
    Ok(())
}

/// Gives a session another token and ends the account's others: part of the
/// transaction that changes what it signs in with. False, and nothing is changed, when it is over.
pub(super) fn rotate(connection: &mut Db, rotation: Rotation<'_>) -> Result<bool, StateError> {
    let of_account = dsl::sessions.filter(dsl::account.eq(rotation.account.as_str()));
    let own = of_account.filter(dsl::id.eq(rotation.session));
    let next = (dsl::token.eq(rotation.token), dsl::seal.eq(rotation.seal));
    if diesel::update(own).set(next).execute(connection)? == 0 {
        return Ok(false);
    }
    diesel::delete(of_account.filter(dsl::id.ne(rotation.session))).execute(connection)?;
    Ok(true)
}
