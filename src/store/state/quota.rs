//! How much of each grant was used today.
//!
//! Invariant: a count never passes its limit, however many requests charge at one time, because
//! one thread does all the counting of a process inside a transaction that holds the write lock.
//! While one batch commits, the next collects: under load a commit serves many charges.

use std::collections::HashMap;
use std::thread::JoinHandle;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use time::Date;
use tokio::sync::{mpsc, oneshot};

use super::schema::quota::dsl;
use super::{StateError, StateStore};
use crate::base::ids::RuleId;

/// Charges that may wait; beyond it they fail at once.
const WAITING: usize = 4096;
/// The most charges of one commit.
const BATCH: usize = 512;

/// What one query charges: all of it, or nothing.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The grants that it uses, each with the subjects a day that it allows.
    pub grants: Vec<(RuleId, u32)>,
    /// The day in Asia/Shanghai.
    pub day: Date,
    /// The subjects that it asks about.
    pub subjects: u32,
}

/// What charging came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// It is charged.
    Yes,
    /// Nothing is charged: one of the grants has too little left.
    Exhausted {
        /// The subjects a day that the grant allows.
        limit: u32,
        /// How many of them are left today.
        remaining: u32,
    },
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
    pub fn start(state: StateStore) -> Result<Self, StateError> {
        let (queue, jobs) = mpsc::channel(WAITING);
        let thread = std::thread::Builder::new().name("quota".into()).spawn(move || run(&state, jobs));
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

impl Drop for Quotas {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to wait for.
            thread.join().ok();
        }
    }
}

fn run(state: &StateStore, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let charges: Vec<&Charge> = batch.iter().map(|job| &job.charge).collect();
        let outcome = state.write(|connection| charge_all(connection, &charges));
        match outcome {
            Ok(charged) => batch.drain(..).zip(charged).for_each(|(job, charged)| answer(job, Ok(charged))),
            Err(error) => batch.drain(..).for_each(|job| answer(job, Err(error.clone()))),
        }
    }
}

/// A caller that went away has nobody left to tell.
fn answer(job: Job, outcome: Result<Charged, StateError>) {
    job.reply.send(outcome).ok();
}

/// Charges each in turn, as if alone; each count is read once and written once.
fn charge_all(connection: &mut SqliteConnection, charges: &[&Charge]) -> Result<Vec<Charged>, StateError> {
    let mut counts = Counts::default();
    let mut charged = Vec::with_capacity(charges.len());
    for charge in charges {
        let reached = reached(&mut counts, connection, charge)?;
        if reached.is_none() {
            for (grant, _) in &charge.grants {
                let count = counts.of(connection, grant, charge.day)?;
                count.used += i64::from(charge.subjects);
                count.changed = true;
            }
        }
        charged.push(reached.unwrap_or(Charged::Yes));
    }
    counts.write(connection)?;
    Ok(charged)
}

/// The first of the charge's grants that has too little left.
fn reached(
    counts: &mut Counts,
    connection: &mut SqliteConnection,
    charge: &Charge,
) -> Result<Option<Charged>, StateError> {
    for (grant, limit) in &charge.grants {
        let left = i64::from(*limit) - counts.of(connection, grant, charge.day)?.used;
        if left < i64::from(charge.subjects) {
            // A limit that was lowered during the day may be behind what is used already.
            return Ok(Some(Charged::Exhausted {
                limit: *limit,
                remaining: u32::try_from(left).unwrap_or(0),
            }));
        }
    }
    Ok(None)
}

/// The counts that one batch touches.
#[derive(Default)]
struct Counts(HashMap<(RuleId, Date), Count>);

struct Count {
    used: i64,
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
            let stored = row.select(dsl::used).first::<i64>(connection).optional()?;
            let count = Count { used: stored.unwrap_or(0), stored: stored.is_some(), changed: false };
            self.0.insert(key.clone(), count);
        }
        self.0.get_mut(&key).ok_or_else(|| StateError::new("a count was not kept"))
    }

    fn write(self, connection: &mut SqliteConnection) -> Result<(), StateError> {
        for ((grant, day), count) in self.0.into_iter().filter(|(_, count)| count.changed) {
            let (grant, day) = (grant.as_str(), day.to_string());
            if count.stored {
                diesel::update(dsl::quota.find((grant, &day)))
                    .set(dsl::used.eq(count.used))
                    .execute(connection)?;
            } else {
                let row = (dsl::grant_id.eq(grant), dsl::day.eq(&day), dsl::used.eq(count.used));
                diesel::insert_into(dsl::quota).values(row).execute(connection)?;
            }
        }
        Ok(())
    }
}
