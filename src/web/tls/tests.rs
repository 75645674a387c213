//! Handshakes in memory, with certificates made for them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;

use rcgen::{CertificateParams, KeyPair, SerialNumber};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, ServerConnection};

use super::peer::Peer;
use super::pki::{Identity, NOW, Pki, authority, client, identity, revocation_list};
use super::*;

fn peer(identity: &Identity) -> Peer {
    Peer::new(&[CertificateDer::from_pem_slice(identity.cert.as_bytes()).unwrap()]).unwrap()
}

/// Shakes hands in memory; the gateway's end of the connection.
fn handshake(tls: &Arc<Tls>, client: &Arc<ClientConfig>) -> Result<ServerConnection, rustls::Error> {
    let mut server = ServerConnection::new(Arc::new(tls.server_config()?))?;
    let mut client = ClientConnection::new(Arc::clone(client), ServerName::try_from("localhost").unwrap())?;
    while server.is_handshaking() || client.is_handshaking() || client.wants_write() {
        pass_on(|out| client.write_tls(out), |input| server.read_tls(input));
        server.process_new_packets()?;
        pass_on(|out| server.write_tls(out), |input| client.read_tls(input));
        client.process_new_packets()?;
    }
    Ok(server)
}

fn pass_on(
    write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<usize>,
    mut read: impl FnMut(&mut dyn std::io::Read) -> std::io::Result<usize>,
) {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        read(&mut rest).unwrap();
    }
}

#[test]
fn a_client_with_a_good_certificate_is_let_in_by_both_versions() {
    let pki = Pki::new();
    let good = pki.identity("housing.aid", 2, "2030-01-01T00:00:00Z");
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let connection = handshake(&pki.load(), &client(&pki, Some(&good), version)).unwrap();
        assert_eq!(connection.protocol_version(), Some(name));
        assert_eq!(connection.peer_certificates().unwrap().len(), 1);
    }
}

#[test]
fn a_client_without_a_certificate_is_let_in_nameless() {
    let pki = Pki::new();
    let connection = handshake(&pki.load(), &client(&pki, None, &TLS13)).unwrap();
    assert!(connection.peer_certificates().is_none());
}

#[test]
fn a_certificate_that_is_not_good_is_not_let_in() {
    let pki = Pki::new();
    pki.publish(&[3], "2026-12-01T00:00:00Z");
    let foreign = identity(&authority("Test CA"), "housing.aid", 2, "2030-01-01T00:00:00Z");
    for (what, bad) in [
        ("expired", pki.identity("housing.aid", 2, "2026-11-22T07:59:59Z")),
        ("revoked", pki.identity("housing.aid", 3, "2030-01-01T00:00:00Z")),
        ("of another CA with the same name", foreign),
    ] {
        for version in [&TLS12, &TLS13] {
            assert!(handshake(&pki.load(), &client(&pki, Some(&bad), version)).is_err(), "{what}");
        }
    }
}

#[test]
fn a_stale_list_lets_nobody_in_with_a_certificate() {
    let pki = Pki::new();
    let good = pki.identity("housing.aid", 2, "2030-01-01T00:00:00Z");
    let tls = pki.load();
    assert!(!tls.status().crl_is_stale(pki.clock.now()));
    pki.clock.set(Timestamp::parse("2026-12-01T00:00:01Z").unwrap());
    assert!(tls.status().crl_is_stale(pki.clock.now()));
    assert!(handshake(&tls, &client(&pki, Some(&good), &TLS13)).is_err());
    assert!(handshake(&tls, &client(&pki, None, &TLS13)).is_ok());
}

#[test]
fn nothing_is_ever_resumed() {
    let pki = Pki::new();
    let tls = pki.load();
    let good = pki.identity("housing.aid", 2, "2030-01-01T00:00:00Z");
    for version in [&TLS12, &TLS13] {
        let again = client(&pki, Some(&good), version);
        for _ in 0..3 {
            let connection = handshake(&tls, &again).unwrap();
            assert_eq!(connection.handshake_kind(), Some(rustls::HandshakeKind::Full));
        }
    }
}

#[test]
fn an_open_connection_ends_being_good_when_its_certificate_is_revoked() {
    let pki = Pki::new();
    let tls = pki.load();
    let (kept, lost) = (
        peer(&pki.identity("housing.aid", 2, "2030-01-01T00:00:00Z")),
        peer(&pki.identity("civil.benefits", 3, "2030-01-01T00:00:00Z")),
    );
    let now = pki.clock.now();
    assert!(kept.check(&tls, now) && lost.check(&tls, now));
    pki.publish(&[3], "2026-12-01T00:00:00Z");
    assert!(lost.check(&tls, now), "not before the list is taken up");
    tls.refresh();
    assert!(kept.check(&tls, now) && !lost.check(&tls, now));
    assert!(!lost.check(&tls, now), "asked again, the answer is the same");
}

