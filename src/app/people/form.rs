//! What an account may look like.
//!
//! Invariant: what names somebody in the log for years is no number of a person; and an error names
//! the member, never what stands in it.

use ring::rand::SecureRandom;
use serde::Deserialize;
use time::Date;

use crate::base::ids::{AccountId, DepartmentId, PersonId};
use crate::base::unseen::is_unseen;
use crate::base::{Code, Error, Lang, Result, Secret, Timestamp};
use crate::catalogue::{Catalogue, reference};
use crate::config::notices::HttpsUrl;
use crate::identity::{Account, Outside, password};

/// How long a one-time password can be used, in hours.
const ONE_TIME_HOURS: i64 = 72;
/// The longest name, in characters.
const LONGEST_NAME: usize = 64;
/// The longest address (RFC 5321 section 4.5.3.1.3, less its brackets).
const LONGEST_EMAIL: usize = 254;

/// An account to be made, as it comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// The name to sign in with.
    pub account: String,
    /// The personnel number.
    pub person: String,
    /// How the person is called.
    pub name: String,
    /// The department.
    pub department: String,
    /// Where e-mail goes.
    pub email: Option<String>,
    /// The language of letters.
    #[serde(default)]
    pub lang: Lang,
}

/// A password to be used once.
#[derive(Clone)]
pub struct OneTime {
    /// The password.
    pub password: Secret<String>,
    /// Until when it can be used.
    pub until: Timestamp,
}

/// A one-time password, usable for three days.
///
/// # Errors
/// `not-ready` when the machine gives no randomness.
pub fn one_time(rng: &dyn SecureRandom, now: Timestamp) -> Result<OneTime> {
    let password = password::one_time(rng).ok_or(Code::NotReady)?;
    Ok(OneTime { password, until: now.plus_seconds(ONE_TIME_HOURS * 3600) })
}

/// The account that `new` describes: active, without roles.
///
/// # Errors
/// `invalid-request` with the first member at fault.
pub fn checked(new: NewPerson, catalogue: &Catalogue, today: Date) -> Result<Account> {
    let id = kept_for_years("/account", &new.account, today, AccountId::parse)?;
    let person = kept_for_years("/person", &new.person, today, PersonId::parse)?;
    let length = new.name.chars().take(LONGEST_NAME + 1).count();
    if length == 0 || length > LONGEST_NAME {
        return Err(at("/name", Code::OutOfBounds));
    }
    let blank = new.name.trim() != new.name;
    let digits = new.name.chars().filter(char::is_ascii_digit).count();
    if blank || digits > 4 || new.name.chars().any(is_unseen) {
        return Err(at("/name", Code::WrongPattern));
    }
    let department = DepartmentId::parse(&new.department);
    let department = department.filter(|id| catalogue.departments.contains_key(id));
    let department = department.ok_or_else(|| at("/department", Code::NotAllowedValue))?;
    check_email(new.email.as_deref())?;
    let (name, email, lang) = (new.name, new.email, new.lang);
    Ok(Account { id, person, name, department, roles: vec![], email, lang, active: true })
}

/// Is it an address, if it is given?
///
/// # Errors
/// `invalid-request`.
pub(super) fn check_email(email: Option<&str>) -> Result<()> {
    let Some(email) = email else { return Ok(()) };
    if email.len() > LONGEST_EMAIL {
        return Err(at("/email", Code::OutOfBounds));
    }
    // Nothing that could end a line or begin another recipient gets near a letter.
    let printable = email.bytes().all(|b| b.is_ascii_graphic() && !b"<>()[],;:\\\"".contains(&b));
    let parts = email.split_once('@').filter(|(_, host)| !host.contains('@'));
    match parts {
        Some((user, host)) if printable && !user.is_empty() && !host.is_empty() => Ok(()),
        _ => Err(at("/email", Code::WrongPattern)),
    }
}

/// Who somebody is at the identity provider: no number of a person there either.
///
/// # Errors
/// `invalid-request`.
pub fn outside(issuer: &str, subject: &str, today: Date) -> Result<Outside> {
    if HttpsUrl::parse(issuer).is_none() {
        return Err(at("/issuer", Code::WrongPattern));
    }
    if reference::names_somebody(subject, today) {
        return Err(at("/subject", Code::NotAllowedValue));
    }
    Outside::new(issuer, subject).ok_or_else(|| at("/subject", Code::WrongPattern))
}

/// A name that stands in the log: no number of a person.
fn kept_for_years<T>(
    pointer: &str,
    text: &str,
    today: Date,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T> {
    reference::check(text, today).map_err(|code| at(pointer, code))?;
    parse(text).ok_or_else(|| at(pointer, Code::WrongPattern))
}

fn at(pointer: &str, fault: Code) -> Error {
    Error::at(Code::InvalidRequest, pointer, fault)
}
