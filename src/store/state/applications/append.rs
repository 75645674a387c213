//! Appending events, with everything that follows from them.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::Value;

use super::{Standing, name};
use crate::approval::State;
use crate::approval::application::Application;
use crate::approval::event::{Actor, Event, What};
use crate::approval::facts::PastApproval;
use crate::approval::progress::Timer;
use crate::base::Timestamp;
use crate::base::ids::ApplicationId;
use crate::store::state::grants::{self, StandingGrant};
use crate::store::state::idempotency::{self, Answered, Key};
use crate::store::state::notice::Notice;
use crate::store::state::schema::{
    application_approvals, application_events, application_waits, applications, timers, versions,
};
use crate::store::state::{ActKey, Db, StateError, StateStore, acts, bump, outbox, revision};

/// What one command, or one clock, adds to an application.
#[derive(Debug, Clone)]
pub struct Change {
    /// The application as it is afterwards.
    pub application: Application,
    /// How many of its events are new.
    pub new: usize,
    /// What follows from its events.
    pub standing: Standing,
    /// The grant, where the new events touch it.
    pub grant: Option<StandingGrant>,
    /// Approvals among the new events.
    pub approvals: Vec<PastApproval>,
    /// Who is told of the new events.
    pub notices: Vec<Notice>,
    /// The clock that ran out, where that is the cause: without it nothing is done.
    pub fired: Option<Timer>,
    /// The state's revision before everything that it rests on was read: when something changed
    /// since, be it an account, a delegation or another grant, nothing is done.
    pub rests_on: Option<i64>,
    /// The answer, under the key that the caller chose for it, if any.
    pub answer: Option<(Key, String)>,
}

/// What appending came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is done.
    Done,
    /// Somebody else was first, with this or with what it rests on, or the rules are others by now:
    /// nothing was done.
    Stale,
    /// The answer that was given under the key before: nothing was done.
    Answered(String),
    /// The key was used for another request: nothing was done.
    KeyReused,
    /// There are as many drafts as there may be: nothing was done.
    Full,
}

/// The most drafts of a department: above what any has in hand. Lists and clocks go through them.
const MAX_DRAFTS: i64 = 500;
/// The most drafts of one person, so that nobody uses up the department's alone.
const MAX_DRAFTS_OF_PERSON: i64 = 50;

impl StateStore {
    /// Begins an application of that year; `make` is told its id.
    ///
    /// # Errors
    /// When the database cannot be written, or a year's million ids are used up; nothing has
    /// changed then.
    pub fn begin_application(
        &self,
        year: i32,
        key: Option<&Key>,
        now: Timestamp,
        make: impl FnOnce(ApplicationId) -> Result<Change, StateError>,
    ) -> Result<(Appended, Option<ApplicationId>), StateError> {
        self.write(|connection| {
            if let Some(before) = answered(connection, key, now)? {
                return Ok((before, None));
            }
            let id = next_id(connection, year)?;
            let change = make(id.clone())?;
            if drafts_are_full(connection, &change.application)? {
                return Ok((Appended::Full, None));
            }
            Ok((put(connection, &self.seals, &change, now)?, Some(id)))
        })
    }

    /// Appends the new events of `change`, if the application still is at the version that they
    /// were made for.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn append(&self, change: &Change, now: Timestamp) -> Result<Appended, StateError> {
        self.write(|connection| {
            let key = change.answer.as_ref().map(|(key, _)| key);
            if let Some(before) = answered(connection, key, now)? {
                return Ok(before);
            }
            put(connection, &self.seals, change, now)
        })
    }
}

/// What the key says was answered before.
fn answered(connection: &mut Db, key: Option<&Key>, now: Timestamp) -> Result<Option<Appended>, StateError> {
    let Some(key) = key else { return Ok(None) };
    Ok(match idempotency::find(connection, key, now)? {
        Answered::No => None,
        Answered::Before(answer) => Some(Appended::Answered(answer)),
        Answered::OtherRequest => Some(Appended::KeyReused),
    })
}

