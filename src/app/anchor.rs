//! The log is shown to who is outside: its newest checkpoint to the witnesses, and from time to
//! time to a timestamp authority.
//!
//! Invariant: all witnesses of one round are shown the same checkpoint, since only cosignatures on
//! one checkpoint count together. A log in which nothing happened but the records of its own
//! anchors is shown with the checkpoint of the round before, and records nothing: anchoring an idle
//! log does not make it grow. No query waits for any of this.
//!
//! How old the newest anchor is decides, when it is configured so, whether queries are answered.

use std::sync::Arc;

use futures_util::future::join_all;

use super::anchors::{Age, Anchors, Round};
use super::gateway::Gateway;
use super::records::read;
use crate::anchors::{Answer, Authority, Witness};
use crate::audit::proof::{self, HashReader, ProofError};
use crate::audit::record::Draft;
use crate::audit::tree::tile_hashes;
use crate::audit::{Checkpoint, Hash, Offer, Tile};
use crate::base::{Code, Error, Result};
use crate::store::anchors::{AnchorStoreError, Cosignature, Stamp};
use crate::store::audit::{ReadError, Reader};

/// What came of showing the log to one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The witness's name, or `timestamp`.
    pub by: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What can come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It vouches for the checkpoint; `first` says that it did not before, so it was recorded.
    Anchored {
        /// See above.
        first: bool,
    },
    /// The witness has seen another log under this name, or more of it than there is: the log was
    /// put back, rewritten, or is being shown in two versions.
    Forked {
        /// The size that the witness has seen.
        witnessed: u64,
        /// The size that it was shown.
        shown: u64,
    },
    /// It could not be asked, or its answer does not hold; why, for the operator.
    Failed(String),
}

impl Outcome {
    /// The name in measurements.
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Anchored { .. } => "anchored",
            Outcome::Forked { .. } => "forked",
            Outcome::Failed(_) => "failed",
        }
    }
}

impl Gateway {
    /// Who vouches for the log, when anybody is asked to.
    pub fn anchors(&self) -> Option<&Anchors> {
        self.anchors.as_deref()
    }

    /// May queries be answered, as far as it depends on anchors?
    ///
    /// # Errors
    /// `not-ready` when the newest is older than is configured for a stop.
    pub(super) fn check_anchored(&self) -> Result<()> {
        match self.anchors.as_ref().map(|anchors| anchors.age(self.now())) {
            Some(Age { stopped: true, seconds, .. }) => {
                Err(Error::new(Code::NotReady).because(format!("the newest anchor is {seconds} s old")))
            }
            _ => Ok(()),
        }
    }

    /// The newest checkpoint with the cosignatures of at least `count` witnesses.
    ///
    /// # Errors
    /// `not-found` when there is none; `audit-unavailable`.
    pub async fn cosigned_checkpoint(&self, count: usize) -> Result<String> {
        let anchors = self.anchors.as_ref().filter(|a| (1..=a.witnesses.len()).contains(&count));
        let found = kept(anchors.ok_or(Code::NotFound)?, move |anchors| anchors.cosigned(count)).await?;
        found.map(|(note, _)| note).ok_or_else(|| Code::NotFound.into())
    }

    /// Shows the newest checkpoint to everybody who vouches for the log; says what came of each.
    ///
    /// # Errors
    /// `audit-unavailable` when the log or the anchors cannot be read or written.
    pub async fn anchor(&self) -> Result<Vec<Told>> {
        let Some(anchors) = &self.anchors else { return Ok(Vec::new()) };
        let last = anchors.last().filter(|round| round.end == self.log.stats().size);
        let note = last.as_ref().map_or_else(|| self.log.checkpoint(), |round| Arc::clone(&round.note));
        let shown = Checkpoint::open(&note, &anchors.key).map_err(broken)?;

        let offers = anchors.witnesses.iter().map(async |witness| {
            let outcome = self.offer(anchors, witness, &note, &shown).await?;
            Ok::<_, Error>(Told { by: witness.name().to_owned(), outcome })
        });
        let mut told = join_all(offers).await.into_iter().collect::<Result<Vec<_>>>()?;
        if let Some(authority) = &anchors.authority
            && let Some(outcome) = self.stamp(anchors, authority, &note, &shown).await?
        {
            told.push(Told { by: "timestamp".into(), outcome });
        }
        if let Some(newest) = kept(anchors, Anchors::newest).await? {
            anchors.anchored(newest, self.now());
        }
        let end = self.log.stats().size;
        // Only if nothing but the records of these anchors came behind what was shown.
        let quiet = last.map_or(shown.size, |round| round.end);
        let first = |told: &&Told| told.outcome == Outcome::Anchored { first: true };
        let recorded = told.iter().filter(first).count() as u64;
        anchors.shown((end <= quiet + recorded).then_some(Round { note, end }));
        Ok(told)
    }

