//! Records come in: durable, in order, answered truly.

use super::*;

on_both!(
    every_receipt_checks_and_indexes_are_contiguous,
    a_log_opens_again_and_goes_on_where_it_was,
    a_second_gateway_on_one_directory_is_refused_until_the_first_is_gone,
    a_full_queue_refuses_at_once_and_what_was_queued_is_written,
    a_commit_that_fails_tells_everybody_and_the_log_recovers_by_itself,
    a_writer_whose_head_is_not_the_databases_writes_nothing,
    small_steps_of_the_clock_are_clamped_and_recorded_large_ones_refused,
);

async fn every_receipt_checks_and_indexes_are_contiguous(place: Site) {
    let log = place.open().unwrap();
    let receipts = fill(&log, 3000).await;
    let mut indexes: Vec<_> = receipts.iter().map(|receipt| receipt.index).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (1..=3000).collect::<Vec<_>>(), "record 0 is the log's own");
    for receipt in receipts.iter().step_by(97) {
        let covering = Checkpoint::open(&receipt.checkpoint, &place.public()).unwrap();
        assert!(covering.size > receipt.index, "the receipt's checkpoint covers the record");
        let index = receipt.index;
        let record = log.read(move |reader| reader.signed_record(index)).await.unwrap().unwrap();
        record.check(&place.public()).unwrap();
        assert_eq!(Hash::of_leaf(record.leaf.as_bytes()), receipt.leaf_hash);
        let Consistency { proof, checkpoint } = log.reader().consistency(covering.size).unwrap().unwrap();
        let newest = Checkpoint::open(&checkpoint, &place.public()).unwrap();
        let grew = crate::audit::proof::check_consistency(
            covering.size,
            newest.size,
            &proof,
            &covering.root,
            &newest.root,
        );
        assert!(grew, "the log grew from the receipt's checkpoint");
    }
    let batches: std::collections::BTreeSet<_> =
        receipts.iter().map(|receipt| receipt.checkpoint.clone()).collect();
    assert!(batches.len() < 300, "records that come together are committed together: {}", batches.len());
}

async fn a_log_opens_again_and_goes_on_where_it_was(place: Site) {
    for round in 0..4 {
        let log = place.open().unwrap();
        assert_eq!(log.stats().size, if round == 0 { 1 } else { 1 + round * 150 });
        fill(&log, 150).await;
    }
    assert_eq!(place.damage(), [""; 0]);
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let (place, after) = (Site::new(), Site::new());
    let after = Site { key: place.key.clone(), ..after };
    let log = place.open().unwrap();
    let receipts = fill(&log, 700).await;
    // What a killed process leaves: the files as they are, the WAL not moved into the database.
    std::fs::create_dir_all(after.data()).unwrap();
    for file in [DATABASE, "audit.db-wal"] {
        std::fs::copy(place.data().join(file), after.data().join(file)).unwrap();
    }
    std::fs::create_dir_all(after.copy().parent().unwrap()).unwrap();
    std::fs::copy(place.copy(), after.copy()).unwrap();
    let log = after.open().unwrap();
    for receipt in receipts {
        let record = log.reader().record(receipt.index).unwrap().unwrap();
        assert_eq!(Hash::of_leaf(record.leaf.as_bytes()), receipt.leaf_hash);
    }
    assert_eq!(log.append(query(1)).await.unwrap().index, 701);
    drop(log);
    assert_eq!(after.damage(), [""; 0]);
}

async fn a_second_gateway_on_one_directory_is_refused_until_the_first_is_gone(place: Site) {
    let log = place.open().unwrap();
    assert!(matches!(place.refusal(), OpenError::Locked(_)));
    drop(log);
    place.open().unwrap();
}

async fn a_full_queue_refuses_at_once_and_what_was_queued_is_written(place: Site) {
    let place = Site { queue: 4, ..place };
    let log = place.open().unwrap();
    // The commit cannot start while another holds the database.
    let mut other = place.writing();
    on!(&mut other, conn => conn.batch_execute(place.alone())).unwrap();
    let mut waiting = Vec::new();
    let refused = loop {
        match log.submit(query(1), Vec::new()) {
            Ok(reply) => waiting.push(reply),
            Err(e) => break e,
        }
        assert!(waiting.len() < 3000, "the queue has a bound");
    };
    assert_eq!(refused, AppendError::Full);
    on!(&mut other, conn => conn.batch_execute("COMMIT")).unwrap();
    for reply in waiting {
        reply.await.unwrap().unwrap();
    }
}

async fn a_commit_that_fails_tells_everybody_and_the_log_recovers_by_itself(place: Site) {
    let log = place.open().unwrap();
    fill(&log, 10).await;
    place.tamper(match place.server {
        None => "CREATE TRIGGER broken BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'broken'); END",
        Some(_) => "ALTER TABLE record ADD CONSTRAINT broken CHECK (idx < 11) NOT VALID",
    });
    let answers = join_all((0..20).map(|i| log.append(about(i, "person")))).await;
    assert!(answers.iter().all(|answer| *answer == Err(AppendError::NotDurable)));
    assert_eq!(log.stats().size, 11, "nothing of them counts");
    place.tamper(match place.server {
        None => "DROP TRIGGER broken",
        Some(_) => "ALTER TABLE record DROP CONSTRAINT broken",
    });
    let receipts = fill(&log, 10).await;
    assert_eq!(receipts.iter().map(|r| r.index).min(), Some(11));
    drop(log);
    assert_eq!(place.damage(), [""; 0]);
}

async fn a_writer_whose_head_is_not_the_databases_writes_nothing(place: Site) {
    let log = place.open().unwrap();
    fill(&log, 10).await;
    place.tamper("UPDATE head SET size = size - 1");
    assert_eq!(log.append(query(1)).await, Err(AppendError::NotDurable));
    place.tamper("UPDATE head SET size = size + 1");
    assert_eq!(log.append(query(1)).await.unwrap().index, 11);
}

async fn small_steps_of_the_clock_are_clamped_and_recorded_large_ones_refused(place: Site) {
    let log = place.open().unwrap();
    fill(&log, 1).await;
    place.clock.set(NOON.plus_seconds(-3));
    let receipt = log.append(query(1)).await.unwrap();
    log.append(query(2)).await.unwrap();
    assert_eq!(receipt.index, 3, "record 2 says that the clock went back");
    let step = log.reader().record(2).unwrap().unwrap();
    let head = LeafHead::parse(step.leaf.as_bytes()).unwrap();
    assert_eq!((&*head.kind, head.time), ("clock-step", NOON), "time stands still meanwhile");
    assert_eq!(log.stats().size, 5, "the step is recorded once");

    place.clock.set(NOON.plus_seconds(-6));
    assert_eq!(log.append(query(3)).await, Err(AppendError::Clock));
    place.clock.set(NOON.plus_seconds(1));
    log.append(query(3)).await.unwrap();
    drop(log);

    place.clock.set(NOON.plus_seconds(-60));
    assert!(matches!(place.refusal(), OpenError::ClockBack(61)));
    assert_eq!(place.damage(), [""; 0]);
}
