//! The audit log as mathematics: records, tree, proofs, checkpoints, verification.
//!
//! Invariant: everything here is a function of bytes. No I/O, no clock, no async; and the log
//! does not know what it records, so nothing of ours but `base` is imported. Where a published
//! format exists it is used as it stands:
//!
//! | what | as in |
//! |---|---|
//! | tree, inclusion and consistency proofs | RFC 6962 section 2.1, RFC 9162 section 2.1 |
//! | tiles | C2SP tlog-tiles |
//! | checkpoints | C2SP tlog-checkpoint |
//! | signatures, keys as text | C2SP signed-note, Ed25519 |
//! | what witnesses sign, and are asked | C2SP tlog-cosignature, tlog-witness |
//! | timestamps over checkpoints | RFC 3161, RFC 5652, RFC 5816 |
//!
//! A record travels so: [`Draft`] (what happened) → leaf bytes ([`record`]) → leaf hash
//! ([`tree`]) → root under a [`Checkpoint`] → [`SignedRecord`], which anyone can check with the
//! public key alone.

pub mod checkpoint;
pub mod commit;
pub mod cosignature;
mod der;
pub mod export;
pub mod facets;
pub mod note;
pub mod offer;
pub mod proof;
pub mod record;
pub mod signed_record;
pub mod stamp;
pub mod tile;
pub mod tree;
pub mod verify;

pub use checkpoint::Checkpoint;
pub use commit::{SubjectKey, Token};
pub use cosignature::{WitnessKey, WitnessSigningKey};
pub use note::{SigningKey, VerifyingKey};
pub use offer::Offer;
pub use record::{Draft, Object};
pub use signed_record::{Receipt, SignedRecord};
pub use tile::Tile;
pub use tree::{Hash, Tree};
