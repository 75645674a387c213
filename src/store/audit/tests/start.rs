//! What a log is opened with, and when it is not.

use super::*;

on_both!(
    the_newest_checkpoint_in_the_second_place_is_never_the_one_written_over,
    a_lost_second_place_is_begun_anew_only_when_an_operator_says_so,
    keys_change_by_a_record_that_both_have_signed,
);

#[tokio::test]
async fn a_database_that_is_put_back_is_noticed_by_the_second_place() {
    let place = Site::new();
    fill(&place.open().unwrap(), 20).await;
    let backup = std::fs::read(place.data().join(DATABASE)).unwrap();
    fill(&place.open().unwrap(), 20).await;
    std::fs::write(place.data().join(DATABASE), backup).unwrap();
    assert!(matches!(place.refusal(), OpenError::RolledBack { database: 21, seen: 41 }));

    let seen: Vec<_> = second_place::slots(&std::fs::read(place.copy()).unwrap())
        .iter()
        .map(|note| Checkpoint::open(note, &place.public()).unwrap())
        .collect();
    let report = place.report(&seen);
    assert_eq!(report.damage[0].kind, Kind::RolledBack);
    assert_eq!(report.code(), 14);

    std::fs::remove_file(place.data().join(DATABASE)).unwrap();
    assert!(matches!(place.refusal(), OpenError::RolledBack { database: 0, seen: 41 }));
}

/// The sizes of the checkpoints in the second place that hold, slot by slot.
fn copied(place: &Site) -> Vec<Option<u64>> {
    let bytes = std::fs::read(place.copy()).unwrap();
    let slots = bytes.chunks(2048).map(|slot| String::from_utf8_lossy(slot).trim_end().to_owned() + "\n");
    slots.map(|note| Checkpoint::open(&note, &place.public()).ok().map(|seen| seen.size)).collect()
}

async fn the_newest_checkpoint_in_the_second_place_is_never_the_one_written_over(place: Site) {
    for size in 2..8 {
        fill(&place.open().unwrap(), 1).await;
        let mut copied: Vec<_> = copied(&place).into_iter().flatten().collect();
        copied.sort_unstable();
        assert_eq!(copied, [size - 1, size]);
    }
    // A write that broke off: its size is there, its signature is not.
    for slot in [0, 1] {
        let torn = copied(&place)[slot].unwrap();
        let mut bytes = std::fs::read(place.copy()).unwrap();
        bytes[slot * 2048 + 120..(slot + 1) * 2048].fill(b'\n');
        std::fs::write(place.copy(), bytes).unwrap();
        let whole = copied(&place)[1 - slot].unwrap();
        fill(&place.open().unwrap(), 1).await;
        // Whoever only follows the log may have noted the newest once more, before there was another.
        let there = copied(&place);
        assert!(there.contains(&Some(whole)) || there.contains(&Some(torn)), "{whole}, {torn}: {there:?}");
        fill(&place.open().unwrap(), 1).await;
    }
}

async fn a_lost_second_place_is_begun_anew_only_when_an_operator_says_so(place: Site) {
    fill(&place.open().unwrap(), 2).await;
    std::fs::remove_file(place.copy()).unwrap();
    assert!(matches!(place.refusal(), OpenError::CopyMissing(_)));
    assert!(matches!(place.refusal(), OpenError::CopyMissing(_)), "trying twice is not saying so");
    std::fs::write(place.copy(), "").unwrap();
    let log = place.open().unwrap();
    let record = log.reader().record(3).unwrap().unwrap();
    assert!(record.leaf.contains("checkpoint-copy-reset"));
    drop(log);
    std::fs::write(place.copy(), "rubbish").unwrap();
    assert!(matches!(place.refusal(), OpenError::CopyUnreadable(_)));
}

#[tokio::test]
async fn a_log_rewritten_with_the_key_is_a_fork_to_who_saw_it_before() {
    let place = Site::new();
    fill(&place.open().unwrap(), 20).await;
    let seen = second_place::slots(&std::fs::read(place.copy()).unwrap());
    std::fs::remove_dir_all(place.data()).unwrap();
    std::fs::remove_file(place.copy()).unwrap();
    place.clock.set(NOON.plus_seconds(60));
    fill(&place.open().unwrap(), 30).await;
    let seen: Vec<_> = seen.iter().map(|note| Checkpoint::open(note, &place.public()).unwrap()).collect();
    assert_eq!(place.report(&seen).code(), 13);

    // The same for the start check: the copy of the one, the database of the other.
    let newest = seen.iter().max_by_key(|seen| seen.size).unwrap();
    let note = Checkpoint::sign(newest.size, &newest.root, &SigningKey::parse(&place.key).unwrap(), &[]);
    std::fs::write(place.copy(), note).unwrap();
    assert!(matches!(place.refusal(), OpenError::Forked(21)));
}

async fn keys_change_by_a_record_that_both_have_signed(mut place: Site) {
    fill(&place.open().unwrap(), 20).await;
    let old = place.public();
    place.previous = Some(std::mem::replace(&mut place.key, Site::new().key));
    fill(&place.open().unwrap(), 20).await;
    // Once changed, the old key is no longer needed.
    place.previous = None;
    fill(&place.open().unwrap(), 5).await;
    for key in [old, place.public()] {
        let mut database = place.database();
        let report = verify(&mut database, &key, &[], &mut |_, _| {}).unwrap();
        assert_eq!(report.damage, [], "{key}");
    }
    let stranger = Site::new().public();
    let report = verify(&mut place.database(), &stranger, &[], &mut |_, _| {}).unwrap();
    assert_eq!(report.code(), 15);

    place.tamper("DELETE FROM checkpoint WHERE size = 22");
    assert_eq!(place.report(&[]).damage[0].place, Place::Checkpoint(22));
    place.key = Site::new().key;
    assert!(matches!(place.refusal(), OpenError::Key(_) | OpenError::CopyUnreadable(_)));
}
