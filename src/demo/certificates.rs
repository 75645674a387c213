//! A certificate authority for a demo: what a government's own would issue.
//!
//! Invariant: keys made here are for demos and tests; the CA's key lies beside its certificate,
//! which no real authority would allow.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use crate::app::keys::write_private;
use crate::base::Timestamp;
use crate::base::ids::Fingerprint;

/// How long a certificate of a demo is valid.
const VALID: Duration = Duration::days(825);

/// A certificate authority whose files lie in one folder.
pub struct Authority {
    dir: PathBuf,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A server: names that clients connect to.
    Server,
    /// A client: a system.
    Client,
}

/// A certificate and its key, in PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The private key, PKCS#8.
    pub key: String,
    /// SHA-256 of the public key.
    pub fingerprint: Fingerprint,
    /// The serial number.
    pub serial: Vec<u8>,
}

impl Authority {
    /// The authority in `dir`, made if it is not there yet.
    ///
    /// # Errors
    /// When a file cannot be read or written, or is not what was written there.
    pub fn open(dir: &Path, name: &str, now: Timestamp) -> io::Result<Self> {
        let (certificate_file, key_file) = (dir.join("ca.pem"), dir.join("ca.key"));
        if !certificate_file.exists() {
            fs::create_dir_all(dir)?;
            let key = KeyPair::generate().map_err(io::Error::other)?;
            let mut params = named(name, &[], now)?;
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let certificate = params.self_signed(&key).map_err(io::Error::other)?;
            write_private(&key_file, &key.serialize_pem())?;
            fs::write(&certificate_file, certificate.pem())?;
        }
        let certificate = fs::read_to_string(&certificate_file)?;
        let key = KeyPair::from_pem(&fs::read_to_string(&key_file)?).map_err(io::Error::other)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(io::Error::other)?;
        Ok(Self { dir: dir.to_owned(), certificate, issuer })
    }

    /// The CA's certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The file of the CA's certificate.
    pub fn certificate_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Issues a certificate, valid from an hour before `now`.
    ///
    /// # Errors
    /// When a name is not one that a certificate can have.
    pub fn issue(&self, name: &str, hosts: &[&str], usage: Usage, now: Timestamp) -> io::Result<Issued> {
        self.issue_until(name, hosts, usage, now, now.plus_seconds(VALID.whole_seconds()))
    }

    /// Issues a certificate that expires at `until`.
    ///
    /// # Errors
    /// When a name is not one that a certificate can have.
    pub fn issue_until(
        &self,
        name: &str,
        hosts: &[&str],
        usage: Usage,
        now: Timestamp,
        until: Timestamp,
    ) -> io::Result<Issued> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = named(name, hosts, now)?;
        params.not_after = moment(until)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match usage {
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).map_err(io::Error::other)?;
        Ok(Issued {
            fingerprint: Fingerprint::of_spki(parsed.public_key().raw),
            serial: parsed.raw_serial().to_vec(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// A revocation list of `serials`, in PEM, current until `until`.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn revocation_list(
        &self,
        serials: &[Vec<u8>],
        now: Timestamp,
        until: Timestamp,
    ) -> io::Result<String> {
        let revoked = |serial: &Vec<u8>| {
            Ok::<_, io::Error>(RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: moment(now)?,
                reason_code: None,
                invalidity_date: None,
            })
        };
        let params = CertificateRevocationListParams {
            this_update: moment(now)?,
            next_update: moment(until)?,
            crl_number: SerialNumber::from(u64::try_from(now.seconds()).unwrap_or_default()),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect::<Result<_, _>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).and_then(|list| list.pem()).map_err(io::Error::other)
    }
}

impl Issued {
    /// Writes `NAME.pem` and `NAME.key` into `dir`.
    ///
    /// # Errors
    /// When a file is there already or cannot be written.
    pub fn write(&self, dir: &Path, name: &str) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join(format!("{name}.pem")), &self.certificate)?;
        write_private(&dir.join(format!("{name}.key")), &self.key)
    }
}

fn named(name: &str, hosts: &[&str], now: Timestamp) -> io::Result<CertificateParams> {
    let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).map_err(io::Error::other)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Sluice demo");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = moment(now.plus_seconds(-3600))?;
    params.not_after = moment(now.plus_seconds(VALID.whole_seconds()))?;
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn moment(at: Timestamp) -> io::Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.seconds()).map_err(io::Error::other)
}
