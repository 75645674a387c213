//! An erasure is whole when it is answered: in every file, and whatever befell the index.

use std::time::{Duration, Instant};

use super::*;

on_both!(an_index_that_is_no_database_is_built_anew);

/// Waits until the index has seen every record.
fn caught_up(log: &AuditLog) {
    let began = Instant::now();
    while log.reader().lag() > 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "the index does not catch up");
        std::thread::yield_now();
    }
}

/// The indexes of the records that name a person, by a search that says it missed none.
fn found(log: &AuditLog, person: &str) -> Vec<u64> {
    let page = log.reader().subject_history("id_number", person, None, 100).unwrap();
    assert_eq!(page.lag, 0);
    page.records.iter().map(|record| record.index).collect()
}

async fn erase(log: &AuditLog, person: &str) -> Result<Erasure, EraseError> {
    log.erase_subject("id_number", person, Draft::new("erasure")).await
}

/// How many files of the log hold `bytes`.
fn files_with(place: &Site, bytes: &[u8]) -> Vec<String> {
    let files = std::fs::read_dir(place.data()).unwrap().map(|file| file.unwrap().path());
    let with = files.filter(|path| std::fs::read(path).unwrap().windows(bytes.len()).any(|w| w == bytes));
    with.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn sealed(place: &Site, index: u64) -> Vec<u8> {
    let mut conn = sqlite::open_read_only(&place.data().join(DATABASE)).unwrap();
    let opening = schema::opening::table.find(schema::opening_id(index, 0));
    opening.select(schema::opening::sealed).first(&mut conn).unwrap()
}

#[tokio::test]
async fn an_index_built_anew_beside_its_readers_is_the_one_they_read() {
    let place = Site::new();
    let log = place.open().unwrap();
    for i in 1..=3 {
        log.append(about(i, "Zhang")).await.unwrap();
    }
    assert_eq!(found(&log, "Zhang"), [1, 2, 3], "a reader is connected");

    // The index can no longer be written, and is not this log's any more.
    let mut index = sqlite::open_index(&place.data().join("audit-index.db")).unwrap();
    index
        .batch_execute(
            "UPDATE progress SET leaf_hash = x'00'; CREATE TRIGGER broken BEFORE INSERT ON block \
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .unwrap();
    log.append(about(4, "Zhang")).await.unwrap();
    caught_up(&log);
    assert_eq!(found(&log, "Zhang"), [1, 2, 3, 4]);
    assert_eq!(erase(&log, "Zhang").await.unwrap().openings, 4);
    drop(log);
    let mut conn = sqlite::open_log(&place.data().join(DATABASE)).unwrap();
    assert_eq!(schema::opening::table.count().get_result(&mut conn), Ok(0i64));
}

async fn an_index_that_is_no_database_is_built_anew(place: Site) {
    let log = place.open().unwrap();
    log.append(about(1, "Zhang")).await.unwrap();
    drop(log);
    std::fs::write(place.data().join("audit-index.db"), "no database".repeat(1000)).unwrap();
    let log = place.open().unwrap();
    assert_eq!(found(&log, "Zhang"), [1]);
}

#[tokio::test]
async fn what_was_erased_is_in_no_file_once_that_is_answered() {
    let place = Site::new();
    let log = place.open().unwrap();
    log.append(about(1, "Zhang")).await.unwrap();
    log.append(about(2, "Li")).await.unwrap();
    let (gone, kept) = (sealed(&place, 1), sealed(&place, 2));
    let token = log.0.subjects.token("id_number", "Zhang");
    assert_eq!(found(&log, "Zhang"), [1]);
    assert!(!files_with(&place, &gone).is_empty() && !files_with(&place, &token.0).is_empty());

    erase(&log, "Zhang").await.unwrap();
    assert_eq!(files_with(&place, &gone), [""; 0]);
    assert!(!files_with(&place, &kept).is_empty(), "nobody else is erased with them");
    caught_up(&log);
    assert_eq!(files_with(&place, &token.0), [""; 0], "nor does the index find them");
    assert_eq!(place.damage(), [""; 0]);
}

#[tokio::test]
async fn an_erasure_that_a_long_reading_keeps_in_the_wal_is_not_answered_as_done() {
    let place = Site::new();
    let log = place.open().unwrap();
    log.append(about(1, "Zhang")).await.unwrap();
    let gone = sealed(&place, 1);
    let mut verification = Database::open(&place.data()).unwrap();
    assert!(verification.leaf(1).unwrap().is_some());

    assert!(matches!(erase(&log, "Zhang").await, Err(EraseError::Lingering)));
    log.append(query(2)).await.unwrap();
    assert!(!files_with(&place, &gone).is_empty());
    drop(verification);
    // Asked again it has nothing left to delete, but makes sure that nothing is left.
    assert_eq!(erase(&log, "Zhang").await.unwrap().openings, 0);
    assert_eq!(files_with(&place, &gone), [""; 0]);
}
