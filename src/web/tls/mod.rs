//! TLS of the one listener: who we are, whom we trust, and both exchangeable while serving.
//!
//! A client certificate is optional at the handshake, since people will come through the same
//! listener; one that is presented must verify. Invariant: a client whose certificate is not good
//! *now* (by the files as they are now) is not served, on a connection however old. To that end
//! nothing resumes (no tickets, no session storage), and [`peer::Peer`] verifies again whenever
//! the files changed or a date passed. This module must not know who a key belongs to.

mod key;
mod material;
pub mod peer;
mod seen;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use self::material::Material;
use self::peer::Peer;
use self::seen::Seen;
use self::watch::Watch;
use crate::base::ids::Fingerprint;
use crate::base::{Clock, Finding, Timestamp};
use crate::config::TlsSection;

pub use self::key::key_of_certificate;

/// The TLS side of the gateway. Cheap to share; swapped as a whole when files change.
pub struct Tls {
    config: TlsSection,
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
    material: ArcSwap<Material>,
    watch: Watch,
    /// Why the files as they are now are not in force, if it was said.
    complaint: Mutex<Option<Finding>>,
    seen: Seen,
}

/// What operators want to know about the certificates in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsStatus {
    /// When the gateway's own certificate ends.
    pub certificate_ends: Timestamp,
    /// When the first of the CAs ends whose clients are let in.
    pub client_ca_ends: Timestamp,
    /// When the oldest revocation list was issued; none without a list.
    pub crl_issued: Option<Timestamp>,
    /// When the first revocation list becomes stale; none without a list.
    pub crl_ends: Option<Timestamp>,
}

impl TlsStatus {
    /// Has a revocation list become stale by `now`? Then its clients are refused.
    pub fn crl_is_stale(&self, now: Timestamp) -> bool {
        self.crl_ends.is_some_and(|ends| ends <= now)
    }
}

impl Tls {
    /// Reads the files of `config`.
    ///
    /// # Errors
    /// The first file that cannot be used, why, and what to do.
    pub fn load(config: TlsSection, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Finding> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let watch = Watch::new(&config);
        let material = ArcSwap::from_pointee(Material::load(&config, &provider, 0)?);
        if config.client_crls.is_empty() {
            tracing::warn!("no revocation list is configured: a client is shut out by its registration only");
        }
        Ok(Arc::new(Self {
            config,
            provider,
            clock,
            material,
            watch,
            complaint: Mutex::default(),
            seen: Seen::default(),
        }))
    }

    /// Takes up changed files; to be called about once a second, on a thread that may block.
    ///
    /// Files that cannot be used change nothing: the reason is logged once, the material in
    /// force stays, and the next call tries them again.
    pub fn refresh(&self) {
        let Some(seen) = self.watch.changed(&self.config) else { return };
        let generation = self.material.load().generation + 1;
        match Material::load(&self.config, &self.provider, generation) {
            Ok(material) => {
                self.material.store(Arc::new(material));
                self.watch.taken_up(seen);
                self.is_news(None);
                tracing::info!("TLS certificates and revocation lists taken up");
            }
            Err(finding) => {
                if self.is_news(Some(&finding)) {
                    tracing::error!(tls.fault = %finding, "changed TLS files are not usable; those before stay in force");
                }
            }
        }
    }

    /// Is `complaint` another than at the time before?
    fn is_news(&self, complaint: Option<&Finding>) -> bool {
        let mut before = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let news = before.as_ref() != complaint;
        *before = complaint.cloned();
        news
    }

    /// The dates that matter to operators.
    pub fn status(&self) -> TlsStatus {
        let material = self.material.load();
        TlsStatus {
            certificate_ends: material.server_ends,
            client_ca_ends: material.clients_end,
            crl_issued: material.lists.iter().map(|list| list.issued).min(),
            crl_ends: material.lists.iter().map(|list| list.ends).min(),
        }
    }

    /// Notes when the certificate of a peer ends whose key is registered: once for a connection.
    pub fn note(&self, peer: &Peer) {
        if let Some((key, ends)) = peer.news() {
            self.seen.note(key, ends);
        }
    }

    /// Of each registered key that was used since the start, when the certificate ends that was shown
    /// last, or the first of those that vouch for it.
    pub fn seen(&self) -> Vec<(Fingerprint, Timestamp)> {
        self.seen.all()
    }

    /// The configuration of the listener: TLS 1.2 and 1.3, HTTP/1.1, nothing resumable.
    ///
    /// # Errors
    /// Never with the provider used here; the signature is rustls's.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let time = Arc::new(Time(Arc::clone(&self.clock)));
        let live = Arc::new(Live(Arc::clone(self)));
        let mut config = ServerConfig::builder_with_details(Arc::clone(&self.provider), time)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_client_cert_verifier(Arc::clone(&live) as Arc<dyn ClientCertVerifier>)
            .with_cert_resolver(live);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session would skip the verifier: a revocation must not be outlived.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(config)
    }
}

/// The material in force at each handshake, for rustls.
struct Live(Arc<Tls>);

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Live")
    }
}

impl ResolvesServerCert for Live {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.material.load().server))
    }
}

impl ClientCertVerifier for Live {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// No hints: the list of CAs changes with the files, and systems know their certificate.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.0.material.load().clients.verify_client_cert(end_entity, intermediates, now);
        if let Err(reason) = &verified {
            // No request comes of it, so no record either: this line is all that tells of it.
            let certificate = Fingerprint::of_certificate(end_entity);
            tracing::warn!(caller.certificate = %certificate, tls.reason = %reason, "client certificate refused");
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.material.load().clients.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.material.load().clients.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The gateway's clock, for rustls.
struct Time(Arc<dyn Clock>);

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Time")
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix(self.0.now()))
    }
}

fn unix(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.seconds().unsigned_abs()))
}

#[cfg(test)]
pub(crate) mod pki;
#[cfg(test)]
mod tests;
