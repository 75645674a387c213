//! A timestamp authority, from the log's side: RFC 3161 over HTTP (its section 3.4).
//!
//! Invariant: a token that is given out passed every check of [`crate::audit::stamp`].

use ring::rand::{SecureRandom, SystemRandom};

use super::post::{Post, PostError};
use crate::audit::stamp::{self, NONCE, Policy, Roots, StampError, Stamped};
use crate::base::{Finding, Timestamp};
use crate::config::TimestampSection;

/// How far the authority's clock may be from this machine's, in seconds.
const SKEW: u32 = 600;

/// A timestamp authority.
pub struct Authority {
    post: Post,
    roots: Roots,
    policy: Option<Policy>,
    rng: SystemRandom,
}

/// Why there is no timestamp.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// No answer.
    #[error(transparent)]
    Post(#[from] PostError),
    /// Another status than 200.
    #[error("answered with status {0}")]
    Status(u16),
    /// What it answered does not hold.
    #[error(transparent)]
    Stamp(#[from] StampError),
    /// The machine gives no randomness.
    #[error("the machine gives no randomness")]
    Random,
}

impl Authority {
    /// The authority of the configuration `file`.
    ///
    /// # Errors
    /// When its address or a file cannot be used.
    pub fn new(file: &str, section: &TimestampSection) -> Result<Self, Finding> {
        let post = Post::new(file, "[timestamp]", &section.url, "", section.tls_ca_file.as_deref())?;
        let roots = std::fs::read(&section.ca_file).ok().and_then(|pem| Roots::parse(&pem));
        let roots = roots.ok_or_else(|| {
            let name = section.ca_file.display().to_string();
            Finding::error("anchors", &name, 0, "holds no CA certificate", "give the authority's CA as PEM")
        })?;
        Ok(Self { post, roots, policy: section.policy.clone(), rng: SystemRandom::new() })
    }

    /// Can it be reached? Nothing is asked of it.
    ///
    /// # Errors
    /// Why not.
    pub async fn reach(&self) -> Result<(), PostError> {
        self.post.reach().await
    }

    /// Has the checkpoint in `note` stamped: the token, and what it says.
    ///
    /// # Errors
    /// When the authority cannot be asked, or what it answers does not hold.
    pub async fn stamp(&self, note: &str, now: Timestamp) -> Result<(Vec<u8>, Stamped), AuthorityError> {
        let mut nonce = [0; NONCE];
        self.rng.fill(&mut nonce).map_err(|_| AuthorityError::Random)?;
        let request = stamp::request(note, self.policy.as_ref(), &nonce);
        let (status, answer) = self.post.send("application/timestamp-query", request).await?;
        if status != 200 {
            return Err(AuthorityError::Status(status));
        }
        let asked = (note, self.policy.as_ref(), &nonce);
        Ok(stamp::accept(&answer, asked, &self.roots, (now, SKEW))?)
    }
}
