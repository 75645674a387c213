//! What the tests of this room stand on: certificates made on the spot, and a provider on
//! loopback that does to each request what the test says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::app::keys::write_private;
use crate::base::ids::Fingerprint;
use crate::config::adapter::AdapterConfig;

/// A CA with a certificate for a server on loopback and one for a client, as files.
pub struct Pki {
    dir: TempDir,
}

impl Pki {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
            std::fs::write(dir.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
            write_private(&dir.path().join(format!("{name}.key")), &key.serialize_pem()).unwrap();
        }
        Self { dir }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_file(self.path("server.pem")).unwrap()],
                PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// The entry of a provider of the adapter protocol at `port`; `more` are further keys.
    pub fn sluice(&self, port: u16, more: &str) -> AdapterConfig {
        let mut config: AdapterConfig = toml::from_str(&format!(
            "name = 'civil'\nurl = 'https://127.0.0.1:{port}'\nallow = ['127.0.0.1']\n{more}\n\
             [tls]\nca = 'ca.pem'\ncertificate = 'client.pem'\nkey = 'client.key'\n\
             [source.sluice]\ndatasets = ['civil.subsistence']"
        ))
        .unwrap();
        config.resolve(self.dir.path());
        config
    }
}

impl Pki {
    /// Sends `request` to an adapter on loopback as its gateway, and reads until it closes.
    pub async fn exchange(&self, address: SocketAddr, request: &str) -> io::Result<String> {
        let entry = self.sluice(address.port(), "");
        let tls = TlsConnector::from(super::tls::client(&entry.tls.unwrap()).unwrap());
        let stream = TcpStream::connect(address).await?;
        let mut stream = tls.connect("127.0.0.1".try_into().unwrap(), stream).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        // An adapter that hangs up need not say good-bye.
        match stream.read_to_string(&mut answer).await {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(answer),
        }
    }

    /// What the key of the certificate in `file` is registered by.
    pub fn fingerprint(&self, file: &str) -> Fingerprint {
        let der = CertificateDer::from_pem_file(self.path(file)).unwrap();
        let (_, parsed) = X509Certificate::from_der(&der).unwrap();
        Fingerprint::of_spki(parsed.public_key().raw)
    }
}

/// What to do to a request.
pub enum Act {
    /// Answer, and wait for the next.
    Answer(String),
    /// Answer, and close.
    Last(String),
    /// Close without a word.
    Close,
    /// Never answer.
    Hang,
    /// Send these bytes, then this again and again.
    Endless(&'static str, &'static str),
}

/// An answer of status 200.
pub fn ok(body: &str) -> Act {
    Act::Answer(with("200 OK", "", body))
}

/// An answer with a status and more headers (each ending with CRLF).
pub fn with(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// A provider on loopback.
pub struct Provider {
    pub port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Provider {
    /// Over TLS. `act` sees the request and its number, from 0.
    pub async fn tls(pki: &Pki, act: impl Fn(&str, usize) -> Act + Send + Sync + 'static) -> Self {
        Self::start(Some(pki.acceptor()), 0, act).await
    }

    /// Over TLS, hanging up on the first `hang_ups` connections before the handshake.
    pub async fn shy(
        pki: &Pki,
        hang_ups: usize,
        act: impl Fn(&str, usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(pki.acceptor()), hang_ups, act).await
    }

    /// Without TLS.
    pub async fn plain(act: impl Fn(&str, usize) -> Act + Send + Sync + 'static) -> Self {
        Self::start(None, 0, act).await
    }

    async fn start(
        tls: Option<TlsAcceptor>,
        hang_ups: usize,
        act: impl Fn(&str, usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let (act, noted) = (Arc::new(act), seen.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if noted.connections.fetch_add(1, Ordering::SeqCst) < hang_ups {
                    continue;
                }
                let (act, seen, tls) = (act.clone(), noted.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &seen, &*act).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &seen, &*act).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, seen }
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    seen: &Seen,
    act: &(impl Fn(&str, usize) -> Act + ?Sized),
) {
    while let Some(request) = read(&mut stream).await {
        let number = {
            let mut requests = seen.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        match act(&request, number) {
            Act::Answer(bytes) => {
                // What TLS has taken in is not sent yet: a long answer would end in its buffer.
                if stream.write_all(bytes.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
            Act::Last(bytes) => {
                stream.write_all(bytes.as_bytes()).await.ok();
                stream.flush().await.ok();
                stream.shutdown().await.ok();
                return;
            }
            Act::Close => return,
            Act::Hang => std::future::pending().await,
            Act::Endless(first, again) => {
                let mut sent = stream.write_all(first.as_bytes()).await;
                while sent.is_ok() {
                    sent = stream.write_all(again.as_bytes()).await;
                    tokio::task::yield_now().await;
                }
                return;
            }
        }
    }
}

/// One request, body and all.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
            _ => return None,
        }
    }
}

/// Waits until `condition` holds; a test that waits for ever has failed.
pub async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("the condition never held");
}
