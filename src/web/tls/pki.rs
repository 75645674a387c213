//! Certificates made at test time.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Time, Tls};
use crate::base::ids::Fingerprint;
use crate::base::{Clock, ManualClock, Timestamp};
use crate::config::TlsSection;

pub(crate) const NOW: &str = "2026-11-22T08:00:00Z";

fn at(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
}

/// A CA, the gateway's TLS files on disk, and a clock that stands at [`NOW`].
pub(crate) struct Pki {
    /// Where the files are.
    pub dir: tempfile::TempDir,
    pub ca: CertifiedIssuer<'static, KeyPair>,
    pub clock: Arc<ManualClock>,
}

/// A certificate with its key, both PEM.
pub(crate) struct Identity {
    pub cert: String,
    pub key: String,
}

impl Identity {
    /// What its system is registered by.
    pub fn key(&self) -> Fingerprint {
        let der = CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap();
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        Fingerprint::of_spki(parsed.public_key().raw)
    }
}

impl Pki {
    pub fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::parse(NOW).unwrap()));
        let pki = Self { dir: tempfile::tempdir().unwrap(), ca: authority("Test CA"), clock };
        let server = pki.identity("localhost", 1, "2030-01-01T00:00:00Z");
        pki.write("server.pem", &server.cert);
        pki.write("server.key", &server.key);
        pki.write("ca.pem", &pki.ca.pem());
        pki.publish(&[], "2026-12-01T00:00:00Z");
        pki
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces a file as a careful operator does: written beside, then renamed.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::set_permissions(self.path("new"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// Publishes a revocation list of those serial numbers.
    pub fn publish(&self, serials: &[u64], until: &str) {
        self.write("crl.pem", &revocation_list(&self.ca, serials, until));
    }

    pub fn config(&self) -> TlsSection {
        TlsSection {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_ca: self.path("ca.pem"),
            client_crls: vec![self.path("crl.pem")],
        }
    }

    pub fn load(&self) -> Arc<Tls> {
        Tls::load(self.config(), Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap()
    }

    pub fn identity(&self, name: &str, serial: u64, until: &str) -> Identity {
        identity(&self.ca, name, serial, until)
    }
}

pub(crate) fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (at("2020-01-01T00:00:00Z"), at("2040-01-01T00:00:00Z"));
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn identity(
    ca: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    serial: u64,
    until: &str,
) -> Identity {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from(serial));
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = (at("2020-01-01T00:00:00Z"), at(until));
    let key = KeyPair::generate().unwrap();
    let cert = params.signed_by(&key, ca).unwrap();
    Identity { cert: cert.pem(), key: key.serialize_pem() }
}

pub(crate) fn revocation_list(
    ca: &CertifiedIssuer<'static, KeyPair>,
    serials: &[u64],
    until: &str,
) -> String {
    let revoked = |serial: &u64| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: at("2026-11-01T00:00:00Z"),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: at("2026-11-20T00:00:00Z"),
        next_update: at(until),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(ca).unwrap().pem().unwrap()
}

/// A client that trusts the CA. Keep one to see whether it can resume.
pub(crate) fn client(
    pki: &Pki,
    identity: Option<&Identity>,
    version: &'static rustls::SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(pki.ca.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_details(
        Arc::new(rustls::crypto::ring::default_provider()),
        Arc::new(Time(Arc::clone(&pki.clock) as Arc<dyn Clock>)),
    )
    .with_protocol_versions(&[version])
    .unwrap()
    .with_root_certificates(roots);
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(identity.cert.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
            )
            .unwrap(),
    })
}
