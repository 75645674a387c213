//! Who may connect: the certificate decides at the handshake, and again with every request.

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{HandshakeKind, ProtocolVersion};
use sluice::demo::certificates::{Authority, Usage};

use crate::support::client::{Client, Connection};
use crate::support::{TestGateway, now, until};

const DAY: i64 = 86_400;
const DATASETS: &str = "/v1/datasets";

/// `401 certificate-revoked` and the like; `200 -` for an answer.
async fn on(connection: &mut Connection, client: &Client) -> String {
    connection.send("GET", DATASETS, client.headers(), None).await.unwrap().problem()
}

/// Waits until requests on an open connection end so.
async fn turns(connection: &mut Connection, client: &Client, to: &str) {
    until(to, async || (on(connection, client).await == to).then_some(())).await;
}

#[tokio::test]
async fn without_a_certificate_or_with_an_unregistered_one_there_is_401_and_a_record() {
    let gw = TestGateway::start().await;
    let answer = gw.nobody().get(DATASETS).await;
    assert_eq!(answer.problem(), "401 certificate-required");
    let record = gw.record_of(&answer).await;
    assert_eq!(
        (&record["kind"], &record["outcome"]),
        (&"refused-at-door".into(), &"certificate-required".into())
    );

    // The name in a certificate is worth nothing: the key is what is registered.
    let stranger = gw.authority.issue("service.onestop", &[], Usage::Client, now()).unwrap();
    let answer = gw.client(&stranger).get(DATASETS).await;
    assert_eq!(answer.problem(), "401 certificate-unknown");
    let record = gw.record_of(&answer).await;
    assert_eq!(record["outcome"], "certificate-unknown");
    assert_eq!(record["certificate"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn a_certificate_that_is_not_good_does_not_get_through_the_handshake() {
    let gw = TestGateway::start().await;
    let foreign = Authority::open(&gw.path().join("ca/foreign"), "systems", now()).unwrap();
    let issue =
        |from, until| gw.authority.issue_until("service.onestop", &[], Usage::Client, from, until).unwrap();
    let revoked = issue(now(), now().plus_seconds(DAY));
    let matrix = [
        ("expired", issue(now().plus_seconds(-2 * DAY), now().plus_seconds(-60))),
        ("not yet valid", issue(now().plus_seconds(DAY), now().plus_seconds(2 * DAY))),
        (
            "of a foreign CA of the same name",
            foreign.issue("service.onestop", &[], Usage::Client, now()).unwrap(),
        ),
        ("of a server", gw.authority.issue("service.onestop", &[], Usage::Server, now()).unwrap()),
        ("revoked", revoked),
    ];
    // Their keys are registered: it is the certificate alone that keeps them out.
    matrix.iter().for_each(|(_, issued)| gw.register("service.onestop", issued));
    let good = issue(now(), now().plus_seconds(DAY));
    gw.register("service.onestop", &good);
    let client = gw.client(&good);
    until("the keys are in force", async || (client.get(DATASETS).await.status == 200).then_some(())).await;
    // The revoked one is let in until it is revoked; then it is not.
    let (_, revoked) = &matrix[4];
    assert_eq!(gw.client(revoked).get(DATASETS).await.status, 200);
    gw.revoke(std::slice::from_ref(&revoked.serial), now().plus_seconds(DAY));
    until("the list is in force", async || gw.client(revoked).send("GET", DATASETS, None).await.err()).await;

    for (what, issued) in &matrix {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let identity = Some((issued.certificate.as_str(), issued.key.as_str()));
            let client =
                Client::with_versions(gw.address(), gw.authority.certificate(), identity, &[version]);
            assert!(client.send("GET", DATASETS, None).await.is_err(), "{what}, {:?}", version.version);
        }
    }
    assert_eq!(client.get(DATASETS).await.status, 200);
}

#[tokio::test]
async fn a_certificate_signed_by_itself_is_nobodys() {
    let gw = TestGateway::start().await;
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["service.onestop".into()]).unwrap().self_signed(&key).unwrap();
    let identity = (certificate.pem(), key.serialize_pem());
    let client = Client::new(gw.address(), gw.authority.certificate(), Some((&identity.0, &identity.1)));
    assert!(client.send("GET", DATASETS, None).await.is_err());
}

#[tokio::test]
async fn both_versions_of_tls_work_and_neither_resumes_a_session() {
    let gw = TestGateway::start().await;
    let issued = &gw.issued["service.onestop"];
    for (version, expected) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let identity = Some((issued.certificate.as_str(), issued.key.as_str()));
        // One client keeps the sessions of all its connections, and offers them.
        let client = Client::with_versions(gw.address(), gw.authority.certificate(), identity, &[version]);
        for _ in 0..3 {
            let mut connection = client.connect().await.unwrap();
            assert_eq!(on(&mut connection, &client).await, "200 -");
            assert_eq!(connection.version(), Some(expected));
            assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full), "{expected:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_revoked_while_its_connection_is_open_is_not_served_again() {
    let gw = TestGateway::start().await;
    let (onestop, housing) = (gw.system("service.onestop"), gw.system("housing.aid"));
    let (mut connection, mut other) = (onestop.connect().await.unwrap(), housing.connect().await.unwrap());
    assert_eq!(on(&mut connection, &onestop).await, "200 -");
    gw.revoke(&[gw.issued["service.onestop"].serial.clone()], now().plus_seconds(DAY));
    turns(&mut connection, &onestop, "401 certificate-revoked").await;
    assert_eq!(on(&mut other, &housing).await, "200 -");
    assert!(onestop.send("GET", DATASETS, None).await.is_err());

    // Taken off the list again, it is served again, on the same connection.
    gw.revoke(&[], now().plus_seconds(DAY));
    turns(&mut connection, &onestop, "200 -").await;
}

#[tokio::test]
async fn a_key_taken_out_of_force_is_unknown_on_an_open_connection() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    let mut connection = client.connect().await.unwrap();
    assert_eq!(on(&mut connection, &client).await, "200 -");
    let fingerprint = gw.issued["service.onestop"].fingerprint.to_string();
    let revoke = ["key", "revoke", "--config", "sluice.toml", "--fingerprint", &fingerprint];
    let (code, _, said) = gw.sluice(&revoke);
    assert_eq!(code, 0, "{said}");
    turns(&mut connection, &client, "401 certificate-unknown").await;
    let acts = gw.records("kind=administration").await;
    assert!(acts.iter().any(|act| act["action"] == "key-revoked"), "{acts:?}");
    assert_ne!(gw.sluice(&revoke).0, 0, "a key is taken out of force once");
}

