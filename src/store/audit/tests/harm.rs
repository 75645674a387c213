//! Every way to harm a stored log is named, with its place.

use super::*;

/// What verification says after each way to harm a log of 301 records.
#[tokio::test]
async fn every_harm_is_named_with_its_place() {
    let harms = [
        (
            "UPDATE record SET leaf = replace(leaf, 'civil', 'legal') WHERE idx = 17",
            "altered: record 17: its bytes are not those that were signed",
        ),
        ("UPDATE record SET leaf = substr(leaf, 1, 40) WHERE idx = 17", "torn: record 17: it breaks off"),
        ("DELETE FROM record WHERE idx = 17", "missing: record 17: there is no such record"),
        ("DELETE FROM record WHERE idx >= 290", "missing: records 290 to 300: there is no such record"),
        (
            "UPDATE record SET idx = 900 WHERE idx = 17",
            "extra: record 900: it is not part of the log that was signed",
        ),
        (
            "INSERT INTO record VALUES (301, '{}')",
            "extra: record 301: it is not part of the log that was signed",
        ),
        (
            "UPDATE record SET idx = -1 WHERE idx = 17; UPDATE record SET idx = 17 WHERE idx = 18; UPDATE record SET idx = 18 WHERE idx = -1",
            "reordered: record 17: the record of another place stands here",
        ),
        (
            "UPDATE tile SET hashes = CAST(substr(hashes, 1, 31) || CASE substr(hashes, 32, 1) WHEN x'00' THEN x'01' ELSE x'00' END || substr(hashes, 33) AS BLOB) WHERE id = 0",
            "altered: tile 0 of level 0: the record is as it was signed, its hash here is not",
        ),
        ("DELETE FROM tile WHERE id = 1", "missing: tile 1 of level 0: there is no such tile of hashes"),
        (
            "UPDATE tile SET hashes = substr(hashes, 1, 100) WHERE id = 1",
            "torn: tile 1 of level 0: it has not as many hashes as the log has records",
        ),
        (
            "UPDATE tile SET hashes = zeroblob(32) WHERE id = 1 << 48",
            "altered: tile 0 of level 1: its hashes are not those of the records",
        ),
        (
            "UPDATE tile SET id = 9 WHERE id = 1",
            "extra: tile 9 of level 0: it is not part of the log that was signed",
        ),
        (
            "UPDATE head SET note = CAST(replace(note, 'sluice.test', 'sluice.tesu') AS BLOB)",
            "bad-signature: head: the newest checkpoint: it is not signed by the key in effect",
        ),
        (
            "UPDATE head SET size = 300",
            "altered: head: the newest checkpoint: the size noted beside it is not the one that was signed",
        ),
        ("DELETE FROM head", "missing: head: the newest checkpoint: there is no signed checkpoint"),
        (
            "INSERT INTO head VALUES (1, 1, 'x')",
            "extra: head: the newest checkpoint: it is not part of the log that was signed",
        ),
        (
            "INSERT INTO checkpoint VALUES (20, 'x')",
            "extra: checkpoint at size 20: no checkpoint is kept at this size",
        ),
        (
            "INSERT INTO checkpoint VALUES (9999, 'x')",
            "extra: checkpoint at size 9999: no checkpoint is kept at this size",
        ),
        (
            "DELETE FROM opening WHERE id = 3 * 128",
            "missing: opening 0 of record 3: it is gone and no record says that it was erased",
        ),
        (
            "UPDATE opening SET sealed = zeroblob(80) WHERE id = 3 * 128",
            "altered: opening 0 of record 3: it is not the one that the record names",
        ),
        (
            "INSERT INTO opening VALUES (3 * 128 + 1, 'x')",
            "extra: opening 1 of record 3: the record has no such subject",
        ),
        (
            "INSERT INTO opening VALUES (-5, 'x')",
            "extra: opening 123 of record -1: it is not part of the log that was signed",
        ),
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
                conn.batch_execute(&format!(
                    "UPDATE {table} SET {column} = x'{hex}' WHERE {id} = {}",
                    cell.id
                ))
                .unwrap();
                assert!(!place.damage().is_empty(), "{table} {} byte {at}", cell.id);
            }
            let hex = crate::base::ids::hex(&cell.bytes);
            conn.batch_execute(&format!("UPDATE {table} SET {column} = x'{hex}' WHERE {id} = {}", cell.id))
                .unwrap();
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
        (
            "DELETE FROM checkpoint WHERE size = 4096",
            "missing: checkpoint at size 4096: the checkpoint that is kept at this size is gone",
        ),
        (
            "UPDATE checkpoint SET note = CAST(replace(note, char(10) || '4096', char(10) || '4097') AS BLOB) WHERE size = 4096",
            "bad-signature: checkpoint at size 4096: its signature does not hold",
        ),
        (
            "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 8192) WHERE size = 4096",
            "altered: checkpoint at size 4096: it is kept under another size than was signed",
        ),
        (
            "UPDATE record SET leaf = replace(leaf, 'civil', 'legal') WHERE idx = 5000",
            "altered: record 5000: its bytes are not those that were signed",
        ),
    ] {
        place.tamper(sql);
        let damage = place.damage();
        assert!(damage.iter().any(|found| found == named), "{sql}\n{damage:#?}");
        put_back(&place.data(), &database);
    }
    // Changed together with the right hash.
    let leaf = br#"{"index":300,"kind":"query","time":"2024-11-22T08:00:00.000000Z","v":1}"#;
    let (leaf, hash) = (crate::base::ids::hex(leaf), crate::base::ids::hex(&Hash::of_leaf(leaf).0));
    place.tamper(&format!(
        "UPDATE record SET leaf = x'{leaf}' WHERE idx = 300; UPDATE tile SET hashes = CAST(substr(hashes, 1, 44 * 32) || x'{hash}' || substr(hashes, 45 * 32 + 1) AS BLOB) WHERE id = 1"
    ));
    let damage = place.damage();
    assert_eq!(
        damage[0],
        "altered: records 256 to 511: a record among them was changed together with its hash"
    );
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

#[tokio::test]
async fn a_page_of_rubbish_anywhere_is_found() {
    const PAGE: usize = 8192;
    let place = filled(60).await;
    let database = std::fs::read(place.data().join(DATABASE)).unwrap();
    let mut unreadable = 0;
    for page in (PAGE..database.len()).step_by(PAGE) {
        let mut rubbish = database.clone();
        rubbish[page..page + PAGE].fill(0xa5);
        put_back(&place.data(), &rubbish);
        let mut database = Database::open(&place.data()).unwrap();
        match verify(&mut database, &place.public(), &[], &mut |_, _| {}) {
            Ok(report) => assert!(!report.is_intact(), "page at {page}"),
            Err(_) => unreadable += 1,
        }
        assert_ne!(database.unsound().ok(), Some(None), "page at {page}");
    }
    assert!(unreadable > 0, "a page that is no page is an error, not an empty table");
}
