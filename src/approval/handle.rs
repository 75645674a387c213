//! The one command handler.

use super::application::Application;
use super::command::Command;
use super::event::Event;
use super::facts::{By, Facts};
use super::terms::Terms;
use crate::base::ids::ApplicationId;
use crate::base::{Code, Error, Result};

/// What a command comes to: the events that it adds, in order.
///
/// # Errors
/// `invalid-request` with pointers into the command; `forbidden`; `wrong-state` (409);
/// `not-separate` when the person may not for having had another part in it.
pub fn handle(
    _application: &Application,
    _command: &Command,
    _by: &By<'_>,
    _facts: &Facts<'_>,
) -> Result<Vec<Event>> {
    Err(Error::new(Code::Forbidden))
}

/// A new application.
///
/// # Errors
/// As for [`handle`].
pub fn draft(
    _terms: Terms,
    _renews: Option<ApplicationId>,
    _by: &By<'_>,
    _facts: &Facts<'_>,
) -> Result<Event> {
    Err(Error::new(Code::Forbidden))
}
