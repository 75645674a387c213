//! Proofs against a second implementation, against tampering, and where tiles meet.

use std::collections::HashMap;
use std::convert::Infallible;

use ct_merkle::digest;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;

use super::super::tree::Tree;
use super::*;

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
fn proofs_made_one_after_another_are_those_made_alone() {
    for size in [1, 2, 7, 300, 66_000] {
        let (mut tiles, tree) = ours(size);
        let (mut alone, _) = ours(size);
        let mut paths = Paths::new(&mut tiles, size);
        let forwards = (0..size).filter(|i| size < 1000 || i % 97 < 3);
        for index in forwards.chain([0, size - 1, size / 2, 0]) {
            let path = paths.inclusion(index).unwrap();
            assert!(check_inclusion(&Hash::of_leaf(&leaf(index)), index, size, &path, &tree.root()));
            assert_eq!(path, inclusion(&mut alone, index, size).unwrap());
        }
        assert!(matches!(paths.inclusion(size), Err(ProofError::OutOfRange)));
    }
}

#[test]
fn proofs_in_a_row_read_few_tiles() {
    struct Counted(Tiles, u64);
    impl HashReader for Counted {
        type Error = Infallible;
        fn tile(&mut self, tile: Tile) -> Result<Vec<Hash>, Infallible> {
            self.1 += 1;
            self.0.tile(tile)
        }
    }
    let (size, first, count) = (70_000, 3_000, 2_048);
    let mut counted = Counted(ours(size).0, 0);
    let mut paths = Paths::new(&mut counted, size);
    for index in first..first + count {
        paths.inclusion(index).unwrap();
    }
    // One sibling of each height h for 2^h records, and the way from the top.
    assert!(counted.1 < 2 * count + 100, "{}", counted.1);
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
