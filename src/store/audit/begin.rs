//! How a writer begins: with a log that was checked, and what the log says of itself first.
//!
//! Invariant: what the check found is what the first records are written onto. Where another
//! gateway wrote in between, the log is checked anew.

use std::path::Path;
use std::sync::Arc;

use super::engine::{self, Home};
use super::progress::Shared;
use super::start::{self, OpenError};
use super::writer::{CommitError, Writer};
use crate::audit::SigningKey;
use crate::base::Clock;

/// How often a start begins anew when another gateway, starting too, was faster.
const STARTS: usize = 5;

/// What the writer begins with.
pub(super) struct Begin<'a> {
    pub home: &'a Home,
    pub copy: &'a Path,
    pub key: &'a Arc<SigningKey>,
    pub previous: Option<&'a SigningKey>,
    pub clock: &'a Arc<dyn Clock>,
    pub shared: &'a Arc<Shared>,
}

impl Begin<'_> {
    /// Checks the log, and writes what it has to say of itself first. Begins anew when another
    /// gateway wrote in between.
    pub(super) fn writer(&self) -> Result<Writer, OpenError> {
        let mut tries = STARTS;
        loop {
            tries -= 1;
            match self.once() {
                Err(Begun::Moved) if tries > 0 => {}
                Err(Begun::Moved) => return Err(OpenError::Write(CommitError::Moved.to_string())),
                Err(Begun::Refused(error)) => return Err(error),
                Ok(writer) => return Ok(writer),
            }
        }
    }

    fn once(&self) -> Result<Writer, Begun> {
        let mut found = start::check(self.home, self.copy, self.key, self.previous, self.clock.now())?;
        // Should a kill have come between an erasure and the emptying of the WAL.
        engine::settle(&mut found.db);
        let tree = &found.state.tree;
        self.shared.publish(tree.size(), tree.root(), found.note.into(), true);
        let mut writer = Writer {
            home: self.home.clone(),
            key: self.key.clone(),
            clock: self.clock.clone(),
            copy: Arc::new(found.copy),
            shared: self.shared.clone(),
            end: Some((found.db, found.state)),
        };
        let mut beside: Vec<_> = self.previous.into_iter().filter(|_| found.rotates).collect();
        for draft in found.own {
            writer.own(draft, &std::mem::take(&mut beside)).map_err(|why| match why {
                CommitError::Moved => Begun::Moved,
                why => Begun::Refused(OpenError::Write(why.to_string())),
            })?;
        }
        Ok(writer)
    }
}

/// Why a writer did not begin.
enum Begun {
    /// Another gateway has written since the check.
    Moved,
    Refused(OpenError),
}

impl From<OpenError> for Begun {
    fn from(error: OpenError) -> Self {
        Self::Refused(error)
    }
}
