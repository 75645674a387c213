//! Applications (共享申请) and what comes of them: who may do what to one, and when.
//!
//! Pure: an application is what its events say, and [`handle`] turns a command into events or a
//! refusal. Interface, pages, command line and timers all go through it. Invariant: nothing is
//! ever approved by silence; no grant without every quorum on that exact revision; never more
//! than the applicant asked or the owner allowed. This room knows no store, no clock, no policy.
//!
//! - [`terms`]: what is asked for; its hash is the revision that votes are bound to.
//! - [`event`], [`application`], [`progress`]: what happened, the state that it adds up to, and
//!   the clocks that run.
//! - [`command`], [`handle()`]: what somebody wants to do, and what comes of it. `rules` is the
//!   table of who may do what from where, [`duties`] keeps people apart, [`content`], [`narrowing`]
//!   and [`toxic`] look at terms.
//! - [`workflow`], [`calendar`]: the rules as they are authored, and working days.
//! - [`facts`]: what the handler must know beside the application.
//! - [`matrix()`]: who may do what from where, as a text to read.

pub mod application;
pub mod calendar;
pub mod command;
pub mod content;
pub mod duties;
pub mod event;
pub mod facts;
mod handle;
mod matrix;
pub mod narrowing;
pub mod progress;
mod rules;
pub mod terms;
pub mod toxic;
pub mod workflow;

pub use application::{Application, State};
pub use command::{Command, Kind};
pub use duties::may_lend;
pub use event::{Actor, Event, What};
pub use facts::{By, Facts};
pub use handle::{draft, handle, permitted};
pub use matrix::matrix;
pub use progress::{Awaited, Timer};
pub use terms::Terms;
pub use workflow::Workflow;

#[cfg(test)]
mod tests;
