//! Notices: who is told what happened, in which words, by which way.
//!
//! The way of a notice: an event and the notices [`about()`] it are one transaction of the store;
//! once the log has recorded the change, [`Postman::address`] writes letters, to the accounts that
//! hold the role then and to departments' webhooks; [`Postman::deliver`] sends them until they
//! arrive or are given up. Invariant: this room knows codes, days and titles of the catalogue;
//! nothing that a person typed, no value and no identifier of a subject, is ever in its hands.

mod about;
mod deliver;
mod directory;
pub mod letter;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
mod words;

pub use crate::store::state::outbox::Channel;
pub use about::about;
pub use deliver::{Directory, Postman};
pub use directory::directory;
