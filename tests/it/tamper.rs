//! Whoever owns the machine can change the log; whoever has the public key notices.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use sluice::app::keys;
use sluice::audit::verify::Stored;
use sluice::audit::{Checkpoint, SigningKey, VerifyingKey};
use sluice::base::ids::hex;
use sluice::store::audit::Database;

use crate::support::vault::{TABLES, Vault, answers, cells, open, put_back};

/// Every table, every kind of damage: what it is called and where it is.
#[tokio::test]
async fn every_damage_to_every_table_is_named_with_its_place() {
    let vault = Vault::filled().await;
    let size = vault.cells("record").len();
    let kept = vault.cells("checkpoint")[0].id;
    let opening = vault.cells("opening")[2].id;
    let (of, next) = (opening / 128, vault.cells("opening")[3].id);
    let other = foreign_checkpoint(&vault);
    let changed = |table: &str, content: &str, at: &str| {
        format!(
            "UPDATE {table} SET {content} = CAST(substr({content}, 1, 60) || '~' || substr({content}, 62) AS BLOB) WHERE {at}"
        )
    };
    let swapped = |table: &str, key: &str, one: i64, two: i64| {
        format!(
            "UPDATE {table} SET {key} = -1 WHERE {key} = {one}; UPDATE {table} SET {key} = {one} WHERE {key} = {two}; \
             UPDATE {table} SET {key} = {two} WHERE {key} = -1"
        )
    };
    let last = size - 1;
    let harms: Vec<(String, i32, String)> = vec![
        // Records.
        (changed("record", "leaf", "idx = 0"), 10, "altered: record 0".into()),
        (changed("record", "leaf", "idx = 7"), 10, "altered: record 7".into()),
        (changed("record", "leaf", &format!("idx = {last}")), 10, format!("altered: record {last}")),
        ("UPDATE record SET leaf = substr(leaf, 1, 200) WHERE idx = 7".into(), 16, "torn: record 7".into()),
        ("UPDATE record SET leaf = x'' WHERE idx = 7".into(), 16, "torn: record 7".into()),
        ("UPDATE record SET idx = 9007 WHERE idx = 7".into(), 17, "extra: record 9007".into()),
        ("UPDATE record SET idx = 9007 WHERE idx = 7".into(), 17, "missing: record 7".into()),
        ("DELETE FROM record WHERE idx = 7".into(), 11, "missing: record 7".into()),
        ("DELETE FROM record WHERE idx = 0".into(), 11, "missing: record 0".into()),
        (format!("DELETE FROM record WHERE idx > {last} - 5"), 11, format!("missing: records {} to {last}", last - 4)),
        (swapped("record", "idx", 7, 8), 12, "reordered: record 7".into()),
        (swapped("record", "idx", 7, 8), 12, "reordered: record 8".into()),
        (format!("INSERT INTO record VALUES ({size}, '{{}}')"), 17, format!("extra: record {size}")),
        ("INSERT INTO record SELECT -1, leaf FROM record WHERE idx = 7".into(), 17, "extra: record -1".into()),
        ("DELETE FROM record".into(), 11, format!("missing: records 0 to {last}")),
        // Hashes.
        (changed("tile", "hashes", "id = 0"), 10, "altered: tile 0 of level 0".into()),
        ("DELETE FROM tile WHERE id = 0".into(), 11, "missing: tile 0 of level 0".into()),
        ("UPDATE tile SET hashes = substr(hashes, 1, 90) WHERE id = 0".into(), 16, "torn: tile 0 of level 0".into()),
        ("UPDATE tile SET hashes = CAST(hashes || zeroblob(32) AS BLOB) WHERE id = 0".into(), 16, "torn: tile 0 of level 0".into()),
        (
            "UPDATE tile SET hashes = CAST(substr(hashes, 33, 32) || substr(hashes, 1, 32) || substr(hashes, 65) AS BLOB) WHERE id = 0".into(),
            10,
            "altered: tile 0 of level 0".into(),
        ),
        ("UPDATE tile SET id = 4 WHERE id = 0".into(), 17, "extra: tile 4 of level 0".into()),
        ("INSERT INTO tile SELECT 1, hashes FROM tile WHERE id = 0".into(), 17, "extra: tile 1 of level 0".into()),
        ("INSERT INTO tile SELECT 1 << 48, hashes FROM tile WHERE id = 0".into(), 17, "extra: tile 0 of level 1".into()),
        // Kept checkpoints.
        (changed("checkpoint", "note", "1"), 15, format!("bad-signature: checkpoint at size {kept}")),
        ("DELETE FROM checkpoint".into(), 11, format!("missing: checkpoint at size {kept}")),
        ("UPDATE checkpoint SET size = size + 1".into(), 11, format!("missing: checkpoint at size {kept}")),
        ("UPDATE checkpoint SET note = (SELECT note FROM head)".into(), 15, format!("bad-signature: checkpoint at size {kept}")),
        ("INSERT INTO checkpoint SELECT 3, note FROM checkpoint".into(), 17, "extra: checkpoint at size 3".into()),
        ("INSERT INTO checkpoint SELECT -3, note FROM checkpoint".into(), 17, "extra: checkpoint at size -3".into()),
        // The newest checkpoint.
        (changed("head", "note", "1"), 15, "bad-signature: head".into()),
        ("UPDATE head SET note = substr(note, 1, 50)".into(), 15, "bad-signature: head".into()),
        (format!("UPDATE head SET note = x'{other}'"), 15, "bad-signature: head".into()),
        ("UPDATE head SET size = size - 1".into(), 10, "altered: head".into()),
        ("UPDATE head SET size = size + 1".into(), 10, "altered: head".into()),
        ("UPDATE head SET id = 1".into(), 11, "missing: head".into()),
        ("DELETE FROM head".into(), 11, "missing: head".into()),
        ("INSERT INTO head SELECT 1, size, note FROM head".into(), 17, "extra: head".into()),
        // An older signed checkpoint in the newest one's place: the records behind it were never signed.
        (
            "UPDATE head SET (size, note) = (SELECT size, note FROM checkpoint)".into(),
            17,
            format!("extra: record {kept}"),
        ),
        // Openings.
        (changed("opening", "sealed", &format!("id = {opening}")), 10, format!("altered: opening 0 of record {of}")),
        (format!("UPDATE opening SET sealed = x'' WHERE id = {opening}"), 10, format!("altered: opening 0 of record {of}")),
        (format!("DELETE FROM opening WHERE id = {opening}"), 11, format!("missing: opening 0 of record {of}")),
        ("DELETE FROM opening WHERE id = (SELECT max(id) FROM opening)".into(), 11, "missing: opening 0 of record".into()),
        (swapped("opening", "id", opening, next), 10, format!("altered: opening 0 of record {of}")),
        (format!("UPDATE opening SET id = id + 1 WHERE id = {opening}"), 17, format!("extra: opening 1 of record {of}")),
        (format!("INSERT INTO opening SELECT {opening} + 5, sealed FROM opening LIMIT 1"), 17, format!("extra: opening 5 of record {of}")),
        // The tables themselves.
        ("DROP TABLE opening".into(), 16, "torn: store".into()),
        ("DELETE FROM record; DELETE FROM tile; DELETE FROM checkpoint; DELETE FROM head; DELETE FROM opening".into(), 11, "missing: head".into()),
        ("CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record WHERE idx = 1; END".into(), 16, "torn: store".into()),
        ("CREATE TABLE beside (x)".into(), 16, "torn: store".into()),
    ];
    let mut wrong = Vec::new();
    for (sql, code, named) in &harms {
        vault.harm(sql);
        let (got, said) = vault.verify(&[]);
        if got != *code || !said.lines().any(|line| line.starts_with(named)) {
            wrong.push(format!("{sql}\nwanted {code} {named}\ngot    {got} {said}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A checkpoint over the same records, signed by a key of the same name that is not the log's.
fn foreign_checkpoint(vault: &Vault) -> String {
    let dir = tempfile::tempdir().unwrap();
    keys::make(dir.path(), "sluice.test/log").unwrap();
    let key =
        SigningKey::parse(std::fs::read_to_string(dir.path().join("audit.key")).unwrap().trim()).unwrap();
    let own = std::fs::read_to_string(vault.gw.path().join("keys/audit.vkey")).unwrap();
    let (_, note) = Database::open(vault.copy().parent().unwrap()).unwrap().head().unwrap().unwrap();
    let head = Checkpoint::open(&note, &VerifyingKey::parse(&own).unwrap()).unwrap();
    hex(Checkpoint::sign(head.size, &head.root, &key, &[]).as_bytes())
}

#[tokio::test]
async fn one_bit_changed_in_any_row_is_noticed() {
    let vault = Vault::filled().await;
    let mut tried = 0;
    for (table, key, content) in TABLES {
        for (row, cell) in vault.cells(table).into_iter().enumerate() {
            // A start of its own for each row, so that the rows together try every kind of place.
            for at in ((row * 13) % cell.bytes.len().min(97)..cell.bytes.len()).step_by(97) {
                let mut bytes = cell.bytes.clone();
                bytes[at] ^= 1 << (at % 8);
                vault.harm(&format!(
                    "UPDATE {table} SET {content} = x'{}' WHERE {key} = {}",
                    hex(&bytes),
                    cell.id
                ));
                let (code, said) = vault.verify(&[]);
                assert!((10..=17).contains(&code), "{table} {} byte {at}: {code} {said}", cell.id);
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

#[tokio::test]
async fn one_bit_changed_anywhere_in_the_file_is_noticed_or_changes_nothing_stored() {
    let vault = Vault::filled().await;
    let stored = contents(&vault).unwrap();
    let (mut noticed, mut idle) = (0, Vec::new());
    for at in (5..vault.sound().len()).step_by(211) {
        let mut bytes = vault.sound().to_vec();
        bytes[at] ^= 1 << (at % 8);
        put_back(&vault.copy(), &bytes);
        let (code, said) = vault.verify(&[]);
        if code != 0 {
            noticed += 1;
            continue;
        }
        // What lies between the rows is nobody's: as long as the rows are what they were.
        put_back(&vault.gw.path().join("copy/audit.db"), &bytes);
        assert_eq!(contents_of_copy(&vault), Some(stored.clone()), "byte {at}: {said}");
        idle.push(at);
    }
    eprintln!("{noticed} noticed, {} in no row", idle.len());
    assert!(noticed > 100, "{noticed} noticed, {} in no row", idle.len());
}

type Contents = Vec<(&'static str, Vec<crate::support::vault::Cell>)>;

fn contents(vault: &Vault) -> Option<Contents> {
    vault.copy();
    contents_of_copy(vault)
}

fn contents_of_copy(vault: &Vault) -> Option<Contents> {
    let copy = vault.gw.path().join("copy/audit.db");
    let mut conn = SqliteConnection::establish(copy.to_str().unwrap()).ok()?;
    TABLES.iter().map(|(table, ..)| Some((*table, cells(&mut conn, table).ok()?))).collect()
}

#[tokio::test]
async fn an_older_database_is_noticed_by_the_second_place_and_not_served() {
    let mut vault = Vault::filled().await;
    vault.gw.serve().unwrap();
    answers(&vault.gw, 3).await;
    vault.gw.stop();
    let newer = std::fs::read(vault.gw.path().join("data/audit.db")).unwrap();
    put_back(&vault.gw.path().join("data/audit.db"), vault.sound());

    assert_eq!(vault.gw.verify().0, 0, "in itself it is sound");
    let (code, said) = vault.gw.verify_with(&["--checkpoint", "second-place/checkpoint"]);
    assert_eq!(code, 14, "{said}");
    assert!(said.contains("rolled-back: head"), "{said}");
    let (code, said) = vault.gw.refusal();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("rolled back") && said.contains("Put back the newer database"), "{said}");

    put_back(&vault.gw.path().join("data/audit.db"), &newer);
    vault.gw.serve().unwrap();
    answers(&vault.gw, 1).await;
}

#[tokio::test]
async fn two_logs_from_one_beginning_are_a_fork() {
    let mut vault = Vault::filled().await;
    let data = vault.gw.path().join("data/audit.db");
    let second = vault.gw.path().join("second-place/checkpoint");
    let seen = std::fs::read(&second).unwrap();
    vault.gw.serve().unwrap();
    answers(&vault.gw, 3).await;
    vault.gw.stop();
    let seen_by_one = std::fs::read(&second).unwrap();
    std::fs::write(vault.gw.path().join("one"), &seen_by_one).unwrap();

    // Whoever has both places can put both back, and go on from there as if nothing had been.
    put_back(&data, vault.sound());
    std::fs::write(&second, seen).unwrap();
    vault.gw.serve().unwrap();
    answers(&vault.gw, 6).await;
    vault.gw.stop();
    assert_eq!(vault.gw.verify().0, 0, "in itself it is sound");
    let (code, said) = vault.gw.verify_with(&["--checkpoint", "one"]);
    assert_eq!(code, 13, "{said}");
    assert!(said.contains("forked: "), "{said}");
    std::fs::write(&second, seen_by_one).unwrap();
    let (code, said) = vault.gw.refusal();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("was forked"), "{said}");
}

#[tokio::test]
async fn keys_change_by_a_record_and_either_key_verifies_the_whole() {
    let mut vault = Vault::filled().await;
    // The old key is no longer needed to serve.
    vault.gw.configure("previous_signing_key_file = \"keys/previous.key\"\n", "");
    std::fs::remove_file(vault.gw.path().join("keys/previous.key")).unwrap();
    vault.gw.serve().unwrap();
    answers(&vault.gw, 2).await;
    vault.gw.stop();
    assert_eq!(vault.gw.verify().0, 0);
    let by = |key: &str| vault.gw.sluice(&["audit", "verify", "--db", "data", "--pubkey", key]);
    let (code, out, _) = by("keys/previous.vkey");
    assert_eq!(code, 0, "{out}");
    // Who saw the log before the change can still hold it to what they saw.
    let held =
        ["audit", "verify", "--db", "data", "--pubkey", "keys/previous.vkey", "--checkpoint", "seen-before"];
    let (code, out, err) = vault.gw.sluice(&held);
    assert_eq!(code, 0, "{out}{err}");
    keys::make(&vault.gw.path().join("stranger"), "sluice.test/log").unwrap();
    let (code, out, _) = by("stranger/audit.vkey");
    assert_eq!(code, 15, "{out}");

    // A record of the change without the old key's signature is no change.
    vault.harm("UPDATE checkpoint SET note = CAST(substr(note, 1, length(note) - 60) || char(10) AS BLOB)");
    let (code, said) = vault.verify(&[]);
    assert!(code == 15 && said.contains("bad-signature: checkpoint"), "{code} {said}");
}

#[tokio::test]
async fn a_new_key_without_the_one_before_is_not_served() {
    let mut vault = Vault::filled().await;
    let keys_dir = vault.gw.path().join("keys");
    std::fs::remove_file(keys_dir.join("audit.key")).unwrap();
    keys::make(&keys_dir, "sluice.test/log").unwrap();
    let (code, said) = vault.gw.refusal();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("previous key") || said.contains("checkpoint copy"), "{said}");
}

#[tokio::test]
async fn a_log_changed_at_its_end_is_not_served() {
    let mut vault = Vault::filled().await;
    let data = vault.gw.path().join("data/audit.db");
    for sql in [
        "UPDATE record SET leaf = CAST(replace(leaf, 'ok', 'no') AS BLOB) WHERE idx = (SELECT max(idx) FROM record)",
        "DELETE FROM record WHERE idx = (SELECT max(idx) FROM record)",
        "INSERT INTO record SELECT max(idx) + 1, leaf FROM record",
        "UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB)",
        "DELETE FROM tile",
        "UPDATE head SET size = size - 1",
        "UPDATE head SET note = CAST(replace(note, 'sluice.test', 'sluice.tesu') AS BLOB)",
        "UPDATE head SET (size, note) = (SELECT size, note FROM checkpoint)",
        "DELETE FROM head",
    ] {
        put_back(&data, vault.sound());
        open(&data).batch_execute(sql).unwrap();
        let (code, said) = vault.gw.refusal();
        assert_eq!(code, 1, "{sql}: {said}");
        assert!(
            ["damaged", "rolled back", "not signed"].iter().any(|word| said.contains(word)),
            "{sql}: {said}"
        );
    }
    put_back(&data, vault.sound());
    vault.gw.serve().unwrap();
    answers(&vault.gw, 1).await;
}
