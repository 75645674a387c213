//! An export as somebody hands it over: a report in bounded time, of bounded length.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sluice::audit::export::{ExportCheck, Header};
use sluice::audit::{Checkpoint, Hash, SigningKey};

/// The published example key of the signed-note format.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    SigningKey::parse("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
        .unwrap()
});

fuzz_target!(|data: &str| {
    let (first, rest) = data.split_once('\n').unwrap_or((data, ""));
    check(first, rest);
    // With a checkpoint that is signed, so that what lies behind it is reached too.
    if let Ok(mut header) = serde_json::from_str::<Header>(first) {
        header.checkpoint = Checkpoint::sign(6, &Hash([7; 32]), &KEY, &[]);
        check(&serde_json::to_string(&header).unwrap(), rest);
    }
});

fn check(first: &str, rest: &str) {
    let mut check = ExportCheck::new(first, KEY.public());
    rest.lines().for_each(|line| check.line(line));
    let report = check.finish();
    assert!(report.damage.len() <= 100);
    for damage in &report.damage {
        assert!(damage.to_string().len() < 200);
    }
}
