//! The tree: hashing as RFC 6962 section 2.1 has it, and growth at the right edge.
//!
//! ```text
//! MTH({})     = SHA-256()
//! leaf(d)     = SHA-256(0x00 || d)
//! node(l, r)  = SHA-256(0x01 || l || r)
//! MTH(D[n])   = node(MTH(D[0:k]), MTH(D[k:n])),  k the largest power of two below n
//! ```
//!
//! Invariant: [`Tree`] holds the last, growing tile of every level and nothing else; every hash
//! left of that edge is in a full tile that was given out once and never changes. Memory stays
//! under 64 KiB whatever the size.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tile::{MAX_LEVEL, Tile, WIDTH};

/// A SHA-256 hash of the tree. As text: standard base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Bytes in a hash.
    pub const LEN: usize = 32;

    /// The hash of a record: SHA-256(0x00 || record).
    pub fn of_leaf(record: &[u8]) -> Self {
        sha256(&[&[0x00], record])
    }

    /// The hash over two subtrees: SHA-256(0x01 || left || right).
    pub fn of_node(left: &Hash, right: &Hash) -> Self {
        sha256(&[&[0x01], &left.0, &right.0])
    }

    /// The root of the empty tree: SHA-256 of nothing.
    pub fn of_empty() -> Self {
        sha256(&[])
    }

    /// Plain SHA-256, with no tree prefix: for what is not part of the tree.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        sha256(&[bytes])
    }

    /// From 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From standard base64.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_slice(&STANDARD.decode(text).ok()?)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("32 bytes in base64"))
    }
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; Hash::LEN];
    hash.copy_from_slice(context.finish().as_ref());
    Hash(hash)
}

/// The root over at most 256 neighbouring subtrees of one height, as RFC 6962 splits them.
pub fn root_of(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::of_empty(),
        [one] => *one,
        many => {
            let split = many.len().next_power_of_two() / 2;
            let (left, right) = many.split_at(split);
            Hash::of_node(&root_of(left), &root_of(right))
        }
    }
}

/// The hashes of a tile out of its bytes; `None` when the length does not fit.
pub fn tile_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    (bytes.len().is_multiple_of(Hash::LEN) && bytes.len() <= WIDTH as usize * Hash::LEN)
        .then(|| bytes.chunks_exact(Hash::LEN).filter_map(Hash::from_slice).collect())
}

/// The bytes of a tile.
pub fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The right edge of a growing tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    edge: Vec<Level>,
}

/// The tile of one level that is not full yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Level {
    /// Its hashes, 0 to 255.
    hashes: Vec<Hash>,
    /// The roots of the complete subtrees over them, from left to right: one for each bit of their
    /// number. So neither the root of the tree nor that of a full tile is computed from the hashes.
    peaks: Vec<Hash>,
}

impl Level {
    fn push(&mut self, hash: Hash) {
        self.hashes.push(hash);
        let mut peak = hash;
        // Two complete subtrees of one height make one of the next.
        for _ in 0..self.hashes.len().trailing_zeros() {
            let Some(left) = self.peaks.pop() else { break };
            peak = Hash::of_node(&left, &peak);
        }
        self.peaks.push(peak);
    }

    /// The root of a tile that became full, which is then empty.
    fn clear(&mut self) -> Option<Hash> {
        self.hashes.clear();
        self.peaks.pop()
    }
}

impl Tree {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of `size` records from its partial tiles; `edge` gives the hashes of a partial
    /// tile. `None` when one is missing or too short. Longer ones are cut to what the size says.
    pub fn from_edge(size: u64, mut edge: impl FnMut(Tile) -> Option<Vec<Hash>>) -> Option<Self> {
        let mut tree = Self { size, edge: Vec::new() };
        for level in 0..=MAX_LEVEL {
            let (index, width) = Tile::count(level, size);
            let hashes = match width {
                0 => Vec::new(),
                _ => edge(Tile { level, index, width })?,
            };
            let mut partial = Level::default();
            hashes.get(..usize::from(width))?.iter().for_each(|hash| partial.push(*hash));
            tree.edge.push(partial);
            if index == 0 {
                break;
            }
        }
        Some(tree)
    }

