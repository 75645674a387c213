//! The audit log on disk: in a file, or on a PostgreSQL server that several gateways share.
//!
//! In the data directory: `audit.db` (records, hashes, checkpoints, sealed openings),
//! `audit-index.db` (search; may be deleted), `audit.lock`; elsewhere, the copy of the newest
//! checkpoint (the second place). With a server, `audit.db` is there instead, and the rest is each
//! gateway's own.
//!
//! | file | job |
//! |---|---|
//! | `start`, `begin` | check before anything is signed, and what is signed first |
//! | `writer` | the one thread that appends |
//! | `turns`, `follow` | when other gateways write the log too |
//! | `rows`, `schema` | the log's statements and tables |
//! | `index` | the thread that follows with the search index |
//! | `filing`, `sorts`, `block` | what the index keeps of a record: numbers |
//! | `read` | records, proofs, a person's history |
//! | `search`, `tally` | the records that match, and how many there are of what |
//! | `stored` | the log as the verifier reads it |
//! | `second_place` | the copy of the newest checkpoint |
//! | `engine`, `sqlite`, `postgres` | where it is, and what is special to each engine |
//! | `upkeep`, `migrate` | what operators do to it beside a gateway |
//!
//! Invariant: [`AuditLog::append`] answers `Ok` only for a record that is on disk and covered by
//! a signed checkpoint that is on disk too.

mod begin;
mod block;
mod engine;
mod filing;
mod follow;
mod index;
#[cfg(feature = "postgres")]
mod migrate;
#[cfg(feature = "postgres")]
mod postgres;
mod progress;
mod read;
mod rows;
mod schema;
mod search;
mod second_place;
mod sorts;
mod sqlite;
mod start;
mod stored;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(feature = "postgres")]
mod turns;
pub mod upkeep;
mod writer;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{mpsc, oneshot};

use self::begin::Begin;
pub use self::engine::DatabaseError;
use self::engine::Home;
use self::follow::Head;
use self::index::Indexer;
use self::progress::Shared;
pub use self::read::{Acts, Consistency, Filter, Page, ReadError, Reader, StoredRecord};
pub use self::search::{Counted, Found};
pub use self::second_place::slots as checkpoints_in_copy;
pub use self::sorts::{Count, CountField};
pub use self::start::OpenError;
pub use self::stored::Database;
pub use self::tally::Span;
pub(super) use self::upkeep::open_read_only;
use self::writer::Job;
use crate::audit::record::{MAX_LEAF, MAX_SUBJECTS, kind};
use crate::audit::{Draft, Object, Receipt, SigningKey, SubjectKey};
use crate::base::Clock;
use crate::store::db::Server;

/// The log's database in a data directory.
pub const DATABASE: &str = "audit.db";

/// Room in a leaf for `index`, `time` and `v`.
const OWN_MEMBERS: usize = 100;

/// How long the end of a commit on a server is waited for: the server may wait for its standby.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most openings that one erasure record names.
const ERASURES: usize = 2000;

/// What a log is opened with.
pub struct Options {
    /// Where the databases are, or only the search index if there is a server.
    pub data_dir: PathBuf,
    /// Holds the log instead, for several gateways.
    pub server: Option<Server>,
    /// The copy of the newest checkpoint, best on another disk.
    pub checkpoint_copy: PathBuf,
    /// Signs; its name is the log's origin.
    pub signing_key: SigningKey,
    /// The key before, for the one start that changes keys.
    pub previous_key: Option<SigningKey>,
    /// Seals and finds data subjects.
    pub subject_key: SubjectKey,
    /// Gives the time of records.
    pub clock: Arc<dyn Clock>,
    /// Records that may wait; more are refused at once.
    pub queue: usize,
}

/// Why a record was not taken in. None of these records is known to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too many records are waiting.
    #[error("the audit queue is full")]
    Full,
    /// The commit failed, or its end is unclear.
    #[error("the audit record was not made durable")]
    NotDurable,
    /// The clock went back too far, or is too far ahead of the server's.
    #[error("the clock is too far from that of the audit log")]
    Clock,
    /// The record is longer than a leaf may be, or has too many subjects.
    #[error("the audit record is too large")]
    TooLarge,
    /// A data subject could not be sealed.
    #[error("a data subject of the audit record could not be sealed")]
    Seal,
    /// The log is being closed.
    #[error("the audit log is closed")]
    Closed,
}

/// The log. Handles are cheap to clone; the last one to go closes it.
#[derive(Clone)]
pub struct AuditLog(Arc<Inner>);

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditLog({})", self.0.shared.origin)
    }
}

struct Inner {
    /// None once the log is closed.
    queue: ArcSwapOption<mpsc::Sender<Job>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    shared: Arc<Shared>,
    subjects: Arc<SubjectKey>,
    reader: Reader,
    home: Home,
    /// Held as long as the log is open.
    _lock: File,
}

