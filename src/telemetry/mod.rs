//! What the program says about its own running: log lines, metrics and traces.
//!
//! Invariant: none of them ever makes a request wait, and none holds a value, an identifier of a
//! person, a query string or a body: those have no way in, since lines are made of codes, ids of
//! the catalogue and numbers. The audit log is another thing altogether; nothing here is
//! evidence.

pub mod log;
pub mod metrics;
pub mod traces;
mod writer;

pub use metrics::Metrics;
