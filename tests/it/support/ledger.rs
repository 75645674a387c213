//! What clients were promised with a 200, held against the log.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use sluice::audit::verify::Stored;
use sluice::audit::{Checkpoint, Hash, VerifyingKey};
use sluice::store::audit::Database;

use super::TestGateway;
use super::client::Answer;

/// What a client was promised with a 200.
pub struct Promise {
    request_id: String,
    index: u64,
    leaf_hash: String,
    checkpoint: String,
}

impl Promise {
    /// What this answer, a 200, promises.
    pub fn of(answer: &Answer) -> Self {
        let body = answer.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let receipt = &body["receipt"];
        Self {
            request_id: text(&body["request_id"]),
            index: receipt["index"].as_u64().unwrap(),
            leaf_hash: text(&receipt["leaf_hash"]),
            checkpoint: text(&receipt["checkpoint"]),
        }
    }
}

/// The log verifies under the public key, has grown from the last checkpoint that a client was
/// given, and holds every promise at its place.
pub fn intact(gw: &TestGateway, ledger: &[Promise], when: &str) {
    let newest = ledger.iter().max_by_key(|promise| promise.index).unwrap();
    std::fs::write(gw.path().join("seen"), &newest.checkpoint).unwrap();
    let (code, said) = gw.verify_with(&["--checkpoint", "seen"]);
    assert_eq!(code, 0, "{when}: {said}");

    let key = std::fs::read_to_string(gw.path().join("keys/audit.vkey")).unwrap();
    let key = VerifyingKey::parse(&key).unwrap();
    held(&leaves(&gw.path().join("data")), &key, ledger, when);
}

/// The log, as it was read, holds every promise at its place.
pub fn held(log: &HashMap<u64, Vec<u8>>, key: &VerifyingKey, ledger: &[Promise], when: &str) {
    let mut places = HashMap::new();
    for Promise { request_id, index, leaf_hash, checkpoint } in ledger {
        if let Some(other) = places.insert(index, request_id) {
            panic!("{when}: index {index} was promised to {other} and to {request_id}");
        }
        let leaf = log.get(index).unwrap_or_else(|| panic!("{when}: {request_id} is not at {index}"));
        assert_eq!(&Hash::of_leaf(leaf).to_string(), leaf_hash, "{when}: {request_id} at {index}");
        let record: Value = serde_json::from_slice(leaf).unwrap();
        assert_eq!(record["request_id"], **request_id, "{when}: at {index}");
        assert_eq!(record["outcome"], "ok", "{when}: {request_id} at {index}");
        let covered = Checkpoint::open(checkpoint, key).unwrap();
        assert!(covered.size > *index, "{when}: the receipt of {request_id} covers it");
    }
}

fn leaves(data: &Path) -> HashMap<u64, Vec<u8>> {
    let mut database = Database::open(data).unwrap();
    let (size, _) = database.head().unwrap().unwrap();
    database.records(0, size).unwrap().into_iter().collect()
}
