//! What a log offers to a witness: read back as it is written, and no wider than the protocol.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::audit::offer::Offer;

fuzz_target!(|data: &str| {
    if let Some(offer) = Offer::parse(data) {
        assert_eq!(offer.to_string(), data);
        assert!(offer.proof.len() <= 63);
        assert!(offer.note.starts_with(offer.origin()));
    }
});
