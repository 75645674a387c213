//! A witness: what another department runs so that a log can neither be rewritten nor shown in two
//! versions without its noticing. C2SP tlog-witness.
//!
//! Invariant: a checkpoint is cosigned only if its log is known, its signature holds, and it
//! continues the last one that was cosigned of that log; and the cosignature is given only once
//! that it was is on disk. Nobody is asked who they are: what counts is the log's signature.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::audit::{Checkpoint, Hash, Offer, VerifyingKey, WitnessSigningKey};
use crate::base::Clock;
use crate::store::witness::{Seen, WitnessStore};

/// A witness.
pub struct WitnessService {
    logs: BTreeMap<String, Vec<VerifyingKey>>,
    key: WitnessSigningKey,
    store: WitnessStore,
    clock: Arc<dyn Clock>,
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Not an offer as the protocol has it, or its old size is larger than its new one.
    Malformed,
    /// A log that is not witnessed here.
    UnknownLog,
    /// Not signed by a key of that log.
    UnknownKey,
    /// Not offered from the size that was cosigned last, which is this; or of that very size, and
    /// of another log.
    Conflict(u64),
    /// Not a continuation of what was cosigned last.
    NotConsistent,
    /// The witness itself cannot go on; the cause is logged.
    Broken,
}

impl WitnessService {
    /// A witness of the logs whose `keys` are given.
    pub fn new(
        keys: Vec<VerifyingKey>,
        key: WitnessSigningKey,
        store: WitnessStore,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut logs = BTreeMap::<_, Vec<_>>::new();
        keys.into_iter().for_each(|key| logs.entry(key.name().to_owned()).or_default().push(key));
        Self { logs, key, store, clock }
    }

    /// Cosigns the checkpoint that `body` offers: gives the signature line. Blocks.
    ///
    /// # Errors
    /// Why it does not.
    pub fn add_checkpoint(&self, body: &str) -> Result<String, Refused> {
        let offer = Offer::parse(body).ok_or(Refused::Malformed)?;
        let keys = self.logs.get(offer.origin()).ok_or(Refused::UnknownLog)?;
        let opened = keys.iter().find_map(|key| Checkpoint::open(&offer.note, key).ok());
        let next = opened.ok_or(Refused::UnknownKey)?;
        if offer.old > next.size {
            return Err(Refused::Malformed);
        }
        let advanced = self.store.advance(&next, &offer.note, |before| check(&offer, &next, before));
        advanced.map_err(|e| broken(&e))??;
        tracing::info!(log.origin = next.origin, log.size = next.size, "cosigned");
        self.key.cosign(&offer.note, self.clock.now()).map_err(|e| broken(&e))
    }
}

/// May `next` be cosigned after what was seen before?
fn check(offer: &Offer, next: &Checkpoint, before: Option<Seen>) -> Result<(), Refused> {
    let (size, root) = before.as_ref().map_or((0, Hash::of_empty()), |seen| (seen.size, seen.root));
    if offer.old != size {
        return Err(Refused::Conflict(size));
    }
    if next.size == size && next.root != root {
        accuse(offer, before.as_ref());
        return Err(Refused::Conflict(size));
    }
    if !offer.grows(&root, next) {
        accuse(offer, before.as_ref());
        return Err(Refused::NotConsistent);
    }
    Ok(())
}

/// Keeps what the log signed, of both: together they show that it is not one log.
fn accuse(offer: &Offer, before: Option<&Seen>) {
    tracing::error!(
        log.origin = offer.origin(),
        log.offered = offer.note,
        log.cosigned = before.map(|seen| seen.note.as_str()).unwrap_or_default(),
        "ALARM: the log offers a checkpoint that does not continue the one that was cosigned"
    );
}

