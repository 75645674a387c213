//! Several gateways write one log: each in its turn.
//!
//! Invariant: a gateway signs only what follows from the head that it holds, and only a head that
//! goes on from everything it knew before: a server that was put back, or a standby that took over
//! without what the log had given out, is not written to. Whether a commit whose end was not heard
//! of happened is never guessed: it is looked up, or said to be unclear.

use std::time::Instant;

use diesel::prelude::PgConnection;
use diesel::result::{Error as DbError, QueryResult};

use super::postgres::{self, Head, RESOLVE, STEP};
use super::writer::{CommitError, State, Writer};
use crate::audit::proof::{self, HashReader};
use crate::audit::record::LeafHead;
use crate::audit::tile::WIDTH;
use crate::audit::tree::tile_hashes;
use crate::audit::{Checkpoint, Hash, Tile, Tree};
use crate::base::Timestamp;
use crate::store::db::{Ahead, Db};

/// How many records of others are added one by one to what is known, rather than looked up in the tree.
const NEAR: u64 = 4 * WIDTH;

const BEHIND: &str = "it is behind a checkpoint that was given out";
const ANOTHER: &str = "it does not go on from a checkpoint that was given out";

impl Writer {
    /// Takes the head, so that nobody else writes until this gateway has committed. Gives the end
    /// of the log if others have written since `known`.
    pub(super) fn take_head(
        &self,
        conn: &mut PgConnection,
        known: &State,
    ) -> Result<Option<State>, CommitError> {
        let tree = &known.tree;
        let now = self.clock.now();
        let (head, servers) = postgres::lock_head(conn, tree.size())?;
        Ahead::check(now, servers)?;
        // Also a head that is what this gateway wrote last: others may have gone on from it, and been
        // followed, before the server was put back to it.
        if head.size < self.shared.now().size {
            return Err(CommitError::End(BEHIND));
        }
        let unchanged = match head.size {
            0 => head.note.is_empty() && tree.size() == 0,
            size => {
                size == tree.size()
                    && head.note.starts_with(&Checkpoint::text(&self.shared.origin, size, &tree.root()))
            }
        };
        if unchanged { Ok(None) } else { self.end_after(conn, &head, tree).map(Some) }
    }

    /// The end of the log that goes on from `tree`, which this gateway knows: adding the hashes of what
    /// others have written since must come to what is signed. That costs as much as they have written,
    /// while others wait for the head.
    fn end_after(&self, conn: &mut PgConnection, head: &Head, tree: &Tree) -> Result<State, CommitError> {
        if !(tree.size()..=tree.size() + NEAR).contains(&head.size) {
            return self.end_at(conn, head);
        }
        let (signed, given) = (self.signed(head)?, self.shared.now());
        let holds = |grown: &Tree| grown.size() != given.size || grown.root() == given.root;
        let (mut grown, mut whole) = (tree.clone(), holds(tree));
        while whole && grown.size() < head.size {
            let hashes = Edged { conn: &mut *conn, head }.leaves_from(grown.size())?;
            whole = !hashes.is_empty();
            for hash in hashes {
                grown.push(hash, |_, _| ());
                whole = whole && holds(&grown);
            }
        }
        if !whole || grown.root() != signed.root {
            return Err(CommitError::End(ANOTHER));
        }
        last_time(conn, head.size).map(|time| State { tree: grown, time, behind: false })
    }

    /// What a head is signed as.
    fn signed(&self, head: &Head) -> Result<Checkpoint, CommitError> {
        let signed = Checkpoint::open(&head.note, self.key.public()).map_err(|_| CommitError::Signature)?;
        if head.size == signed.size {
            Ok(signed)
        } else {
            Err(CommitError::End("its size is not what was signed"))
        }
    }

    /// Reads the end of the log, believing only what is signed and goes on from what was known.
    pub(super) fn read_end(&self, conn: &mut PgConnection) -> Result<State, CommitError> {
        let head = postgres::head(conn)?;
        self.end_at(conn, &head)
    }

