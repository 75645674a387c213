//! Who asks to see a person's history, and the second officer's word on it.
//!
//! Invariant: what is asked is decided once, by another natural person, before its time is over; each
//! step is one transaction with its act. The person asked about is not here: a row has a keyed mark
//! alone. What is over is deleted.

use diesel::prelude::*;
use ring::digest::{SHA256, digest};

use super::schema::consents;
use super::{Db, StateError, StateStore, acts, bump};
use crate::base::Timestamp;
use crate::base::ids::{AccountId, PersonId, hex};

/// The most that are listed: far above what all officers may ask at one time.
const LISTED: i64 = 200;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nobody has decided.
    Asked,
    /// A second officer consents.
    Consented,
    /// A second officer does not.
    Refused,
}

impl Word {
    /// The name in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Word::Asked => "asked",
            Word::Consented => "consented",
            Word::Refused => "refused",
        }
    }

    /// The kind of act by which it comes to be so.
    pub fn act(self) -> &'static str {
        match self {
            Word::Asked => "history-asked",
            Word::Consented => "history-consented",
            Word::Refused => "history-refused",
        }
    }
}

/// What is asked, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = consents)]
pub struct Consent {
    /// Its id.
    pub id: String,
    /// A keyed hash of the person asked about, another one for each id.
    pub mark: Vec<u8>,
    /// The case in which it is asked.
    pub case_number: String,
    /// Why, in the officer's words.
    pub reason: String,
    /// Who asks.
    pub account: String,
    /// The natural person behind that account.
    pub person: String,
    /// When, in microseconds.
    pub asked_at: i64,
    /// Until when it stands, whatever is decided, in microseconds.
    pub until: i64,
    /// How it stands: the name of a [`Word`].
    pub state: String,
    /// The account that decided.
    pub decided_by: Option<String>,
    /// When that was, in microseconds.
    pub decided_at: Option<i64>,
}

/// What came of asking or deciding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It is done: how it stands now.
    Done(Box<Consent>),
    /// There is no such thing, or no longer.
    Nothing,
    /// It is decided already, or the same was asked and is not over.
    Already,
    /// The person asks as much as may be asked at one time.
    TooMany,
    /// Nobody decides about what the same person asks.
    SamePerson,
}

impl Consent {
    /// Does it stand so?
    pub fn is(&self, word: Word) -> bool {
        self.state == word.as_str()
    }

    /// What the acts say of it: SHA-256, in hex, of everything that does not change.
    pub fn digest(&self) -> String {
        let Self { id, mark, case_number, reason, account, person, asked_at, until, .. } = self;
        let (mark, asked_at, until) = (hex(mark), asked_at.to_string(), until.to_string());
        // None but the last can hold a line end.
        let parts = [id, &mark, case_number, account, person, &asked_at, &until, reason];
        hex(digest(&SHA256, parts.map(String::as_str).join("\n").as_bytes()).as_ref())
    }
}

impl StateStore {
    /// Asks, unless the person asks `most` already, or `is_same` of something it asks that stands.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn ask_consent(
        &self,
        new: &Consent,
        is_same: impl Fn(&Consent) -> bool,
        most: usize,
        now: Timestamp,
    ) -> Result<Came, StateError> {
        self.write(|connection| {
            let own = of_person(connection, &new.person, now)?;
            if own.iter().any(is_same) {
                return Ok(Came::Already);
            }
            if own.len() >= most {
                return Ok(Came::TooMany);
            }
            diesel::insert_into(consents::table).values(new).execute(connection)?;
            acts::add(connection, &self.seals, Word::Asked.act(), &new.id, &new.digest(), now, &new.account)?;
            bump(connection)?;
            Ok(Came::Done(Box::new(new.clone())))
        })
    }

    /// Decides about what was asked: once, by another person, before it is over.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn decide_consent(
        &self,
        id: &str,
        word: Word,
        (by, person): (&AccountId, &PersonId),
        now: Timestamp,
    ) -> Result<Came, StateError> {
        self.write(|connection| {
            let standing = consents::table.find(id).filter(consents::until.gt(now.micros()));
            let found = standing.select(Consent::as_select()).first::<Consent>(connection).optional()?;
            let Some(asked) = found else { return Ok(Came::Nothing) };
            if asked.person == person.as_str() {
                return Ok(Came::SamePerson);
            }
            if !asked.is(Word::Asked) {
                return Ok(Came::Already);
            }
            let decided = Consent {
                state: word.as_str().to_owned(),
                decided_by: Some(by.to_string()),
                decided_at: Some(now.micros()),
                ..asked
            };
            let set = (
                consents::state.eq(&decided.state),
                consents::decided_by.eq(&decided.decided_by),
                consents::decided_at.eq(decided.decided_at),
            );
            diesel::update(consents::table.find(id)).set(set).execute(connection)?;
            acts::add(connection, &self.seals, word.act(), id, &decided.digest(), now, by.as_str())?;
            bump(connection)?;
            Ok(Came::Done(Box::new(decided)))
        })
    }

    /// Everything that is asked and not over, the oldest first; 200 at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn consents(&self, now: Timestamp) -> Result<Vec<Consent>, StateError> {
        let standing = consents::table.filter(consents::until.gt(now.micros()));
        let rows = standing.order((consents::asked_at, consents::id)).limit(LISTED);
        Ok(rows.select(Consent::as_select()).load(&mut self.connection()?)?)
    }

    /// What a person asks and is not over, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn consents_of(&self, person: &PersonId, now: Timestamp) -> Result<Vec<Consent>, StateError> {
        of_person(&mut *self.connection()?, person.as_str(), now)
    }

    /// Deletes what is over; gives how many that were.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_consents(&self, now: Timestamp) -> Result<usize, StateError> {
        let over = || consents::table.filter(consents::until.le(now.micros()));
        // Looked at without the write lock first: there is nothing to do nearly always.
        if over().count().get_result::<i64>(&mut self.connection()?)? == 0 {
            return Ok(0);
        }
        self.write(|connection| Ok(diesel::delete(over()).execute(connection)?))
    }
}

fn of_person(connection: &mut Db, person: &str, now: Timestamp) -> Result<Vec<Consent>, StateError> {
    let own = consents::table.filter(consents::person.eq(person)).filter(consents::until.gt(now.micros()));
    let rows = own.order((consents::asked_at, consents::id)).limit(LISTED);
    Ok(rows.select(Consent::as_select()).load(connection)?)
}
