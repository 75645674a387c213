//! The outbox: notices, and the letters that carry them, until each has left.
//!
//! Invariant: a notice is in the outbox exactly if the change that it tells of happened, and it
//! leaves only after the log has recorded that change. A letter leaves at least once; letters to
//! one address leave in order, and a letter is in the hands of one deliverer at a time, however
//! many processes share the database. What is finished is forgotten after a while.

use diesel::dsl::{count_star, exists, max, min, not};
use diesel::prelude::*;

use super::acts::pending;
use super::notice::{Kind, Notice, Recipient, Urgency};
use super::schema::{acts, letter_notices, letters, notices};
use super::{Db, StateError, StateStore};
use crate::base::Timestamp;
use crate::base::ids::{AccountId, ApplicationId, DepartmentId};

/// Where a letter goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// To an account, by mail.
    Mail(AccountId),
    /// To a department's webhook.
    Webhook(DepartmentId),
}

/// One of the two ways that letters go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// By mail.
    Mail,
    /// By webhook.
    Webhook,
}

/// A notice in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its number: the order in which things happened.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub notice: Notice,
}

/// A letter that its holder may send, until the time that it was claimed for is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its number.
    pub id: i64,
    /// Where it goes.
    pub address: Address,
    /// Is it the letter of the day?
    pub digest: bool,
    /// When it was made; of a letter of the day, the hour that it is of.
    pub made_at: Timestamp,
    /// How often it was claimed, this time included: a claim that is over marks nothing.
    pub attempt: i32,
    /// The notices that it carries, oldest first.
    pub notices: Vec<Posted>,
}

impl Letter {
    /// What a recipient knows it by, however often it comes. A database that was put back gives
    /// numbers anew, but not for the same second.
    pub fn code(&self) -> String {
        format!("{}-{}", self.made_at.seconds(), self.id)
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Sent,
    /// It is tried again from that moment on; those behind it wait.
    Again(Timestamp),
    /// It is given up; those behind it go on.
    Parked,
}

/// What lies in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Letters by mail that have not left.
    pub mail: i64,
    /// Letters by webhook that have not left.
    pub webhook: i64,
    /// Letters that were given up.
    pub parked: i64,
    /// When the oldest letter that has not left was made.
    pub oldest: Option<Timestamp>,
}

/// The most acts without a seal that do not keep back the notices behind them.
const PASSED_OVER: usize = 1_000;

/// Adds notices: part of the transaction that makes the change, of whose acts `act` is the last.
pub(super) fn add(connection: &mut Db, new: &[Notice], act: i64, now: Timestamp) -> Result<(), StateError> {
    for notice in new {
        let row = (
            notices::recipient.eq(notice.recipient.to_text()),
            notices::kind.eq(notice.kind.as_str()),
            notices::object.eq(notice.object.as_str()),
            notices::about.eq(serde_json::to_string(&notice.about).map_err(StateError::new)?),
            notices::urgency.eq(notice.urgency().as_str()),
            notices::created_at.eq(now.micros()),
            notices::act.eq(act),
        );
        diesel::insert_into(notices::table).values(row).execute(connection)?;
    }
    Ok(())
}

