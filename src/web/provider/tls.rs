//! Mutual TLS at the department: the gateway shows its certificate, or there is no connection.
//!
//! Invariant: a client certificate is required, from the one CA that is configured; nothing
//! resumes, so each connection shows it anew.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use crate::base::Finding;
use crate::config::adapter::ProcessConfig;
use crate::config::read_private;

/// Reads the files that the configuration names.
///
/// # Errors
/// The file that cannot be used, and why.
pub fn server(config: &ProcessConfig) -> Result<ServerConfig, Finding> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&config.client_ca)? {
        roots.add(certificate).map_err(|error| unusable(&config.client_ca, &error))?;
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| unusable(&config.client_ca, &error))?;
    let key = PrivateKeyDer::from_pem_slice(read_private(&config.key)?.as_bytes())
        .map_err(|error| unusable(&config.key, &error))?;
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| unusable(&config.certificate, &error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates(&config.certificate)?, key)
        .map_err(|error| unusable(&config.certificate, &error))?;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(server)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Finding> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(file, &error))?;
    match certificates.is_empty() {
        true => Err(unusable(file, &"holds no certificate")),
        false => Ok(certificates),
    }
}

fn unusable(file: &Path, what: &dyn Display) -> Finding {
    fault("adapter-tls", &file.display(), what)
}

/// What is wrong with `place`.
pub fn fault(code: &'static str, place: &dyn Display, what: &dyn Display) -> Finding {
    let fix = "name readable PEM files, and an address that is free";
    Finding::error(code, &place.to_string(), 0, what.to_string(), fix)
}
