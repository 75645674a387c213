//! A running gateway's log as the verifier reads it: over HTTP, with an auditor's certificate.
//!
//! Each page of records that is read leaves a record of its own in the log. So the checkpoint is
//! asked for first and once, and what the log grows by meanwhile is left alone.
//!
//! Invariant: nothing that the gateway says is believed here; the verifier holds it against the
//! signature. What is not the whole log (one department's records, a search index that is behind)
//! is an error and never passes for records that are missing.

use std::collections::VecDeque;

use serde::Deserialize;

use crate::audit::Tile;
use crate::audit::verify::{Place, Stored, StoredOpening};
use crate::base::{Code, Lang};
use crate::cli::https::{Answer, Https, HttpsError};
use crate::config::adapter::ClientTls;

/// The most records that the gateway gives at a time.
const PAGE: u64 = 1000;
/// The longest page that is read. Records of the greatest length fill it sooner than a thousand;
/// then fewer are asked for.
const MAX_PAGE: usize = 32 << 20;
/// The longest checkpoint or tile.
const MAX_SMALL: usize = 64 << 10;
/// How often in vain the search index may be asked for records; the gateway waits a second itself.
const PATIENCE: u32 = 30;

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No answer.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// The certificate is known, but may not read the whole log.
    #[error("the certificate in --cert is not an auditor's: only an auditor may read the whole log")]
    NotAnAuditor,
    /// Another answer than was asked for.
    #[error("the gateway answered {status}{what} to GET {path}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem, where it is one of ours.
        what: String,
        /// What was asked for.
        path: String,
    },
    /// Not what a gateway answers.
    #[error("what answers is no gateway: {0} cannot be read")]
    Malformed(&'static str),
    /// The search index does not catch up.
    #[error("the gateway's search index is {0} records behind its log: try again later")]
    Behind(u64),
}

/// The log.
pub struct Remote {
    https: Https,
    /// Records that were read and not yet asked for.
    read: VecDeque<Line>,
    /// All below this index have been read.
    covered: u64,
    /// Records to ask for at a time.
    limit: u64,
}

/// A page of records; see `app::view::RecordPage`.
#[derive(Deserialize)]
struct Page {
    records: Vec<Line>,
    next: Option<u64>,
    index_lag: u64,
    department: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    index: u64,
    leaf: String,
}

impl Remote {
    /// Connects when first asked.
    ///
    /// # Errors
    /// When the address or a file cannot be used.
    pub fn new(url: &str, tls: &ClientTls) -> Result<Self, RemoteError> {
        let https = Https::new(url, tls)?;
        Ok(Self { https, read: VecDeque::new(), covered: 0, limit: PAGE })
    }

    /// An answer with status 200; `None` where there is nothing.
    fn get(&mut self, path: &str, max: usize) -> Result<Option<Vec<u8>>, RemoteError> {
        let Answer { status, body, .. } = self.https.get(path, max)?;
        match status {
            200 => Ok(Some(body)),
            404 => Ok(None),
            _ => Err(refused(status, path, &body)),
        }
    }

    /// The newest checkpoint that so many witnesses have cosigned, if there is one.
    pub fn cosigned(&mut self, count: usize) -> Result<Option<String>, RemoteError> {
        let body = self.get(&format!("/v1/audit/checkpoint?cosigned={count}"), MAX_SMALL)?;
        let text = body.map(String::from_utf8).transpose();
        text.map_err(|_| RemoteError::Malformed("its cosigned checkpoint"))
    }

    /// Reads the next page.
    fn page(&mut self) -> Result<Page, RemoteError> {
        loop {
            let after = self.covered.checked_sub(1).map(|last| format!("&after={last}")).unwrap_or_default();
            let path = format!("/v1/audit/records?limit={}{after}", self.limit);
            let body = match self.get(&path, MAX_PAGE) {
                Err(RemoteError::Https(HttpsError::TooLarge)) if self.limit > 1 => {
                    self.limit /= 2;
                    continue;
                }
                Err(RemoteError::Refused { status: 403, .. }) => return Err(RemoteError::NotAnAuditor),
                body => body?.unwrap_or_default(),
            };
            let page: Page =
                serde_json::from_slice(&body).map_err(|_| RemoteError::Malformed("its page of records"))?;
            return match page.department {
                None => Ok(page),
                Some(_) => Err(RemoteError::NotAnAuditor),
            };
        }
    }

    /// Reads on until all records below `to` have been read, or are not there.
    fn cover(&mut self, to: u64) -> Result<(), RemoteError> {
        let mut in_vain = 0;
        while self.covered < to {
            let page = self.page()?;
            let last = page.records.last().map(|line| line.index).max(page.next);
            let before = self.covered;
            self.covered = match last {
                // There is more, or the index has yet to tell: what is not there now may be later.
                Some(last) if page.next.is_some() || page.index_lag > 0 => last.saturating_add(1),
                None if page.index_lag > 0 => before,
                _ => u64::MAX,
            };
            in_vain = if self.covered > before { 0 } else { in_vain + 1 };
            match page.index_lag {
                0 if in_vain > 0 => return Err(RemoteError::Malformed("its page of records")),
                lag if in_vain > PATIENCE => return Err(RemoteError::Behind(lag)),
                _ => {}
            }
            self.read.extend(page.records);
        }
        Ok(())
    }
}

/// An answer that was not hoped for. Its text is the gateway's own and not repeated.
fn refused(status: u16, path: &str, body: &[u8]) -> RemoteError {
    #[derive(Deserialize)]
    struct Problem {
        code: String,
    }
    let problem = serde_json::from_slice::<Problem>(body).ok();
    let code = problem.and_then(|problem| Code::ALL.iter().find(|code| code.as_str() == problem.code));
    let what = code.map(|code| format!(" ({}: {})", code.as_str(), code.detail(Lang::En)));
    RemoteError::Refused { status, what: what.unwrap_or_default(), path: path.into() }
}

impl Stored for Remote {
    type Error = RemoteError;

    fn head(&mut self) -> Result<Option<(u64, String)>, RemoteError> {
        const MALFORMED: RemoteError = RemoteError::Malformed("its checkpoint");
        let body = self.get("/v1/audit/checkpoint", MAX_SMALL)?.unwrap_or_default();
        let note = String::from_utf8(body).map_err(|_| MALFORMED)?;
        let size = note.lines().nth(1).and_then(|size| size.parse().ok()).ok_or(MALFORMED)?;
        Ok(Some((size, note)))
    }

    fn checkpoints(&mut self) -> Result<Option<Vec<(u64, String)>>, RemoteError> {
        Ok(None)
    }

    /// Goes forward only: what was given once is forgotten.
    fn records(&mut self, from: u64, to: u64) -> Result<Vec<(u64, Vec<u8>)>, RemoteError> {
        self.cover(to)?;
        let mut found = Vec::new();
        while self.read.front().is_some_and(|line| line.index < to) {
            found.extend(self.read.pop_front().map(|line| (line.index, line.leaf.into_bytes())));
        }
        found.retain(|(index, _)| *index >= from);
        Ok(found)
    }

    fn openings(&mut self, _: u64, _: u64) -> Result<Option<Vec<StoredOpening>>, RemoteError> {
        Ok(None)
    }

    fn tile(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, RemoteError> {
        self.get(&format!("/v1/audit/{tile}"), MAX_SMALL)
    }

    fn strays(&mut self, _: u64) -> Result<Vec<Place>, RemoteError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
