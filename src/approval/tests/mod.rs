//! What holds of applications, tried on a small world, by random people, and on the real files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod clocks;
mod content;
mod loading;
mod property;
mod real;
mod separation;
mod story;
mod world;
