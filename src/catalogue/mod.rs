//! What can be asked: departments, purposes, datasets, fields, classes, levels, forms.
//!
//! Authored as files under `schemas/`, read whole, checked whole, and from then on immutable.
//! Invariant: a [`Catalogue`] that exists holds together; whoever has one need not check again.
//! This room must not know who may ask: that is policy.

pub mod ask;
mod example;
pub mod form;
pub mod identifier;
pub mod load;
pub mod model;
pub mod reference;
pub mod request;
pub mod sharing;

pub use ask::{Ask, AskedField, OnRefusal};
pub use form::{Form, Op, Predicate};
pub use identifier::IdentifierKind;
pub use model::{Catalogue, Class, Dataset, Department, Field, Level, Purpose};
pub use sharing::{BandBy, FormTerms, MaskKind, Sharing};