impl StateStore {
    /// Adds notices of what no other change goes with.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn post(&self, new: &[Notice], now: Timestamp) -> Result<(), StateError> {
        self.write(|connection| add(connection, new, 0, now))
    }

    /// Notices to address now, oldest first, at most `limit`: those for at once, and for the
    /// letter of the day those from before `hour`. None of a change that the log has yet to record, nor
    /// any behind it; but an act that is not sealed, and that nobody may ever record, keeps back its own
    /// notice only. None of a kind that this program does not know: the newer one that wrote it addresses
    /// it.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn unaddressed(&self, hour: Timestamp, limit: i64) -> Result<Vec<Posted>, StateError> {
        let connection = &mut self.connection()?;
        let passed_over: Vec<i64> =
            pending(connection, &self.seals, false, PASSED_OVER)?.into_iter().map(|act| act.seq).collect();
        let own = acts::seq.eq(notices::act);
        let before = acts::seq.lt(notices::act).and(acts::seq.ne_all(passed_over));
        let unrecorded = acts::table.filter(acts::log_index.is_null().and(own.or(before)));
        let due = notices::urgency.eq(Urgency::Immediate.as_str()).or(notices::created_at.lt(hour.micros()));
        let rows = notices::table
            .filter(notices::addressed_at.is_null().and(due).and(not(exists(unrecorded))))
            .filter(notices::kind.eq_any(known()))
            .order(notices::seq)
            .limit(limit)
            .select(NOTICE)
            .load::<Row>(connection)?;
        rows.into_iter().map(posted).collect()
    }

    /// Writes the letters for `addressed` notices, in the order given. A notice that was addressed
    /// meanwhile is left out. Those for the letter of the day join that address's letter of `hour`.
    ///
    /// # Errors
    /// When the database cannot be written; nothing is addressed then.
    pub fn address(
        &self,
        addressed: &[(Posted, Vec<Address>)],
        hour: Timestamp,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.write(|connection| {
            for (notice, addresses) in addressed {
                let open = notices::table.find(notice.seq).filter(notices::addressed_at.is_null());
                let took =
                    diesel::update(open).set(notices::addressed_at.eq(now.micros())).execute(connection)?;
                for address in addresses.iter().filter(|_| took == 1) {
                    let digest = notice.notice.urgency() == Urgency::Digest;
                    let begun = if digest { letter_of_the_day(connection, address, hour)? } else { None };
                    let letter = match begun {
                        Some(letter) => letter,
                        None => write_letter(connection, address, digest, if digest { hour } else { now })?,
                    };
                    carry(connection, letter, notice.seq)?;
                }
            }
            Ok(())
        })
    }

    /// Claims letters to send until `until`, at most `limit`: of each address the first that has
    /// not left, if its time has come. Whoever holds it and is not heard of by then has lost it. One with
    /// a notice that this program does not know is left to the newer one that wrote it.
    ///
    /// # Errors
    /// When the database cannot be written, or holds what this program cannot.
    pub fn claim(
        &self,
        channel: Channel,
        now: Timestamp,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<Letter>, StateError> {
        // Most often nothing waits, and finding that out needs no write lock.
        let due = |connection: &mut Db| {
            let firsts = letters::table
                .filter(letters::channel.eq(channel.as_str()))
                .filter(letters::sent_at.is_null().and(letters::parked_at.is_null()))
                .group_by(letters::address)
                .select(min(letters::id))
                .load::<Option<i64>>(connection)?;
            let beyond = letter_notices::table
                .inner_join(notices::table)
                .filter(letter_notices::letter.eq(letters::id))
                .filter(notices::kind.ne_all(known()));
            Ok::<_, StateError>(
                letters::table
                    .filter(letters::id.eq_any(firsts.into_iter().flatten()))
                    .filter(letters::next_try.le(now.micros()).and(not(exists(beyond))))
                    .order((letters::next_try, letters::id))
                    .limit(limit)
                    .select((
                        letters::id,
                        letters::address,
                        letters::digest,
                        letters::created_at,
                        letters::attempts,
                    ))
                    .load::<(i64, String, bool, i64, i32)>(connection)?,
            )
        };
        if due(&mut *self.connection()?)?.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|connection| {
            let mut claimed = Vec::new();
            for (id, address, digest, made_at, attempts) in due(connection)? {
                let attempt = attempts.saturating_add(1);
                diesel::update(letters::table.find(id))
                    .set((letters::next_try.eq(until.micros()), letters::attempts.eq(attempt)))
                    .execute(connection)?;
                claimed.push(Letter {
                    id,
                    address: channel.address(&address).ok_or_else(malformed)?,
                    digest,
                    made_at: Timestamp::from_micros(made_at),
                    attempt,
                    notices: carried(connection, id)?,
                });
            }
            Ok(claimed)
        })
    }

    /// Notes what became of a claimed letter; false when somebody else has claimed it since.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn settle(&self, letter: &Letter, outcome: Outcome, now: Timestamp) -> Result<bool, StateError> {
        let mine = letters::table.find(letter.id).filter(letters::attempts.eq(letter.attempt));
        let (sent, parked, next) = match outcome {
            Outcome::Sent => (Some(now.micros()), None, now),
            Outcome::Again(next) => (None, None, next),
            Outcome::Parked => (None, Some(now.micros()), now),
        };
        let set =
            (letters::sent_at.eq(sent), letters::parked_at.eq(parked), letters::next_try.eq(next.micros()));
        let changed = diesel::update(mine).set(set).execute(&mut self.connection()?)?;
        Ok(changed == 1)
    }

    /// What lies in the outbox.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn waiting(&self) -> Result<Waiting, StateError> {
        let connection = &mut *self.connection()?;
        let open = || letters::table.filter(letters::sent_at.is_null().and(letters::parked_at.is_null()));
        let mut of = |channel: Channel| {
            open().filter(letters::channel.eq(channel.as_str())).select(count_star()).first(connection)
        };
        let (mail, webhook) = (of(Channel::Mail)?, of(Channel::Webhook)?);
        let oldest: Option<i64> = open().select(min(letters::created_at)).first(connection)?;
        let parked = letters::table.filter(letters::parked_at.is_not_null());
        let parked = parked.select(count_star()).first(connection)?;
        Ok(Waiting { mail, webhook, parked, oldest: oldest.map(Timestamp::from_micros) })
    }

    /// Forgets letters that were finished before that moment, and notices that no letter carries.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_letters(&self, before: Timestamp) -> Result<(), StateError> {
        self.write(|connection| {
            let before = before.micros();
            diesel::delete(
                letters::table.filter(letters::sent_at.lt(before).or(letters::parked_at.lt(before))),
            )
            .execute(connection)?;
            let carried = letter_notices::table.filter(letter_notices::notice.eq(notices::seq));
            diesel::delete(notices::table.filter(notices::created_at.lt(before).and(not(exists(carried)))))
                .execute(connection)?;
            Ok(())
        })
    }
}