/// How the log is doing.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Durable records.
    pub size: u64,
    /// Batches in which they were written, since the start.
    pub batches: u64,
    /// Records that the search index has not seen yet.
    pub lag: u64,
    /// Records waiting to be written.
    pub waiting: usize,
    /// Whether the newest checkpoint reached the second place.
    pub copied: bool,
    /// Whether the last try to write was durable.
    pub writes: bool,
}

impl AuditLog {
    /// Checks the log, takes it for this process alone, and starts to write. Blocks.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        std::fs::create_dir_all(&options.data_dir)
            .map_err(|source| OpenError::Io { path: options.data_dir.clone(), source })?;
        let lock = lock(&options.data_dir)?;
        let home = Home::of(&options.data_dir, options.server.as_ref())?;
        home.require_current()?;
        let shared = Arc::new(Shared::new(options.signing_key.public().name()));
        let subjects = Arc::new(options.subject_key);
        let public = options.signing_key.public().clone();
        let key = Arc::new(options.signing_key);
        let begin = Begin {
            home: &home,
            copy: &options.checkpoint_copy,
            key: &key,
            previous: options.previous_key.as_ref(),
            clock: &options.clock,
            shared: &shared,
        };
        let writer = begin.writer()?;

        let head = Head { key: public, shared: shared.clone(), copy: writer.copy.clone() };
        let head = home.is_shared().then(|| Arc::new(head));
        let readers = Arc::new(ArcSwapOption::empty());
        let reader = Reader::new(&home, head.clone(), readers.clone(), subjects.clone(), shared.clone())?;
        let indexer = Indexer {
            log: home.clone(),
            index: options.data_dir.join("audit-index.db"),
            readers,
            key: subjects.clone(),
            shared: shared.clone(),
        };
        let (sender, receiver) = mpsc::channel(options.queue.max(1));
        let inner = Inner {
            queue: ArcSwapOption::from_pointee(sender),
            threads: Mutex::default(),
            shared,
            subjects,
            reader,
            home: home.clone(),
            _lock: lock,
        };
        // Should a later thread fail to start, dropping `inner` ends the first.
        inner.adopt(thread("audit-writer", move || writer.run(receiver))?);
        inner.adopt(thread("audit-index", move || indexer.run())?);
        if let Some(head) = head {
            inner.adopt(thread("audit-head", move || head.follow(&home))?);
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Takes a record in, and answers when it is durable.
    pub async fn append(&self, draft: Draft) -> Result<Receipt, AppendError> {
        let waiting = self.submit(draft, Vec::new())?;
        self.end_of(waiting).await
    }

    /// What became of a record.
    async fn end_of(&self, waiting: Waiting) -> Result<Receipt, AppendError> {
        let ended = match self.0.home.is_shared() {
            false => waiting.await,
            // A commit may hang for as long as the server's standby is away.
            true => tokio::time::timeout(PATIENCE, waiting).await.unwrap_or(Ok(Err(AppendError::NotDurable))),
        };
        ended.unwrap_or(Err(AppendError::Closed))
    }

    /// Erases a person: deletes the openings of all records so far that name them, each batch in
    /// one transaction with a record that says so. `record` carries who ordered it and why; its
    /// kind is the log's. Nothing is recorded when nothing names the person.
    ///
    /// When it returns `Ok`, no file of the log holds the openings' bytes any more. A server does,
    /// in its files and backups, for as long as its own upkeep keeps them: sealed, as they were.
    pub async fn erase_subject(
        &self,
        subject_kind: &str,
        identifier: &str,
        record: Draft,
    ) -> Result<Erasure, EraseError> {
        let token = self.0.subjects.token(subject_kind, identifier);
        let openings = self.read(move |reader| reader.openings_of(token)).await?;
        let mut records: Vec<_> = openings.iter().map(|(index, _)| index).collect();
        records.dedup();
        let mut erasure = Erasure { records: records.len(), openings: openings.len(), receipts: Vec::new() };
        for chunk in openings.chunks(ERASURES) {
            let mut draft = record.clone();
            let mut log = Object::new();
            log.pairs("openings", chunk.iter().copied());
            draft.members().text("kind", kind::ERASURE).object("log", &log);
            let waiting = self.submit(draft, chunk.to_vec())?;
            erasure.receipts.push(self.end_of(waiting).await?);
        }
        let database = match &self.0.home {
            Home::File(path) => path.clone(),
            // Of what is deleted there, the server keeps traces until it tidies up by itself.
            #[cfg(feature = "postgres")]
            Home::Server(_) => return Ok(erasure),
        };
        // Even if there was nothing to delete: it may have been deleted by an erasure that was
        // not answered as done.
        match tokio::task::spawn_blocking(move || sqlite::empty_wal(&database)).await {
            Ok(Ok(true)) => Ok(erasure),
            Ok(Ok(false)) => Err(EraseError::Lingering),
            Ok(Err(e)) => Err(EraseError::Wal(e)),
            Err(_) => Err(ReadError::Stopped.into()),
        }
    }

    /// Reads, on a thread where blocking is allowed.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let reader = self.0.reader.clone();
        // Boxed: else each reading makes a task of a type of its own.
        let read: Box<dyn FnOnce() -> Result<T, ReadError> + Send> = Box::new(move || read(&reader));
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(ReadError::Stopped))
    }

    /// Closes the log: what is queued is written, and the log is one file. Whoever still has a
    /// handle is refused from now on. Blocks.
    pub fn close(&self) {
        self.0.close();
    }

    /// The reading side, for threads where blocking is allowed.
    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// The newest checkpoint.
    pub fn checkpoint(&self) -> Arc<str> {
        self.0.shared.now().note
    }

    /// How long the batch lasts that is being written now.
    pub fn lasts(&self) -> Duration {
        self.0.shared.in_hand.lasts()
    }

    /// How the log is doing.
    pub fn stats(&self) -> Stats {
        let now = self.0.shared.now();
        let queue = self.0.queue.load();
        let waiting = queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity());
        let lag = now.size.saturating_sub(now.indexed);
        Stats { size: now.size, batches: now.batches, lag, waiting, copied: now.copied, writes: now.writes }
    }

    /// Seals the subjects here, on the caller's thread, and queues the record.
    fn submit(&self, draft: Draft, erase: Vec<(u64, u64)>) -> Result<Waiting, AppendError> {
        let (mut members, subjects) = draft.into_parts();
        if subjects.len() > MAX_SUBJECTS {
            return Err(AppendError::TooLarge);
        }
        let sealed =
            subjects.iter().map(|subject| self.0.subjects.seal(subject)).collect::<Result<Vec<_>, _>>();
        let sealed = sealed.map_err(|_| AppendError::Seal)?;
        if !sealed.is_empty() {
            let named: Vec<_> = subjects
                .iter()
                .zip(&sealed)
                .map(|(subject, sealed)| {
                    let mut named = Object::new();
                    named
                        .text("type", &subject.kind)
                        .hex("commitment", &sealed.commitment)
                        .hex("opening", &crate::audit::Hash::of_bytes(&sealed.opening).0);
                    named
                })
                .collect();
            members.objects("subjects", &named);
        }
        if members.len_hint() + OWN_MEMBERS > MAX_LEAF {
            return Err(AppendError::TooLarge);
        }
        let (reply, waiting) = oneshot::channel();
        let queue = self.0.queue.load();
        let queue = queue.as_ref().ok_or(AppendError::Closed)?;
        match queue.try_send(Job { members, subjects: sealed, erase, reply }) {
            Ok(()) => Ok(waiting),
            Err(mpsc::error::TrySendError::Full(_)) => Err(AppendError::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(AppendError::Closed),
        }
    }
}