#[test]
fn an_open_connection_ends_being_good_with_its_certificate_its_list_and_its_authority() {
    let pki = Pki::new();
    let tls = pki.load();
    let day = |text: &str| Timestamp::parse(text).unwrap();
    let short = peer(&pki.identity("housing.aid", 2, "2026-11-23T00:00:00Z"));
    assert!(short.check(&tls, day(NOW)));
    assert!(!short.check(&tls, day("2026-11-23T00:00:01Z")), "certificate over");
    let long = peer(&pki.identity("housing.aid", 4, "2030-01-01T00:00:00Z"));
    assert!(long.check(&tls, day(NOW)));
    assert!(!long.check(&tls, day("2026-12-01T00:00:01Z")), "list stale");
    let other = authority("Other CA");
    pki.write("ca.pem", &other.pem());
    pki.write("crl.pem", &revocation_list(&other, &[], "2026-12-01T00:00:00Z"));
    tls.refresh();
    assert!(!long.check(&tls, day(NOW)), "authority gone");
}

#[test]
fn files_that_cannot_be_used_leave_those_before_in_force() {
    let pki = Pki::new();
    let tls = pki.load();
    let peer = peer(&pki.identity("housing.aid", 2, "2030-01-01T00:00:00Z"));
    let crl = fs::read_to_string(pki.path("crl.pem")).unwrap();
    let forged = revocation_list(&authority("Test CA"), &[2], "2026-12-01T00:00:00Z");
    for (file, broken) in [
        ("crl.pem", "not a list"),
        ("crl.pem", &crl[..crl.len() / 2]),
        ("crl.pem", forged.as_str()),
        ("ca.pem", ""),
        ("server.key", &pki.identity("localhost", 9, "2030-01-01T00:00:00Z").key),
    ] {
        let before = fs::read_to_string(pki.path(file)).unwrap();
        pki.write(file, broken);
        tls.refresh();
        assert_eq!(tls.material.load().generation, 0, "{file}: {broken:.20}");
        assert!(peer.check(&tls, pki.clock.now()));
        let finding = Tls::load(pki.config(), Arc::clone(&pki.clock) as Arc<dyn Clock>).err().unwrap();
        assert!(finding.file.ends_with(file), "{finding}");
        pki.write(file, &before);
    }
    tls.refresh();
    assert_eq!(tls.material.load().generation, 1, "mended files are taken up");
}

#[test]
fn a_change_is_seen_until_it_was_taken_up() {
    let pki = Pki::new();
    let watch = Watch::new(&pki.config());
    assert_eq!(watch.changed(&pki.config()), None);
    pki.publish(&[3], "2026-12-01T00:00:00Z");
    let seen = watch.changed(&pki.config()).unwrap();
    // Reading the files failed: they stand there as they did, and are to be read again.
    assert_eq!(watch.changed(&pki.config()).as_ref(), Some(&seen));
    watch.taken_up(seen.clone());
    assert_eq!(watch.changed(&pki.config()), None);
    // A list that came while the one before it was being read is not missed.
    pki.publish(&[3, 4], "2026-12-01T00:00:00Z");
    watch.taken_up(seen);
    assert!(watch.changed(&pki.config()).is_some());
}

#[test]
fn a_fault_that_stays_is_said_once_and_each_other_one_too() {
    let pki = Pki::new();
    let tls = pki.load();
    let fault = |what: &str| Finding::error("tls-crl", "crl.pem", 0, what, "publish it again");
    for (complaint, news) in [
        (Some(fault("cut short")), true),
        (Some(fault("cut short")), false),
        (Some(fault("forged")), true),
        (None, true),
        (Some(fault("forged")), true),
    ] {
        assert_eq!(tls.is_news(complaint.as_ref()), news, "{complaint:?}");
    }
}

#[test]
fn a_renewed_server_certificate_is_shown_to_the_next_client() {
    let pki = Pki::new();
    let tls = pki.load();
    let renewed = pki.identity("localhost", 7, "2035-01-01T00:00:00Z");
    pki.write("server.pem", &renewed.cert);
    tls.refresh();
    assert_eq!(
        tls.status().certificate_ends,
        Timestamp::parse("2030-01-01T00:00:00Z").unwrap(),
        "half replaced"
    );
    pki.write("server.key", &renewed.key);
    tls.refresh();
    assert_eq!(tls.status().certificate_ends, Timestamp::parse("2035-01-01T00:00:00Z").unwrap());
    assert!(handshake(&tls, &client(&pki, None, &TLS13)).is_ok());
}

#[test]
fn the_key_names_the_caller_and_the_certificate_does_not() {
    let pki = Pki::new();
    let key = KeyPair::generate().unwrap();
    let certificate = |serial: u64| {
        let mut params = CertificateParams::new(vec!["housing.aid".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        let cert = params.signed_by(&key, &pki.ca).unwrap();
        Peer::new(&[cert.der().clone()]).unwrap()
    };
    let (old, renewed) = (certificate(2), certificate(3));
    assert_eq!(old.key, renewed.key);
    assert_ne!(old.certificate, renewed.certificate);
    assert_eq!(old.key.to_string().len(), 64);
}
