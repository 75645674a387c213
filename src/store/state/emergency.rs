//! Emergency access (应急): who is enrolled for it, what was opened, and its review.
//!
//! Invariant: one account has at most one access to a dataset open at a time; an account whose
//! enrolment is not active has none open. Every change is one transaction with its acts and the
//! notices of it.

use diesel::prelude::*;
use time::Date;

use super::grants::{GrantState, StandingGrant};
use super::notice::Notice;
use super::schema::{emergencies as opened, emergency_enrolments as enrolment};
use super::{ActKey, Db, StateError, StateStore, acts, bump, outbox};
use crate::base::Timestamp;
use crate::base::ids::{AccountId, ApplicationId, DatasetId, DepartmentId, PersonId, RuleId};

/// The most that one list holds.
const PAGE: i64 = 100;

/// Whether an account may open emergency access to a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolment {
    /// It may.
    Active,
    /// An access of it was not reviewed in time, or was misuse.
    Suspended,
    /// The provider took it back.
    Withdrawn,
}

impl Enrolment {
    /// The name in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Enrolment::Active => "active",
            Enrolment::Suspended => "suspended",
            Enrolment::Withdrawn => "withdrawn",
        }
    }

    /// The kind of act by which it comes to be so.
    fn act(self) -> &'static str {
        match self {
            Enrolment::Active => "emergency-enrolled",
            Enrolment::Suspended => "emergency-enrolment-suspended",
            Enrolment::Withdrawn => "emergency-enrolment-withdrawn",
        }
    }
}

/// Emergency access, as it is to be opened or was.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = opened)]
pub struct Emergency {
    /// Its id, such as `E-2026-000001`; given when it is opened.
    pub id: String,
    /// Who opened it.
    pub account: String,
    /// The natural person behind the account.
    pub person: String,
    /// The person's department.
    pub department: String,
    /// The department that owns the dataset.
    pub provider: String,
    /// The dataset.
    pub dataset: String,
    /// What it gives, as JSON.
    pub terms: String,
    /// The SHA-256 of the terms, in hex.
    pub digest: String,
    /// Why, in the person's words.
    pub reason: String,
    /// From when, in microseconds.
    pub since: i64,
    /// Until when, in microseconds.
    pub until: i64,
    /// `active` or `ended`.
    pub state: String,
    /// The day by whose end it is to be reviewed.
    pub review_due: String,
    /// Was it not reviewed by then?
    pub overdue: bool,
    /// What the review found, once it was reviewed.
    pub verdict: Option<String>,
    /// The reviewer's words.
    pub note: Option<String>,
    /// The account of the reviewer.
    pub reviewer: Option<String>,
    /// When it was reviewed, in microseconds.
    pub reviewed_at: Option<i64>,
}

/// What opening came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Yes(Box<Emergency>),
    /// The account is not enrolled.
    NotEnrolled,
    /// It has one open already.
    Already,
}

/// A review.
#[derive(Debug, Clone)]
pub struct Review<'a> {
    /// Was the access misuse?
    pub misuse: bool,
    /// In words.
    pub note: &'a str,
    /// The account of the reviewer.
    pub reviewer: &'a AccountId,
}

