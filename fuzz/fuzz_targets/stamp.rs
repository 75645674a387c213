//! Answers of timestamp authorities: taken only as the token that the authority has signed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sluice::audit::stamp::{self, NONCE, Policy, Roots};
use sluice::base::Timestamp;

const NOTE: &str = include_str!("../../tests/vectors/timestamp/checkpoint");
const TIME: &str = "2026-11-22T12:18:38Z";

static ROOTS: LazyLock<Roots> =
    LazyLock::new(|| Roots::parse(include_bytes!("../../tests/vectors/timestamp/ca.pem")).unwrap());

fuzz_target!(|data: &[u8]| {
    let nonce: [u8; NONCE] = std::array::from_fn(|at| at as u8 + 1);
    let policy = Policy::parse("1.2.156.1.2").unwrap();
    let time = Timestamp::parse(TIME).unwrap();
    if let Ok((token, stamped)) = stamp::accept(data, (NOTE, Some(&policy), &nonce), &ROOTS, (time, 100)) {
        // What is signed cannot be changed, and the token alone is good for the same.
        assert_eq!(stamped.time, time);
        assert_eq!(stamp::check(&token, NOTE, &ROOTS).unwrap().time, time);
    }
    // A token without an answer around it.
    stamp::check(data, NOTE, &ROOTS).ok();
});
