//! What can be taken away and checked: the receipt, and the signed audit record.
//!
//! A **receipt** is what a caller gets with its answer: enough to ask for the record later and to
//! hold the log to it. A **signed audit record** is whole: leaf, index, inclusion proof and
//! checkpoint. As JSON:
//!
//! ```json
//! {"index": 1234, "leaf": "{...}", "proof": ["base64", "..."], "checkpoint": "origin\n5000\n..."}
//! ```
//!
//! Invariant: checking needs the public key and nothing else.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::note::{NoteError, VerifyingKey};
use super::proof::{MAX_PROOF, check_inclusion};
use super::record::LeafHead;
use super::tree::Hash;

/// What a caller is given for a record that is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The log's origin.
    pub log: Arc<str>,
    /// The record's position.
    pub index: u64,
    /// The record's leaf hash.
    pub leaf_hash: Hash,
    /// The signed checkpoint of the batch that the record was written in: it covers the record.
    pub checkpoint: Arc<str>,
}

/// A record with all that proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRecord {
    /// The record's position.
    pub index: u64,
    /// The leaf's exact bytes, which are UTF-8.
    pub leaf: String,
    /// The inclusion proof, from the leaf up.
    pub proof: Vec<Hash>,
    /// The signed checkpoint that the proof leads to.
    pub checkpoint: String,
}

/// Why a signed audit record proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The checkpoint.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
    /// The leaf is not a record, or says that it stands elsewhere.
    #[error("the leaf does not say that it is record {0}")]
    Leaf(u64),
    /// The hashes do not lead from the leaf to the checkpoint.
    #[error("the proof does not lead from the record to the checkpoint")]
    Proof,
}

impl SignedRecord {
    /// Checks everything; gives the checkpoint that covers the record.
    pub fn check(&self, key: &VerifyingKey) -> Result<Checkpoint, RecordError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        if LeafHead::parse(self.leaf.as_bytes()).map(|head| head.index) != Ok(self.index) {
            return Err(RecordError::Leaf(self.index));
        }
        let leaf = Hash::of_leaf(self.leaf.as_bytes());
        let leads = self.proof.len() <= MAX_PROOF
            && check_inclusion(&leaf, self.index, checkpoint.size, &self.proof, &checkpoint.root);
        if leads { Ok(checkpoint) } else { Err(RecordError::Proof) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::note::SigningKey;
    use super::super::proof::{inclusion, tests::Tiles};
    use super::super::record::{Draft, leaf};
    use super::*;
    use crate::base::Timestamp;

    fn signed(index: u64) -> (SignedRecord, SigningKey) {
        let key = SigningKey::generate("log", &ring::rand::SystemRandom::new()).unwrap();
        let leaves: Vec<_> =
            (0..5).map(|i| leaf(&mut Draft::new("query").into_parts().0, i, Timestamp::default())).collect();
        let (mut tiles, tree) = Tiles::of(leaves.iter().map(|l| Hash::of_leaf(l)));
        let record = SignedRecord {
            index,
            leaf: String::from_utf8(leaves[index as usize].clone()).unwrap(),
            proof: inclusion(&mut tiles, index, 5).unwrap(),
            checkpoint: Checkpoint::sign(5, &tree.root(), &key, &[]),
        };
        (record, key)
    }

    #[test]
    fn a_signed_record_checks_with_the_public_key_alone_after_a_way_through_json() {
        let (record, key) = signed(3);
        let back: SignedRecord = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(back.check(key.public()).unwrap().size, 5);
    }

    #[test]
    fn a_signed_record_changed_in_any_member_proves_nothing() {
        let (record, key) = signed(3);
        let mut leaf = record.clone();
        leaf.leaf = leaf.leaf.replace("query", "quern");
        assert_eq!(leaf.check(key.public()), Err(RecordError::Proof));
        let mut index = record.clone();
        index.index = 2;
        assert_eq!(index.check(key.public()), Err(RecordError::Leaf(2)));
        let mut proof = record.clone();
        proof.proof[0].0[0] ^= 1;
        assert_eq!(proof.check(key.public()), Err(RecordError::Proof));
        let mut checkpoint = record.clone();
        checkpoint.checkpoint = checkpoint.checkpoint.replace("\n5\n", "\n6\n");
        assert_eq!(checkpoint.check(key.public()), Err(RecordError::Checkpoint(NoteError::BadSignature)));
        assert_eq!(record.check(signed(3).1.public()), Err(RecordError::Checkpoint(NoteError::NotSigned)));
    }
}
