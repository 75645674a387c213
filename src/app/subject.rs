//! A person named in a request about the log itself: by an identifier, in a case.
//!
//! Invariant: an error names the member and its fault, never what stands in it; and an identifier
//! that was read cannot be printed.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::Date;

use crate::base::{Code, Error, Result, Secret};
use crate::catalogue::{IdentifierKind, reference};

/// A person whose history is asked for.
pub struct AboutPerson {
    /// The standard of the identifier.
    pub kind: IdentifierKind,
    /// The identifier, as its standard writes it.
    pub identifier: Secret<String>,
    /// The case in which it is asked.
    pub case: String,
    /// Only records with an index above this one.
    pub after: Option<u64>,
    /// The most records on the page.
    pub limit: Option<usize>,
}

/// The same as it comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    identifier: IdentifierKind,
    value: String,
    case: String,
    after: Option<u64>,
    limit: Option<usize>,
}

impl AboutPerson {
    /// Reads a body.
    ///
    /// # Errors
    /// The faults of the body; `invalid-request`.
    pub fn parse(body: &[u8], today: Date) -> Result<Self> {
        let Asked { identifier: kind, value, case, after, limit } = read(body)?;
        let identifier = named(kind, &value, &case, today)?;
        Ok(Self { kind, identifier, case, after, limit })
    }
}

/// Reads a body into a type that denies unknown members.
///
/// # Errors
/// The faults of the body; `invalid-request`.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let document = crate::base::json::parse(body, 4).map_err(|f| Error::at(f.code, f.pointer, f.code))?;
    T::deserialize(document).map_err(|_| Error::at(Code::InvalidRequest, "", Code::NotAllowedValue))
}

/// Checks the members `value` and `case`; gives the identifier as its standard writes it.
///
/// # Errors
/// `invalid-request`.
pub(super) fn named(kind: IdentifierKind, value: &str, case: &str, today: Date) -> Result<Secret<String>> {
    reference::check(case, today).map_err(|code| Error::at(Code::InvalidRequest, "/case", code))?;
    let identifier =
        kind.parse(value, today).map_err(|code| Error::at(Code::InvalidRequest, "/value", code))?;
    Ok(Secret::new(identifier))
}
