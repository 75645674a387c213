//! Tiles: the hashes of the tree in blocks of 256, as C2SP tlog-tiles lays them out.
//!
//! Invariant: a tile at level L, index N holds the hashes of the complete subtrees of height 8L
//! from number 256·N on, at most 256 of them, 32 bytes each. A full tile never changes; only the
//! last one of each level grows.
//!
//! Paths: `tile/<L>/<N>[.p/<W>]`, N in groups of three digits, all but the last behind an `x`;
//! W is the width of a partial tile. Tile 1234067 of level 0: `tile/0/x001/x234/067`.

use std::fmt;

/// Hashes in a full tile.
pub const WIDTH: u64 = 256;

/// The highest level there is: 2^64 records need no more.
pub const MAX_LEVEL: u8 = 7;

/// Which tile, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// Height in the tree, in steps of 8.
    pub level: u8,
    /// Number within the level, from 0.
    pub index: u64,
    /// Hashes in it, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// A full tile.
    pub fn full(level: u8, index: u64) -> Self {
        Self { level, index, width: 256 }
    }

    /// The tiles of `level` that a tree of `size` records has: how many full ones, and the width
    /// of the partial one behind them (0 when there is none).
    pub fn count(level: u8, size: u64) -> (u64, u16) {
        let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        (hashes / WIDTH, u16::try_from(hashes % WIDTH).unwrap_or(0))
    }

    /// The widest form of tile `index` of `level` in a tree of `size` records; `None` when the
    /// tree has no such tile.
    pub fn within(level: u8, index: u64, size: u64) -> Option<Self> {
        let (full, partial) = Self::count(level, size);
        match index {
            i if i < full => Some(Self::full(level, index)),
            i if i == full && partial > 0 => Some(Self { level, index, width: partial }),
            _ => None,
        }
    }

    /// The records that a tree must have for the tile to be as wide as this.
    pub fn needs(&self) -> u64 {
        let hashes = self.index.saturating_mul(WIDTH).saturating_add(u64::from(self.width));
        1u64.checked_shl(8 * u32::from(self.level)).unwrap_or(u64::MAX).saturating_mul(hashes)
    }

    /// Parses the path behind `tile/`, such as `0/x001/234.p/17`.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, canonical(width)?),
            None => (rest, WIDTH),
        };
        let partial = rest.len() != number.len();
        if partial && !(1..WIDTH).contains(&width) {
            return None;
        }
        let tile = Self {
            level: u8::try_from(canonical(level)?).ok().filter(|l| *l <= MAX_LEVEL)?,
            index: parse_index(number)?,
            width: u16::try_from(width).ok()?,
        };
        // One tile has one path: 000/067 and x000/067 are not other names for 067.
        (tile.to_string().strip_prefix("tile/") == Some(path)).then_some(tile)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/{}", self.level, index_path(self.index))?;
        if u64::from(self.width) < WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

fn index_path(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

fn parse_index(path: &str) -> Option<u64> {
    path.split('/').try_fold(0u64, |index, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        index.checked_mul(1000)?.checked_add(digits.parse().ok()?)
    })
}

fn canonical(digits: &str) -> Option<u64> {
    digits.parse::<u64>().ok().filter(|n| n.to_string() == digits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_are_those_of_the_specification() {
        let tile = Tile::full(0, 1_234_067);
        assert_eq!(tile.to_string(), "tile/0/x001/x234/067");
        let partial = Tile { level: 3, index: 5, width: 17 };
        assert_eq!(partial.to_string(), "tile/3/005.p/17");
        for tile in [tile, partial, Tile::full(1, 0), Tile::full(7, 999_000)] {
            assert_eq!(Tile::parse(tile.to_string().strip_prefix("tile/").unwrap()), Some(tile));
        }
    }

    #[test]
    fn a_path_of_another_spelling_is_no_path() {
        for bad in [
            "",
            "0",
            "0/",
            "0/1",
            "0/01",
            "0/0001",
            "00/001",
            "+0/001",
            "8/001",
            "0/001/002",
            "0/x001",
            "0/x000/001",
            "0/001.p/0",
            "0/001.p/256",
            "0/001.p/07",
            "0/001.p/",
            "0/-01",
            "0/001/",
            "0/x/001",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(Tile::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_tree_has_the_tiles_that_its_size_demands() {
        assert_eq!(Tile::count(0, 70_000), (273, 112));
        assert_eq!(Tile::count(1, 70_000), (1, 17));
        assert_eq!(Tile::count(2, 70_000), (0, 1));
        assert_eq!(Tile::count(3, 70_000), (0, 0));
        assert_eq!(Tile::within(1, 1, 70_000), Some(Tile { level: 1, index: 1, width: 17 }));
        assert_eq!(Tile::within(3, 0, 70_000), None);
    }
}
