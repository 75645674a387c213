//! What every room stands on: codes and errors, time, identifiers, secrets.
//!
//! Invariant: nothing in here imports another room, and nothing in here does I/O except
//! [`clock::SystemClock`], the only place that reads the time.

pub mod clock;
pub mod code;
pub mod error;
pub mod finding;
pub mod ids;
mod in_hand;
pub mod json;
pub mod lang;
pub mod locate;
pub mod secret;
pub mod sources;
pub mod unseen;

pub use clock::{Clock, ManualClock, Moment, SystemClock, Timestamp};
pub use code::Code;
pub use error::{Bound, Error, FieldRefusal, Invalid, Result};
pub use finding::{Finding, Findings, Severity};
pub use in_hand::InHand;
pub use lang::{Lang, Text};
pub use secret::{Secret, Value};
pub use sources::Sources;
