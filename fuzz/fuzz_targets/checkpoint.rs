//! Signed notes and checkpoints: taken only with a signature that the key made, and then read back
//! as they were written.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sluice::audit::{Checkpoint, SigningKey};

/// The published example key of the signed-note format.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    SigningKey::parse("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
        .unwrap()
});

fuzz_target!(|data: &str| {
    let key = KEY.public();
    if let Ok(text) = key.verify(data) {
        // Ed25519 gives one signature for one text: there is no other way to have it.
        assert!(data.contains(&KEY.sign_line(text)));
    }
    // Behind the signature: the text itself, signed.
    if let Ok(checkpoint) = Checkpoint::open(&KEY.sign(&format!("{data}\n")), key) {
        assert_eq!(checkpoint.origin, key.name());
        assert!(data.starts_with(Checkpoint::text(key.name(), checkpoint.size, &checkpoint.root).trim_end()));
    }
});
