//! The tables, as diesel knows them. What they mean stands in the migrations.
//!
//! Invariant: `tile.id` and `opening.id` pack two numbers so that every key is one integer in
//! ascending order; the functions here are the only place that packs and unpacks them.
#![allow(missing_docs, reason = "generated; the migrations say what each column means")]

use crate::audit::record::MAX_SUBJECTS;

diesel::table! { record (idx) { idx -> BigInt, leaf -> Binary, } }
diesel::table! { tile (id) { id -> BigInt, hashes -> Binary, } }
diesel::table! { checkpoint (size) { size -> BigInt, note -> Binary, } }
diesel::table! { head (id) { id -> BigInt, size -> BigInt, note -> Binary, } }
// The head on PostgreSQL, where the growing tiles are in it.
diesel::table! {
    #[sql_name = "head"]
    edge_head (id) { id -> BigInt, size -> BigInt, note -> Binary, edge -> Binary, }
}
diesel::table! { opening (id) { id -> BigInt, sealed -> Binary, } }

diesel::table! { sort (id) { id -> BigInt, first -> BigInt, names -> Text, } }
diesel::table! { actor (id) { id -> BigInt, name -> Text, } }
diesel::table! {
    block (number) {
        number -> BigInt,
        first -> BigInt,
        last -> BigInt,
        sorts -> Binary,
        actors -> Binary,
        times -> Binary,
    }
}
diesel::table! { request (request_id, idx) { request_id -> Text, idx -> BigInt, } }
diesel::table! { act (idx) { idx -> BigInt, } }
diesel::table! { subject (opening) { opening -> BigInt, token -> Binary, } }
diesel::table! { progress (id) { id -> BigInt, size -> BigInt, leaf_hash -> Binary, } }

const LEVEL_SHIFT: u32 = 48;
const SUBJECTS: i64 = MAX_SUBJECTS as i64;

/// A number of the log as a key. Logs end long before 2^63.
pub fn key(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A key as a number of the log; what is negative is past every end.
pub fn number(key: i64) -> u64 {
    u64::try_from(key).unwrap_or(u64::MAX)
}

pub fn tile_id(level: u8, index: u64) -> i64 {
    (i64::from(level) << LEVEL_SHIFT) + key(index)
}

/// Level and number of a tile.
pub fn tile_of(id: i64) -> (u64, u64) {
    (number(id >> LEVEL_SHIFT), number(id & ((1 << LEVEL_SHIFT) - 1)))
}

pub fn opening_id(index: u64, position: u64) -> i64 {
    key(index).saturating_mul(SUBJECTS).saturating_add(key(position))
}

/// Record and position of an opening.
pub fn opening_of(id: i64) -> (i64, u64) {
    (id.div_euclid(SUBJECTS), number(id.rem_euclid(SUBJECTS)))
}
