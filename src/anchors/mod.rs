//! Who outside vouches for the log: witnesses that cosign its checkpoints (C2SP tlog-witness),
//! authorities that stamp them with the time (RFC 3161).
//!
//! | file | job |
//! |---|---|
//! | `witness` | offers a checkpoint to a witness, checks what comes back |
//! | `authority` | has a checkpoint stamped, checks what comes back |
//! | `post` | one request over the network |
//!
//! Invariant: what others answer is foreign bytes until their signature was checked; an answer has
//! a bound and a time; nothing but checkpoints and proofs, which are hashes, leaves by this way.

mod authority;
mod post;
mod witness;

pub use authority::{Authority, AuthorityError};
pub use post::{Post, PostError};
pub use witness::{Answer, Witness, WitnessError};
