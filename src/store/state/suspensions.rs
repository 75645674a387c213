//! Systems and operators that are stopped for the time being.
//!
//! Invariant: the acts are all there is: whoever's newest act says suspended is. So nobody can be let go
//! on without an act that the log then tells of, with who did it.
//!
//! An operator is stopped as the systems of one department name the official, or in every department:
//! two departments may give one name to two people. The department stands behind the reason in an act's
//! detail, `investigation@medical`, and not in its object: so a program of the release before, which
//! knows no departments here, takes every act of `operator:zhang` for one of the name in all of them. It
//! stops too many, never too few.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::accounts::profile;
use super::schema::acts;
use super::{Act, ActKey, Db, StateError, StateStore, acts as acts_of, bump};
use crate::base::Timestamp;
use crate::base::ids::{AccountId, DepartmentId};
use crate::identity::Account;

const SUSPENDED: &str = "caller-suspended";
const RESUME_ASKED: &str = "caller-resume-asked";
const RESUMED: &str = "caller-resumed";

/// What stands between the reason and the department in an act's detail: neither has it.
const IN: char = '@';

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

    /// That of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.as_str() == name)
    }
}

/// Who is stopped, or is to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whom {
    /// What it is.
    pub what: Stopped,
    /// Its name.
    pub name: String,
    /// Of an operator: the department whose systems name the official so. None means all of them.
    pub department: Option<DepartmentId>,
}

impl Whom {
    /// A system.
    pub fn system(name: &str) -> Self {
        Self { what: Stopped::System, name: name.to_owned(), department: None }
    }

    /// An operator of one department, or of all.
    pub fn operator(name: &str, department: Option<DepartmentId>) -> Self {
        Self { what: Stopped::Operator, name: name.to_owned(), department }
    }

    /// Whom an act is about, and the reason that it gives. None for an act that a newer program wrote
    /// in a way that is not known here.
    pub fn of_act<'a>(object: &str, detail: &'a str) -> Option<(Self, &'a str)> {
        let (what, name) = object.split_once(':')?;
        let (what, name) = (Stopped::of(what)?, name.to_owned());
        match detail.split_once(IN) {
            None => Some((Self { what, name, department: None }, detail)),
            Some((reason, department)) if what == Stopped::Operator => {
                Some((Self { what, name, department: Some(DepartmentId::parse(department)?) }, reason))
            }
            Some(_) => None,
        }
    }

    /// One name for each. No name of a caller has a space.
    pub fn id(&self) -> String {
        match &self.department {
            None => self.object(),
            Some(department) => format!("{} {department}", self.object()),
        }
    }

    /// The object of an act about it.
    fn object(&self) -> String {
        format!("{}:{}", self.what.as_str(), self.name)
    }

    /// The detail of an act about it.
    fn detail(&self, reason: &str) -> String {
        match &self.department {
            None => reason.to_owned(),
            Some(department) => format!("{reason}{IN}{department}"),
        }
    }

    /// The same in every department.
    fn everywhere(&self) -> Self {
        Self { department: None, ..self.clone() }
    }
}

/// Who says that somebody may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Who may stop: the first to say so, or the second.
    Either,
    /// Who may agree to what such a one has said first.
    Second,
}

