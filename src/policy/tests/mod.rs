//! What holds of the decision, tried on a small world, on generated ones and on the real files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod checking;
mod deciding;
mod property;
mod real;
mod stored;
mod world;
