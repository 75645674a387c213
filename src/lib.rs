//! Sluice.
pub mod base;
pub mod catalogue;
pub mod identity;
