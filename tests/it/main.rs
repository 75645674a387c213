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
mod demo;
mod disk;
mod examples;
mod export;
mod house;
mod kill;
mod query;
mod start;
mod tamper;
mod two_gateways;
mod bad_input;
mod canary;
mod openapi;
mod ops;
mod policy_change;
mod provider;
mod quota;
mod tls;
mod trail;
