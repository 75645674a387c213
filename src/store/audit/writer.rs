//! The writer: one thread that takes records in, in the order they come.
//!
//! Invariant: nobody is told that a record is durable before the commit that holds it, and the
//! checkpoint that covers it, returned. While one batch commits the next collects; there is no
//! timer. After a commit that failed, or whose end is unclear, everybody in it is told so, and
//! the head is read again from the database before anything else is signed. Where several
//! gateways write one log, each holds its head from before it reads the end until its commit.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::AppendError;
use super::engine::{DatabaseError, Home, settle};
#[cfg(feature = "postgres")]
use super::postgres;
use super::progress::Shared;
use super::rows::{self, Batch};
use super::schema::opening_id;
use super::second_place::SecondPlace;
use crate::audit::commit::Sealed;
use crate::audit::record::{self, LeafHead, kind};
use crate::audit::tree::tile_bytes;
use crate::audit::verify::ANCHOR;
use crate::audit::{Checkpoint, Draft, Hash, Object, Receipt, SigningKey, Tree};
use crate::base::{Clock, Timestamp};
use crate::store::db::{Ahead, Db};

/// The clock may go back this far, in seconds, and records keep the last time; further, and no
/// record is taken in until somebody has looked.
pub const SMALL_STEP: i64 = 5;

/// The most records of one commit.
const BATCH: usize = 1024;

/// A record on its way, and who waits for it.
pub struct Job {
    pub members: Object,
    pub subjects: Vec<Sealed>,
    pub erase: Vec<(u64, u64)>,
    pub reply: oneshot::Sender<Result<Receipt, AppendError>>,
}

/// The log's end, as the writer knows it.
#[derive(Debug, Clone)]
pub struct State {
    pub tree: Tree,
    pub time: Timestamp,
    /// The clock is behind `time`, and a record says so.
    pub behind: bool,
}

/// The writer.
pub struct Writer {
    pub home: Home,
    pub key: Arc<SigningKey>,
    pub clock: Arc<dyn Clock>,
    pub copy: Arc<SecondPlace>,
    pub shared: Arc<Shared>,
    /// Missing after a failure, until read again.
    pub end: Option<(Db, State)>,
}