/// Somebody who is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Who.
    pub whom: Whom,
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
            all.extend(standing(rows, &self.seals));
        }
        Ok(all)
    }

    /// Stops somebody; false when it was stopped already, there or everywhere.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn suspend_caller(
        &self,
        whom: &Whom,
        reason: &str,
        by: &AccountId,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.write(|connection| {
            let covers = |known: &Suspension| known.whom == *whom || known.whom == whom.everywhere();
            if of_name(connection, &self.seals, whom)?.iter().any(covers) {
                return Ok(false);
            }
            acts_of::add(
                connection,
                &self.seals,
                SUSPENDED,
                &whom.object(),
                &whom.detail(reason),
                now,
                by.as_str(),
            )?;
            bump(connection)?;
            Ok(true)
        })
    }

    /// Says that somebody may go on: the second person who does so lets it. `voice` is what an account
    /// may say, if anything.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn resume_caller(
        &self,
        whom: &Whom,
        by: &AccountId,
        voice: impl Fn(&Account) -> Option<Voice>,
        now: Timestamp,
    ) -> Result<Resumed, StateError> {
        self.write(|connection| {
            let Some((account, own)) = entitled(connection, by, &voice)? else {
                return Ok(Resumed::NotAllowed);
            };
            let mut stopped = of_name(connection, &self.seals, whom)?;
            let Some(at) = stopped.iter().position(|known| known.whom == *whom) else {
                return Ok(Resumed::NotSuspended);
            };
            let suspension = stopped.remove(at);
            // Whose voice was given and who may not give it any more has given none.
            let first = match suspension.resuming.as_deref().and_then(AccountId::parse) {
                Some(first) => entitled(connection, &first, &voice)?,
                None => None,
            };
            let first = first.filter(|(_, voice)| *voice == Voice::Either);
            let (kind, came) = match first {
                None if own == Voice::Second => return Ok(Resumed::NotAllowed),
                None => (RESUME_ASKED, Resumed::Asked),
                Some((first, _)) if first.person == account.person => return Ok(Resumed::SamePerson),
                Some(_) => (RESUMED, Resumed::Done),
            };
            let mut act = |kind, of: &Suspension| {
                let detail = of.whom.detail(&of.reason);
                acts_of::add(connection, &self.seals, kind, &whom.object(), &detail, now, by.as_str())
            };
            act(kind, &suspension)?;
            if came == Resumed::Done {
                // A program of the release before takes that for a word about the name wherever it is
                // given. Where it is still stopped is said once more behind it.
                for known in &stopped {
                    act(SUSPENDED, known)?;
                }
            }
            bump(connection)?;
            Ok(came)
        })
    }
}

/// The account as it is now and what it may say, if it may say anything.
fn entitled(
    connection: &mut Db,
    id: &AccountId,
    voice: impl Fn(&Account) -> Option<Voice>,
) -> Result<Option<(Account, Voice)>, StateError> {
    let account = profile(connection, id)?.map(|profile| profile.account);
    Ok(account.and_then(|account| voice(&account).map(|voice| (account, voice))))
}

/// Who of that name is stopped: in one department, in several, or everywhere.
fn of_name(connection: &mut Db, seals: &ActKey, whom: &Whom) -> Result<Vec<Suspension>, StateError> {
    let rows = acts::table
        .filter(acts::object.eq(whom.object()))
        .filter(acts::kind.eq_any([SUSPENDED, RESUME_ASKED, RESUMED]))
        .order(acts::seq)
        .select(acts_of::COLUMNS)
        .load::<acts_of::Row>(connection)?;
    Ok(standing(rows, seals))
}

/// Who is stopped after these acts, which are in the order in which they happened. That somebody said
/// they may go on counts with a seal only, since the next to say so lets them.
fn standing(rows: Vec<acts_of::Row>, seals: &ActKey) -> Vec<Suspension> {
    let mut standing: BTreeMap<Whom, Suspension> = BTreeMap::new();
    for row in rows {
        let (act, seal) = acts_of::act(row);
        let asked = act.kind == RESUME_ASKED && seals.holds(&act, seal.as_deref());
        let Act { kind, object, detail, at: since, actor, .. } = act;
        let Some((whom, reason)) = Whom::of_act(&object, &detail) else { continue };
        match kind.as_str() {
            // Who is stopped already is so since then: it was only said once more.
            SUSPENDED => {
                _ = standing.entry(whom.clone()).or_insert_with(|| Suspension {
                    whom,
                    reason: reason.to_owned(),
                    since,
                    by: actor,
                    resuming: None,
                })
            }
            RESUME_ASKED => {
                if let Some(known) = standing.get_mut(&whom).filter(|_| asked) {
                    known.resuming = Some(actor);
                }
            }
            _ => _ = standing.remove(&whom),
        }
    }
    standing.into_values().collect()
}
