//! How letters leave: by mail ([`Mail`]) and by webhook ([`Webhooks`]).
//!
//! Invariant: a letter leaves encrypted, to a server whose certificate comes from the CA that the
//! configuration names, at an address that it allows, and within a bounded time. Of what a server
//! answers only its status is kept: its words may hold the address of a person. This room does not
//! know what a letter is about, and keeps nothing.

mod mail;
pub mod signature;
mod webhook;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

pub use mail::{Mail, Mailing};
pub use webhook::{Post, Webhooks};

use crate::base::Finding;

/// Why a letter did not arrive, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub why: Why,
    /// The status that the server answered with, if it did.
    pub status: Option<u16>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The server could not be reached, or spoke otherwise than it should.
    Unreachable,
    /// It took too long. The letter may have arrived all the same.
    TooSlow,
    /// The server let nobody in: the account or its password is wrong.
    NotLetIn,
    /// The server did not take it now.
    NotNow,
    /// The server will not take this letter, however often it comes.
    NotThis,
}

impl Failure {
    fn of(why: Why) -> Self {
        Self { why, status: None }
    }

    /// Is it of any use to try again?
    pub fn is_final(self) -> bool {
        self.why == Why::NotThis
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.why {
            Why::Unreachable => "unreachable",
            Why::TooSlow => "too slow",
            Why::NotLetIn => "not let in",
            Why::NotNow => "not taken now",
            Why::NotThis => "not taken",
        })?;
        self.status.map_or(Ok(()), |status| write!(f, ", status {status}"))
    }
}

/// TLS towards servers whose certificates come from the CA in that file. There is no other trust.
pub(crate) fn tls(ca: &Path) -> Result<Arc<ClientConfig>, Finding> {
    let wrong = |what: &dyn fmt::Display| fault(ca, what.to_string(), "name a readable PEM file with the CA");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|error| wrong(&error))? {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(wrong(&"holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| wrong(&error))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn fault(file: &Path, what: impl Into<String>, fix: &str) -> Finding {
    Finding::error("courier", &file.display().to_string(), 0, what, fix)
}
