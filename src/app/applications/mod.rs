//! Applications (共享申请): drafting, commanding, reading; the grants they come to; their clocks.
//!
//! Invariant: every change goes through the approval room's one handler, is recorded by the log
//! before it is answered, and is in force on the next request; whoever may not see an application
//! is told that there is none.

mod body;
mod can;
mod commands;
mod describe;
mod facts;
mod foresee;
mod found;
mod grants;
mod reading;
mod standing;
#[cfg(test)]
mod tests;
mod timers;
pub mod view;
mod waiting;

pub use commands::{Asked, Given, command, draft};
pub(super) use commands::{answer_key, answered, current};
pub use foresee::foresee;
pub use grants::{Page as GrantsPage, command as command_grant, get as get_grant, list as list_grants};
pub use reading::{Search, WaitingFor, events, get, list, version};
pub use waiting::{Waiting, WaitingLine, number_waiting, waiting};

use super::call::{Call, PersonCaller};
use super::gateway::Gateway;
use super::trail::Trail;
use crate::base::ids::ApplicationId;
use crate::base::{Code, Error, Result};
use crate::store::state::StateError;

/// The kind of record that tells of a command.
const RECORD: &str = "application-command";

/// The id, if it is one that an application can have: `A-2026-000001`, or that of a grant of the
/// files. Any other text is the caller's own, and is kept nowhere.
fn application_id(text: &str) -> Result<ApplicationId> {
    let mut parts = text.split('-');
    let digits = |part: Option<&str>, least: usize, most: usize| {
        part.is_some_and(|p| (least..=most).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
    };
    let formed = matches!(parts.next(), Some("A" | "G"))
        && digits(parts.next(), 4, 4)
        && digits(parts.next(), 4, 6)
        && parts.next().is_none();
    ApplicationId::parse(text).filter(|_| formed).ok_or_else(|| Code::NotFound.into())
}

/// Ends a story that failed: recorded, and then told.
async fn fail<T>(gateway: &Gateway, call: &Call<PersonCaller>, trail: Trail, error: Error) -> Result<T> {
    Err(gateway.record_failure(&call.caller, trail, error).await)
}

/// Runs what reads or writes the state database on a thread where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    // Boxed: else each work makes a task of a type of its own.
    let work: Box<dyn FnOnce() -> Result<T> + Send> = Box::new(work);
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(Error::new(Code::Internal).because(e)))
}

/// What a fault of the state database comes to.
pub(super) fn state(error: StateError) -> Error {
    Error::new(Code::NotReady).because(error)
}
