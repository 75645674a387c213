//! The key of a certificate in a file: what a system is registered by.

use std::io;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::base::ids::Fingerprint;

/// The fingerprint of the first certificate in the PEM file at `path`.
///
/// # Errors
/// When the file cannot be read, or holds no certificate.
pub fn key_of_certificate(path: &Path) -> io::Result<Fingerprint> {
    let named = |e: &dyn std::fmt::Display| io::Error::other(format!("{}: {e}", path.display()));
    let der = CertificateDer::from_pem_file(path).map_err(|e| named(&e))?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|e| named(&e))?;
    Ok(Fingerprint::of_spki(certificate.public_key().raw))
}
