//! Who is asking: systems known by the key of their certificate, people by their account and what
//! they know and have ([`password`], [`totp`]).
//!
//! Invariant: a [`System`] comes only out of a [`Registry`] look-up by fingerprint, never from a
//! name inside a certificate. This room decides nothing: what a caller may do is policy.

pub mod account;
pub mod load;
pub mod outside;
pub mod password;
pub mod registry;
pub mod role;
pub mod totp;

pub use account::Account;
pub use load::load;
pub use outside::Outside;
pub use registry::{Registry, System};
pub use role::Role;
pub use totp::CodeSecret;