    /// How many records.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a record's hash. Each tile that became full by it is given to `full`, lowest first.
    pub fn push(&mut self, leaf: Hash, mut full: impl FnMut(Tile, &[Hash])) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0..=MAX_LEVEL {
            if self.edge.len() <= usize::from(level) {
                self.edge.push(Level::default());
            }
            let Some(tile) = self.edge.get_mut(usize::from(level)) else { return };
            tile.push(hash);
            if (tile.hashes.len() as u64) < WIDTH {
                return;
            }
            let index = (self.size >> (8 * (u32::from(level) + 1))) - 1;
            full(Tile::full(level, index), &tile.hashes);
            let Some(root) = tile.clear() else { return };
            hash = root;
        }
    }

    /// The partial tiles: those that hold at least one hash and are not full.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        (0u8..).zip(&self.edge).filter(|(_, partial)| !partial.hashes.is_empty()).map(|(level, partial)| {
            let (index, width) = Tile::count(level, self.size);
            (Tile { level, index, width }, partial.hashes.as_slice())
        })
    }

    /// The root hash.
    pub fn root(&self) -> Hash {
        // From right to left: what stands right of a split is always the smaller side.
        let peaks = self.edge.iter().flat_map(|partial| partial.peaks.iter().rev());
        peaks.copied().reduce(|right, left| Hash::of_node(&left, &right)).unwrap_or_else(Hash::of_empty)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::base::ids::{decode_hex, hex};

    /// The eight leaves of the reference test of Certificate Transparency, and the roots over
    /// the first one, two, ... eight of them.
    const CT_LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const CT_ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| decode_hex::<1>(std::str::from_utf8(pair).unwrap()).unwrap()[0])
            .collect()
    }

    #[test]
    fn the_roots_are_those_of_certificate_transparency() {
        assert_eq!(
            hex(&Tree::new().root().0),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let mut tree = Tree::new();
        for (leaf, root) in CT_LEAVES.iter().zip(CT_ROOTS) {
            tree.push(Hash::of_leaf(&unhex(leaf)), |_, _| {});
            assert_eq!(hex(&tree.root().0), root);
        }
    }

    #[test]
    fn a_tree_reloaded_from_its_partial_tiles_grows_as_if_nothing_had_happened() {
        let mut tree = Tree::new();
        for i in 0..66_000u32 {
            tree.push(Hash::of_leaf(&i.to_be_bytes()), |_, _| {});
            if matches!(i, 0 | 254 | 255 | 256 | 65_534 | 65_535 | 65_900) {
                let partial: Vec<_> = tree.partial().map(|(t, h)| (t, h.to_vec())).collect();
                let loaded = Tree::from_edge(tree.size(), |tile| {
                    partial.iter().find(|(t, _)| *t == tile).map(|(_, h)| h.clone())
                })
                .unwrap();
                assert_eq!(loaded.root(), tree.root());
                tree = loaded;
            }
        }
        let leaves: Vec<_> = (0..66_000u32).map(|i| Hash::of_leaf(&i.to_be_bytes())).collect();
        assert_eq!(tree.root(), root_of(&leaves));
    }

    #[test]
    fn full_tiles_are_given_out_once_with_their_place() {
        let mut tree = Tree::new();
        let mut seen = Vec::new();
        for i in 0..66_000u32 {
            tree.push(Hash::of_leaf(&i.to_be_bytes()), |tile, hashes| {
                assert_eq!(hashes.len(), 256);
                seen.push((tile.level, tile.index));
            });
        }
        let level0: Vec<_> = seen.iter().filter(|(l, _)| *l == 0).map(|(_, i)| *i).collect();
        assert_eq!(level0, (0..257).collect::<Vec<_>>());
        assert_eq!(seen.iter().filter(|(l, _)| *l == 1).collect::<Vec<_>>(), [&(1, 0)]);
        assert_eq!(seen.len(), 258);
    }
}
