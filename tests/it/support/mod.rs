//! The stage: a gateway of one's own in a folder of its own, providers that do as they are told,
//! and clients with certificates.
//!
//! Nothing here waits for time to pass: it waits for a line, a port or an answer.

pub mod client;
pub mod gateway;
pub mod provider;

pub use gateway::TestGateway;

use std::time::Duration;

/// The longest that anything in a test may take before the test has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Someone on the subsistence list, in every test's data.
pub const PERSON: &str = "11010519491231002X";
/// Someone else, with a valid number.
pub const OTHER: &str = "440306199001011236";