    fn end_at(&self, conn: &mut PgConnection, head: &Head) -> Result<State, CommitError> {
        let signed = self.signed(head)?;
        let tree = head.tree().ok_or(CommitError::End("the tree's edge is not as long as its size"))?;
        if tree.root() != signed.root {
            return Err(CommitError::End("the tree's edge is not what was signed"));
        }
        let known = self.shared.now();
        if head.size < known.size {
            return Err(CommitError::End(BEHIND));
        }
        if known.size > 0 && root_at(conn, head, known.size)? != Some(known.root) {
            return Err(CommitError::End(ANOTHER));
        }
        last_time(conn, head.size).map(|time| State { tree, time, behind: false })
    }

    /// After a commit of which no end was heard: finds out whether the log has the records up to
    /// `size` under `root`. Gives a new connection if it has.
    pub(super) fn resolve(&self, size: u64, root: &Hash, why: DbError) -> Result<PgConnection, CommitError> {
        tracing::warn!(audit.error = %why, audit.size = size, "the end of a commit is unclear; looking it up");
        let began = Instant::now();
        loop {
            match self.look_up(size, root) {
                Ok((conn, true)) => return Ok(conn),
                Ok((_, false)) => return Err(why.into()),
                Err(error) if began.elapsed() > RESOLVE => {
                    return Err(CommitError::Unclear(error.to_string()));
                }
                Err(error) => tracing::debug!(audit.error = %error, "not yet"),
            }
            std::thread::sleep(STEP);
        }
    }

    /// Holding the head: whoever commits still, the lost connection included, is waited for. The
    /// look is committed as a change is, so that on a server with a standby what it saw is there
    /// too before anybody is told.
    fn look_up(&self, size: u64, root: &Hash) -> Result<(PgConnection, bool), CommitError> {
        let Db::Postgres(mut conn) = self.home.open_log()? else {
            return Err(CommitError::End("it is on no server"));
        };
        let (head, _) = postgres::lock_head(&mut conn, 0)?;
        self.end_at(&mut conn, &head)?;
        let found = head.size >= size && root_at(&mut conn, &head, size)? == Some(*root);
        postgres::commit(&mut conn)?;
        Ok((conn, found))
    }
}

/// The time of the last of `size` records.
fn last_time(conn: &mut PgConnection, size: u64) -> Result<Timestamp, CommitError> {
    let leaf = super::rows::last_leaf(conn, size)?;
    let time = leaf.and_then(|leaf| LeafHead::parse(&leaf).ok().map(|head| head.time));
    time.ok_or(CommitError::End("the last record is missing"))
}

/// The root over the first `size` records of the log that ends at `head`.
fn root_at(conn: &mut PgConnection, head: &Head, size: u64) -> QueryResult<Option<Hash>> {
    match proof::root(&mut Edged { conn, head }, size) {
        Ok(root) => Ok(Some(root)),
        Err(proof::ProofError::Read(error)) if error != DbError::NotFound => Err(error),
        Err(_) => Ok(None),
    }
}

/// The hashes of the stored tree; those of the edge are at hand.
struct Edged<'a> {
    conn: &'a mut PgConnection,
    head: &'a Head,
}

impl Edged<'_> {
    /// The hashes of the records from `first` to the end of its tile.
    fn leaves_from(&mut self, first: u64) -> QueryResult<Vec<Hash>> {
        let tile = Tile::within(0, first / WIDTH, self.head.size).ok_or(DbError::NotFound)?;
        let mut hashes = self.tile(tile)?;
        let known = usize::try_from(first % WIDTH).unwrap_or(usize::MAX);
        Ok(hashes.split_off(known.min(hashes.len())))
    }
}

impl HashReader for Edged<'_> {
    type Error = DbError;

    fn tile(&mut self, of: Tile) -> QueryResult<Vec<Hash>> {
        let bytes = match self.head.tile(of.level, of.index) {
            Some(bytes) => Some(bytes),
            None => postgres::full_tile(self.conn, of)?,
        };
        bytes.and_then(|bytes| tile_hashes(&bytes)).ok_or(DbError::NotFound)
    }
}