/// Has the department, or the person who begins an application, as many drafts as there may be? A
/// person counts over all accounts, and for what was drafted by a lent role as well.
fn drafts_are_full(connection: &mut Db, application: &Application) -> Result<bool, StateError> {
    let first = application.events.first();
    let Some(Actor::Person { person, .. }) = first.map(|event| &event.by) else { return Ok(false) };
    let drafts = applications::table
        .inner_join(application_events::table.on(application_events::application.eq(applications::id)))
        .filter(applications::requester.eq(application.requester.as_str()))
        .filter(applications::state.eq(State::Draft.as_str()))
        .filter(application_events::seq.eq(1))
        .select(application_events::event)
        .limit(MAX_DRAFTS)
        .load::<String>(connection)?;
    let own = drafts.iter().filter(|event| {
        let event = serde_json::from_str::<Event>(event).ok();
        event.is_some_and(|event| matches!(&event.by, Actor::Person { person: by, .. } if by == person))
    });
    let own = i64::try_from(own.count()).unwrap_or(i64::MAX);
    Ok(own >= MAX_DRAFTS_OF_PERSON || i64::try_from(drafts.len()).unwrap_or(i64::MAX) >= MAX_DRAFTS)
}

/// The id after the newest of the year.
fn next_id(connection: &mut Db, year: i32) -> Result<ApplicationId, StateError> {
    let prefix = format!("A-{year:04}-");
    let newest = applications::table
        .filter(applications::id.ge(format!("{prefix}000000")))
        .filter(applications::id.le(format!("{prefix}999999")))
        .select(diesel::dsl::max(applications::id))
        .first::<Option<String>>(connection)?;
    let newest = newest.and_then(|id| id.get(prefix.len()..).and_then(|number| number.parse::<u32>().ok()));
    let number = newest.unwrap_or(0) + 1;
    ApplicationId::parse(&format!("{prefix}{number:06}"))
        .filter(|_| number <= 999_999)
        .ok_or_else(|| StateError::new("the numbers of this year's applications are used up"))
}

/// Was a version applied since the one by whose rules this was decided? Another gateway may have taken it
/// up before this one.
fn is_outdated(connection: &mut Db, rules: i64) -> Result<bool, StateError> {
    let newest: Option<i64> = versions::table.select(diesel::dsl::max(versions::seq)).first(connection)?;
    Ok(newest.is_some_and(|newest| newest > rules))
}

fn put(connection: &mut Db, seals: &ActKey, change: &Change, now: Timestamp) -> Result<Appended, StateError> {
    let application = &change.application;
    let id = application.id.as_str();
    let before = application.events.len().checked_sub(change.new);
    let before = before.ok_or_else(|| StateError::new("there are fewer events than new ones"))?;
    let stored = applications::table.find(id).select(applications::version).first::<i64>(connection);
    let stored = stored.optional()?.unwrap_or(0);
    if is_outdated(connection, change.standing.rules)? {
        return Ok(Appended::Stale);
    }
    let moved = change.rests_on.map_or(Ok(false), |seen| revision(connection).map(|now| now != seen))?;
    if moved || usize::try_from(stored) != Ok(before) || !took_timer(connection, id, change.fired)? {
        return Ok(Appended::Stale);
    }
    put_row(connection, change)?;
    let new = application.events.get(before..).unwrap_or_default();
    let mut act = None;
    for event in new {
        act = Some(put_event(connection, seals, id, event)?);
    }
    put_standing(connection, id, &change.standing)?;
    for approval in &change.approvals {
        put_approval(connection, id, approval)?;
    }
    if let (Some(grant), Some(last)) = (&change.grant, new.last()) {
        act = Some(grants::put(connection, seals, grant, &actor(&last.by), now)?);
    }
    if let Some((key, answer)) = &change.answer {
        idempotency::put(connection, key, answer, now)?;
    }
    outbox::add(connection, &change.notices, act.unwrap_or_default(), now)?;
    if !new.is_empty() {
        bump(connection)?;
    }
    Ok(Appended::Done)
}

/// Takes a clock away; false when another took it.
fn took_timer(connection: &mut Db, id: &str, fired: Option<Timer>) -> Result<bool, StateError> {
    let Some(fired) = fired else { return Ok(true) };
    let row = timers::table.find((id, name(&fired.kind)?, fired.at.micros()));
    Ok(diesel::delete(row).execute(connection)? == 1)
}

