//! The log on disk, tried as its users and its enemies would.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_util::future::join_all;
use ring::rand::SystemRandom;
use tempfile::TempDir;

use super::*;
use crate::audit::record::LeafHead;
use crate::audit::verify::{ANCHOR, Kind, Place, Report, verify};
use crate::audit::{Checkpoint, Hash, VerifyingKey};
use crate::base::{ManualClock, Secret, Timestamp};

const NOON: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

/// A log in a folder of its own, to be opened and closed at will.
struct Site {
    dir: TempDir,
    key: String,
    previous: Option<String>,
    clock: Arc<ManualClock>,
    queue: usize,
}

impl Site {
    fn new() -> Self {
        let key = SigningKey::generate("sluice.test/log", &SystemRandom::new()).unwrap();
        Self {
            dir: TempDir::new().unwrap(),
            key: key.to_secret_text().reveal().clone(),
            previous: None,
            clock: Arc::new(ManualClock::new(NOON)),
            queue: 20_000,
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn copy(&self) -> PathBuf {
        self.dir.path().join("elsewhere/checkpoint")
    }

    fn open(&self) -> Result<AuditLog, OpenError> {
        AuditLog::open(Options {
            data_dir: self.data(),
            checkpoint_copy: self.copy(),
            signing_key: SigningKey::parse(&self.key).unwrap(),
            previous_key: self.previous.as_deref().map(|key| SigningKey::parse(key).unwrap()),
            subject_key: SubjectKey::new(&Secret::new([7; 32])).unwrap(),
            clock: self.clock.clone(),
            queue: self.queue,
        })
    }

    fn refusal(&self) -> OpenError {
        self.open().map(|_| ()).unwrap_err()
    }

    fn public(&self) -> VerifyingKey {
        SigningKey::parse(&self.key).unwrap().public().clone()
    }

    fn report(&self, seen: &[Checkpoint]) -> Report {
        let mut database = Database::open(&self.data()).unwrap();
        assert_eq!(database.unsound().unwrap(), None);
        verify(&mut database, &self.public(), seen, &mut |_, _| {}).unwrap()
    }

    fn damage(&self) -> Vec<String> {
        self.report(&[]).damage.iter().map(ToString::to_string).collect()
    }

    /// Changes the database behind the log's back.
    fn tamper(&self, sql: &str) {
        let mut conn = sqlite::open_log(&self.data().join(DATABASE)).unwrap();
        conn.batch_execute(sql).unwrap();
    }
}

fn query(number: u64) -> Draft {
    let mut caller = Object::new();
    caller.text("department", if number.is_multiple_of(2) { "housing" } else { "medical" }).text("system", "s");
    let mut draft = Draft::new("query");
    draft
        .members()
        .text("request_id", &format!("{number:032x}"))
        .object("caller", &caller)
        .text("dataset", "civil.subsistence")
        .text("purpose", "housing-aid.review")
        .text("outcome", "ok");
    draft
}

fn about(number: u64, identifier: &str) -> Draft {
    let mut draft = query(number);
    draft.subject("id_number", identifier);
    draft
}

async fn fill(log: &AuditLog, count: u64) -> Vec<Receipt> {
    join_all((0..count).map(|i| log.append(query(i)))).await.into_iter().map(Result::unwrap).collect()
}

/// A closed log of `count` queries, of which the first ten name a person each.
async fn filled(count: u64) -> Site {
    let place = Site::new();
    let log = place.open().unwrap();
    for i in 0..count.min(10) {
        log.append(about(i, &format!("person {i}"))).await.unwrap();
    }
    fill(&log, count - count.min(10)).await;
    drop(log);
    assert_eq!(place.damage(), [""; 0]);
    place
}

#[tokio::test]
async fn every_receipt_checks_and_indexes_are_contiguous() {
    let place = Site::new();
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
        let grew = crate::audit::proof::check_consistency(covering.size, newest.size, &proof, &covering.root, &newest.root);
        assert!(grew, "the log grew from the receipt's checkpoint");
    }
    let batches: std::collections::BTreeSet<_> = receipts.iter().map(|receipt| receipt.checkpoint.clone()).collect();
    assert!(batches.len() < 300, "records that come together are committed together: {}", batches.len());
}

#[tokio::test]
async fn a_log_opens_again_and_goes_on_where_it_was() {
    let place = Site::new();
    for round in 0..4 {
        let log = place.open().unwrap();
        assert_eq!(log.stats().size, if round == 0 { 1 } else { 1 + round * 150 });
        fill(&log, 150).await;
    }
    assert_eq!(place.damage(), [""; 0]);
}

#[tokio::test]
async fn a_second_gateway_on_one_directory_is_refused_until_the_first_is_gone() {
    let place = Site::new();
    let log = place.open().unwrap();
    assert!(matches!(place.refusal(), OpenError::Locked(_)));
    drop(log);
    place.open().unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_what_was_queued_is_written() {
    let place = Site { queue: 4, ..Site::new() };
    let log = place.open().unwrap();
    // The commit cannot start while another holds the database.
    let mut other = sqlite::open_log(&place.data().join(DATABASE)).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let mut waiting = Vec::new();
    let refused = loop {
        match log.submit(query(1), Vec::new()) {
            Ok(reply) => waiting.push(reply),
            Err(e) => break e,
        }
        assert!(waiting.len() < 3000, "the queue has a bound");
    };
    assert_eq!(refused, AppendError::Full);
    other.batch_execute("COMMIT").unwrap();
    for reply in waiting {
        reply.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_commit_that_fails_tells_everybody_and_the_log_recovers_by_itself() {
    let place = Site::new();
    let log = place.open().unwrap();
    fill(&log, 10).await;
    place.tamper("CREATE TRIGGER broken BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'broken'); END");
    let answers = join_all((0..20).map(|i| log.append(about(i, "person")))).await;
    assert!(answers.iter().all(|answer| *answer == Err(AppendError::NotDurable)));
    assert_eq!(log.stats().size, 11, "nothing of them counts");
    place.tamper("DROP TRIGGER broken");
    let receipts = fill(&log, 10).await;
    assert_eq!(receipts.iter().map(|r| r.index).min(), Some(11));
    drop(log);
    assert_eq!(place.damage(), [""; 0]);
}

#[tokio::test]
async fn a_writer_whose_head_is_not_the_databases_writes_nothing() {
    let place = Site::new();
    let log = place.open().unwrap();
    fill(&log, 10).await;
    place.tamper("UPDATE head SET size = size - 1");
    assert_eq!(log.append(query(1)).await, Err(AppendError::NotDurable));
    place.tamper("UPDATE head SET size = size + 1");
    assert_eq!(log.append(query(1)).await.unwrap().index, 11);
}

#[tokio::test]
async fn small_steps_of_the_clock_are_clamped_and_recorded_large_ones_refused() {
    let place = Site::new();
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

#[tokio::test]
async fn a_lost_second_place_is_begun_anew_only_when_an_operator_says_so() {
    let place = Site::new();
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
    fill(&place.open().unwrap(), 30).await;
    let seen: Vec<_> = seen.iter().map(|note| Checkpoint::open(note, &place.public()).unwrap()).collect();
    assert_eq!(place.report(&seen).code(), 13);

    // The same for the start check: the copy of the one, the database of the other.
    let mut copy = SecondPlaceOf(place.copy());
    copy.set(&Checkpoint::text("sluice.test/log", seen[0].size, &seen[0].root), &place.key);
    assert!(matches!(place.refusal(), OpenError::Forked(_)));
}

struct SecondPlaceOf(PathBuf);

impl SecondPlaceOf {
    fn set(&mut self, text: &str, key: &str) {
        std::fs::write(&self.0, SigningKey::parse(key).unwrap().sign(text)).unwrap();
    }
}

#[tokio::test]
async fn keys_change_by_a_record_that_both_have_signed() {
    let mut place = Site::new();
    fill(&place.open().unwrap(), 20).await;
    let old = place.public();
    place.previous = Some(std::mem::replace(&mut place.key, Site::new().key));
    fill(&place.open().unwrap(), 20).await;
    // Once changed, the old key is no longer needed.
    place.previous = None;
    fill(&place.open().unwrap(), 5).await;
    for key in [old, place.public()] {
        let mut database = Database::open(&place.data()).unwrap();
        let report = verify(&mut database, &key, &[], &mut |_, _| {}).unwrap();
        assert_eq!(report.damage, [], "{key}");
    }
    let stranger = Site::new().public();
    let report = verify(&mut Database::open(&place.data()).unwrap(), &stranger, &[], &mut |_, _| {}).unwrap();
    assert_eq!(report.code(), 15);

    place.tamper("DELETE FROM checkpoint WHERE size = 22");
    assert_eq!(place.report(&[]).damage[0].place, Place::Checkpoint(22));
    place.key = Site::new().key;
    assert!(matches!(place.refusal(), OpenError::Key(_) | OpenError::CopyUnreadable(_)));
}

#[tokio::test]
async fn a_person_is_found_and_once_erased_found_no_more_while_all_proofs_stay() {
    let place = Site::new();
    let log = place.open().unwrap();
    for i in 0..6 {
        let mut draft = about(i, "Zhang");
        draft.subject("id_number", &format!("other {i}"));
        log.append(draft).await.unwrap();
    }
    let history = |who: &'static str| {
        let log = log.clone();
        async move { log.read(move |reader| reader.subject_history("id_number", who, None, 4)).await.unwrap() }
    };
    let page = history("Zhang").await;
    assert_eq!(page.records.iter().map(|r| r.index).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let rest = log.reader().subject_history("id_number", "Zhang", page.next, 4).unwrap();
    assert_eq!((rest.records.len(), rest.next), (2, None));
    assert!(history("nobody").await.records.is_empty());
    let before = log.reader().signed_record(3).unwrap().unwrap();

    let mut order = Draft::new("erasure");
    order.members().text("operator", "official-1");
    let receipts = log.erase_subject("id_number", "Zhang", order).await.unwrap();
    assert_eq!(receipts.len(), 1);
    assert!(history("Zhang").await.records.is_empty());
    assert_eq!(history("other 3").await.records.len(), 1, "nobody else is erased with them");
    before.check(&place.public()).unwrap();
    let again = log.erase_subject("id_number", "Zhang", Draft::new("erasure")).await.unwrap();
    assert!(again.is_empty());
    drop(log);
    assert_eq!(place.damage(), [""; 0]);

    // An index that is built anew does not know the erased person either.
    std::fs::remove_file(place.data().join("audit-index.db")).unwrap();
    let log = place.open().unwrap();
    assert!(log.reader().subject_history("id_number", "Zhang", None, 9).unwrap().records.is_empty());
    assert_eq!(log.reader().subject_history("id_number", "other 3", None, 9).unwrap().records.len(), 1);
}

#[tokio::test]
async fn no_file_of_the_log_holds_an_identifier() {
    let place = Site::new();
    let log = place.open().unwrap();
    log.append(about(1, "CANARY-11010519491231002X")).await.unwrap();
    assert_eq!(log.reader().subject_history("id_number", "CANARY-11010519491231002X", None, 9).unwrap().records.len(), 1);
    drop(log);
    for file in std::fs::read_dir(place.data()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"CANARY"));
    }
}

#[tokio::test]
async fn records_are_searched_by_facets_page_by_page() {
    let place = Site::new();
    let log = place.open().unwrap();
    for i in 0..10 {
        place.clock.set(NOON.plus_seconds(i as i64));
        log.append(query(i)).await.unwrap();
    }
    let reader = log.reader();
    let housing = Filter { department: Some("housing".into()), ..Filter::default() };
    let page = reader.records(&housing, None, 3).unwrap();
    assert_eq!(page.records.iter().map(|r| r.index).collect::<Vec<_>>(), [1, 3, 5]);
    let rest = reader.records(&housing, page.next, 3).unwrap();
    assert_eq!((rest.records.len(), rest.next, rest.lag), (2, None, 0));
    let span = Filter { from: Some(NOON.plus_seconds(2)), until: Some(NOON.plus_seconds(4)), ..Filter::default() };
    assert_eq!(reader.records(&span, None, 1000).unwrap().records.len(), 2);
    let none = Filter { datasets: vec!["other".into()], ..Filter::default() };
    assert!(reader.records(&none, None, 10).unwrap().records.is_empty());
    assert_eq!(reader.find_request(&format!("{:032x}", 4)).unwrap().unwrap().index, 5);
    assert_eq!(reader.find_request("").unwrap(), None);
}

#[tokio::test]
async fn a_record_too_large_or_with_too_many_subjects_is_refused_alone() {
    let place = Site::new();
    let log = place.open().unwrap();
    let mut long = query(1);
    long.members().text("case", &"x".repeat(MAX_LEAF));
    assert_eq!(log.append(long).await, Err(AppendError::TooLarge));
    let mut many = query(1);
    for i in 0..=MAX_SUBJECTS {
        many.subject("id_number", &i.to_string());
    }
    assert_eq!(log.append(many).await, Err(AppendError::TooLarge));
    log.append(query(1)).await.unwrap();
}

#[tokio::test]
async fn tiles_are_served_as_wide_as_the_log_is() {
    let place = Site::new();
    let log = place.open().unwrap();
    fill(&log, 300).await;
    let reader = log.reader();
    let width = |level, index, width| {
        reader.tile(crate::audit::Tile { level, index, width }).unwrap().map(|bytes| bytes.len() / 32)
    };
    assert_eq!(width(0, 0, 256), Some(256));
    assert_eq!(width(0, 1, 45), Some(45));
    assert_eq!(width(0, 1, 46), None);
    assert_eq!(width(1, 0, 1), Some(1));
    assert_eq!(width(2, 0, 1), None);
}

/// What verification says after each way to harm a log of 301 records.
#[tokio::test]
async fn every_harm_is_named_with_its_place() {
    let harms = [
        ("UPDATE record SET leaf = replace(leaf, 'civil', 'legal') WHERE idx = 17", "altered: record 17: its bytes are not those that were signed"),
        ("UPDATE record SET leaf = substr(leaf, 1, 40) WHERE idx = 17", "torn: record 17: it breaks off"),
        ("DELETE FROM record WHERE idx = 17", "missing: record 17: there is no such record"),
        ("DELETE FROM record WHERE idx >= 290", "missing: records 290 to 300: there is no such record"),
        ("UPDATE record SET idx = 900 WHERE idx = 17", "extra: record 900: it is not part of the log that was signed"),
        ("INSERT INTO record VALUES (301, '{}')", "extra: record 301: it is not part of the log that was signed"),
        ("UPDATE record SET idx = -1 WHERE idx = 17; UPDATE record SET idx = 17 WHERE idx = 18; UPDATE record SET idx = 18 WHERE idx = -1",
         "reordered: record 17: the record of another place stands here"),
        ("UPDATE tile SET hashes = CAST(substr(hashes, 1, 31) || x'00' || substr(hashes, 33) AS BLOB) WHERE id = 0", "altered: tile 0 of level 0: the record is as it was signed, its hash here is not"),
        ("DELETE FROM tile WHERE id = 1", "missing: tile 1 of level 0: there is no such tile of hashes"),
        ("UPDATE tile SET hashes = substr(hashes, 1, 100) WHERE id = 1", "torn: tile 1 of level 0: it has not as many hashes as the log has records"),
        ("UPDATE tile SET hashes = zeroblob(32) WHERE id = 1 << 48", "altered: tile 0 of level 1: its hashes are not those of the records"),
        ("UPDATE tile SET id = 9 WHERE id = 1", "extra: tile 9 of level 0: it is not part of the log that was signed"),
        ("UPDATE head SET note = CAST(replace(note, 'sluice.test', 'sluice.tesu') AS BLOB)", "bad-signature: head: the newest checkpoint: it is not signed by the key in effect"),
        ("UPDATE head SET size = 300", "altered: head: the newest checkpoint: the size noted beside it is not the one that was signed"),
        ("DELETE FROM head", "missing: head: the newest checkpoint: there is no signed checkpoint"),
        ("INSERT INTO head VALUES (1, 1, 'x')", "extra: head: the newest checkpoint: it is not part of the log that was signed"),
        ("INSERT INTO checkpoint VALUES (20, 'x')", "extra: checkpoint at size 20: no checkpoint is kept at this size"),
        ("INSERT INTO checkpoint VALUES (9999, 'x')", "extra: checkpoint at size 9999: no checkpoint is kept at this size"),
        ("DELETE FROM opening WHERE id = 3 * 128", "missing: opening 0 of record 3: it is gone and no record says that it was erased"),
        ("UPDATE opening SET sealed = zeroblob(80) WHERE id = 3 * 128", "altered: opening 0 of record 3: it is not the one that the record names"),
        ("INSERT INTO opening VALUES (3 * 128 + 1, 'x')", "extra: opening 1 of record 3: the record has no such subject"),
        ("INSERT INTO opening VALUES (-5, 'x')", "extra: opening 123 of record -1: it is not part of the log that was signed"),
    ];
    let sound = filled(300).await;
    let database = std::fs::read(sound.data().join(DATABASE)).unwrap();
    for (sql, named) in harms {
        sound.tamper(sql);
        let damage = sound.damage();
        assert!(damage.iter().any(|found| found == named), "{sql}\n{damage:#?}");
        assert!(damage.len() <= 3, "one harm is not reported as many: {sql}\n{damage:#?}");
        put_back(&sound.data(), &database);
    }
}

fn put_back(data: &Path, database: &[u8]) {
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(data.join(format!("{DATABASE}{suffix}"))).ok();
    }
    std::fs::write(data.join(DATABASE), database).unwrap();
}

#[tokio::test]
async fn any_single_changed_byte_of_any_row_is_found() {
    let place = filled(12).await;
    let database = std::fs::read(place.data().join(DATABASE)).unwrap();
    for (table, id, column) in [
        ("record", "idx", "leaf"),
        ("tile", "id", "hashes"),
        ("head", "id", "note"),
        ("opening", "id", "sealed"),
    ] {
        let mut conn = sqlite::open_log(&place.data().join(DATABASE)).unwrap();
        #[derive(QueryableByName)]
        struct Cell {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            id: i64,
            #[diesel(sql_type = diesel::sql_types::Binary)]
            bytes: Vec<u8>,
        }
        let sql = format!("SELECT {id} AS id, {column} AS bytes FROM {table} ORDER BY 1");
        let cells: Vec<Cell> = diesel::sql_query(sql).load(&mut conn).unwrap();
        for (row, cell) in cells.iter().enumerate() {
            for at in (row % 7..cell.bytes.len()).step_by(7) {
                let mut bytes = cell.bytes.clone();
                bytes[at] ^= 1 << (at % 8);
                let hex = crate::base::ids::hex(&bytes);
                conn.batch_execute(&format!("UPDATE {table} SET {column} = x'{hex}' WHERE {id} = {}", cell.id)).unwrap();
                assert!(!place.damage().is_empty(), "{table} {} byte {at}", cell.id);
            }
            let hex = crate::base::ids::hex(&cell.bytes);
            conn.batch_execute(&format!("UPDATE {table} SET {column} = x'{hex}' WHERE {id} = {}", cell.id)).unwrap();
        }
        assert_eq!(place.damage(), [""; 0]);
        drop(conn);
        put_back(&place.data(), &database);
    }
}

#[tokio::test]
async fn checkpoints_are_kept_at_their_places_and_settle_what_lies_before_them() {
    let place = filled(ANCHOR * 2 + 50).await;
    let database = std::fs::read(place.data().join(DATABASE)).unwrap();
    for (sql, named) in [
        ("DELETE FROM checkpoint WHERE size = 4096", "missing: checkpoint at size 4096: the checkpoint that is kept at this size is gone"),
        ("UPDATE checkpoint SET note = CAST(replace(note, char(10) || '4096', char(10) || '4097') AS BLOB) WHERE size = 4096",
         "bad-signature: checkpoint at size 4096: its signature does not hold"),
        ("UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 8192) WHERE size = 4096",
         "altered: checkpoint at size 4096: it is kept under another size than was signed"),
        ("UPDATE record SET leaf = replace(leaf, 'civil', 'legal') WHERE idx = 5000", "altered: record 5000: its bytes are not those that were signed"),
    ] {
        place.tamper(sql);
        let damage = place.damage();
        assert!(damage.iter().any(|found| found == named), "{sql}\n{damage:#?}");
        put_back(&place.data(), &database);
    }
    // Changed together with the right hash.
    let leaf = br#"{"index":300,"kind":"query","time":"2026-11-22T08:00:00.000000Z","v":1}"#;
    let (leaf, hash) = (crate::base::ids::hex(leaf), crate::base::ids::hex(&Hash::of_leaf(leaf).0));
    place.tamper(&format!(
        "UPDATE record SET leaf = x'{leaf}' WHERE idx = 300; UPDATE tile SET hashes = CAST(substr(hashes, 1, 44 * 32) || x'{hash}' || substr(hashes, 45 * 32 + 1) AS BLOB) WHERE id = 1"
    ));
    let damage = place.damage();
    assert_eq!(damage[0], "altered: records 256 to 511: a record among them was changed together with its hash");
}

#[test]
fn a_running_log_verifies_while_it_grows() {
    let place = Site::new();
    let log = place.open().unwrap();
    let growing = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..20 {
                fill(&log, 50).await;
            }
        });
    });
    while !growing.is_finished() {
        assert_eq!(place.damage(), [""; 0]);
    }
    growing.join().unwrap();
}
