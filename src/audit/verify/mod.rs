//! The verifier: reads a whole log and says what is wrong with it and where.
//!
//! Invariant: it trusts the public key and nothing else; what the log says of itself (its size,
//! its hashes, its keys) counts only as far as signatures by that key bear it out. It reads
//! forward once, in memory that does not grow with the log (by 40 bytes for 256 records where no
//! checkpoints are kept on the way). It must not repair anything.
//!
//! Records, hashes and checkpoints are kept in three places and check each other. Where a record
//! and its stored hash disagree, the next signed checkpoint tells which of them is right.

mod walk;

use std::fmt;

pub use walk::{Progress, verify};

use super::tile::Tile;
use super::tree::Hash;

/// A checkpoint is kept for each multiple of this many records, and none of them may be missing.
pub const ANCHOR: u64 = 4096;

/// The most kinds of damage that one report lists.
const MAX_LISTED: usize = 100;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Something stored is not what was signed.
    Altered,
    /// Something that was signed is no longer stored.
    Missing,
    /// A record stands in another's place.
    Reordered,
    /// Two signed checkpoints cannot both belong to this log.
    Forked,
    /// The log is behind a checkpoint that was seen before.
    RolledBack,
    /// A signature does not hold, or is not by the key.
    BadSignature,
    /// A record or hash breaks off, or the store cannot be read any further.
    Torn,
    /// Something is stored that was never signed.
    Extra,
    /// Too few witnesses have cosigned a checkpoint of it.
    Unwitnessed,
    /// A timestamp does not hold, or there is none.
    BadTimestamp,
}

impl Kind {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Altered => "altered",
            Kind::Missing => "missing",
            Kind::Reordered => "reordered",
            Kind::Forked => "forked",
            Kind::RolledBack => "rolled-back",
            Kind::BadSignature => "bad-signature",
            Kind::Torn => "torn",
            Kind::Extra => "extra",
            Kind::Unwitnessed => "unwitnessed",
            Kind::BadTimestamp => "bad-timestamp",
        }
    }

    /// The exit code of a verification that finds this first.
    pub fn code(self) -> u8 {
        match self {
            Kind::Altered => 10,
            Kind::Missing => 11,
            Kind::Reordered => 12,
            Kind::Forked => 13,
            Kind::RolledBack => 14,
            Kind::BadSignature => 15,
            Kind::Torn => 16,
            Kind::Extra => 17,
            Kind::Unwitnessed => 18,
            Kind::BadTimestamp => 19,
        }
    }
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A record, by index.
    Record(i64),
    /// A run of records, first and last index.
    Records(u64, u64),
    /// A sealed opening: index of its record, position among the record's subjects.
    Opening(i64, u64),
    /// A tile of hashes: level and number.
    Tile(u64, u64),
    /// A kept checkpoint, by size.
    Checkpoint(i64),
    /// The newest checkpoint.
    Head,
    /// The store itself.
    Store,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Record(index) => write!(f, "record {index}"),
            Place::Records(first, last) => write!(f, "records {first} to {last}"),
            Place::Opening(index, position) => write!(f, "opening {position} of record {index}"),
            Place::Tile(level, index) => write!(f, "tile {index} of level {level}"),
            Place::Checkpoint(size) => write!(f, "checkpoint at size {size}"),
            Place::Head => write!(f, "head: the newest checkpoint"),
            Place::Store => write!(f, "store"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What.
    pub kind: Kind,
    /// Where.
    pub place: Place,
    /// How it was noticed.
    pub what: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.kind.as_str(), self.place, self.what)
    }
}

/// What a verification came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The log's origin, as far as it is known.
    pub origin: String,
    /// Records that the newest checkpoint covers.
    pub size: u64,
    /// The root over them as computed from what is stored.
    pub root: Option<Hash>,
    /// What is wrong, in the order of the log; at most a hundred.
    pub damage: Vec<Damage>,
    /// How many more there are.
    pub more: u64,
}

impl Report {
    /// Is everything as it was signed?
    pub fn is_intact(&self) -> bool {
        self.damage.is_empty()
    }

    /// 0, or the code of the first damage.
    pub fn code(&self) -> u8 {
        self.damage.first().map_or(0, |damage| damage.kind.code())
    }

    /// Notes damage, joining neighbouring missing records into a run.
    pub fn add(&mut self, kind: Kind, place: Place, what: &'static str) {
        if let (Kind::Missing, Place::Record(index), Some(last)) = (kind, &place, self.damage.last_mut())
            && last.kind == Kind::Missing
        {
            let next = u64::try_from(*index).unwrap_or(0);
            match last.place {
                Place::Record(first) if first.checked_add(1) == Some(*index) => {
                    last.place = Place::Records(next.saturating_sub(1), next);
                    return;
                }
                Place::Records(first, end) if end.checked_add(1) == Some(next) => {
                    last.place = Place::Records(first, next);
                    return;
                }
                _ => {}
            }
        }
        let damage = Damage { kind, place, what };
        if self.damage.contains(&damage) {
            return;
        }
        if self.damage.len() < MAX_LISTED { self.damage.push(damage) } else { self.more += 1 }
    }
}

/// The store could not be read to its end. What that means depends on the store: a database has
/// been damaged, a network may only be down.
#[derive(Debug)]
pub struct Unreadable<E> {
    /// Why.
    pub error: E,
    /// What was being read.
    pub place: Place,
    /// What had been found until then.
    pub report: Box<Report>,
}

/// An opening as it is stored: index of its record, position among the subjects, sealed bytes.
pub type StoredOpening = (u64, u64, Vec<u8>);

/// A log as it is stored. Every method reads; none may assume that what is stored is sound.
pub trait Stored {
    /// Why something could not be read.
    type Error;

    /// The newest checkpoint with the size that is noted beside it.
    fn head(&mut self) -> Result<Option<(u64, String)>, Self::Error>;

    /// All kept checkpoints with the sizes noted beside them; `None` where they are not part of
    /// the store. Then no change of keys can be followed: the key must be the one in effect.
    fn checkpoints(&mut self) -> Result<Option<Vec<(u64, String)>>, Self::Error>;

    /// The records with `from <= index < to`, ascending.
    fn records(&mut self, from: u64, to: u64) -> Result<Vec<(u64, Vec<u8>)>, Self::Error>;

    /// The openings of these records, ascending; `None` where openings are not part of the store.
    fn openings(&mut self, from: u64, to: u64) -> Result<Option<Vec<StoredOpening>>, Self::Error>;

    /// A tile's bytes.
    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, Self::Error>;

    /// What is stored outside the bounds of a log of `size` records.
    fn strays(&mut self, size: u64) -> Result<Vec<Place>, Self::Error>;
}
