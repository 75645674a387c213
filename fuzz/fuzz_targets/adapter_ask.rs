//! What an adapter is asked by whoever connects to it: refused, or within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::web::provider::ask::Ask;

fuzz_target!(|data: &[u8]| {
    match Ask::parse(data) {
        Ok(ask) => assert!((1..=100).contains(&ask.subjects().len())),
        Err(error) => assert!(error.cause().is_none_or(|cause| cause.to_string().len() < 100)),
    }
});
