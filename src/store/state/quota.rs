//! How much of each grant was used: subjects a day, and different subjects.
//!
//! Invariant: a count never passes its limit, however many requests charge at one time, because
//! one thread does all the counting of a process inside a transaction that holds the write lock.
//! While one batch commits, the next collects: under load a commit serves many charges. Who was
//! asked about is kept as tokens, and no longer than the count needs them.

use std::collections::HashMap;
use std::thread::JoinHandle;

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use time::Date;
use tokio::sync::{mpsc, oneshot};

use super::schema::quota::dsl;
use super::schema::quota_people::dsl as person;
use super::{StateError, StateStore};
use crate::base::ids::RuleId;

/// Charges that may wait; beyond it they fail at once.
const WAITING: usize = 4096;
/// The most charges of one commit.
const BATCH: usize = 512;

/// What one query charges: all of it, or nothing.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The grants that it uses.
    pub uses: Vec<Use>,
    /// The day in Asia/Shanghai.
    pub day: Date,
    /// The subjects that it asks about.
    pub subjects: u32,
}

/// The use of one grant.
#[derive(Debug, Clone)]
pub struct Use {
    /// What its use is counted under.
    pub grant: RuleId,
    /// The subjects a day that it allows.
    pub per_day: u32,
    /// The different subjects that it allows, where it bounds them.
    pub people: Option<UsePeople>,
}

/// Different subjects asked about under one grant.
#[derive(Debug, Clone)]
pub struct UsePeople {
    /// How many it allows.
    pub limit: u32,
    /// The day under which they are counted: today, or the first day of a bound over several.
    pub day: Date,
    /// Those of this query, each once: tokens that mean nothing under another grant or day.
    pub tokens: Vec<[u8; 16]>,
}

/// What charging came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charged {
    /// It is charged.
    Yes,
    /// Nothing is charged: one of the grants has too little left.
    Exhausted {
        /// What its use is counted under.
        grant: RuleId,
        /// What is bounded.
        bound: Counted,
        /// How many the grant allows.
        limit: u32,
        /// How many of them are left.
        remaining: u32,
    },
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Subjects, repeated ones each time.
    Subjects,
    /// Different subjects.
    People,
}

/// The thread that counts. The last handle to go ends it.
pub struct Quotas {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    charge: Charge,
    reply: oneshot::Sender<Result<Charged, StateError>>,
}

impl Quotas {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(state: &StateStore) -> Result<Self, StateError> {
        let (queue, jobs) = mpsc::channel(WAITING);
        let connection = state.counting()?;
        let thread = std::thread::Builder::new().name("quota".into()).spawn(move || run(connection, jobs));
        Ok(Self { queue: Some(queue), thread: Some(thread.map_err(StateError::new)?) })
    }

    /// Charges, and answers when it is written.
    ///
    /// # Errors
    /// When too many wait, or the database cannot be written; nothing was charged then.
    pub async fn charge(&self, charge: Charge) -> Result<Charged, StateError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(|| StateError::new("the counting has ended"))?;
        queue.try_send(Job { charge, reply }).map_err(|_| StateError::new("too many charges are waiting"))?;
        answer.await.unwrap_or_else(|_| Err(StateError::new("the counting has ended")))
    }
}

/// What was used of a grant on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayUse {
    /// The day, in Asia/Shanghai.
    pub day: String,
    /// Subjects asked about, repeated ones counted each time.
    pub used: i64,
    /// Different subjects.
    pub people: i64,
}

impl StateStore {
    /// What was used of a grant on each day from `since` on, by what its use is counted under.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn used(&self, grant: &RuleId, since: Date) -> Result<Vec<DayUse>, StateError> {
        let days = dsl::quota.filter(dsl::grant_id.eq(grant.as_str()).and(dsl::day.ge(since.to_string())));
        let rows = days.order(dsl::day).select((dsl::day, dsl::used, dsl::people));
        let rows = rows.load::<(String, i64, i64)>(&mut *self.connection()?)?;
        Ok(rows.into_iter().map(|(day, used, people)| DayUse { day, used, people }).collect())
    }
}

impl Drop for Quotas {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to wait for.
            thread.join().ok();
        }
    }
}

fn run(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut today = None;
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let charges: Vec<&Charge> = batch.iter().map(|job| &job.charge).collect();
        let newest = charges.iter().map(|charge| charge.day).max();
        let outcome = connection.immediate_transaction(|connection| {
            if today < newest {
                newest.map_or(Ok(()), |day| forget_before(connection, day))?;
            }
            charge_all(connection, &charges)
        });
        match outcome {
            Ok(charged) => {
                today = today.max(newest);
                batch.drain(..).zip(charged).for_each(|(job, charged)| answer(job, Ok(charged)));
            }
            Err(error) => batch.drain(..).for_each(|job| answer(job, Err(error.clone()))),
        }
    }
}

/// A caller that went away has nobody left to tell.
fn answer(job: Job, outcome: Result<Charged, StateError>) {
    job.reply.send(outcome).ok();
}

