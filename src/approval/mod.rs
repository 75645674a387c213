//! Applications (共享申请) and what comes of them: who may do what to one, and when.
//!
//! Pure: an application is what its events say, and [`handle`] turns a command into events or a
//! refusal. Interface, pages, command line and timers all go through it. Invariant: nothing is
//! ever approved by silence; no grant without every quorum on that exact revision; never more
//! than the applicant asked or the owner allowed. This room knows no store, no clock, no policy.
//!
//! - [`terms`]: what is asked for; its hash is the revision that votes are bound to.
//! - [`event`], [`application`]: what happened, and the state that it adds up to.
//! - [`command`], [`handle()`]: what somebody wants to do, and what comes of it.
//! - [`facts`]: what the handler must know beside the application.

pub mod application;
pub mod command;
pub mod event;
pub mod facts;
mod handle;
pub mod terms;

pub use application::{Application, State};
pub use command::Command;
pub use event::{Actor, Event, What};
pub use facts::Facts;
pub use handle::{draft, handle};
pub use terms::Terms;
