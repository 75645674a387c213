//! How much of each grant was used: subjects a day, and different subjects.
//!
//! Invariant: a count never passes its limit, however many requests charge at one time and however
//! many gateways do: one thread does all the counting of a process, in a transaction that keeps
//! everybody else from the counts that it touches. While one batch commits, the next collects:
//! under load a commit serves many charges. Who was asked about is kept as tokens, and no longer
//! than the count needs them.

#[cfg(feature = "postgres")]
mod postgres;
mod sheet;
mod sqlite;
mod used;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use time::Date;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub use used::DayUse;

use super::place::Place;
use super::{Db, StateError, StateStore};
use crate::base::InHand;
use crate::base::ids::RuleId;

/// Charges that may wait; beyond it they fail at once.
const WAITING: usize = 4096;
/// The most charges of one commit.
const BATCH: usize = 512;
/// The longest that one waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

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
    in_hand: Arc<InHand>,
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
        let mut counter = Counter::new(state.place.clone())?;
        let in_hand = Arc::clone(&counter.in_hand);
        let thread = std::thread::Builder::new().name("quota".into()).spawn(move || counter.run(jobs));
        Ok(Self { queue: Some(queue), thread: Some(thread.map_err(StateError::new)?), in_hand })
    }

    /// How long the batch lasts that is being counted now.
    pub fn lasts(&self) -> Duration {
        self.in_hand.lasts()
    }

    /// Charges, and answers when it is written.
    ///
    /// # Errors
    /// When too many wait, or the database cannot be written in time; when a server went away over
    /// it, it may be charged all the same.
    pub async fn charge(&self, charge: Charge) -> Result<Charged, StateError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(|| StateError::new("the counting has ended"))?;
        queue.try_send(Job { charge, reply }).map_err(|_| StateError::new("too many charges are waiting"))?;
        // A server may wait for its standby without end; what is then counted counts.
        let answer =
            timeout(PATIENCE, answer).await.map_err(|_| StateError::new("the counting takes too long"))?;
        answer.unwrap_or_else(|_| Err(StateError::new("the counting has ended")))
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

/// What the thread works with.
struct Counter {
    place: Place,
    /// None after an error: the next batch begins with another.
    db: Option<Db>,
    /// The day whose beginning was seen to.
    today: Option<Date>,
    in_hand: Arc<InHand>,
    #[cfg(feature = "postgres")]
    rows: postgres::Rows,
}

impl Counter {
    fn new(place: Place) -> Result<Self, StateError> {
        let db = Some(place.counting()?);
        Ok(Self {
            place,
            db,
            today: None,
            in_hand: Arc::default(),
            #[cfg(feature = "postgres")]
            rows: postgres::Rows::default(),
        })
    }

    fn run(&mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        // The first of the next batch, where one was taken out of the queue that is of other counts.
        let mut next = None;
        loop {
            batch.extend(next.take());
            if batch.is_empty() && jobs.blocking_recv_many(&mut batch, BATCH) == 0 {
                break;
            }
            let in_hand = Arc::clone(&self.in_hand);
            let _in_hand = in_hand.begin();
            let join = |batch: &mut Vec<Job>, held: &BTreeSet<sheet::Key>| {
                while batch.len() < BATCH
                    && next.is_none()
                    && let Ok(job) = jobs.try_recv()
                {
                    match sheet::keys(&[&job.charge]).is_subset(held) {
                        true => batch.push(job),
                        false => next = Some(job),
                    }
                }
            };
            match self.charge(&mut batch, join) {
                Ok(charged) => {
                    batch.drain(..).zip(charged).for_each(|(job, charged)| answer(job, Ok(charged)))
                }
                Err(error) => {
                    self.db = None;
                    batch.drain(..).for_each(|job| answer(job, Err(error.clone())));
                }
            }
        }
    }

    /// Charges each in turn, as if alone; each count is read once and written once. When the
    /// connection is lost while that commits it is an error, although it may have been counted.
    ///
    /// Other gateways may keep a server's counts for a while: once they are held, `join` is told, for
    /// whoever came meanwhile and needs no others to go along.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(unused_variables, clippy::ptr_arg, reason = "only a server's counts are waited for")
    )]
    fn charge(
        &mut self,
        batch: &mut Vec<Job>,
        join: impl FnOnce(&mut Vec<Job>, &BTreeSet<sheet::Key>),
    ) -> Result<Vec<Charged>, StateError> {
        let newest = batch.iter().map(|job| job.charge.day).max();
        let turned = newest.filter(|newest| self.today < Some(*newest));
        let db = match &mut self.db {
            Some(db) => db,
            none => none.insert(self.place.counting()?),
        };
        let charged = match db {
            Db::Sqlite(connection) => connection.immediate_transaction(|connection| {
                let charges = &charges(batch);
                if let Some(day) = turned {
                    sqlite::forget_before(connection, oldest(day))?;
                }
                let (sheet, charged) = sqlite::load(connection, charges)?.charge_all(charges);
                sqlite::store(connection, sheet)?;
                Ok::<_, StateError>(charged)
            })?,
            #[cfg(feature = "postgres")]
            Db::Postgres(connection) => {
                if let Some(day) = turned {
                    // By itself: other gateways do the same at that moment, and one is enough.
                    postgres::forget_before(connection, oldest(day)).ok();
                    self.rows = postgres::Rows::default();
                }
                use diesel::Connection;
                let rows = &mut self.rows;
                connection.transaction(|connection| {
                    let keys = sheet::keys(&charges(batch));
                    let counts = postgres::lock(connection, rows, &keys)?;
                    join(batch, &keys);
                    let charges = &charges(batch);
                    let (sheet, charged) = postgres::load(connection, counts, charges)?.charge_all(charges);
                    postgres::store(connection, sheet)?;
                    Ok::<_, StateError>(charged)
                })?
            }
        };
        self.today = self.today.max(newest);
        Ok(charged)
    }
}

fn charges(batch: &[Job]) -> Vec<&Charge> {
    batch.iter().map(|job| &job.charge).collect()
}

/// The first day of which it is kept who was asked about: no bound over several days reaches
/// further back than yesterday.
fn oldest(today: Date) -> String {
    today.previous_day().unwrap_or(today).to_string()
}

/// A caller that went away has nobody left to tell.
fn answer(job: Job, outcome: Result<Charged, StateError>) {
    job.reply.send(outcome).ok();
}
