//! Searches of the log that an officer keeps under a name, to open again.
//!
//! Invariant: what is kept is what was understood of a search, written anew: names, codes and times of
//! the parameters that there are. It is never an address, and names nobody: neither the search nor what
//! it is called may hold what looks like a person's number. Opening one is searching, with the same
//! right and the same record.

use serde::{Deserialize, Serialize};

use super::applications::{blocking, state};
use super::call::{Call, Known, PersonCaller};
use super::gateway::Gateway;
use super::trail::Trail;
use crate::base::{Code, Error, Result, Timestamp};
use crate::catalogue::reference;
use crate::policy::Action;

/// The most searches that an account keeps.
pub const MOST: usize = 50;
/// The longest name, in characters.
pub const NAME: usize = 60;
/// The most days that a search looks back from the day on which it is opened: ten years.
pub const DAYS: u32 = 3660;

/// What is looked for, as it is kept. All that are given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kept {
    /// So many days back from when it is opened; none where it is of a time that stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
    /// From this moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The other parameters, each with what it is narrowed to, in the order of [`NAMES`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub narrowed: Vec<(String, String)>,
}

/// The parameters that a search is narrowed by, beside its time.
pub const NAMES: [&str; 10] =
    ["kind", "department", "system", "dataset", "purpose", "outcome", "operator", "field", "form", "rule"];

/// A search that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Its number.
    pub id: i64,
    /// What its keeper calls it.
    pub name: String,
    /// What is looked for.
    pub kept: Kept,
}

/// Keeps a search, in the place of one that is called the same.
///
/// # Errors
/// `forbidden`; `invalid-request`, where `/name` is what it is called and the others are the parameters:
/// `too-many-items` when as many are kept as may be; `not-ready`, `audit-unavailable`.
pub async fn save(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    name: &str,
    kept: Result<Kept>,
) -> Result<()> {
    let name = name.trim().to_owned();
    let checked = permit(gateway, call).and_then(|()| {
        let kept = kept?;
        let today = gateway.now().day();
        check_name(&name, today)?;
        kept.check(today)?;
        serde_json::to_string(&kept).map_err(|e| Error::new(Code::Internal).because(e))
    });
    let query = match checked {
        Ok(query) => query,
        Err(error) => return fail(gateway, call, error).await,
    };
    let (store, account, now) = (gateway.state(), call.caller.account.id.clone(), gateway.now());
    let most = i64::try_from(MOST).unwrap_or(i64::MAX);
    let saved =
        blocking(move || store.save_search(&account, &name, &query, most, now).map_err(state)).await?;
    if saved {
        return done(gateway, call, "save").await;
    }
    fail(gateway, call, Error::at(Code::InvalidRequest, "/name", Code::TooManyItems)).await
}

