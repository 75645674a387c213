//! The stories that the gateway must live up to, told with real parts: real processes, real TLS,
//! real databases. A file for each story; `support` is the stage.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that panics has failed, which is what it is for"
)]

mod support;

#[cfg(feature = "postgres")]
mod adapter_postgres;
mod bad_input;
mod bulkhead;
mod canary;
mod clock;
mod demo;
mod disk;
mod erasure;
mod examples;
mod export;
mod house;
mod io_faults;
mod kill;
mod leaks;
mod openapi;
mod ops;
mod overload;
mod policy_change;
mod problem;
mod proof;
mod provider;
mod query;
mod quota;
mod remote_verify;
mod second_place;
mod slow_clients;
mod smuggling;
mod soak;
mod start;
mod tamper;
mod tls;
mod trail;
mod two_gateways;
mod witness;
