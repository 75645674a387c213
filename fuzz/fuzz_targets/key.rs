//! Keys as text: refused, or written again as they were read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::audit::{SigningKey, VerifyingKey};

fuzz_target!(|data: &str| {
    if let Ok(key) = VerifyingKey::parse(data) {
        assert_eq!(VerifyingKey::parse(&key.to_string()), Ok(key));
    }
    if let Ok(key) = SigningKey::parse(data) {
        assert_eq!(key.to_secret_text().reveal(), data.trim_end());
        assert_eq!(key.public().verify(&key.sign("text\n")), Ok("text\n"));
    }
});