impl StateStore {
    /// Enrols an account for a dataset, or takes that back. False when it was so already.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn enrol(
        &self,
        account: &AccountId,
        dataset: &DatasetId,
        to: Enrolment,
        actor: &str,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.write(|connection| {
            let (account, dataset) = (account.as_str(), dataset.as_str());
            Ok(set_enrolment(connection, &self.seals, account, dataset, to, actor, now)?.is_some())
        })
    }

    /// Opens emergency access, with the id that it gives. `told` makes the notices of it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn open_emergency(
        &self,
        new: Emergency,
        told: impl FnOnce(&Emergency) -> Vec<Notice>,
        now: Timestamp,
    ) -> Result<Opened, StateError> {
        self.write(|connection| {
            let enrolled = enrolment::table.find((&new.account, &new.dataset)).select(enrolment::state);
            if enrolled.first::<String>(connection).optional()?.as_deref() != Some(Enrolment::Active.as_str())
            {
                return Ok(Opened::NotEnrolled);
            }
            // One person, one access, reviewed before the next: else the bounds of one would be none.
            let unreviewed = opened::table
                .filter(opened::person.eq(&new.person).and(opened::dataset.eq(&new.dataset)))
                .filter(opened::verdict.is_null());
            if unreviewed.count().get_result::<i64>(connection)? > 0 {
                return Ok(Opened::Already);
            }
            let new = Emergency { id: next_id(connection, now)?, ..new };
            diesel::insert_into(opened::table).values(&new).execute(connection)?;
            acts::add(connection, &self.seals, "emergency-opened", &new.id, &new.dataset, now, &new.account)?;
            let active = GrantState::Active.act();
            let act = acts::add(connection, &self.seals, active, &new.id, &new.digest, now, &new.account)?;
            outbox::add(connection, &told(&new), act, now)?;
            bump(connection)?;
            Ok(Opened::Yes(Box::new(new)))
        })
    }

    /// Notes a review: once, and not changed after. False when there was one, or when what still
    /// goes on is to be found proper. Misuse suspends the enrolment, of which `told` makes the notices.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn review_emergency(
        &self,
        emergency: &Emergency,
        review: &Review<'_>,
        told: impl FnOnce(&Emergency) -> Vec<Notice>,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        self.write(|connection| {
            let verdict = if review.misuse { "misuse" } else { "proper" };
            let reviewer = review.reviewer.as_str();
            // Proper is what was done, not what may yet be.
            let not_before = if review.misuse { i64::MAX } else { now.micros() };
            let unreviewed = opened::table
                .find(&emergency.id)
                .filter(opened::verdict.is_null())
                .filter(opened::until.le(not_before).or(opened::state.eq("ended")));
            let noted = diesel::update(unreviewed)
                .set((
                    opened::verdict.eq(verdict),
                    opened::note.eq(review.note),
                    opened::reviewer.eq(reviewer),
                    opened::reviewed_at.eq(now.micros()),
                ))
                .execute(connection)?;
            if noted == 0 {
                return Ok(false);
            }
            acts::add(connection, &self.seals, "emergency-reviewed", &emergency.id, verdict, now, reviewer)?;
            if review.misuse {
                let (account, dataset) = (&emergency.account, &emergency.dataset);
                let to = Enrolment::Suspended;
                let set = set_enrolment(connection, &self.seals, account, dataset, to, reviewer, now)?;
                if let Some(act) = set {
                    outbox::add(connection, &told(emergency), act, now)?;
                }
            }
            bump(connection)?;
            Ok(true)
        })
    }

    /// Ends every access whose time is over, and suspends every enrolment of which an access was
    /// not reviewed in time. `told` makes the notices: true for what was not reviewed. Gives how
    /// many things it did, a bounded number at a time.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn sweep_emergencies(
        &self,
        now: Timestamp,
        told: impl Fn(&Emergency, bool) -> Vec<Notice>,
    ) -> Result<usize, StateError> {
        const TIMER: &str = "timer";
        let over = opened::table
            .filter(opened::state.eq("active").and(opened::until.le(now.micros())))
            .select(Emergency::as_select())
            .limit(PAGE);
        let late = opened::table
            .filter(opened::verdict.is_null().and(opened::overdue.eq(false)))
            .filter(opened::review_due.lt(now.day().to_string()))
            .select(Emergency::as_select())
            .limit(PAGE);
        // Looked at without the write lock first: there is nothing to do nearly always.
        let is_due = |connection: &mut Db| -> Result<bool, StateError> {
            let over = over.first::<Emergency>(connection).optional()?;
            let late = late.clone().first::<Emergency>(connection).optional()?;
            Ok(over.is_some() || late.is_some())
        };
        if !is_due(&mut *self.connection()?)? {
            return Ok(0);
        }
        self.write(|connection| {
            let (over, late) = (over.load::<Emergency>(connection)?, late.load::<Emergency>(connection)?);
            for emergency in &over {
                let act = end(connection, &self.seals, emergency, TIMER, now)?;
                outbox::add(connection, &told(emergency, false), act, now)?;
            }
            for emergency in &late {
                let (account, dataset) = (&emergency.account, &emergency.dataset);
                diesel::update(opened::table.find(&emergency.id))
                    .set(opened::overdue.eq(true))
                    .execute(connection)?;
                let (overdue, to) = ("emergency-review-overdue", Enrolment::Suspended);
                let noted = acts::add(connection, &self.seals, overdue, &emergency.id, dataset, now, TIMER)?;
                let set = set_enrolment(connection, &self.seals, account, dataset, to, TIMER, now)?;
                outbox::add(connection, &told(emergency, true), set.unwrap_or(noted), now)?;
            }
            if over.len() + late.len() > 0 {
                bump(connection)?;
            }
            Ok(over.len() + late.len())
        })
    }

    /// One access.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn emergency(&self, id: &str) -> Result<Option<Emergency>, StateError> {
        let row = opened::table.find(id).select(Emergency::as_select());
        Ok(row.first(&mut self.connection()?).optional()?)
    }

    /// What was opened by the account or, where given, of the provider's datasets; the newest
    /// first, 100 at most of each.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn emergencies(
        &self,
        account: &AccountId,
        provider: Option<&DepartmentId>,
    ) -> Result<Vec<Emergency>, StateError> {
        let connection = &mut self.connection()?;
        let all = || opened::table.select(Emergency::as_select()).order(opened::since.desc()).limit(PAGE);
        let mut found: Vec<Emergency> =
            all().filter(opened::account.eq(account.as_str())).load(connection)?;
        if let Some(provider) = provider {
            let theirs: Vec<Emergency> =
                all().filter(opened::provider.eq(provider.as_str())).load(connection)?;
            found.extend(theirs.into_iter().filter(|e| e.account != account.as_str()));
        }
        found.sort_by(|a, b| b.since.cmp(&a.since).then(b.id.cmp(&a.id)));
        Ok(found)
    }
}

