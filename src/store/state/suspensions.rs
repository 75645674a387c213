//! Systems and operators that are stopped for the time being.
//!
//! Invariant: the acts are all there is: whoever's newest act says suspended is. So nobody can be let go
//! on without an act that the log then tells of, with who did it.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::accounts::profile;
use super::schema::acts;
use super::{Act, ActKey, Db, StateError, StateStore, acts as acts_of, bump};
use crate::base::Timestamp;
use crate::base::ids::AccountId;
use crate::identity::Account;

const SUSPENDED: &str = "caller-suspended";
const RESUME_ASKED: &str = "caller-resume-asked";
const RESUMED: &str = "caller-resumed";

/// What can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stopped {
    /// A system: whatever it asks.
    System,
    /// An operator: whatever a system asks on the official's behalf.
    Operator,
}

impl Stopped {
    /// Both.
    pub const ALL: [Stopped; 2] = [Stopped::System, Stopped::Operator];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Stopped::System => "system",
            Stopped::Operator => "operator",
        }
    }

    /// What an act names so, and its name there.
    pub fn named(object: &str) -> Option<(Self, &str)> {
        let (what, name) = object.split_once(':')?;
        Some((Self::ALL.into_iter().find(|known| known.as_str() == what)?, name))
    }

    fn object(self, name: &str) -> String {
        format!("{}:{name}", self.as_str())
    }
}

/// Somebody who is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// What it is.
    pub what: Stopped,
    /// Its name.
    pub name: String,
    /// The code of the reason.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// By which account.
    pub by: String,
    /// The account that has said that it may go on: it takes another person to say so too.
    pub resuming: Option<String>,
}

/// What came of saying that somebody may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It takes another person to say so too.
    Asked,
    /// It goes on.
    Done,
    /// The same person has said so already.
    SamePerson,
    /// It is not stopped.
    NotSuspended,
    /// The account may not, or may no longer, let anybody go on.
    NotAllowed,
}

impl StateStore {
    /// Everybody who is stopped.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn suspensions(&self) -> Result<Vec<Suspension>, StateError> {
        let connection = &mut self.connection()?;
        let mut all = Vec::new();
        for what in Stopped::ALL {
            // `;` comes right behind `:`: a range that the index on objects answers.
            let (from, to) = (format!("{}:", what.as_str()), format!("{};", what.as_str()));
            let rows = acts::table
                .filter(acts::object.ge(from).and(acts::object.lt(to)))
                .filter(acts::kind.eq_any([SUSPENDED, RESUME_ASKED, RESUMED]))
                .order(acts::seq)
                .select(acts_of::COLUMNS)
                .load::<acts_of::Row>(connection)?;
            all.extend(standing(rows, what, &self.seals));
        }
        Ok(all)
    }

    /// Stops somebody; false when it was stopped already.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn suspend_caller(
        &self,
        what: Stopped,
        name: &str,
        reason: &str,
        by: &AccountId,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.write(|connection| {
            if one(connection, &self.seals, what, name)?.is_some() {
                return Ok(false);
            }
            acts_of::add(connection, &self.seals, SUSPENDED, &what.object(name), reason, now, by.as_str())?;
            bump(connection)?;
            Ok(true)
        })
    }

    /// Says that somebody may go on: the second person who does so lets it.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn resume_caller(
        &self,
        what: Stopped,
        name: &str,
        by: &AccountId,
        may: impl Fn(&Account) -> bool,
        now: Timestamp,
    ) -> Result<Resumed, StateError> {
        self.write(|connection| {
            let Some(account) = entitled(connection, by, &may)? else { return Ok(Resumed::NotAllowed) };
            let Some(suspension) = one(connection, &self.seals, what, name)? else {
                return Ok(Resumed::NotSuspended);
            };
            // Whose voice was given and who may not give it any more has given none.
            let first = match suspension.resuming.as_deref().and_then(AccountId::parse) {
                Some(first) => entitled(connection, &first, &may)?,
                None => None,
            };
            let (kind, came) = match first {
                None => (RESUME_ASKED, Resumed::Asked),
                Some(first) if first.person == account.person => return Ok(Resumed::SamePerson),
                Some(_) => (RESUMED, Resumed::Done),
            };
            acts_of::add(
                connection,
                &self.seals,
                kind,
                &what.object(name),
                &suspension.reason,
                now,
                by.as_str(),
            )?;
            bump(connection)?;
            Ok(came)
        })
    }
}

/// The account as it is now, if it may let somebody go on.
fn entitled(
    connection: &mut Db,
    id: &AccountId,
    may: impl Fn(&Account) -> bool,
) -> Result<Option<Account>, StateError> {
    Ok(profile(connection, id)?.map(|profile| profile.account).filter(|account| may(account)))
}

fn one(
    connection: &mut Db,
    seals: &ActKey,
    what: Stopped,
    name: &str,
) -> Result<Option<Suspension>, StateError> {
    let rows = acts::table
        .filter(acts::object.eq(what.object(name)))
        .filter(acts::kind.eq_any([SUSPENDED, RESUME_ASKED, RESUMED]))
        .order(acts::seq)
        .select(acts_of::COLUMNS)
        .load::<acts_of::Row>(connection)?;
    Ok(standing(rows, what, seals).pop())
}

/// Who is stopped after these acts, which are in the order in which they happened. That somebody said
/// they may go on counts with a seal only, since the next to say so lets them.
fn standing(rows: Vec<acts_of::Row>, what: Stopped, seals: &ActKey) -> Vec<Suspension> {
    let mut standing: BTreeMap<String, Suspension> = BTreeMap::new();
    for row in rows {
        let (act, seal) = acts_of::act(row);
        let asked = act.kind == RESUME_ASKED && seals.holds(&act, seal.as_deref());
        let Act { kind, object, detail, at: since, actor, .. } = act;
        let Some((_, name)) = object.split_once(':') else { continue };
        let name = name.to_owned();
        match kind.as_str() {
            SUSPENDED => {
                let new =
                    Suspension { what, name: name.clone(), reason: detail, since, by: actor, resuming: None };
                standing.insert(name, new);
            }
            RESUME_ASKED => {
                if let Some(known) = standing.get_mut(&name).filter(|_| asked) {
                    known.resuming = Some(actor);
                }
            }
            _ => {
                standing.remove(&name);
            }
        }
    }
    standing.into_values().collect()
}
