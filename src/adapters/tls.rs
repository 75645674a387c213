//! The gateway's side of mutual TLS with providers.
//!
//! Invariant: the provider's certificate must come from the CA that its entry names; there is no
//! other trust, and no way to switch the check off.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::base::Finding;
use crate::config::adapter::ClientTls;
use crate::config::read_private;

/// Reads the files that `tls` names.
///
/// # Errors
/// The file that cannot be used, and why.
pub fn client(tls: &ClientTls) -> Result<Arc<ClientConfig>, Finding> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.ca)? {
        roots.add(certificate).map_err(|error| fault(&tls.ca, &error))?;
    }
    let key = PrivateKeyDer::from_pem_slice(read_private(&tls.key)?.as_bytes())
        .map_err(|error| fault(&tls.key, &error))?;
    // The provider is named: two in one process would make rustls panic when asked for a default.
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| fault(&tls.certificate, &error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&tls.certificate)?, key)
        .map_err(|error| fault(&tls.certificate, &error))?;
    // A resumed session would not show its certificate again; connections are pooled anyway.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Finding> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| fault(file, &error))?;
    match certificates.is_empty() {
        true => Err(fault(file, &"holds no certificate")),
        false => Ok(certificates),
    }
}

fn fault(file: &Path, what: &dyn std::fmt::Display) -> Finding {
    Finding::error(
        "adapter-tls",
        &file.display().to_string(),
        0,
        what.to_string(),
        "name a readable PEM file: the CA, the certificate chain or its private key",
    )
}
