//! Roles that people lend each other for a time.
//!
//! Invariant: lending and taking back are each one transaction with the act that tells of it. What
//! a loan permits is the approval room's to say.

use diesel::prelude::*;

use super::idempotency::{self, Key};
use super::schema::delegations::{self, dsl};
use super::{StateError, StateStore, acts, bump, revision};
use crate::base::Timestamp;
use crate::base::ids::AccountId;
use crate::identity::Role;
use crate::store::db::MultiBackend;

/// A role lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loan {
    /// Its number.
    pub id: i64,
    /// Whose role it is.
    pub from: AccountId,
    /// Which account may act in it.
    pub to: AccountId,
    /// The role.
    pub role: Role,
    /// From this moment.
    pub since: Timestamp,
    /// Until this moment.
    pub until: Timestamp,
}

/// What lending came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lent {
    /// It is lent, with the number that it has now.
    Yes(Loan),
    /// As many are lent as may be.
    TooMany,
    /// Something changed that it rests on: nothing was done.
    Stale,
}

impl Loan {
    /// What the act of lending says of it.
    pub fn given_as(&self) -> String {
        let Self { to, role, since, until, .. } = self;
        format!("{} to {to} from {since} until {until}", role.as_str())
    }
}

type Columns = (i64, String, String, String, i64, i64);

impl StateStore {
    /// Lends a role, unless `from` already lends `most` that are not over; and keeps under `key` what
    /// `answer` makes of the loan. `seen` is the state's revision before everything that this rests
    /// on was read.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn lend(
        &self,
        seen: i64,
        loan: &Loan,
        most: i64,
        key: Option<&Key>,
        now: Timestamp,
        answer: impl FnOnce(&Loan) -> Result<String, StateError>,
    ) -> Result<Lent, StateError> {
        self.write(|connection| {
            if revision(connection)? != seen {
                return Ok(Lent::Stale);
            }
            let lent = dsl::delegations
                .filter(dsl::from_account.eq(loan.from.as_str()))
                .filter(dsl::until.gt(now.micros()))
                .filter(dsl::ended_at.is_null())
                .count()
                .get_result::<i64>(connection)?;
            if lent >= most {
                return Ok(Lent::TooMany);
            }
            let row = (
                dsl::from_account.eq(loan.from.as_str()),
                dsl::to_account.eq(loan.to.as_str()),
                dsl::role.eq(loan.role.as_str()),
                dsl::since.eq(loan.since.micros()),
                dsl::until.eq(loan.until.micros()),
            );
            diesel::insert_into(delegations::table).values(row).execute(connection)?;
            let newest =
                dsl::delegations.select(diesel::dsl::max(dsl::id)).first::<Option<i64>>(connection)?;
            let id = newest.ok_or_else(|| StateError::new("the delegation was not kept"))?;
            let loan = Loan { id, ..loan.clone() };
            let (object, detail) = (id.to_string(), loan.given_as());
            acts::add(
                connection,
                &self.seals,
                "delegation-given",
                &object,
                &detail,
                now,
                loan.from.as_str(),
            )?;
            if let Some(key) = key {
                idempotency::put(connection, key, &answer(&loan)?, now)?;
            }
            bump(connection)?;
            Ok(Lent::Yes(loan))
        })
    }

    /// Takes back a role that `from` has lent; false when there is no such loan, or it is over.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn take_back(&self, id: i64, from: &AccountId, now: Timestamp) -> Result<bool, StateError> {
        self.write(|connection| {
            let loan = dsl::delegations
                .find(id)
                .filter(dsl::from_account.eq(from.as_str()))
                .filter(dsl::until.gt(now.micros()))
                .filter(dsl::ended_at.is_null());
            let Some(id) = loan.select(dsl::id).first::<i64>(connection).optional()? else {
                return Ok(false);
            };
            diesel::update(dsl::delegations.find(id))
                .set(dsl::ended_at.eq(now.micros()))
                .execute(connection)?;
            acts::add(connection, &self.seals, "delegation-ended", &id.to_string(), "", now, from.as_str())?;
            bump(connection)?;
            Ok(true)
        })
    }

    /// What is lent to an account and is not over, by number.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn lent_to(&self, account: &AccountId, now: Timestamp) -> Result<Vec<Loan>, StateError> {
        let mine = dsl::delegations.filter(dsl::to_account.eq(account.as_str())).into_boxed();
        self.loans(mine, now)
    }

    /// What an account lends and is not over, by number.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn lent_by(&self, account: &AccountId, now: Timestamp) -> Result<Vec<Loan>, StateError> {
        let mine = dsl::delegations.filter(dsl::from_account.eq(account.as_str())).into_boxed();
        self.loans(mine, now)
    }

    fn loans(
        &self,
        mine: delegations::BoxedQuery<'_, MultiBackend>,
        now: Timestamp,
    ) -> Result<Vec<Loan>, StateError> {
        let rows = mine
            .filter(dsl::until.gt(now.micros()))
            .filter(dsl::ended_at.is_null())
            .order(dsl::id)
            .limit(MAX_LOANS)
            .select((dsl::id, dsl::from_account, dsl::to_account, dsl::role, dsl::since, dsl::until))
            .load::<Columns>(&mut self.connection()?)?;
        let loans = rows.into_iter().map(loan).collect::<Option<Vec<_>>>();
        loans.ok_or_else(|| StateError::new("delegations holds a malformed row"))
    }
}

/// The most loans that are read: above what one account may be lent by all who may lend to it.
const MAX_LOANS: i64 = 200;

fn loan((id, from, to, role, since, until): Columns) -> Option<Loan> {
    Some(Loan {
        id,
        from: AccountId::parse(&from)?,
        to: AccountId::parse(&to)?,
        role: Role::parse(&role)?,
        since: Timestamp::from_micros(since),
        until: Timestamp::from_micros(until),
    })
}
