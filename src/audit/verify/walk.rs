//! The way through the log, from record 0 to the newest checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::super::checkpoint::Checkpoint;
use super::super::note::VerifyingKey;
use super::super::record::{LeafError, LeafHead, kind};
use super::super::tile::Tile;
use super::super::tree::{Hash, Tree, root_of, tile_bytes, tile_hashes};
use super::{ANCHOR, Kind, Place, Report, Stored, Unreadable};
use crate::base::ids::hex;

const BLOCK: u64 = 256;

/// Is told, now and then, how many records of how many are done.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Verifies everything that `stored` holds under `key`, and that the log is no other than the
/// one that the checkpoints `seen` elsewhere belong to.
///
/// `key` may be any key that the log has had: from one to the next leads a `key-rotation` record
/// whose checkpoint both have signed. Where the store has no kept checkpoints it must be the one
/// in effect.
pub fn verify<S: Stored>(
    stored: &mut S,
    key: &VerifyingKey,
    seen: &[Checkpoint],
    progress: Progress<'_>,
) -> Result<Report, Unreadable<S::Error>> {
    let mut report = Report { origin: key.name().into(), ..Report::default() };
    let head = match stored.head() {
        Ok(head) => head,
        Err(error) => return Err(Unreadable { error, place: Place::Head, report: report.into() }),
    };
    let Some((noted, head)) = head else {
        report.add(Kind::Missing, Place::Head, "there is no signed checkpoint");
        return Ok(report);
    };
    report.size = Checkpoint::open(&head, key).map_or(noted, |checkpoint| checkpoint.size);
    let mut walk = Walk::new(stored, key, report);
    // They are looked up at every record, and there may be one for each timestamp of ten years.
    let mut seen = seen.to_vec();
    seen.sort_by_key(|checkpoint| checkpoint.size);
    match walk.all(&head, noted, &seen, progress) {
        Ok(()) => Ok(walk.report),
        Err(error) => Err(Unreadable { error, place: walk.place, report: walk.report.into() }),
    }
}

/// A record whose leaf and stored hash disagree, until a checkpoint settles which is right.
struct Disputed {
    index: u64,
    says: Result<u64, LeafError>,
}

/// What has been hashed since the last checkpoint that agreed.
struct Walk<'s, S: Stored> {
    stored: &'s mut S,
    report: Report,
    size: u64,
    /// What is being read.
    place: Place,
    /// From the records.
    tree: Tree,
    /// From the stored hashes, where they differ from the records since the last checkpoint.
    other: Option<Tree>,
    disputed: Vec<Disputed>,
    /// Full tiles above level 0 that each tree gave since.
    above: Vec<(Tile, Vec<u8>)>,
    above_other: Vec<(Tile, Vec<u8>)>,
    /// Roots of the blocks since, by number.
    blocks: BTreeMap<u64, Hash>,
    /// No checkpoint can be met any more: said once.
    lost: bool,
    /// The kept checkpoints not yet met, where the store has any.
    anchors: Option<BTreeMap<u64, String>>,
    /// The key in effect, and whether the given one was in effect at some time.
    current: VerifyingKey,
    given: VerifyingKey,
    trusted: bool,
    /// Openings that are gone and need an erasure record further on.
    gone: BTreeSet<(u64, u64)>,
}

impl<'s, S: Stored> Walk<'s, S> {
    fn new(stored: &'s mut S, key: &VerifyingKey, report: Report) -> Self {
        Self {
            stored,
            size: report.size,
            report,
            place: Place::Store,
            tree: Tree::new(),
            other: None,
            disputed: Vec::new(),
            above: Vec::new(),
            above_other: Vec::new(),
            blocks: BTreeMap::new(),
            lost: false,
            anchors: None,
            current: key.clone(),
            given: key.clone(),
            trusted: true,
            gone: BTreeSet::new(),
        }
    }

    fn all(
        &mut self,
        head: &str,
        noted: u64,
        seen: &[Checkpoint],
        progress: Progress<'_>,
    ) -> Result<(), S::Error> {
        for place in self.stored.strays(self.size)? {
            self.report.add(Kind::Extra, place, "it is not part of the log that was signed");
        }
        self.anchors = self.stored.checkpoints()?.map(|kept| kept.into_iter().collect());
        if self.anchors.is_none() && Checkpoint::open(head, &self.given).is_err() {
            // No other key can come into effect, and without a signature even the size is hearsay.
            self.report.add(Kind::BadSignature, Place::Head, "it is not signed by the given key");
            return Ok(());
        }
        if noted != self.size {
            self.report.add(
                Kind::Altered,
                Place::Head,
                "the size noted beside it is not the one that was signed",
            );
        }
        if seen.iter().any(|checkpoint| checkpoint.size > self.size) {
            self.report.add(
                Kind::RolledBack,
                Place::Head,
                "the log is behind a checkpoint that was seen elsewhere: an older state was put back",
            );
        }
        for start in (0..self.size).step_by(BLOCK as usize) {
            let end = self.size.min(start + BLOCK);
            self.place = Place::Records(start, end - 1);
            self.block(start, end, seen)?;
            progress(end, self.size);
        }
        self.place = Place::Store;
        self.finish(head, noted)
    }

