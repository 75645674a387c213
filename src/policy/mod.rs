//! The decision: which system gets which field, for what, in which form; and who may do what.
//!
//! Deny by default. Invariant: casbin decides, under `policies/model.conf`, and nothing else
//! does; every field that is given names the rule or grant that gives it. This room must not know
//! what a value is, what time it is, or how much of a grant is used.
//!
//! - [`snapshot`]: one version, loaded whole; looks up, asks, remembers.
//! - `rule`, `grants_file`, `groups`, [`roles`]: what is authored; [`grant`]: what was applied for too.
//! - `judge`: casbin; `laws`: what no model may change.
//! - [`decide`]: from what casbin says about forms to what a field comes to.
//! - `check`: what is wrong with the files; [`matrix`]: what they mean.

pub mod decide;
pub mod grant;
pub mod matrix;
pub mod roles;
pub mod snapshot;

mod check;
mod csv;
mod grants_file;
mod groups;
mod judge;
mod laws;
mod rule;

#[cfg(test)]
mod tests;

pub use decide::{FieldVerdict, Offer, Verdict};
pub use grant::{Condition, Grant, GrantedField, People};
pub use matrix::matrix;
pub use roles::Action;
pub use snapshot::Policy;
