//! Proofs: that a record is in a log, and that a log only grew.
//!
//! Making them follows RFC 6962 sections 2.1.1 (PATH) and 2.1.2 (PROOF); checking them follows
//! RFC 9162 sections 2.1.3.2 and 2.1.4.2. Worked example, the audit path of record 0 in a log
//! of 7 (RFC 6962 section 2.1.3):
//!
//! ```text
//!             hash                 PATH(0) = [b, h, l]
//!            /    \                root = node(node(node(a, b), h), l)
//!           k      l
//!         /  \    /  \
//!        g    h  i    j
//!       / \  / \ / \  |
//!       a b  c d e f  d6
//! ```
//!
//! Invariant: a check trusts nothing but the hashes it is given; a proof of the wrong length is
//! wrong.

use super::tile::{MAX_LEVEL, Tile};
use super::tree::{Hash, root_of};

/// The longest proof: one hash for each level of the tallest tree.
pub const MAX_PROOF: usize = 65;

/// Where hashes come from.
pub trait HashReader {
    /// Why a hash could not be read.
    type Error;

    /// The hashes of a tile: at least as many as `tile.width` says, in order.
    fn tile(&mut self, tile: Tile) -> Result<Vec<Hash>, Self::Error>;
}

/// Why no proof was made.
#[derive(Debug, thiserror::Error)]
pub enum ProofError<E> {
    /// The tree is not as large as that.
    #[error("there is no such record or size in a tree of this size")]
    OutOfRange,
    /// A tile holds fewer hashes than the tree's size says.
    #[error("a tile of hashes is shorter than it should be")]
    ShortTile,
    /// The hashes could not be read.
    #[error(transparent)]
    Read(#[from] E),
}

/// PATH(index, D[size]): what proves that record `index` is in the tree of `size` records.
pub fn inclusion<R: HashReader>(
    reader: &mut R,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range_root(reader, middle, end, size)?);
            end = middle;
        } else {
            path.push(range_root(reader, start, middle, size)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// PROOF(old, D[size]): what proves that the tree of `old` records is a prefix of that of `size`.
pub fn consistency<R: HashReader>(
    reader: &mut R,
    old: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    if old > size {
        return Err(ProofError::OutOfRange);
    }
    if old == 0 || old == size {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    // RFC 6962's SUBPROOF with its recursion unrolled; `old` ends on the right edge of
    // [start, end) when the loop does.
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range_root(reader, middle, end, size)?);
            end = middle;
        } else {
            proof.push(range_root(reader, start, middle, size)?);
            start = middle;
        }
    }
    // The old root itself is known to who checks, unless the old tree ends inside the right part.
    if start > 0 {
        proof.push(range_root(reader, start, end, size)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root of the tree of the first `size` records, out of a log that may have more.
pub fn root<R: HashReader>(reader: &mut R, size: u64) -> Result<Hash, ProofError<R::Error>> {
    match size {
        0 => Ok(Hash::of_empty()),
        size => range_root(reader, 0, size, size),
    }
}

/// Does `path` lead from `leaf`, as record `index`, to the `root` of `size` records?
pub fn check_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for step in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = Hash::of_node(step, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::of_node(&hash, step);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Is the tree of `old` records with `old_root` a prefix of the tree of `size` with `root`?
pub fn check_consistency(old: u64, size: u64, proof: &[Hash], old_root: &Hash, root: &Hash) -> bool {
    if old > size {
        return false;
    }
    if old == size {
        return proof.is_empty() && old_root == root;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == Hash::of_empty();
    }
    let (first, rest) = match (old.is_power_of_two(), proof) {
        (true, rest) => (old_root, rest),
        (false, [first, rest @ ..]) => (first, rest),
        (false, []) => return false,
    };
    let (mut node, mut last) = (old - 1, size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for step in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            from_old = Hash::of_node(step, &from_old);
            from_new = Hash::of_node(step, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = Hash::of_node(&from_new, step);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *root
}

/// The largest power of two below `n`, for n > 1.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// MTH(D[start:end]), where the range is one that the proofs above name: `start` is a multiple
/// of the largest power of two that is at most its length.
fn range_root<R: HashReader>(
    reader: &mut R,
    start: u64,
    end: u64,
    size: u64,
) -> Result<Hash, ProofError<R::Error>> {
    let length = end - start;
    if length.is_power_of_two() {
        return subtree(reader, start, length.trailing_zeros(), size);
    }
    let middle = start + split(length);
    let left = range_root(reader, start, middle, size)?;
    let right = range_root(reader, middle, end, size)?;
    Ok(Hash::of_node(&left, &right))
}

/// The root of the complete subtree of 2^height records from `start` on, out of one tile.
fn subtree<R: HashReader>(
    reader: &mut R,
    start: u64,
    height: u32,
    size: u64,
) -> Result<Hash, ProofError<R::Error>> {
    let level = u8::try_from(height / 8).ok().filter(|l| *l <= MAX_LEVEL).ok_or(ProofError::OutOfRange)?;
    let first = start >> (8 * u32::from(level));
    let tile = Tile::within(level, first / 256, size).ok_or(ProofError::OutOfRange)?;
    let hashes = reader.tile(tile)?;
    let from = (first % 256) as usize;
    let hashes = hashes.get(from..from + (1 << (height % 8))).ok_or(ProofError::ShortTile)?;
    Ok(root_of(hashes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(super) mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;

    use ct_merkle::digest::{self, typenum::U32};
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
    use proptest::prelude::*;

    use super::super::tree::Tree;
    use super::*;

    /// sha2's SHA-256 behind the version of the hashing traits that the other implementation is
    /// written against.
    #[derive(Clone, Default)]
    struct Sha256(sha2::Sha256);

    impl digest::OutputSizeUser for Sha256 {
        type OutputSize = U32;
    }

    impl digest::Update for Sha256 {
        fn update(&mut self, data: &[u8]) {
            sha2::Digest::update(&mut self.0, data);
        }
    }

    impl digest::FixedOutput for Sha256 {
        fn finalize_into(self, out: &mut digest::Output<Self>) {
            out.copy_from_slice(&sha2::Digest::finalize(self.0));
        }
    }

    impl digest::HashMarker for Sha256 {}

    /// All tiles of a tree in memory.
    #[derive(Default)]
    pub(crate) struct Tiles(HashMap<(u8, u64), Vec<Hash>>);

    impl Tiles {
        pub(crate) fn of(leaves: impl IntoIterator<Item = Hash>) -> (Self, Tree) {
            let (mut tiles, mut tree) = (HashMap::new(), Tree::new());
            for leaf in leaves {
                tree.push(leaf, |tile, hashes| {
                    tiles.insert((tile.level, tile.index), hashes.to_vec());
                });
            }
            for (tile, hashes) in tree.partial() {
                tiles.insert((tile.level, tile.index), hashes.to_vec());
            }
            (Self(tiles), tree)
        }
    }

    impl HashReader for Tiles {
        type Error = Infallible;

        fn tile(&mut self, tile: Tile) -> Result<Vec<Hash>, Infallible> {
            Ok(self.0.get(&(tile.level, tile.index)).cloned().unwrap_or_default())
        }
    }

    fn leaf(i: u64) -> Vec<u8> {
        i.to_be_bytes().to_vec()
    }

    fn ours(size: u64) -> (Tiles, Tree) {
        Tiles::of((0..size).map(|i| Hash::of_leaf(&leaf(i))))
    }

    fn theirs(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
        let mut tree = MemoryBackedTree::new();
        (0..size).for_each(|i| tree.push(leaf(i)));
        tree
    }

    fn digests(hashes: &[Hash]) -> Vec<digest::Output<Sha256>> {
        hashes.iter().map(|h| h.0.into()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn inclusion_proofs_agree_with_another_implementation(size in 1u64..1500, at in any::<prop::sample::Index>()) {
            let index = at.index(size as usize) as u64;
            let (mut tiles, tree) = ours(size);
            let other = theirs(size);
            let path = inclusion(&mut tiles, index, size).unwrap();

            let their_root = other.root();
            prop_assert_eq!(&their_root.as_bytes()[..], &tree.root().0[..]);
            let their_path = other.prove_inclusion(index as usize);
            let flat: Vec<u8> = path.iter().flat_map(|h| h.0).collect();
            prop_assert_eq!(their_path.as_bytes(), &flat[..]);

            // Each side accepts the other's proof.
            prop_assert!(check_inclusion(&Hash::of_leaf(&leaf(index)), index, size, &path, &tree.root()));
            let proof = InclusionProof::<Sha256>::from_digests(&digests(&path));
            let root = RootHash::<Sha256>::new(tree.root().0.into(), size);
            prop_assert!(root.verify_inclusion(&leaf(index), index, &proof).is_ok());
        }

        #[test]
        fn consistency_proofs_agree_with_another_implementation(size in 2u64..1500, at in any::<prop::sample::Index>()) {
            let old = 1 + at.index(size as usize - 1) as u64;
            let (mut tiles, tree) = ours(size);
            let (_, old_tree) = ours(old);
            let proof = consistency(&mut tiles, old, size).unwrap();

            let their_proof = theirs(size).prove_consistency((size - old) as usize);
            let flat: Vec<u8> = proof.iter().flat_map(|h| h.0).collect();
            prop_assert_eq!(their_proof.as_bytes(), &flat[..]);

            prop_assert!(check_consistency(old, size, &proof, &old_tree.root(), &tree.root()));
            let root = RootHash::<Sha256>::new(tree.root().0.into(), size);
            let old_root = RootHash::<Sha256>::new(old_tree.root().0.into(), old);
            let proof = ConsistencyProof::<Sha256>::from_digests(&digests(&proof));
            prop_assert!(root.verify_consistency(&old_root, &proof).is_ok());
        }

        #[test]
        fn a_proof_changed_anywhere_proves_nothing(
            size in 2u64..600, at in any::<prop::sample::Index>(), bit in 0usize..256, cut in any::<bool>(),
        ) {
            let index = at.index(size as usize) as u64;
            let (mut tiles, tree) = ours(size);
            let hash = Hash::of_leaf(&leaf(index));
            let mut path = inclusion(&mut tiles, index, size).unwrap();
            prop_assert!(!check_inclusion(&hash, index ^ 1, size, &path, &tree.root()));
            let at = at.index(path.len());
            if cut { path.remove(at); } else { path[at].0[bit / 8] ^= 1 << (bit % 8); }
            prop_assert!(!check_inclusion(&hash, index, size, &path, &tree.root()));
        }

        #[test]
        fn a_rewritten_past_is_not_consistent(size in 2u64..600, at in any::<prop::sample::Index>(), changed in any::<prop::sample::Index>()) {
            let old = 1 + at.index(size as usize - 1) as u64;
            let changed = changed.index(old as usize) as u64;
            let (_, old_tree) = ours(old);
            let (mut tiles, tree) = Tiles::of((0..size).map(|i| Hash::of_leaf(&leaf(if i == changed { u64::MAX } else { i }))));
            let proof = consistency(&mut tiles, old, size).unwrap();
            prop_assert!(!check_consistency(old, size, &proof, &old_tree.root(), &tree.root()));
        }
    }

    #[test]
    fn proofs_hold_where_tiles_meet() {
        for size in [1, 255, 256, 257, 65_535, 65_536, 65_537, 65_800] {
            let (mut tiles, tree) = ours(size);
            assert_eq!(root(&mut tiles, size).unwrap(), tree.root());
            for index in [0, 1, 254, 255, 256, 65_535, 65_536, size - 1] {
                let Ok(path) = inclusion(&mut tiles, index, size) else { continue };
                assert!(check_inclusion(&Hash::of_leaf(&leaf(index)), index, size, &path, &tree.root()));
            }
            for old in [1, 2, 3, 255, 256, 257, 65_535, 65_536] {
                let Ok(proof) = consistency(&mut tiles, old, size) else { continue };
                let old_root = ours(old).1.root();
                assert_eq!(root(&mut tiles, old).unwrap(), old_root);
                assert!(check_consistency(old, size, &proof, &old_root, &tree.root()), "{old} {size}");
            }
        }
    }

    #[test]
    fn an_empty_log_is_a_prefix_of_every_log() {
        let (mut tiles, tree) = ours(5);
        assert!(consistency(&mut tiles, 0, 5).unwrap().is_empty());
        assert!(check_consistency(0, 5, &[], &Hash::of_empty(), &tree.root()));
        assert!(!check_consistency(6, 5, &[], &tree.root(), &tree.root()));
    }
}