/// What the caller keeps, by name. A row that cannot be read is told of and left out.
///
/// # Errors
/// `forbidden`, `not-ready`, `audit-unavailable`.
pub async fn list(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<Vec<Saved>> {
    if let Err(error) = permit(gateway, call) {
        return fail(gateway, call, error).await;
    }
    let (store, account) = (gateway.state(), call.caller.account.id.clone());
    let rows = blocking(move || store.saved_searches(&account).map_err(state)).await?;
    let today = gateway.now().day();
    let read = rows.into_iter().filter_map(|row| {
        let kept = serde_json::from_str::<Kept>(&row.query).ok().filter(|kept| kept.check(today).is_ok());
        if kept.is_none() {
            tracing::error!(saved_search = row.id, "saved_searches holds a malformed row: it is left out");
        }
        Some(Saved { id: row.id, name: row.name, kept: kept? })
    });
    Ok(read.collect())
}

/// Forgets a search that the caller keeps.
///
/// # Errors
/// `forbidden`; `not-found` when there is no such search of the caller's; `not-ready`,
/// `audit-unavailable`.
pub async fn forget(gateway: &Gateway, call: &Call<PersonCaller>, id: &str) -> Result<()> {
    let id = permit(gateway, call).and_then(|()| id.parse::<i64>().map_err(|_| Code::NotFound.into()));
    let id = match id {
        Ok(id) => id,
        Err(error) => return fail(gateway, call, error).await,
    };
    let (store, account) = (gateway.state(), call.caller.account.id.clone());
    if blocking(move || store.forget_search(&account, id).map_err(state)).await? {
        return done(gateway, call, "forget").await;
    }
    fail(gateway, call, Code::NotFound.into()).await
}

impl Kept {
    /// Is it a search that may be kept?
    fn check(&self, today: time::Date) -> Result<()> {
        let fault = |name: &str, code| Err(Error::at(Code::InvalidRequest, format!("/{name}"), code));
        if self.last.is_some_and(|days| !(1..=DAYS).contains(&days)) {
            return fault("last", Code::OutOfBounds);
        }
        if self.last.is_some() && (self.from.is_some() || self.until.is_some()) {
            return fault("last", Code::NotAllowedValue);
        }
        let mut names = NAMES.iter();
        for (name, value) in &self.narrowed {
            // Each name once, and in their order.
            if !names.any(|known| known == name) {
                return Err(Error::at(Code::InvalidRequest, "", Code::UnknownMember));
            }
            // What a query may call its operator or case: longer or other texts match no record.
            if let Err(code) = reference::check(value, today) {
                return fault(name, code);
            }
        }
        Ok(())
    }
}

/// Is it something to call a search by? One line that can be seen, and no number of anybody's.
fn check_name(name: &str, today: time::Date) -> Result<()> {
    let code = match name {
        "" => Code::MissingMember,
        long if long.chars().count() > NAME => Code::OutOfBounds,
        lines if lines.chars().any(char::is_control) => Code::WrongPattern,
        who if reference::names_somebody(who, today) => Code::NotAllowedValue,
        _ => return Ok(()),
    };
    Err(Error::at(Code::InvalidRequest, "/name", code))
}

fn permit(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<()> {
    let policy = &gateway.world().policy;
    let may = |action| call.caller.may(policy, action);
    if may(Action::AuditReadAll) || may(Action::AuditReadOwn) { Ok(()) } else { Err(Code::Forbidden.into()) }
}

/// The kind of the records: what was kept is not in them.
const RECORD: &str = "saved-search";

async fn done(gateway: &Gateway, call: &Call<PersonCaller>, command: &'static str) -> Result<()> {
    let mut trail = Trail::new(RECORD, call);
    trail.note("command", command);
    gateway.record(trail.end(Code::Ok)).await.map(|_| ())
}

async fn fail<T>(gateway: &Gateway, call: &Call<PersonCaller>, error: Error) -> Result<T> {
    Err(gateway.record_failure(&call.caller, Trail::new(RECORD, call), error).await)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: time::Date = date!(2026 - 11 - 22);

    fn narrowed(pairs: &[(&str, &str)]) -> Kept {
        let narrowed = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Kept { narrowed, ..Kept::default() }
    }

    fn fault(result: Result<()>) -> (String, Code) {
        let error = result.unwrap_err();
        (error.invalid[0].pointer.clone(), error.invalid[0].code)
    }

    #[test]
    fn a_search_is_kept_by_the_names_that_there_are_and_is_the_same_when_it_is_read() {
        let kept = narrowed(&[("kind", "query"), ("operator", "hc-0231"), ("rule", "grant:G-2026-000001")]);
        kept.check(TODAY).unwrap();
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept);
        assert!(narrowed(&[("operator", "a"), ("kind", "query")]).check(TODAY).is_err(), "another order");
        assert!(narrowed(&[("kind", "query"), ("kind", "query")]).check(TODAY).is_err(), "twice");
        assert_eq!(fault(narrowed(&[("token", "x")]).check(TODAY)), (String::new(), Code::UnknownMember));
    }

    #[test]
    fn no_parameter_and_no_name_holds_a_persons_number() {
        for name in NAMES {
            for value in ["11010519491231002X", "13812345678", "6222020000000000000", "110105-19491231-002X"]
            {
                let (at, code) = fault(narrowed(&[(name, value)]).check(TODAY));
                assert_eq!((at, code), (format!("/{name}"), Code::NotAllowedValue), "{value}");
            }
        }
        for name in ["李某 11010519491231002X", "13812345678 的查询"] {
            assert_eq!(fault(check_name(name, TODAY)).1, Code::NotAllowedValue, "{name}");
        }
    }

    #[test]
    fn a_name_is_one_line_of_so_many_characters_whatever_they_are() {
        for name in ["夜间拒绝", "<script>alert(1)</script>", "' OR 1=1 --", "مرحبا", &"长".repeat(NAME)]
        {
            check_name(name, TODAY).unwrap();
        }
        for (name, code) in [
            ("", Code::MissingMember),
            (&*"x".repeat(NAME + 1), Code::OutOfBounds),
            ("two\nlines", Code::WrongPattern),
            ("nul\0", Code::WrongPattern),
        ] {
            assert_eq!(fault(check_name(name, TODAY)), ("/name".into(), code), "{name}");
        }
    }

    #[test]
    fn a_time_moves_or_stays_and_never_both() {
        let moving = Kept { last: Some(7), ..Kept::default() };
        moving.check(TODAY).unwrap();
        assert!(Kept { last: Some(0), ..Kept::default() }.check(TODAY).is_err());
        assert!(Kept { last: Some(DAYS + 1), ..Kept::default() }.check(TODAY).is_err());
        let both = Kept { from: Some(Timestamp::from_micros(0)), ..moving };
        assert_eq!(fault(both.check(TODAY)), ("/last".into(), Code::NotAllowedValue));
    }
}