impl Channel {
    fn as_str(self) -> &'static str {
        match self {
            Channel::Mail => "mail",
            Channel::Webhook => "webhook",
        }
    }

    fn address(self, text: &str) -> Option<Address> {
        match self {
            Channel::Mail => AccountId::parse(text).map(Address::Mail),
            Channel::Webhook => DepartmentId::parse(text).map(Address::Webhook),
        }
    }
}

impl Address {
    fn parts(&self) -> (Channel, &str) {
        match self {
            Address::Mail(account) => (Channel::Mail, account.as_str()),
            Address::Webhook(department) => (Channel::Webhook, department.as_str()),
        }
    }
}

/// The letter of the day to `address`, if it was begun and nobody has tried to send it.
fn letter_of_the_day(
    connection: &mut Db,
    address: &Address,
    hour: Timestamp,
) -> Result<Option<i64>, StateError> {
    let (channel, address) = address.parts();
    let begun = letters::table
        .filter(letters::channel.eq(channel.as_str()).and(letters::address.eq(address)))
        .filter(letters::digest.and(letters::created_at.eq(hour.micros())).and(letters::attempts.eq(0)))
        .select(letters::id);
    Ok(begun.first(connection).optional()?)
}

fn write_letter(
    connection: &mut Db,
    address: &Address,
    digest: bool,
    at: Timestamp,
) -> Result<i64, StateError> {
    let (channel, address) = address.parts();
    let row = (
        letters::channel.eq(channel.as_str()),
        letters::address.eq(address),
        letters::digest.eq(digest),
        letters::created_at.eq(at.micros()),
        letters::next_try.eq(at.micros()),
    );
    diesel::insert_into(letters::table).values(row).execute(connection)?;
    // The newest: the transaction keeps other writers out.
    let newest: Option<i64> = letters::table.select(max(letters::id)).first(connection)?;
    newest.ok_or_else(malformed)
}

/// Has a letter carry a notice, once.
fn carry(connection: &mut Db, letter: i64, notice: i64) -> Result<(), StateError> {
    let known = letter_notices::table.find((letter, notice));
    if known.count().get_result::<i64>(connection)? == 0 {
        let row = (letter_notices::letter.eq(letter), letter_notices::notice.eq(notice));
        diesel::insert_into(letter_notices::table).values(row).execute(connection)?;
    }
    Ok(())
}

/// The kinds of notices that this program knows, by their names.
fn known() -> impl Iterator<Item = &'static str> {
    Kind::ALL.iter().map(|kind| kind.as_str())
}

fn carried(connection: &mut Db, letter: i64) -> Result<Vec<Posted>, StateError> {
    let rows = letter_notices::table
        .inner_join(notices::table)
        .filter(letter_notices::letter.eq(letter))
        .order(notices::seq)
        .select(NOTICE)
        .load::<Row>(connection)?;
    rows.into_iter().map(posted).collect()
}

type Row = (i64, i64, String, String, String, String);
type Columns =
    (notices::seq, notices::created_at, notices::recipient, notices::kind, notices::object, notices::about);
const NOTICE: Columns =
    (notices::seq, notices::created_at, notices::recipient, notices::kind, notices::object, notices::about);

fn posted((seq, at, recipient, kind, object, about): Row) -> Result<Posted, StateError> {
    let notice = || {
        Some(Notice {
            recipient: Recipient::parse(&recipient)?,
            kind: Kind::parse(&kind)?,
            object: ApplicationId::parse(&object)?,
            about: serde_json::from_str(&about).ok()?,
        })
    };
    Ok(Posted { seq, at: Timestamp::from_micros(at), notice: notice().ok_or_else(malformed)? })
}

fn malformed() -> StateError {
    StateError::new("the outbox holds a malformed row")
}
