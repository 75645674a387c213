//! A department's program that takes notices, and checks their signatures as docs/notices.md says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sluice::demo::certificates::Issued;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What came in one request.
#[derive(Debug, Clone)]
pub struct Taken {
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub content: Vec<u8>,
}

/// A receiver on a port of its own.
pub struct Receiver {
    pub address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
    answer: Arc<Mutex<Option<String>>>,
}

impl Receiver {
    /// A receiver that shows `certificate` and answers 204.
    pub async fn start(certificate: &Issued) -> Self {
        let chain =
            CertificateDer::pem_slice_iter(certificate.certificate.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receiver =
            Self { address, taken: Arc::default(), answer: Arc::new(Mutex::new(Some("204 -".into()))) };
        let (taken, answer) = (Arc::clone(&receiver.taken), Arc::clone(&receiver.answer));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, taken, answer) = (acceptor.clone(), Arc::clone(&taken), Arc::clone(&answer));
                tokio::spawn(async move { serve(tcp, acceptor, &taken, &answer).await });
            }
        });
        receiver
    }

    /// From now on answers with this status line and headers.
    pub fn behave(&self, answer: &str) {
        *self.answer.lock().unwrap() = Some(answer.into());
    }

    /// From now on takes what comes and never says so.
    pub fn hold(&self) {
        *self.answer.lock().unwrap() = None;
    }

    /// Everything that came so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

async fn serve(
    tcp: TcpStream,
    acceptor: TlsAcceptor,
    taken: &Mutex<Vec<Taken>>,
    answer: &Mutex<Option<String>>,
) -> Option<()> {
    let mut stream = acceptor.accept(tcp).await.ok()?;
    let request = read(&mut stream).await?;
    taken.lock().unwrap().push(request);
    let answer = answer.lock().unwrap().clone();
    let Some(answer) = answer else { return std::future::pending().await };
    stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Taken> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let mut first = lines.next().unwrap().split(' ');
            assert_eq!(first.next(), Some("POST"));
            let target = first.next().unwrap().to_owned();
            let headers: Vec<_> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length").unwrap();
            let content = bytes[end + 4..].to_vec();
            if content.len() == length.1.parse::<usize>().unwrap() {
                return Some(Taken { target, headers, content });
            }
        }
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

impl Taken {
    pub fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.content).unwrap()
    }

    /// The notice's id.
    pub fn id(&self) -> String {
        self.header("idempotency-key").trim_matches('"').to_owned()
    }

    /// Checks digest and signature, with code that shares nothing with the gateway's: the base is
    /// built from what `Signature-Input` names. Gives the time of signing.
    pub fn check(&self, secret: &[u8], key_id: &str) -> Option<i64> {
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&self.content)));
        if self.header("content-digest") != digest {
            return None;
        }
        let parameters = self.header("signature-input").strip_prefix("sluice=")?;
        let (components, rest) = parameters.strip_prefix('(')?.split_once(')')?;
        let mut base = String::new();
        for component in components.split(' ') {
            let value = match component.trim_matches('"') {
                "@method" => "POST".to_owned(),
                "@target-uri" => format!("https://{}{}", self.header("host"), self.target),
                name => self.header(name).to_owned(),
            };
            base += &format!("{component}: {value}\n");
        }
        base += &format!("\"@signature-params\": {parameters}");
        let parameter = |name: &str| {
            rest.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let named = parameter("keyid")? == format!("\"{key_id}\"");
        let signature = self.header("signature").strip_prefix("sluice=:")?.strip_suffix(':')?;
        let good = STANDARD.encode(hmac_sha256(secret, base.as_bytes())) == signature;
        (named && good && parameter("alg")? == "\"hmac-sha256\"")
            .then(|| parameter("created")?.parse().ok())?
    }
}

/// RFC 2104, by its definition; for secrets of up to 64 bytes.
fn hmac_sha256(secret: &[u8], text: &[u8]) -> Vec<u8> {
    let mut key = [0_u8; 64];
    key[..secret.len()].copy_from_slice(secret);
    let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}
