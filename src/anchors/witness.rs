//! A witness, from the log's side: C2SP tlog-witness.
//!
//! Invariant: an [`Answer::Cosigned`] holds for the checkpoint that was offered, under the key that
//! the configuration names, with a time that is near this machine's.

use super::post::{Post, PostError};
use crate::audit::note::NoteError;
use crate::audit::{Offer, WitnessKey};
use crate::base::{Finding, Timestamp};
use crate::config::WitnessEntry;

/// How far the clocks of two machines may be apart, in seconds.
const SKEW: u64 = 600;

/// A witness.
pub struct Witness {
    name: String,
    key: WitnessKey,
    post: Post,
}

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It cosigned: its line, and the time that the line says.
    Cosigned(String, Timestamp),
    /// Another size than the offer's `old` was the last that it cosigned: this one.
    Last(u64),
    /// The checkpoint is not a continuation of what it has seen (422).
    NotConsistent,
}

/// Why there is no such answer.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// None at all.
    #[error(transparent)]
    Post(#[from] PostError),
    /// It does not know this log (404).
    #[error("does not know this log: give its operator the log's public key")]
    UnknownLog,
    /// It knows the log under another key (403).
    #[error("knows the log under another key: give its operator the log's public key")]
    UnknownKey,
    /// Another status.
    #[error("answered with status {0}")]
    Status(u16),
    /// Not what the protocol says.
    #[error("answered outside the protocol")]
    Malformed,
    /// A cosignature that does not hold.
    #[error("answered with no cosignature of its key that holds: {0}")]
    Cosignature(NoteError),
    /// Its clock is wrong, or this machine's is.
    #[error("cosigned with a time that is too far from this machine's")]
    Time,
}

impl Witness {
    /// The witness of an entry of the configuration `file`.
    ///
    /// # Errors
    /// When its address or the file of its CA cannot be used.
    pub fn new(file: &str, entry: &WitnessEntry) -> Result<Self, Finding> {
        let what = format!("witness `{}`", entry.name);
        let post = Post::new(file, &what, &entry.url, "/add-checkpoint", Some(&entry.ca_file))?;
        Ok(Self { name: entry.name.clone(), key: entry.key.clone(), post })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its public key.
    pub fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Can it be reached? Nothing is offered.
    ///
    /// # Errors
    /// Why not.
    pub async fn reach(&self) -> Result<(), PostError> {
        self.post.reach().await
    }

    /// Offers a checkpoint.
    ///
    /// # Errors
    /// When the witness cannot be asked, or does not answer by the protocol.
    pub async fn offer(&self, offer: &Offer, now: Timestamp) -> Result<Answer, WitnessError> {
        let (status, body) = self.post.send("text/plain; charset=utf-8", offer.to_string().into()).await?;
        let body = String::from_utf8(body).map_err(|_| WitnessError::Malformed)?;
        match status {
            200 => {
                let (line, time) = self.key.pick(&offer.note, &body).map_err(WitnessError::Cosignature)?;
                match time.seconds().abs_diff(now.seconds()) <= SKEW {
                    true => Ok(Answer::Cosigned(line, time)),
                    false => Err(WitnessError::Time),
                }
            }
            409 => body.trim_end().parse().map(Answer::Last).map_err(|_| WitnessError::Malformed),
            422 => Ok(Answer::NotConsistent),
            404 => Err(WitnessError::UnknownLog),
            403 => Err(WitnessError::UnknownKey),
            other => Err(WitnessError::Status(other)),
        }
    }
}