    /// One tile's worth of records.
    fn block(&mut self, start: u64, end: u64, seen: &[Checkpoint]) -> Result<(), S::Error> {
        let width = (end - start) as usize;
        let tile = Tile { level: 0, index: start / BLOCK, width: u16::try_from(width).unwrap_or(256) };
        let hashes = self.stored_tile(tile)?;
        let mut records = self.stored.records(start, end)?.into_iter().peekable();
        let mut openings = self.stored.openings(start, end)?.map(|list| {
            list.into_iter().map(|(index, at, sealed)| ((index, at), sealed)).collect::<BTreeMap<_, _>>()
        });
        let mut block = Vec::with_capacity(width);

        for (offset, index) in (start..end).enumerate() {
            let kept = hashes.as_ref().and_then(|hashes| hashes.get(offset)).copied();
            let leaf = records.next_if(|(stored, _)| *stored == index).map(|(_, leaf)| leaf);
            let Some(leaf) = leaf else {
                self.report.add(Kind::Missing, Place::Record(index as i64), "there is no such record");
                // Its hash, if that is still there, keeps the rest verifiable.
                let hash = kept.unwrap_or_else(Hash::of_empty);
                self.lost |= kept.is_none();
                openings.iter_mut().for_each(|all| all.retain(|(of, _), _| *of != index));
                self.push(hash, hash);
                block.push(hash);
                continue;
            };
            let hash = Hash::of_leaf(&leaf);
            let agreed = kept.is_none_or(|kept| kept == hash);
            let head = LeafHead::parse(&leaf);
            if !agreed {
                let says = head.as_ref().map(|head| head.index).map_err(|e| *e);
                self.disputed.push(Disputed { index, says });
                openings.iter_mut().for_each(|all| all.retain(|(of, _), _| *of != index));
            }
            self.push(hash, kept.unwrap_or(hash));
            block.push(hash);
            if agreed {
                match &head {
                    Ok(head) => self.members(index, head, openings.as_mut()),
                    Err(e) => self.report.add(
                        if e.cut_short { Kind::Torn } else { Kind::Altered },
                        Place::Record(index as i64),
                        "it is not a record",
                    ),
                }
            }
            if block.len() == width {
                self.blocks.insert(start / BLOCK, root_of(&block));
            }
            self.checkpoints_at(index + 1, head.ok().filter(|_| agreed).as_ref(), seen)?;
        }
        for (index, at) in openings.unwrap_or_default().into_keys() {
            self.report.add(Kind::Extra, Place::Opening(index as i64, at), "the record has no such subject");
        }
        Ok(())
    }

    /// A level-0 tile, if it has the right length.
    fn stored_tile(&mut self, tile: Tile) -> Result<Option<Vec<Hash>>, S::Error> {
        let place = Place::Tile(0, tile.index);
        let Some(bytes) = self.stored.tile(tile)? else {
            self.report.add(Kind::Missing, place, "there is no such tile of hashes");
            return Ok(None);
        };
        let hashes = tile_hashes(&bytes).filter(|hashes| hashes.len() == usize::from(tile.width));
        if hashes.is_none() {
            self.report.add(Kind::Torn, place, "it has not as many hashes as the log has records");
        }
        Ok(hashes)
    }

    /// Grows both trees; the second only exists from the first difference on.
    fn push(&mut self, from_record: Hash, from_tile: Hash) {
        if from_record != from_tile && self.other.is_none() {
            self.other = Some(self.tree.clone());
            self.above_other.clone_from(&self.above);
        }
        let keep = |list: &mut Vec<(Tile, Vec<u8>)>, tile: Tile, hashes: &[Hash]| {
            if tile.level > 0 {
                list.push((tile, tile_bytes(hashes)));
            }
        };
        if let Some(other) = &mut self.other {
            other.push(from_tile, |tile, hashes| keep(&mut self.above_other, tile, hashes));
        }
        self.tree.push(from_record, |tile, hashes| keep(&mut self.above, tile, hashes));
    }

