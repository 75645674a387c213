//! A stopped log of several kinds of records, and copies of it to damage.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use serde_json::json;
use sluice::app::keys;

use super::client::ask;
use super::provider::Manner;
use super::{OTHER, PERSON, TestGateway};

/// The log's tables: name, key, content.
pub const TABLES: [(&str, &str, &str); 5] = [
    ("record", "idx", "leaf"),
    ("tile", "id", "hashes"),
    ("checkpoint", "size", "note"),
    ("head", "id", "note"),
    ("opening", "id", "sealed"),
];

const QUERY: &str = "/v1/datasets/civil.subsistence/query";

/// One content of one row.
#[derive(QueryableByName, Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Binary)]
    pub bytes: Vec<u8>,
}

/// A gateway that has served, changed keys, served again and stopped. `seen-before` in its folder
/// holds the newest checkpoint from before the change.
pub struct Vault {
    pub gw: TestGateway,
    sound: Vec<u8>,
}

impl Vault {
    /// About thirty records: answers, refusals, failures, searches, keys changed.
    pub async fn filled() -> Self {
        let mut gw = TestGateway::start().await;
        let desk = gw.system("service.onestop");
        for n in 0..10 {
            let person = if n % 2 == 0 { PERSON } else { OTHER };
            let answer =
                desk.post(QUERY, &ask("housing-aid.review", &[person], json!(["status", "name"]))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        for (status, purpose, person, field) in [
            (403, "housing-aid.review", PERSON, "mobile"),
            (403, "livelihood.review", OTHER, "bank_card"),
            (422, "housing-aid.review", "110105194912310021", "status"),
            (422, "no-such-purpose", PERSON, "status"),
        ] {
            let answer = desk.post(QUERY, &ask(purpose, &[person], json!([field]))).await;
            assert_eq!(answer.status, status, "{}", answer.text());
        }
        gw.civil.behave(Manner::Raw(b"HTTP/1.1 500 -\r\ncontent-length: 0\r\n\r\n".to_vec()));
        assert_eq!(desk.query("civil.subsistence", "housing-aid.review", &["status"]).await.status, 502);
        gw.civil.behave(Manner::Well);
        let auditor = gw.system("audit.office");
        assert_eq!(auditor.get("/v1/audit/records?limit=3").await.status, 200);
        assert_eq!(auditor.get("/v1/audit/records/2").await.status, 200);
        gw.stop();

        std::fs::copy(gw.path().join("second-place/checkpoint"), gw.path().join("seen-before")).unwrap();
        change_key(&mut gw);
        gw.serve().unwrap();
        answers(&gw, 10).await;
        gw.stop();
        let stopped = gw.path().join("data/audit.db");
        let wal = std::fs::metadata(gw.path().join("data/audit.db-wal")).map_or(0, |wal| wal.len());
        assert_eq!(wal, 0, "a log that was closed is one file");
        let sound = std::fs::read(stopped).unwrap();
        std::fs::create_dir(gw.path().join("copy")).unwrap();
        let vault = Self { gw, sound };
        let (code, said) = vault.verify(&[]);
        assert_eq!(code, 0, "{said}");
        vault
    }

    /// A fresh copy of the sound database.
    pub fn copy(&self) -> PathBuf {
        let copy = self.gw.path().join("copy/audit.db");
        put_back(&copy, &self.sound);
        copy
    }

    /// The sound database.
    pub fn sound(&self) -> &[u8] {
        &self.sound
    }

    /// A fresh copy after this SQL.
    pub fn harm(&self, sql: &str) {
        let mut conn = open(&self.copy());
        conn.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// `sluice audit verify` on the copy: exit code and what it said.
    pub fn verify(&self, arguments: &[&str]) -> (i32, String) {
        if !self.gw.path().join("copy/audit.db").exists() {
            self.copy();
        }
        let verify = ["audit", "verify", "--db", "copy", "--pubkey", "keys/audit.vkey"];
        let (code, out, err) = self.gw.sluice(&[&verify, arguments].concat());
        (code, format!("{out}{err}"))
    }

    /// The contents of a table of the sound log.
    pub fn cells(&self, table: &str) -> Vec<Cell> {
        let copy = self.copy();
        cells(&mut open(&copy), table).unwrap()
    }
}

/// The contents of a table.
pub fn cells(conn: &mut SqliteConnection, table: &str) -> QueryResult<Vec<Cell>> {
    let (_, key, content) = TABLES.into_iter().find(|(name, ..)| *name == table).unwrap();
    diesel::sql_query(format!("SELECT {key} AS id, {content} AS bytes FROM {table} ORDER BY 1")).load(conn)
}

/// A database to write to, without care for power cuts.
pub fn open(path: &Path) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    conn.batch_execute("PRAGMA synchronous=OFF").unwrap();
    conn
}

/// Replaces a database by the bytes of another.
pub fn put_back(path: &Path, database: &[u8]) {
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(format!("{}{suffix}", path.display())).ok();
    }
    std::fs::write(path, database).unwrap();
}

/// Gives the stopped gateway a new signing key; the old one becomes the previous one.
pub fn change_key(gw: &mut TestGateway) {
    let keys = gw.path().join("keys");
    std::fs::rename(keys.join("audit.key"), keys.join("previous.key")).unwrap();
    std::fs::rename(keys.join("audit.vkey"), keys.join("previous.vkey")).unwrap();
    keys::make(&keys, "sluice.test/log").unwrap();
    gw.configure("[audit]\n", "[audit]\nprevious_signing_key_file = \"keys/previous.key\"\n");
}

/// Asks so often, and is answered.
pub async fn answers(gw: &TestGateway, count: usize) {
    let desk = gw.system("service.onestop");
    for _ in 0..count {
        let answer = desk.query("civil.subsistence", "housing-aid.review", &["status"]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