fn put_row(connection: &mut Db, change: &Change) -> Result<(), StateError> {
    let application = &change.application;
    let row = (
        applications::version.eq(i64::from(application.version)),
        applications::state.eq(application.state.as_str()),
        applications::due_on.eq(change.standing.due.map(|day| day.to_string())),
        applications::granted_at.eq(application.granted_at().map(Timestamp::micros)),
        applications::open.eq(!application.state.is_final()),
        applications::rules.eq(change.standing.rules),
        applications::updated_at.eq(application.events.last().map_or(0, |event| event.at.micros())),
    );
    let known = applications::table.find(application.id.as_str());
    let found = diesel::update(known).set(row.clone()).execute(connection)?;
    if found == 0 {
        let first = (
            applications::id.eq(application.id.as_str()),
            applications::requester.eq(application.requester.as_str()),
            applications::provider.eq(application.provider.as_str()),
            applications::dataset.eq(application.terms.dataset.as_str()),
        );
        diesel::insert_into(applications::table).values((first, row)).execute(connection)?;
    }
    Ok(())
}

/// Gives the number of the act that tells of it.
fn put_event(connection: &mut Db, seals: &ActKey, id: &str, event: &Event) -> Result<i64, StateError> {
    let json = serde_json::to_value(event).map_err(StateError::new)?;
    let kind = json.get("event").and_then(Value::as_str).unwrap_or_default();
    let act = acts::add(
        connection,
        seals,
        &format!("application-{kind}"),
        id,
        &detail(&event.what),
        event.at,
        &author(event),
    )?;
    let row = (
        application_events::application.eq(id),
        application_events::seq.eq(i64::from(event.seq)),
        application_events::event.eq(json.to_string()),
        application_events::act.eq(act),
    );
    diesel::insert_into(application_events::table).values(row).execute(connection)?;
    Ok(act)
}

/// Two events of one moment may be the same approval.
fn put_approval(connection: &mut Db, id: &str, approval: &PastApproval) -> Result<(), StateError> {
    let (applicant, approver) = (approval.applicant.as_str(), approval.approver.as_str());
    let known = application_approvals::table.find((applicant, approver, approval.at.micros(), id));
    if known.count().get_result::<i64>(connection)? == 0 {
        let row = (
            application_approvals::applicant.eq(applicant),
            application_approvals::approver.eq(approver),
            application_approvals::at.eq(approval.at.micros()),
            application_approvals::application.eq(id),
        );
        diesel::insert_into(application_approvals::table).values(row).execute(connection)?;
    }
    Ok(())
}

/// Writes anew who is waited for and which clocks run, each once.
fn put_standing(connection: &mut Db, id: &str, standing: &Standing) -> Result<(), StateError> {
    diesel::delete(application_waits::table.filter(application_waits::application.eq(id)))
        .execute(connection)?;
    for wait in standing.waits.iter().collect::<BTreeSet<_>>() {
        let row = (
            application_waits::department.eq(wait.department.as_ref().map_or("", |d| d.as_str())),
            application_waits::role.eq(wait.role.as_str()),
            application_waits::application.eq(id),
        );
        diesel::insert_into(application_waits::table).values(row).execute(connection)?;
    }
    diesel::delete(timers::table.filter(timers::application.eq(id))).execute(connection)?;
    let running = standing.timers.iter().map(|timer| Ok((name(&timer.kind)?, timer.at.micros())));
    for (kind, at) in running.collect::<Result<BTreeSet<_>, StateError>>()? {
        let row = (timers::application.eq(id), timers::kind.eq(kind), timers::at.eq(at));
        diesel::insert_into(timers::table).values(row).execute(connection)?;
    }
    Ok(())
}

/// Who did it; the first events of a grant of the files are the files' own.
fn author(event: &Event) -> String {
    match (&event.by, &event.what) {
        (Actor::Timer, What::Drafted { .. } | What::Accepted { .. }) => "policies/grants.toml".to_owned(),
        (by, _) => actor(by),
    }
}

/// Who did it, as acts name it.
fn actor(by: &Actor) -> String {
    match by {
        Actor::Person { account, for_account: Some(other), .. } => format!("{account} for {other}"),
        Actor::Person { account, .. } => account.to_string(),
        Actor::Timer => "timer".to_owned(),
    }
}

/// What the log is told beside the kind: hashes, codes and numbers, never what somebody wrote.
fn detail(what: &What) -> String {
    match what {
        What::Drafted { terms, .. } | What::Revised { terms } => terms.revision().as_str().to_owned(),
        What::Submitted { revision, .. }
        | What::Approved { revision, .. }
        | What::Offered { revision, .. }
        | What::Accepted { revision } => revision.as_str().to_owned(),
        What::Refused { reason, .. } => reason.clone(),
        What::ExtensionAsked { days, .. } => days.to_string(),
        What::Consented { due } | What::ExtensionGranted { due } | What::Recomputed { due } => {
            due.day.to_string()
        }
        _ => String::new(),
    }
}