fn broken(cause: &dyn std::error::Error) -> Refused {
    tracing::error!(witness.error = %cause, "nothing is cosigned");
    Refused::Broken
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::audit::proof::{HashReader, consistency};
    use crate::audit::{SigningKey, Tile, Tree};
    use crate::base::clock::ManualClock;

    /// A log of short records that are called like their index, or like `other` from a place on.
    struct Log(Vec<Hash>);

    impl Log {
        fn new(size: u64, other_from: u64) -> Self {
            let leaf =
                |at| Hash::of_leaf(format!("{}{at}", if at < other_from { "" } else { "x" }).as_bytes());
            Self((0..size).map(leaf).collect())
        }

        fn note(&self, size: u64, key: &SigningKey) -> String {
            let mut tree = Tree::new();
            self.0.iter().take(size as usize).for_each(|hash| tree.push(*hash, |_, _| {}));
            Checkpoint::sign(size, &tree.root(), key, &[])
        }

        fn offer(&mut self, old: u64, size: u64, key: &SigningKey) -> String {
            let note = self.note(size, key);
            Offer { old, proof: consistency(self, old, size).unwrap(), note }.to_string()
        }
    }

    impl HashReader for Log {
        type Error = std::convert::Infallible;

        fn tile(&mut self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
            assert_eq!((tile.level, tile.index), (0, 0), "these logs have one tile");
            Ok(self.0[..usize::from(tile.width)].to_vec())
        }
    }

    struct World {
        _dir: tempfile::TempDir,
        witness: WitnessService,
        log: SigningKey,
    }

    fn world() -> World {
        let dir = tempfile::tempdir().unwrap();
        let log = SigningKey::generate("log", &SystemRandom::new()).unwrap();
        let key = WitnessSigningKey::generate("w", &SystemRandom::new()).unwrap();
        let store = WitnessStore::open(&dir.path().join("witness.db")).unwrap();
        let witness =
            WitnessService::new(vec![log.public().clone()], key, store, Arc::new(ManualClock::default()));
        World { _dir: dir, witness, log }
    }

    #[test]
    fn a_log_that_grows_is_cosigned_step_by_step_and_again_at_rest() {
        let World { witness, log, .. } = &world();
        let mut records = Log::new(200, 200);
        for (old, size) in [(0, 3), (3, 4), (4, 4), (4, 129), (129, 200)] {
            let body = records.offer(old, size, log);
            let line = witness.add_checkpoint(&body).unwrap_or_else(|e| panic!("{old} to {size}: {e:?}"));
            let note = format!("{}{line}", records.note(size, log));
            assert!(witness.key.public().verify(&note).is_ok());
        }
    }

    #[test]
    fn a_fork_is_refused_whatever_it_is_offered_from() {
        let World { witness, log, .. } = &world();
        let (mut one, mut other) = (Log::new(200, 200), Log::new(200, 90));
        witness.add_checkpoint(&one.offer(0, 100, log)).unwrap();
        assert_eq!(witness.add_checkpoint(&other.offer(100, 150, log)), Err(Refused::NotConsistent));
        assert_eq!(witness.add_checkpoint(&other.offer(100, 100, log)), Err(Refused::Conflict(100)));
        assert_eq!(witness.add_checkpoint(&other.offer(80, 150, log)), Err(Refused::Conflict(100)));
        assert_eq!(witness.add_checkpoint(&other.offer(0, 150, log)), Err(Refused::Conflict(100)));
        // And a part of it, older than what was seen, of the very log.
        assert_eq!(witness.add_checkpoint(&one.offer(0, 60, log)), Err(Refused::Conflict(100)));
        assert!(witness.add_checkpoint(&one.offer(100, 150, log)).is_ok(), "the true one goes on");
    }

    #[test]
    fn a_proof_that_is_not_whole_or_not_needed_is_refused() {
        let World { witness, log, .. } = &world();
        let mut records = Log::new(200, 200);
        witness.add_checkpoint(&records.offer(0, 100, log)).unwrap();
        let mut offer = Offer::parse(&records.offer(100, 150, log)).unwrap();
        let last = offer.proof.pop().unwrap();
        assert_eq!(witness.add_checkpoint(&offer.to_string()), Err(Refused::NotConsistent));
        offer.proof.extend([last, last]);
        assert_eq!(witness.add_checkpoint(&offer.to_string()), Err(Refused::NotConsistent));
    }

    #[test]
    fn only_a_known_log_with_its_own_key_is_cosigned() {
        let World { witness, log, .. } = &world();
        let mut records = Log::new(9, 9);
        let stranger = SigningKey::generate("stranger", &SystemRandom::new()).unwrap();
        assert_eq!(witness.add_checkpoint(&records.offer(0, 9, &stranger)), Err(Refused::UnknownLog));
        let forger = SigningKey::generate("log", &SystemRandom::new()).unwrap();
        assert_eq!(witness.add_checkpoint(&records.offer(0, 9, &forger)), Err(Refused::UnknownKey));
        let larger = Offer { old: 10, proof: Vec::new(), note: records.note(9, log) };
        assert_eq!(witness.add_checkpoint(&larger.to_string()), Err(Refused::Malformed));
        assert_eq!(witness.add_checkpoint("old 0\n"), Err(Refused::Malformed));
        assert!(witness.add_checkpoint(&records.offer(0, 9, log)).is_ok());
    }
}