    /// What the log itself wrote into a record.
    fn members(
        &mut self,
        index: u64,
        head: &LeafHead<'_>,
        openings: Option<&mut BTreeMap<(u64, u64), Vec<u8>>>,
    ) {
        let place = Place::Record(index as i64);
        if head.index != index {
            self.report.add(Kind::Reordered, place.clone(), "it says itself that it stands elsewhere");
        }
        // What the log says of its keys counts only where kept checkpoints bear it out.
        if index == 0
            && self.anchors.is_some()
            && let Some(Ok(first)) = head.log.key.as_deref().map(VerifyingKey::parse)
        {
            self.trusted = first == self.given;
            self.current = first;
        }
        let Some(openings) = openings else { return };
        for (at, subject) in (0u64..).zip(&head.subjects) {
            match openings.remove(&(index, at)) {
                None => {
                    self.gone.insert((index, at));
                }
                Some(sealed) if hex(&Hash::of_bytes(&sealed).0) == subject.opening => {}
                Some(_) => self.report.add(
                    Kind::Altered,
                    Place::Opening(index as i64, at),
                    "it is not the one that the record names",
                ),
            }
        }
        let erased = if head.kind == kind::ERASURE { head.log.openings.as_slice() } else { &[] };
        for (of, at) in erased {
            if !self.gone.remove(&(*of, *at)) {
                let place = Place::Opening(*of as i64, *at);
                self.report.add(Kind::Extra, place, "a later record says that it was erased");
            }
        }
    }

    /// The checkpoints that cover exactly the first `size` records.
    fn checkpoints_at(
        &mut self,
        size: u64,
        last: Option<&LeafHead<'_>>,
        seen: &[Checkpoint],
    ) -> Result<(), S::Error> {
        if let Some(anchors) = &mut self.anchors {
            let next_key =
                last.filter(|head| head.kind == kind::ROTATION).and_then(|head| head.log.key.as_deref());
            let kept = anchors.remove(&size);
            if size.is_multiple_of(ANCHOR) || next_key.is_some() || kept.is_some() {
                self.kept_checkpoint(size, kept.as_deref(), next_key)?;
            }
        }
        let from = seen.partition_point(|checkpoint| checkpoint.size < size);
        for checkpoint in seen.iter().skip(from).take_while(|checkpoint| checkpoint.size == size) {
            self.settle(checkpoint, "a checkpoint seen elsewhere covers other records")?;
        }
        Ok(())
    }

    fn kept_checkpoint(
        &mut self,
        size: u64,
        note: Option<&str>,
        next_key: Option<&str>,
    ) -> Result<(), S::Error> {
        let place = Place::Checkpoint(size as i64);
        if !size.is_multiple_of(ANCHOR) && next_key.is_none() {
            self.report.add(Kind::Extra, place, "no checkpoint is kept at this size");
            return Ok(());
        }
        let Some(note) = note else {
            self.report.add(Kind::Missing, place, "the checkpoint that is kept at this size is gone");
            self.change_key(next_key);
            return Ok(());
        };
        let opened = Checkpoint::open(note, &self.current);
        if next_key.is_some() {
            self.change_key(next_key);
        }
        // While keys change both have signed.
        match (opened, Checkpoint::open(note, &self.current)) {
            (Ok(checkpoint), Ok(_)) if checkpoint.size == size => {
                self.trusted |= self.current == self.given;
                self.settle(&checkpoint, "a signed checkpoint covers other records than those stored")
            }
            (Ok(_), Ok(_)) => {
                self.report.add(Kind::Altered, place, "it is kept under another size than was signed");
                Ok(())
            }
            _ => {
                self.report.add(Kind::BadSignature, place, "its signature does not hold");
                Ok(())
            }
        }
    }

    fn change_key(&mut self, next: Option<&str>) {
        if let Some(Ok(key)) = next.map(VerifyingKey::parse) {
            self.current = key;
        }
    }

    /// Compares both trees with a checkpoint whose signature holds, and settles what was disputed.
    fn settle(&mut self, checkpoint: &Checkpoint, forked: &'static str) -> Result<(), S::Error> {
        let from_records = self.tree.root() == checkpoint.root;
        let from_tiles = self.other.as_ref().is_some_and(|tree| tree.root() == checkpoint.root);
        let disputed = std::mem::take(&mut self.disputed);
        if from_records {
            for Disputed { index, .. } in disputed {
                let place = Place::Tile(0, index / BLOCK);
                self.report.add(Kind::Altered, place, "the record is as it was signed, its hash here is not");
            }
            self.other = None;
            self.lost = false;
        } else {
            let found = !disputed.is_empty();
            for Disputed { index, says } in disputed {
                self.accuse(index, says);
            }
            if let Some(tree) = self.other.take_if(|_| from_tiles) {
                self.tree = tree;
                self.above = std::mem::take(&mut self.above_other);
                self.lost = false;
            } else if !found && !self.lost {
                self.search(checkpoint.size, forked)?;
            }
            self.lost |= !from_tiles;
            self.other = None;
        }
        self.blocks.retain(|block, _| (block + 1) * BLOCK > checkpoint.size);
        self.compare_above()
    }

