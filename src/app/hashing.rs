//! Password hashing, bounded.
//!
//! Invariant: so many passwords are hashed at one time and no more, since each takes 19 MiB and a
//! processor; and devices that are known have a place of their own, so that a flood of strangers
//! does not keep them waiting.

use ring::rand::{SecureRandom, SystemRandom};

use super::desk::Desk;
use crate::base::{Code, Result, Secret};
use crate::identity::password::{self, Pepper};

/// Passwords of strangers that are hashed at one time, and of those who are known.
const STRANGERS: usize = 2;
const KNOWN: usize = 1;

/// The places at which passwords are hashed.
pub struct Hashing {
    strangers: Desk,
    known: Desk,
    /// What nobody's password was kept as: for accounts that are not there, so that they take the
    /// same time.
    nobody: Secret<String>,
    pepper: Pepper,
}

impl Hashing {
    /// The places; none when the machine gives no randomness.
    pub fn new(pepper: Pepper, rng: &dyn SecureRandom) -> Option<Self> {
        let nobody = password::of_none(rng)?;
        Some(Self { strangers: Desk::new(STRANGERS), known: Desk::new(KNOWN), nobody, pepper })
    }

    /// Is it the password that was kept? Takes the same time when none was.
    ///
    /// # Errors
    /// `overloaded` when no place becomes free.
    pub async fn verify(
        &self,
        password: Secret<String>,
        kept: Option<Secret<String>>,
        known: bool,
    ) -> Result<bool> {
        let (against, exists) = (kept.clone().unwrap_or_else(|| self.nobody.clone()), kept.is_some());
        let pepper = self.pepper.clone();
        let verify = move || password::verify(password.reveal(), &against, &pepper) && exists;
        let desk = if known { &self.known } else { &self.strangers };
        desk.run(verify).await
    }

    /// What is to be kept of a password.
    ///
    /// # Errors
    /// `overloaded`; `not-ready` when the machine gives no randomness.
    pub async fn keep(&self, password: Secret<String>) -> Result<Secret<String>> {
        let (pepper, rng) = (self.pepper.clone(), SystemRandom::new());
        let kept = self.known.run(move || password::keep(password.reveal(), &pepper, &rng)).await?;
        kept.ok_or_else(|| Code::NotReady.into())
    }
}
