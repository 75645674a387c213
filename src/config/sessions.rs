//! How long people stay signed in.

use std::num::{NonZeroU32, NonZeroUsize};

use serde::Deserialize;

/// `[sessions]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionsSection {
    /// Minutes without use after which a session ends.
    pub idle_minutes: NonZeroU32,
    /// Hours after which it ends in any case.
    pub hours: NonZeroU32,
    /// Sessions of one account at one time; one more ends the oldest.
    pub per_account: NonZeroUsize,
}

impl Default for SessionsSection {
    fn default() -> Self {
        let number = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let per_account = NonZeroUsize::new(5).unwrap_or(NonZeroUsize::MIN);
        Self { idle_minutes: number(15), hours: number(8), per_account }
    }
}
