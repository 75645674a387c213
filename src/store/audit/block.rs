//! Records side by side: of each, when it was, of which sort it is and who acted.
//!
//! Invariant: a block holds [`LENGTH`] records whose indexes follow each other, the last block as
//! many as there are; where a record stands in it is its index. Times never go back. Nothing here
//! reads or writes the database.

use std::ops::Range;

use diesel::Queryable;

/// Records of a block.
pub(super) const LENGTH: u64 = 2048;

/// The number of a sort or an actor that is not told apart from others: the record itself must be
/// looked at. It is the last that three bytes hold.
pub(super) const UNTOLD: u32 = 0x00ff_ffff;

/// A block that grows.
#[derive(Debug, Default, Clone, Queryable)]
pub(super) struct Block {
    /// The time of the first record, in microseconds.
    pub first: i64,
    /// The time of the last.
    pub last: i64,
    /// Three bytes for each record, the lowest first.
    pub sorts: Vec<u8>,
    /// The same.
    pub actors: Vec<u8>,
    /// Microseconds since the record in front, of each.
    pub times: Vec<u8>,
}

impl Block {
    /// How many records it holds.
    pub fn len(&self) -> u64 {
        ids(&self.sorts).len() as u64
    }

    /// Adds the next record; one that says that it was before the last is taken to be of its time.
    pub fn push(&mut self, time: i64, sort: u32, actor: u32) {
        let later = time.max(self.last);
        if self.sorts.is_empty() {
            (self.first, self.last) = (later, later);
        }
        varint(&mut self.times, later.abs_diff(self.last));
        self.last = later;
        for (column, id) in [(&mut self.sorts, sort), (&mut self.actors, actor)] {
            let [a, b, c, _] = id.to_le_bytes();
            column.extend([a, b, c]);
        }
    }
}

/// The numbers in a column.
pub(super) fn ids(column: &[u8]) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
    let (ids, _) = column.as_chunks::<3>();
    ids.iter().map(|&[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
}

/// A part of a column.
pub(super) fn part<'c>(column: &'c [u8], of: &Range<usize>) -> &'c [u8] {
    column.get(of.start * 3..of.end * 3).unwrap_or_default()
}

/// The times of all records of a block that begins at `first`.
pub(super) fn times(first: i64, column: &[u8]) -> Vec<i64> {
    let (mut times, mut time) = (Vec::with_capacity(LENGTH as usize), first);
    let (mut step, mut shift) = (0_u64, 0);
    for byte in column {
        step |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        shift += 7;
        if byte & 0x80 == 0 {
            time = time.saturating_add_unsigned(step);
            times.push(time);
            (step, shift) = (0, 0);
        }
    }
    times
}

fn varint(column: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        column.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    column.push(number.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_side_by_side_is_read_again() {
        let records =
            [(50, 1, 0), (50, 70_000, 2), (49, 3, UNTOLD), (i64::MAX / 2, 128, 127), (i64::MAX, 0, 1)];
        let mut block = Block::default();
        for (time, sort, actor) in records {
            block.push(time, sort, actor);
        }
        assert_eq!((block.len(), block.first, block.last), (5, 50, i64::MAX));
        assert_eq!(ids(&block.sorts).collect::<Vec<_>>(), [1, 70_000, 3, 128, 0]);
        assert_eq!(ids(part(&block.actors, &(1..3))).collect::<Vec<_>>(), [2, UNTOLD]);
        // One that is said to be before the record in front is as late as that.
        assert_eq!(times(block.first, &block.times), [50, 50, 50, i64::MAX / 2, i64::MAX]);
    }
}