/// Deletes who was asked about before yesterday: no bound over several days reaches further back.
fn forget_before(connection: &mut SqliteConnection, today: Date) -> Result<(), StateError> {
    let yesterday = today.previous_day().unwrap_or(today).to_string();
    diesel::delete(person::quota_people.filter(person::day.lt(yesterday))).execute(connection)?;
    Ok(())
}

/// Charges each in turn, as if alone; each count is read once and written once.
fn charge_all(connection: &mut SqliteConnection, charges: &[&Charge]) -> Result<Vec<Charged>, StateError> {
    let mut counts = Counts::default();
    let charged = charges.iter().map(|charge| charge_one(&mut counts, connection, charge));
    let charged = charged.collect::<Result<Vec<_>, _>>()?;
    counts.write(connection)?;
    Ok(charged)
}

fn charge_one(
    counts: &mut Counts,
    connection: &mut SqliteConnection,
    charge: &Charge,
) -> Result<Charged, StateError> {
    let mut new_people = Vec::new();
    for Use { grant, per_day, people } in &charge.uses {
        let used = counts.of(connection, grant, charge.day)?.used;
        if let Some(exhausted) = exceeds(grant, Counted::Subjects, used, charge.subjects.into(), *per_day) {
            return Ok(exhausted);
        }
        let Some(people) = people else { continue };
        let new = new_tokens(connection, grant, people)?;
        let known = counts.of(connection, grant, people.day)?.people;
        if let Some(exhausted) = exceeds(grant, Counted::People, known, new.len() as i64, people.limit) {
            return Ok(exhausted);
        }
        new_people.push((grant, people.day, new));
    }
    for Use { grant, .. } in &charge.uses {
        let count = counts.of(connection, grant, charge.day)?;
        count.used += i64::from(charge.subjects);
        count.changed = true;
    }
    for (grant, day, tokens) in new_people.into_iter().filter(|(.., tokens)| !tokens.is_empty()) {
        let count = counts.of(connection, grant, day)?;
        count.people += tokens.len() as i64;
        count.changed = true;
        for token in tokens {
            let row = (
                person::grant_id.eq(grant.as_str()),
                person::day.eq(day.to_string()),
                person::token.eq(token.as_slice()),
            );
            diesel::insert_into(person::quota_people).values(row).execute(connection)?;
        }
    }
    Ok(Charged::Yes)
}

/// Would `more` pass the limit?
fn exceeds(grant: &RuleId, bound: Counted, used: i64, more: i64, limit: u32) -> Option<Charged> {
    let left = i64::from(limit) - used;
    // A limit that was lowered during the day may be behind what is used already.
    let remaining = u32::try_from(left).unwrap_or(0);
    (left < more).then(|| Charged::Exhausted { grant: grant.clone(), bound, limit, remaining })
}

/// Those of the tokens that were not met under the grant and day.
fn new_tokens<'a>(
    connection: &mut SqliteConnection,
    grant: &RuleId,
    people: &'a UsePeople,
) -> Result<Vec<&'a [u8; 16]>, StateError> {
    let day = people.day.to_string();
    let mut new = Vec::new();
    for token in &people.tokens {
        let row = person::quota_people.find((grant.as_str(), &day, token.as_slice()));
        if !diesel::select(exists(row)).get_result::<bool>(connection)? {
            new.push(token);
        }
    }
    Ok(new)
}

/// The counts that one batch touches.
#[derive(Default)]
struct Counts(HashMap<(RuleId, Date), Count>);

struct Count {
    used: i64,
    people: i64,
    stored: bool,
    changed: bool,
}

impl Counts {
    fn of(
        &mut self,
        connection: &mut SqliteConnection,
        grant: &RuleId,
        day: Date,
    ) -> Result<&mut Count, StateError> {
        let key = (grant.clone(), day);
        if !self.0.contains_key(&key) {
            let row = dsl::quota.find((grant.as_str(), day.to_string()));
            let stored = row.select((dsl::used, dsl::people)).first::<(i64, i64)>(connection).optional()?;
            let (used, people) = stored.unwrap_or_default();
            self.0.insert(key.clone(), Count { used, people, stored: stored.is_some(), changed: false });
        }
        self.0.get_mut(&key).ok_or_else(|| StateError::new("a count was not kept"))
    }

    fn write(self, connection: &mut SqliteConnection) -> Result<(), StateError> {
        for ((grant, day), count) in self.0.into_iter().filter(|(_, count)| count.changed) {
            let (grant, day) = (grant.as_str(), day.to_string());
            let counted = (dsl::used.eq(count.used), dsl::people.eq(count.people));
            if count.stored {
                diesel::update(dsl::quota.find((grant, &day))).set(counted).execute(connection)?;
            } else {
                let row = (dsl::grant_id.eq(grant), dsl::day.eq(&day), counted);
                diesel::insert_into(dsl::quota).values(row).execute(connection)?;
            }
        }
        Ok(())
    }
}
