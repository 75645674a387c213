//! `[tls]`: the certificates that the listener shows and trusts.
//!
//! Invariant: file names only; the files are read by the web room, again whenever they change.

use std::path::PathBuf;

use serde::Deserialize;

/// `[tls]`. All files are PEM; a revocation list may be DER as well.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// The gateway's certificate, followed by the intermediates up to its CA.
    pub certificate: PathBuf,
    /// The private key of the certificate (PKCS#8, PKCS#1 or SEC1). Readable by the gateway only.
    pub key: PathBuf,
    /// The CA certificates that clients' certificates must lead to.
    pub client_ca: PathBuf,
    /// The revocation lists, one for each CA that issues clients' certificates. With a list
    /// here, a certificate that no current list speaks for is refused. Default: none.
    #[serde(default)]
    pub client_crls: Vec<PathBuf>,
}

impl TlsSection {
    /// All files named, in a fixed order: what to watch.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.certificate, &self.key, &self.client_ca].into_iter().chain(&self.client_crls)
    }
}