    fn accuse(&mut self, index: u64, says: Result<u64, LeafError>) {
        let (kind, what) = match says {
            Ok(says) if says != index => (Kind::Reordered, "the record of another place stands here"),
            Ok(_) => (Kind::Altered, "its bytes are not those that were signed"),
            Err(e) if e.cut_short => (Kind::Torn, "it breaks off"),
            Err(_) => (Kind::Altered, "its bytes are not those that were signed, nor a record"),
        };
        self.report.add(kind, Place::Record(index as i64), what);
    }

    /// Records and their hashes agree, but not with what was signed: were they changed together?
    /// The level above knows the block, unless it was changed too: then it is another log.
    fn search(&mut self, size: u64, forked: &'static str) -> Result<(), S::Error> {
        let mut found = false;
        for (block, root) in std::mem::take(&mut self.blocks) {
            let Some(tile) = Tile::within(1, block / BLOCK, self.size) else { continue };
            let above = self.stored.tile(tile)?.as_deref().and_then(tile_hashes).unwrap_or_default();
            if above.get((block % BLOCK) as usize).is_some_and(|kept| *kept != root) {
                let place = Place::Records(block * BLOCK, block * BLOCK + BLOCK - 1);
                self.report.add(
                    Kind::Altered,
                    place,
                    "a record among them was changed together with its hash",
                );
                found = true;
            }
        }
        if !found {
            self.report.add(Kind::Forked, Place::Checkpoint(size as i64), forked);
        }
        Ok(())
    }

    /// Compares the full tiles above level 0 that are now known to be right.
    fn compare_above(&mut self) -> Result<(), S::Error> {
        self.above_other.clear();
        for (tile, bytes) in std::mem::take(&mut self.above) {
            if !self.lost {
                self.compare(tile, &bytes)?;
            }
        }
        Ok(())
    }

    fn compare(&mut self, tile: Tile, bytes: &[u8]) -> Result<(), S::Error> {
        let place = Place::Tile(u64::from(tile.level), tile.index);
        match self.stored.tile(tile)? {
            None => self.report.add(Kind::Missing, place, "there is no such tile of hashes"),
            Some(stored) if stored == bytes => {}
            Some(_) => self.report.add(Kind::Altered, place, "its hashes are not those of the records"),
        }
        Ok(())
    }

    /// The newest checkpoint, and what only the end can tell.
    fn finish(&mut self, head: &str, noted: u64) -> Result<(), S::Error> {
        match Checkpoint::open(head, &self.current) {
            Ok(checkpoint) if checkpoint.size == self.size => {
                self.settle(&checkpoint, "the newest checkpoint covers other records than those stored")?;
            }
            Ok(_) if noted == self.size => {
                self.report.add(
                    Kind::Altered,
                    Place::Head,
                    "the size noted beside it is not the one that was signed",
                );
            }
            Ok(_) => {}
            Err(_) => {
                self.report.add(Kind::BadSignature, Place::Head, "it is not signed by the key in effect");
            }
        }
        if !self.trusted {
            self.report.add(Kind::BadSignature, Place::Head, "the log was never signed by the given key");
        }
        // Nothing signed told which side was right: say at least where they disagree.
        for Disputed { index, says } in std::mem::take(&mut self.disputed) {
            self.accuse(index, says);
        }
        if !self.lost {
            let partial: Vec<_> =
                self.tree.partial().filter(|(t, _)| t.level > 0).map(|(t, h)| (t, tile_bytes(h))).collect();
            for (tile, bytes) in partial {
                self.compare(tile, &bytes)?;
            }
        }
        for (index, at) in std::mem::take(&mut self.gone) {
            let place = Place::Opening(index as i64, at);
            self.report.add(Kind::Missing, place, "it is gone and no record says that it was erased");
        }
        for size in self.anchors.take().unwrap_or_default().into_keys() {
            let place = Place::Checkpoint(size as i64);
            self.report.add(Kind::Extra, place, "no checkpoint is kept at this size");
        }
        self.report.root = Some(self.tree.root());
        Ok(())
    }
}
