//! Synthetic people, and what five departments know about them.
//!
//! Invariant: the same seed, count and day give the same people and the same records, on every
//! machine. Identifiers are valid by their standards and distinct; facts about one person agree
//! across departments, except where the disagreement is the point: some households draw the
//! subsistence allowance while a member is in custody, and nobody has told the civil affairs
//! bureau. Nobody in here exists; any likeness is chance.
//!
//! [`people`] makes the correlated facts; [`rows`] turns them into one department's record.

pub mod cast;
mod household;
mod names;
pub mod organisations;
mod random;
pub mod rows;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use time::{Date, Month};

use household::Register;

/// A person, with the facts that records of several departments must agree on.
///
/// The incidental particulars of one record (the day of an approval, a balance) are drawn in
/// [`rows`] from a stream of the person's own.
#[derive(Debug, Clone)]
pub struct Person {
    /// Resident ID number (GB 11643), valid and distinct.
    pub id_number: String,
    /// Full name.
    pub name: String,
    /// Sex, as the ID number has it.
    pub sex: Sex,
    /// Date of birth, as the ID number has it.
    pub birth: Date,
    /// Age in whole years on the day of the world.
    pub age: i32,
    /// Mobile number.
    pub mobile: Option<String>,
    /// The household the person lives in, or lived in before custody.
    pub household: Arc<Household>,
    /// Work, or what takes its place.
    pub work: Work,
    /// The marriage register's view.
    pub marriage: Marriage,
    /// Prison record.
    pub custody: Option<Custody>,
    /// Under community correction now or lately.
    pub correction: bool,
    /// Homes owned.
    pub homes: u8,
    /// Seriously ill this year, at a cost that insurance does not cover.
    pub ill: bool,
    /// Seeds the incidental particulars of the person's records.
    seed: u64,
}

/// What the members of a household share.
#[derive(Debug, Clone, Default)]
pub struct Household {
    /// Members.
    pub size: u32,
    /// Income as declared to the civil affairs bureau, yuan per month.
    pub income: u32,
    /// In a rural part of the district.
    pub rural: bool,
    /// Street, estate and number.
    pub address: String,
    /// Standing with the subsistence allowance, if it ever had one.
    pub subsistence: Option<Subsistence>,
    /// Public rental housing, if it applied for it.
    pub rental: Option<Rental>,
}

/// Sex, as an ID number's 17th digit tells it: odd for men.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// 女
    Female,
    /// 男
    Male,
}

/// Work, or what takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A child, a student, at home, or in custody.
    Outside,
    /// Employed by `employer` (see [`organisations::employer`]) at a wage in yuan per month.
    Employed {
        /// Number of the employer.
        employer: u32,
        /// Yuan per month.
        wage: u32,
    },
    /// Self-employed, earning so many yuan per month.
    SelfEmployed {
        /// Yuan per month.
        income: u32,
    },
    /// Registered as unemployed.
    Unemployed,
    /// Retired on a pension in yuan per month.
    Retired {
        /// Yuan per month.
        pension: u32,
        /// From the employees' scheme, not the residents'.
        employee: bool,
    },
}

/// The marriage register's view of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marriage {
    /// Never registered anything.
    Never,
    /// Married.
    Married {
        /// The spouse's name.
        name: String,
        /// The spouse's ID number.
        id_number: String,
        /// The day of registration.
        on: Date,
    },
    /// Divorced on a day.
    Divorced(Date),
}

/// Standing with the subsistence allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subsistence {
    /// Receives it.
    Receiving,
    /// Suspended for a review.
    Suspended,
    /// No longer entitled.
    Ended,
}

/// Standing with public rental housing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rental {
    /// On the waiting list.
    Waiting,
    /// Renting.
    Renting,
}

/// Prison record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custody {
    /// Serving a sentence.
    Serving,
    /// Released within the last two years.
    Released,
}

/// `count` people on the day `today`, the [`cast`] first.
pub fn people(seed: u64, count: usize, today: Date) -> Vec<Person> {
    let mut people = cast::cast(today);
    people.truncate(count);
    let taken: HashSet<String> = cast::ids().map(str::to_owned).collect();
    let mut register = Register::new(seed, today, taken);
    while let Some(room) = count.checked_sub(people.len()).filter(|room| *room > 0) {
        people.extend(register.household(room));
    }
    people
}

/// Whole years from `birth` to `day`.
fn years_between(birth: Date, day: Date) -> i32 {
    let had_birthday = (day.month() as u8, day.day()) >= (birth.month() as u8, birth.day());
    day.year() - birth.year() - i32::from(!had_birthday)
}

/// The same day so many months later (or earlier), or the last day of that month.
fn plus_months(day: Date, months: i32) -> Date {
    let total = day.year() * 12 + i32::from(day.month() as u8) - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let month = u8::try_from(month).ok().and_then(|month| Month::try_from(month).ok()).unwrap_or(day.month());
    let last = month.length(year);
    Date::from_calendar_date(year, month, day.day().min(last)).unwrap_or(day)
}
