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
    Paths::new(reader, size).inclusion(index)
}

/// Inclusion proofs in one tree, cheap for neighbours: the sibling at height h is the same for
/// 2^h of them, and the last one of each height is kept. So n proofs in a row hash about 8 n
/// times and read each tile about once, however large the tree.
#[derive(Debug)]
pub struct Paths<'r, R> {
    reader: &'r mut R,
    size: u64,
    /// By height: where the sibling begins, and its root.
    siblings: [Option<(u64, Hash)>; 64],
}

impl<'r, R: HashReader> Paths<'r, R> {
    /// Proofs in the tree of the first `size` records.
    pub fn new(reader: &'r mut R, size: u64) -> Self {
        Self { reader, size, siblings: [None; 64] }
    }

    /// PATH(index, D[size]).
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>, ProofError<R::Error>> {
        if index >= self.size {
            return Err(ProofError::OutOfRange);
        }
        let (mut start, mut end) = (0, self.size);
        let mut path = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.sibling(middle, end, middle - start)?);
                end = middle;
            } else {
                path.push(self.sibling(start, middle, middle - start)?);
                start = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// MTH(D[start:end]), beside or behind a complete subtree of `width` records. In one tree
    /// `start` and `width` tell the `end`.
    fn sibling(&mut self, start: u64, end: u64, width: u64) -> Result<Hash, ProofError<R::Error>> {
        let Some(kept) = self.siblings.get_mut(width.trailing_zeros() as usize) else {
            return Err(ProofError::OutOfRange);
        };
        match kept {
            Some((at, root)) if *at == start => Ok(*root),
            _ => Ok(kept.insert((start, range_root(self.reader, start, end, self.size)?)).1),
        }
    }
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
pub(super) mod tests;
