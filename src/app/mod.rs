//! The use cases: each a short story told with the domain's and the edges' words.
//!
//! Invariant: every story ends in a record of the log before it answers, whatever its end; and
//! no story knows of HTTP. Entrances (web, jobs, the command line) call these and nothing below.

pub mod acts;
mod admission;
pub mod anchor;
pub mod anchors;
pub mod applications;
pub mod apply;
mod attempts;
pub mod call;
pub mod changes;
mod charge;
mod confirm;
pub mod consents;
pub mod console;
pub mod coordination;
pub mod datasets;
mod deeds;
pub mod delegations;
mod desk;
pub mod emergency;
pub mod erase;
pub mod explain;
pub mod export;
pub mod gateway;
mod hashing;
pub mod history;
pub mod keys;
pub mod lease;
pub mod notices;
pub mod operations;
pub mod overview;
pub mod people;
pub mod proposal;
pub mod query;
pub mod readiness;
mod recheck;
mod record;
mod recorded;
pub mod records;
mod refusals;
pub mod rehearse;
pub mod sealing;
pub mod search;
pub mod searches;
pub mod session;
mod standing;
pub mod subject;
pub mod suspensions;
pub mod trail;
pub mod versions;
pub mod view;
pub mod witness;
pub mod world;

pub use crate::adapters::{Adapters, WorkerAdapters};
pub use crate::store::state::Watch;
pub use attempts::Source;
pub use call::{Call, Caller, PersonCaller, SystemCaller};
pub use gateway::Gateway;
