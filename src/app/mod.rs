//! The use cases: each a short story told with the domain's and the edges' words.
//!
//! Invariant: every story ends in a record of the log before it answers, whatever its end; and
//! no story knows of HTTP. Entrances (web, jobs, the command line) call these and nothing below.

mod admission;
pub mod anchor;
pub mod anchors;
pub mod apply;
pub mod call;
mod confirm;
pub mod datasets;
pub mod erase;
pub mod explain;
pub mod gateway;
pub mod history;
pub mod keys;
pub mod query;
pub mod readiness;
mod record;
mod recorded;
pub mod records;
mod refusals;
pub mod subject;
pub mod trail;
pub mod view;
pub mod witness;
pub mod world;

pub use crate::adapters::{Adapters, WorkerAdapters};
pub use call::{Call, Caller, PersonCaller, SystemCaller};
pub use gateway::Gateway;
