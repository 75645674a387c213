//! Proofs of any numbers and hashes: a verdict, and always the same one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::audit::Hash;
use sluice::audit::proof::{check_consistency, check_inclusion};

fuzz_target!(|input: (u64, u64, Vec<[u8; 32]>, [u8; 32], [u8; 32])| {
    let (small, size, path, leaf, root) = input;
    let path: Vec<Hash> = path.into_iter().map(Hash).collect();
    if check_inclusion(&Hash(leaf), small, size, &path, &Hash(root)) {
        assert!(small < size && path.len() <= 64);
        assert!(size > 1 || leaf == root);
    }
    if check_consistency(small, size, &path, &Hash(leaf), &Hash(root)) {
        assert!(small <= size);
        assert!(small < size || leaf == root);
    }
});