type Waiting = oneshot::Receiver<Result<Receipt, AppendError>>;

/// A person was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Records that named the person.
    pub records: usize,
    /// Openings that were deleted.
    pub openings: usize,
    /// Of the records that say so; none when there was nothing to delete.
    pub receipts: Vec<Receipt>,
}

/// Why a person was not erased, or not wholly: then it can be done again.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The openings could not be found.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The erasure could not be recorded, so nothing was deleted by it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The openings are deleted, and that is recorded; but a long reading of the log, such as a
    /// verification, still holds on to the file in which their bytes are.
    #[error("a reader of the log keeps deleted bytes in the WAL")]
    Lingering,
    /// The same, for another reason.
    #[error("deleted bytes may be in the WAL: {0}")]
    Wal(DatabaseError),
}

impl Inner {
    fn adopt(&self, thread: JoinHandle<()>) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// Writes what is queued, then ends both threads. The second time does nothing.
    fn close(&self) {
        // The index first: while it reads, the writer could not move the WAL into the database,
        // and a log that was closed would not be one file.
        self.shared.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(thread) = threads.pop() {
            if threads.is_empty() {
                self.queue.store(None);
            }
            // A thread that panicked has nothing left to wait for.
            thread.join().ok();
        }
    }
}

impl Drop for Inner {
    /// So that the lock goes last.
    fn drop(&mut self) {
        self.close();
    }
}

/// Takes the data directory for this process alone.
fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let path = data_dir.join("audit.lock");
    let io = |source| OpenError::Io { path: path.clone(), source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(data_dir.into())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new().name(name.into()).spawn(run).map_err(OpenError::Thread)
}
