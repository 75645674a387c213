//! A signed audit record as somebody shows it: proved by the log's key, or not at all.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sluice::audit::record::LeafHead;
use sluice::audit::{Checkpoint, Hash, SignedRecord, SigningKey};

/// The published example key of the signed-note format.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    SigningKey::parse("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
        .unwrap()
});

fuzz_target!(|data: &[u8]| {
    let Ok(mut record) = serde_json::from_slice::<SignedRecord>(data) else { return };
    let text = serde_json::to_vec(&record).unwrap();
    assert_eq!(serde_json::from_slice::<SignedRecord>(&text).unwrap(), record);

    // As it came: only the key's owner makes a checkpoint.
    if let Ok(checkpoint) = record.check(KEY.public()) {
        assert!(record.checkpoint.contains(&KEY.sign_line(&Checkpoint::text(
            KEY.public().name(),
            checkpoint.size,
            &checkpoint.root
        ))));
    }
    // Under a checkpoint of a log that holds this leaf alone: it proves itself and nothing else.
    record.checkpoint = Checkpoint::sign(1, &Hash::of_leaf(record.leaf.as_bytes()), &KEY, &[]);
    let first = LeafHead::parse(record.leaf.as_bytes()).is_ok_and(|head| head.index == 0);
    let proved = record.index == 0 && first && record.proof.is_empty();
    assert_eq!(record.check(KEY.public()).is_ok(), proved);
});