    /// Offers a checkpoint to one witness, from the size that it saw last.
    async fn offer(
        &self,
        anchors: &Arc<Anchors>,
        witness: &Witness,
        note: &str,
        shown: &Checkpoint,
    ) -> Result<Outcome> {
        let name = witness.name().to_owned();
        let last = kept(anchors, move |anchors| anchors.store.last_size(&name)).await?.unwrap_or(0);
        // What is larger than the log cannot be its beginning: the witness then says what it has.
        let mut old = if last > shown.size { 0 } else { last };
        // Once more, should the witness have seen another size than is noted here.
        for _ in 0..2 {
            let proof = self.proof(old, shown.size).await?;
            let offer = Offer { old, proof, note: note.to_owned() };
            match witness.offer(&offer, self.now()).await {
                Ok(Answer::Cosigned(line, time)) => {
                    let (witness, note) = (witness.name().to_owned(), note.to_owned());
                    let said = Cosignature { witness, size: shown.size, time, note, line };
                    let first = self.keep_cosignature(anchors, said).await?;
                    return Ok(Outcome::Anchored { first });
                }
                // A larger one may have been shown by another gateway of this log in the meantime.
                Ok(Answer::Last(size)) if size > shown.size => {
                    return Ok(match read(self, move |log| log.reaches(size)).await? {
                        true => Outcome::Failed("has seen a newer checkpoint; the next round goes on".into()),
                        false => Outcome::Forked { witnessed: size, shown: shown.size },
                    });
                }
                Ok(Answer::Last(size)) if size != old => old = size,
                // It has this very size, or its beginning, and of another log.
                Ok(Answer::Last(_) | Answer::NotConsistent) => {
                    return Ok(Outcome::Forked { witnessed: old, shown: shown.size });
                }
                Err(e) => return Ok(Outcome::Failed(e.to_string())),
            }
        }
        Ok(Outcome::Failed("goes on from one size to another while it is asked".into()))
    }

    async fn keep_cosignature(&self, anchors: &Arc<Anchors>, said: Cosignature) -> Result<bool> {
        let mut draft = Draft::new("anchor");
        draft.members().text("witness", &said.witness).number("size", said.size);
        draft.members().hex("cosignature", &Hash::of_bytes(said.line.as_bytes()).0);
        let first = kept(anchors, move |anchors| anchors.store.keep_cosignature(&said)).await?;
        if first {
            self.record(draft).await?;
        }
        Ok(first)
    }

    /// Has a checkpoint stamped when it is time; `None` when it is not.
    async fn stamp(
        &self,
        anchors: &Arc<Anchors>,
        authority: &Authority,
        note: &str,
        shown: &Checkpoint,
    ) -> Result<Option<Outcome>> {
        let last = kept(anchors, |anchors| anchors.store.last_stamp()).await?;
        if last.is_some_and(|last| self.now() < last.plus_seconds(anchors.stamp_every)) {
            return Ok(None);
        }
        let (token, stamped) = match authority.stamp(note, self.now()).await {
            Ok(answered) => answered,
            Err(e) => return Ok(Some(Outcome::Failed(e.to_string()))),
        };
        let mut draft = Draft::new("anchor-timestamp");
        draft.members().number("size", shown.size).text("stamped_at", &stamped.time.to_string());
        draft.members().hex("token", &Hash::of_bytes(&token).0);
        let said = Stamp { size: shown.size, time: stamped.time, note: note.to_owned(), token };
        let first = kept(anchors, move |anchors| anchors.store.keep_stamp(&said)).await?;
        if first {
            self.record(draft).await?;
        }
        Ok(Some(Outcome::Anchored { first }))
    }

    /// The consistency proof between two sizes of the log.
    async fn proof(&self, old: u64, size: u64) -> Result<Vec<Hash>> {
        read(self, move |log| {
            proof::consistency(&mut Tiles(log), old, size).map_err(|e| match e {
                ProofError::Read(e) => e,
                ProofError::OutOfRange => ReadError::Damaged("the tree has another size"),
                ProofError::ShortTile => ReadError::Damaged("a tile is too short"),
            })
        })
        .await
    }
}

/// The log's hashes, for a proof about a size that need not be its newest.
struct Tiles<'r>(&'r Reader);

impl HashReader for Tiles<'_> {
    type Error = ReadError;

    fn tile(&mut self, tile: Tile) -> Result<Vec<Hash>, ReadError> {
        let bytes = self.0.tile(tile)?.ok_or(ReadError::Damaged("a tile is missing"))?;
        tile_hashes(&bytes).ok_or(ReadError::Damaged("a tile is no row of hashes"))
    }
}

/// Reads or writes what is kept, on a thread where blocking is allowed.
async fn kept<T: Send + 'static>(
    anchors: &Arc<Anchors>,
    work: impl FnOnce(&Anchors) -> Result<T, AnchorStoreError> + Send + 'static,
) -> Result<T> {
    let anchors = Arc::clone(anchors);
    tokio::task::spawn_blocking(move || work(&anchors)).await.map_err(broken)?.map_err(broken)
}

fn broken(e: impl std::fmt::Display) -> Error {
    Error::new(Code::AuditUnavailable).because(e.to_string())
}