#[tokio::test]
async fn a_stale_revocation_list_shuts_everybody_out_until_there_is_a_fresh_one() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    let mut connection = client.connect().await.unwrap();
    assert_eq!(on(&mut connection, &client).await, "200 -");
    assert_eq!(gw.ops("/readyz").await.0, 200);

    gw.revoke(&[], now().plus_seconds(-1));
    turns(&mut connection, &client, "401 certificate-revoked").await;
    assert!(gw.system("housing.aid").send("GET", DATASETS, None).await.is_err());
    assert_eq!(gw.ops("/readyz").await.0, 503);

    gw.revoke(&[], now().plus_seconds(DAY));
    turns(&mut connection, &client, "200 -").await;
    assert_eq!(gw.system("housing.aid").get(DATASETS).await.status, 200);
    assert_eq!(gw.ops("/readyz").await.0, 200);
}

#[tokio::test]
async fn the_gateways_own_certificate_is_replaced_without_a_restart() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    let mut old = client.connect().await.unwrap();
    let new = gw.authority.issue("gateway", &["localhost"], Usage::Server, now()).unwrap();
    std::fs::write(gw.path().join("tls/gateway.key"), &new.key).unwrap();
    std::fs::write(gw.path().join("tls/gateway.pem"), &new.certificate).unwrap();
    let der = CertificateDer::from_pem_slice(new.certificate.as_bytes()).unwrap().to_vec();
    assert_ne!(old.server_certificate(), der);
    until("new connections see it", async || {
        let shown = client.connect().await.unwrap().server_certificate();
        (shown == der).then_some(())
    })
    .await;
    assert_eq!(on(&mut old, &client).await, "200 -", "connections from before go on");
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing_and_are_named() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    let before = client.connect().await.unwrap().server_certificate();
    let other = gw.authority.issue("gateway", &["localhost"], Usage::Server, now()).unwrap();
    let forged = Authority::open(&gw.path().join("ca/forger"), "systems", now()).unwrap();
    let list = forged.revocation_list(&[], now().plus_seconds(-60), now().plus_seconds(DAY)).unwrap();
    for (file, text) in [
        ("gateway.pem", "nothing of use"),
        ("gateway.key", other.key.as_str()),
        ("systems.crl.pem", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
        ("systems.crl.pem", &list),
    ] {
        let path = gw.path().join("tls").join(file);
        let good = std::fs::read(&path).unwrap();
        let complaints =
            || gw.log().lines().filter(|line| line.contains("not usable") && line.contains(file)).count();
        let so_far = complaints();
        std::fs::write(&path, text).unwrap();
        until("it is said", async || (complaints() > so_far).then_some(())).await;
        assert_eq!(client.get(DATASETS).await.status, 200, "{file}");
        assert_eq!(client.connect().await.unwrap().server_certificate(), before, "{file}");
        let taken = || gw.log().lines().filter(|line| line.contains("taken up")).count();
        let so_far = taken();
        std::fs::write(&path, good).unwrap();
        until("the good file is taken up", async || (taken() > so_far).then_some(())).await;
    }
}
