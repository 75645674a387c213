//! The other end of a connection: its certificate, and whether that is still good.
//!
//! Invariant: [`Peer::check`] says yes only when the verifier in force now accepts the chain now.
//! The verifier is asked again when the TLS files changed or a date passed, and only then, so a
//! request on an open connection costs two comparisons.

use std::any::Any;
use std::cell::Cell;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::material::moment;
use super::{Tls, unix};
use crate::base::Timestamp;
use crate::base::ids::Fingerprint;

/// The client certificate of one connection.
pub struct Peer {
    /// SHA-256 of the public key: what a system is registered by.
    pub key: Fingerprint,
    /// SHA-256 of the whole certificate: what the audit record names.
    pub certificate: Fingerprint,
    chain: Vec<CertificateDer<'static>>,
    /// The first end of a certificate in the chain.
    ends: Timestamp,
    good: Cell<Option<Good>>,
    told: Cell<bool>,
}

/// The generation of files under which the chain was found good, and the first date that may
/// change that.
#[derive(Clone, Copy)]
struct Good {
    generation: u64,
    until: Timestamp,
}

impl Peer {
    /// The peer of a connection, as actix hands it over; none without a certificate.
    pub fn of(connection: &dyn Any) -> Option<Self> {
        let stream = connection.downcast_ref::<TlsStream<TcpStream>>()?;
        let (_, tls) = stream.get_ref();
        Self::new(tls.peer_certificates()?)
    }

    /// The peer that a connection had once, by what [`Peer::chain`] gave of it.
    pub fn again(mut bytes: &[u8]) -> Option<Self> {
        let mut chain = Vec::new();
        while !bytes.is_empty() {
            let (rest, _) = X509Certificate::from_der(bytes).ok()?;
            let (first, _) = bytes.split_at_checked(bytes.len() - rest.len())?;
            chain.push(CertificateDer::from(first));
            bytes = rest;
        }
        Self::new(&chain)
    }

    /// Its certificate and those that vouch for it, one behind the other in DER.
    pub fn chain(&self) -> Vec<u8> {
        self.chain.iter().flat_map(|der| der.as_ref()).copied().collect()
    }

    pub(super) fn new(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let first = chain.first()?;
        let (_, leaf) = X509Certificate::from_der(first).ok()?;
        let ends = chain
            .iter()
            .map(|der| X509Certificate::from_der(der).ok().map(|(_, c)| c.validity().not_after.timestamp()))
            .collect::<Option<Vec<i64>>>()?;
        Some(Self {
            key: Fingerprint::of_spki(leaf.public_key().raw),
            certificate: Fingerprint::of_certificate(first),
            chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
            ends: moment(ends.into_iter().min()?),
            good: Cell::new(None),
            told: Cell::new(false),
        })
    }

    /// Its key and when its certificate ends, the first time that this is asked.
    pub(super) fn news(&self) -> Option<(Fingerprint, Timestamp)> {
        (!self.told.replace(true)).then_some((self.key, self.ends))
    }

    /// Is the certificate good now, by the files in force now?
    pub fn check(&self, tls: &Tls, now: Timestamp) -> bool {
        let material = tls.material.load();
        let generation = material.generation;
        if self.good.get().is_some_and(|good| good.generation == generation && now < good.until) {
            return true;
        }
        let Some((leaf, rest)) = self.chain.split_first() else { return false };
        let verified = material.clients.verify_client_cert(leaf, rest, unix(now)).is_ok();
        let list_ends = material.lists.iter().map(|list| list.ends).filter(|ends| *ends > now);
        let until = list_ends.chain([self.ends]).min().unwrap_or(self.ends);
        self.good.set(verified.then_some(Good { generation, until }));
        verified
    }
}
