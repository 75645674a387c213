//! The certificates, keys and revocation lists of one moment, read from files and checked whole.
//!
//! Invariant: a [`Material`] that exists can serve: the key belongs to the certificate, every
//! file parsed, and each revocation list whose issuer is one of the client CAs was signed by it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::base::{Finding, Timestamp};
use crate::config::{TlsSection, read_private};

/// What the listener shows and trusts, immutable.
#[derive(Debug)]
pub(super) struct Material {
    /// Different for each loading in one process.
    pub generation: u64,
    /// The gateway's certificate and key.
    pub server: Arc<CertifiedKey>,
    /// Verifies clients' chains: CA, dates, purpose, revocation with fresh lists.
    pub clients: Arc<dyn ClientCertVerifier>,
    /// When the gateway's certificate ends.
    pub server_ends: Timestamp,
    /// When the first of the client CAs ends.
    pub clients_end: Timestamp,
    /// The revocation lists, as far as their dates go.
    pub lists: Vec<ListDates>,
}

/// The dates of a revocation list (RFC 5280 section 5.1.2).
#[derive(Debug, Clone, Copy)]
pub(super) struct ListDates {
    /// thisUpdate.
    pub issued: Timestamp,
    /// nextUpdate: from then on the list is stale and nobody is let in on its word.
    pub ends: Timestamp,
}

impl Material {
    /// Reads and checks all files of `config`, for the time `generation`.
    ///
    /// # Errors
    /// The first file that cannot be used, why, and what to do.
    pub fn load(
        config: &TlsSection,
        provider: &Arc<CryptoProvider>,
        generation: u64,
    ) -> Result<Self, Finding> {
        let chain = certificates(&config.certificate)?;
        let server_ends = end_of(&config.certificate, &chain)?;
        let key = PrivateKeyDer::from_pem_slice(read_private(&config.key)?.as_bytes()).map_err(|e| {
            fault("tls-key", &config.key, e, "give a private key as PEM: PKCS#8, PKCS#1 or SEC1")
        })?;
        let server = CertifiedKey::from_der(chain, key, provider).map_err(|e| {
            fault(
                "tls-key",
                &config.key,
                e,
                "give the key that belongs to [tls] certificate: RSA, P-256, P-384 or Ed25519",
            )
        })?;

        let authorities = certificates(&config.client_ca)?;
        let ends =
            authorities.iter().map(|authority| end_of(&config.client_ca, std::slice::from_ref(authority)));
        let clients_end = ends.collect::<Result<Vec<_>, _>>()?.into_iter().min().unwrap_or(server_ends);
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            roots.add(authority.clone()).map_err(|e| {
                fault("tls-client-ca", &config.client_ca, e, "give the CA's certificates as PEM")
            })?;
        }
        let mut clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .allow_unauthenticated()
            .enforce_revocation_expiration();
        let mut lists = Vec::new();
        for file in &config.client_crls {
            for list in revocation_lists(file)? {
                lists.push(check_list(file, &list, &authorities)?);
                clients = clients.with_crls([list]);
            }
        }
        let clients = clients.build().map_err(|e| {
            fault("tls-client-ca", &config.client_ca, e, "check the client CA and its revocation lists")
        })?;
        Ok(Self { generation, server: Arc::new(server), clients, server_ends, clients_end, lists })
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Finding> {
    fs::read(file)
        .map_err(|e| fault("tls-unreadable", file, e, "name an existing file that the gateway may read"))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Finding> {
    let chain = CertificateDer::pem_slice_iter(&read(file)?).collect::<Result<Vec<_>, _>>();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(fault("tls-certificate", file, "holds no certificate", "give certificates as PEM")),
        Err(e) => Err(fault("tls-certificate", file, e, "give certificates as PEM")),
    }
}

/// When the first certificate of the chain ends.
fn end_of(file: &Path, chain: &[CertificateDer<'_>]) -> Result<Timestamp, Finding> {
    let (_, leaf) = chain
        .first()
        .ok_or_else(|| fault("tls-certificate", file, "holds no certificate", "give certificates as PEM"))
        .and_then(|der| {
            X509Certificate::from_der(der)
                .map_err(|e| fault("tls-certificate", file, e, "give an X.509 certificate"))
        })?;
    Ok(moment(leaf.validity().not_after.timestamp()))
}

fn revocation_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Finding> {
    const FIX: &str = "give the CA's certificate revocation list, as PEM or DER";
    let bytes = read(file)?;
    // DER begins with the tag of a SEQUENCE; PEM with text.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes.into()]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| fault("tls-crl", file, e, FIX))?;
    if lists.is_empty() {
        return Err(fault("tls-crl", file, "holds no revocation list", FIX));
    }
    Ok(lists)
}

/// The dates of a list, once its signature was found good.
///
/// The verifier checks signatures again with each client; finding a forged or damaged list here
/// means that the good one before it stays in force. A list of an intermediate CA, whose
/// certificate only its clients send, is left to the verifier.
fn check_list(file: &Path, list: &[u8], authorities: &[CertificateDer<'_>]) -> Result<ListDates, Finding> {
    let (_, parsed) = CertificateRevocationList::from_der(list)
        .map_err(|e| fault("tls-crl", file, e, "publish the revocation list again"))?;
    let ends = parsed.next_update().ok_or_else(|| {
        fault(
            "tls-crl",
            file,
            "has no nextUpdate",
            "publish a revocation list that says until when it holds (RFC 5280)",
        )
    })?;
    let issuers: Vec<X509Certificate<'_>> = authorities
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok())
        .map(|(_, ca)| ca)
        .filter(|ca| ca.subject().as_raw() == parsed.issuer().as_raw())
        .collect();
    if !issuers.is_empty() && !issuers.iter().any(|ca| parsed.verify_signature(ca.public_key()).is_ok()) {
        return Err(fault(
            "tls-crl",
            file,
            "is not signed by the CA it names",
            "publish the revocation list again",
        ));
    }
    Ok(ListDates { issued: moment(parsed.last_update().timestamp()), ends: moment(ends.timestamp()) })
}

/// A timestamp from seconds since the Unix epoch.
pub(super) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_micros(0).plus_seconds(seconds)
}

fn fault(code: &'static str, file: &Path, what: impl ToString, fix: &str) -> Finding {
    Finding::error(code, &file.display().to_string(), 0, what.to_string(), fix)
}