/// What is open, as grants. A malformed row is told of and left out.
pub(super) fn as_grants(connection: &mut Db) -> Result<Vec<StandingGrant>, StateError> {
    let open = opened::table.select(Emergency::as_select()).filter(opened::state.eq("active"));
    let grant = |e: Emergency| {
        Some(StandingGrant {
            id: RuleId::parse(&e.id)?,
            application: ApplicationId::parse(&e.id)?,
            requester: DepartmentId::parse(&e.department)?,
            terms: e.terms,
            digest: e.digest,
            since: Timestamp::from_micros(e.since),
            state: GrantState::Active,
        })
    };
    let open = open.order(opened::id).load::<Emergency>(connection)?.into_iter();
    let read = open.filter_map(|row| {
        let read = grant(row);
        if read.is_none() {
            tracing::error!("emergencies holds a malformed row: it is left out");
        }
        read
    });
    Ok(read.collect())
}

/// Gives the number of the last act that it took; none when it changed nothing.
fn set_enrolment(
    connection: &mut Db,
    seals: &ActKey,
    account: &str,
    dataset: &str,
    to: Enrolment,
    actor: &str,
    now: Timestamp,
) -> Result<Option<i64>, StateError> {
    let known = enrolment::table.find((account, dataset)).select(enrolment::state);
    let known: Option<String> = known.first(connection).optional()?;
    // Nobody is suspended or taken out who was not in.
    let out = to != Enrolment::Active && known.as_deref() != Some(Enrolment::Active.as_str());
    if out || known.as_deref() == Some(to.as_str()) {
        return Ok(None);
    }
    let set = (enrolment::state.eq(to.as_str()), enrolment::changed_at.eq(now.micros()));
    if known.is_some() {
        diesel::update(enrolment::table.find((account, dataset))).set(set).execute(connection)?;
    } else {
        let whose = (enrolment::account.eq(account), enrolment::dataset.eq(dataset));
        diesel::insert_into(enrolment::table).values((whose, set)).execute(connection)?;
    }
    let mut act = acts::add(connection, seals, to.act(), account, dataset, now, actor)?;
    if to != Enrolment::Active {
        for emergency in open_ones(connection, account, dataset)? {
            act = end(connection, seals, &emergency, actor, now)?;
        }
    }
    bump(connection)?;
    Ok(Some(act))
}

/// Ends whatever the account has open: part of the transaction that disables it.
pub(super) fn end_all(
    connection: &mut Db,
    seals: &ActKey,
    account: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), StateError> {
    let open = opened::table
        .filter(opened::account.eq(account).and(opened::state.eq("active")))
        .select(Emergency::as_select());
    open.load(connection)?
        .iter()
        .try_for_each(|emergency| end(connection, seals, emergency, actor, now).map(|_| ()))
}

fn open_ones(connection: &mut Db, account: &str, dataset: &str) -> Result<Vec<Emergency>, StateError> {
    let open = opened::table
        .filter(opened::account.eq(account).and(opened::dataset.eq(dataset)).and(opened::state.eq("active")))
        .select(Emergency::as_select());
    Ok(open.load(connection)?)
}

/// Gives the number of the act.
fn end(
    connection: &mut Db,
    seals: &ActKey,
    emergency: &Emergency,
    actor: &str,
    now: Timestamp,
) -> Result<i64, StateError> {
    diesel::update(opened::table.find(&emergency.id)).set(opened::state.eq("ended")).execute(connection)?;
    acts::add(connection, seals, GrantState::Ended.act(), &emergency.id, &emergency.digest, now, actor)
}

/// The next id of the year: one is never given twice, since rows stay.
fn next_id(connection: &mut Db, now: Timestamp) -> Result<String, StateError> {
    let prefix = format!("E-{}-", now.day().year());
    let newest = opened::table
        .filter(opened::id.like(format!("{prefix}%")))
        .select(opened::id)
        .order(opened::id.desc())
        .first::<String>(connection)
        .optional()?;
    let number = newest.as_deref().and_then(|id| id.strip_prefix(&prefix)?.parse::<u32>().ok()).unwrap_or(0);
    Ok(format!("{prefix}{:06}", number.saturating_add(1)))
}

/// The account and person of an access, and its last day of review.
impl Emergency {
    /// The natural person who opened it; none for a malformed row.
    pub fn person_id(&self) -> Option<PersonId> {
        PersonId::parse(&self.person)
    }

    /// The day by whose end it is to be reviewed; none for a malformed row.
    pub fn due(&self) -> Option<Date> {
        let format = time::macros::format_description!("[year]-[month]-[day]");
        Date::parse(&self.review_due, format).ok()
    }
}
