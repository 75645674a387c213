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
mod additive;
mod applications;
mod backup;
mod bad_input;
mod bulkhead;
mod canary;
mod clock;
mod consents;
mod console;
mod console_bounds;
mod console_live;
mod console_officers;
mod console_stopped;
mod console_stories;
mod demo;
mod deploy;
mod disk;
mod doctor;
mod emergency;
mod erasure;
mod examples;
mod export;
mod grants;
mod house;
mod io_faults;
mod kill;
mod leaks;
mod migrate;
mod notices;
mod oidc;
mod openapi;
mod ops;
mod overload;
mod people;
mod policy_change;
mod problem;
mod proof;
mod provider;
mod query;
mod quota;
mod races;
mod remote_verify;
#[cfg(feature = "postgres")]
mod replicas;
mod second_place;
mod sign_in;
mod skew;
mod slow_clients;
mod smuggling;
mod soak;
mod start;
mod stopping;
mod tamper;
mod tls;
#[cfg(feature = "otel")]
mod traces;
mod trail;
mod two_gateways;
#[cfg(feature = "postgres")]
mod upgrade;
mod witness;
mod workflow;
