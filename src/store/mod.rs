//! Where the gateway keeps what it must not forget: the log, the state it decides by, and what
//! others have said of the log; and where a witness keeps what it has seen.
//!
//! Invariant: diesel stays in this room (and in the SQL source of the adapter). Nothing here
//! decides anything; blocking calls say so and run on threads meant for them.

pub mod anchors;
pub mod audit;
#[cfg(feature = "postgres")]
mod connect;
pub mod db;
pub mod state;
#[cfg(feature = "postgres")]
mod tables;
pub mod upkeep;
#[cfg(feature = "postgres")]
mod wire;
pub mod witness;

#[cfg(all(test, feature = "postgres"))]
#[path = "../../tests/it/support/postgres.rs"]
#[allow(clippy::unwrap_used, clippy::expect_used, dead_code, reason = "shared with the stories")]
pub(crate) mod testing;
#[cfg(all(test, feature = "postgres"))]
#[path = "../../tests/it/support/proxy.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, dead_code, reason = "shared with the stories")]
mod testing_proxy;
