//! Where the gateway keeps what it must not forget: the log, and the state it decides by.
//!
//! Invariant: diesel stays in this room (and in the SQL source of the adapter). Nothing here
//! decides anything; blocking calls say so and run on threads meant for them.

pub mod audit;
pub mod state;
pub mod upkeep;