/// Why a batch was not made durable.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("database: {0}")]
    Db(#[from] diesel::result::Error),
    #[error("the log's end in the database does not hold together: {0}")]
    End(&'static str),
    #[error("the clock is {0} s behind the last record; set the clock right, and the log goes on")]
    Clock(i64),
    #[error(transparent)]
    Ahead(#[from] Ahead),
    #[error("a signature does not hold")]
    Signature,
    #[error("another gateway wrote first")]
    Moved,
    #[cfg(feature = "postgres")]
    #[error("whether the commit happened could not be found out: {0}")]
    Unclear(String),
}

impl Writer {
    /// Runs until the last handle is gone.
    pub fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut jobs, BATCH) > 0 {
            while !jobs.is_empty() {
                let shared = self.shared.clone();
                let _in_hand = shared.in_hand.begin();
                match self.prepare() {
                    // A caller that is gone needs no answer, but what it did is recorded anyhow.
                    Ok(room) => {
                        // Whoever came while other gateways had their turns goes along.
                        while jobs.len() < room.min(BATCH)
                            && let Ok(job) = queue.try_recv()
                        {
                            jobs.push(job);
                        }
                        self.batch(jobs.drain(..room.min(jobs.len())).collect());
                    }
                    Err(e) => self.refuse(jobs.drain(..), &e),
                }
            }
        }
        if let Some((db, _)) = &mut self.end {
            settle(db);
        }
    }

    /// Makes sure of the log's end and of the clock. Gives how many records the next batch may
    /// have: it must end where a checkpoint is kept.
    fn prepare(&mut self) -> Result<usize, CommitError> {
        let end = match self.end.take() {
            Some(end) => end,
            None => self.reload()?,
        };
        let (db, state, moved) = self.hold(end)?;
        let now = self.clock.now();
        let behind = state.time.micros() - now.micros();
        // That another gateway's clock is a little ahead is no step of this one's.
        let first = behind > 0 && !state.behind && !moved;
        let size = state.tree.size();
        let end = (db, State { behind: behind > 0, ..state });
        if behind > SMALL_STEP * 1_000_000 {
            self.end = let_go(end);
            return Err(CommitError::Clock(behind / 1_000_000));
        }
        self.end = Some(end);
        if first {
            let mut step = Object::new();
            step.text("kind", kind::CLOCK).text("clock", &now.to_string());
            self.commit(&mut [Part { members: &mut step, subjects: &mut [], erase: &[] }], &[])?;
            return self.prepare();
        }
        Ok(usize::try_from(ANCHOR - size % ANCHOR).unwrap_or(BATCH))
    }

    /// Commits one of the log's own records, at the start. Each is a batch of its own, so that
    /// none crosses a place where a checkpoint is kept.
    ///
    /// # Errors
    /// [`CommitError::Moved`] when another gateway has written since the log was checked.
    pub fn own(&mut self, draft: Draft, beside: &[&SigningKey]) -> Result<(), CommitError> {
        let end = self.end.take().ok_or(CommitError::End("it has not been read"))?;
        let (db, state, moved) = self.hold(end)?;
        if moved {
            return Err(CommitError::Moved);
        }
        self.end = Some((db, state));
        let (mut members, _) = draft.into_parts();
        let part = Part { members: &mut members, subjects: &mut [], erase: &[] };
        self.commit(&mut [part], beside).map(|_| ())
    }

    /// Where several gateways write the log: takes its head, and learns what the others wrote since.
    /// True when they did. A gateway alone has its head anyhow.
    fn hold(&self, end: (Db, State)) -> Result<(Db, State, bool), CommitError> {
        match end {
            (Db::Sqlite(conn), state) => Ok((Db::Sqlite(conn), state, false)),
            #[cfg(feature = "postgres")]
            (Db::Postgres(mut conn), state) => {
                let newer = self.take_head(&mut conn, &state)?;
                let moved = newer.is_some();
                Ok((Db::Postgres(conn), newer.unwrap_or(state), moved))
            }
        }
    }

    fn batch(&mut self, mut jobs: Vec<Job>) {
        let mut parts: Vec<_> = jobs
            .iter_mut()
            .map(|job| Part { members: &mut job.members, subjects: &mut job.subjects, erase: &job.erase })
            .collect();
        match self.commit(&mut parts, &[]) {
            Ok(receipts) => {
                for (job, receipt) in jobs.into_iter().zip(receipts) {
                    job.reply.send(Ok(receipt)).ok();
                }
            }
            Err(e) => self.refuse(jobs.into_iter(), &e),
        }
    }

    /// Tells everybody that their record is not durable. Logged once for all of them.
    fn refuse(&self, jobs: impl ExactSizeIterator<Item = Job>, why: &CommitError) {
        tracing::error!(audit.error = %why, audit.records = jobs.len(), "audit records were not made durable");
        self.shared.publish_failure();
        let answer = match why {
            CommitError::Clock(_) | CommitError::Ahead(_) => AppendError::Clock,
            _ => AppendError::NotDurable,
        };
        jobs.for_each(|job| drop(job.reply.send(Err(answer))));
    }

    /// Hash, extend, sign, check, commit. On any failure what is known of the end is forgotten.
    fn commit(
        &mut self,
        parts: &mut [Part<'_>],
        beside: &[&SigningKey],
    ) -> Result<Vec<Receipt>, CommitError> {
        let (mut db, mut next) = self.end.take().ok_or(CommitError::End("it has not been read"))?;
        next.time = self.clock.now().max(next.time);
        let mut batch = Batch { before: next.tree.size(), ..Batch::default() };
        let hashes: Vec<_> = parts.iter_mut().map(|part| place(part, &mut next, &mut batch)).collect();
        let receipts = self.sign_and_write(&mut db, &mut batch, &next, beside, &hashes)?;
        self.end = Some((db, next));
        Ok(receipts)
    }

    fn sign_and_write(
        &mut self,
        db: &mut Db,
        batch: &mut Batch,
        next: &State,
        beside: &[&SigningKey],
        hashes: &[Hash],
    ) -> Result<Vec<Receipt>, CommitError> {
        let levels = batch.tiles.iter().map(|(tile, _)| tile.level + 1).max().unwrap_or(0);
        let grown = next.tree.partial().filter(|(tile, _)| tile.level <= levels);
        let grown: Vec<_> = grown.map(|(tile, hashes)| (tile, tile_bytes(hashes))).collect();
        batch.tiles.extend(grown);

        let (size, root) = (next.tree.size(), next.tree.root());
        batch.note = Checkpoint::sign(size, &root, &self.key, beside);
        batch.keep = size.is_multiple_of(ANCHOR) || !beside.is_empty();
        // A signature that a passing fault in memory spoiled could give the key away, so each is made
        // twice before it leaves: Ed25519 signs the same the same way (RFC 8032), and checking takes
        // thrice as long. What is kept for ever is checked besides, against a fault that stays.
        if Checkpoint::sign(size, &root, &self.key, beside) != batch.note {
            return Err(CommitError::Signature);
        }
        if batch.keep {
            let own = Checkpoint::open(&batch.note, self.key.public());
            if !own.is_ok_and(|checkpoint| checkpoint.size == size && checkpoint.root == root) {
                return Err(CommitError::Signature);
            }
        }
        self.write(db, batch, next)?;

        let note: Arc<str> = batch.note.as_str().into();
        self.publish(size, root, note.clone());
        let receipt = |(index, leaf_hash): (u64, &Hash)| Receipt {
            log: self.shared.origin.clone(),
            index,
            leaf_hash: *leaf_hash,
            checkpoint: note.clone(),
        };
        Ok((batch.before..).zip(hashes).map(receipt).collect())
    }

    #[cfg_attr(not(feature = "postgres"), allow(unused_variables))]
    fn write(&self, db: &mut Db, batch: &Batch, next: &State) -> Result<(), CommitError> {
        match db {
            Db::Sqlite(conn) => Ok(rows::write(conn, batch)?),
            #[cfg(feature = "postgres")]
            Db::Postgres(conn) => {
                postgres::write(conn, batch, &next.tree)?;
                if let Err(why) = postgres::commit(conn) {
                    *conn = self.resolve(next.tree.size(), &next.tree.root(), why)?;
                }
                Ok(())
            }
        }
    }

    /// Tells both the second place and the readers of the newest checkpoint.
    fn publish(&mut self, size: u64, root: Hash, note: Arc<str>) {
        let copied = self.copy.note(size, &note);
        self.shared.publish(size, root, note, copied);
    }

    /// Opens the database anew and reads the end of the log, believing only what is signed.
    fn reload(&mut self) -> Result<(Db, State), CommitError> {
        let mut db = self.home.open_log()?;
        #[cfg(feature = "postgres")]
        if let Db::Postgres(conn) = &mut db {
            let state = self.read_end(conn)?;
            return Ok((db, state));
        }
        let (noted, note) = rows::newest(&mut db)?.ok_or(CommitError::End("no checkpoint"))?;
        let head = Checkpoint::open(&note, self.key.public()).map_err(|_| CommitError::Signature)?;
        let tree = rows::tree(&mut db, head.size)?.ok_or(CommitError::End("a tile is missing"))?;
        if noted != head.size || tree.root() != head.root {
            return Err(CommitError::End("the tree's edge is not what was signed"));
        }
        let time = last_time(&mut db, head.size)?.ok_or(CommitError::End("the last record is missing"))?;
        if head.size < self.shared.now().size {
            return Err(CommitError::End("it is behind a checkpoint that was given out"));
        }
        self.publish(head.size, head.root, note.into());
        Ok((db, State { tree, time, behind: false }))
    }
}

/// The time of the last of `size` records.
pub fn last_time(db: &mut Db, size: u64) -> Result<Option<Timestamp>, diesel::result::Error> {
    let leaf = rows::leaf(db, size.saturating_sub(1))?;
    Ok(leaf.and_then(|leaf| LeafHead::parse(&leaf).ok().map(|head| head.time)))
}

/// Ends the holding of a head onto which nothing is written.
fn let_go((mut db, state): (Db, State)) -> Option<(Db, State)> {
    match &mut db {
        Db::Sqlite(_) => Some((db, state)),
        #[cfg(feature = "postgres")]
        Db::Postgres(conn) => postgres::let_go(conn).is_ok().then_some((db, state)),
    }
}

/// What of a job goes into a batch.
struct Part<'j> {
    members: &'j mut Object,
    subjects: &'j mut [Sealed],
    erase: &'j [(u64, u64)],
}

/// Gives a record its place: leaf bytes, tree, openings.
fn place(part: &mut Part<'_>, next: &mut State, batch: &mut Batch) -> Hash {
    let index = next.tree.size();
    let leaf = record::leaf(part.members, index, next.time);
    let hash = Hash::of_leaf(&leaf);
    next.tree.push(hash, |tile, hashes| batch.tiles.push((tile, tile_bytes(hashes))));
    batch.leaves.push(leaf);
    for (position, sealed) in (0u64..).zip(part.subjects.iter_mut()) {
        batch.openings.push((opening_id(index, position), std::mem::take(&mut sealed.opening)));
    }
    batch.erased.extend(part.erase.iter().map(|(of, at)| opening_id(*of, *at)));
    hash
}
