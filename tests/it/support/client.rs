//! A client that speaks HTTP/1.1 over TLS, or raw bytes where a test wants to be rude.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{PATIENCE, PERSON};

/// Somebody who connects to a gateway.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    headers: Vec<(String, String)>,
}

/// An open connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    left: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Client {
    /// A client that trusts `ca` and shows `identity` (certificate and key, PEM), if any.
    pub fn new(address: SocketAddr, ca: &str, identity: Option<(&str, &str)>) -> Self {
        Self::with_versions(address, ca, identity, rustls::DEFAULT_VERSIONS)
    }

    pub fn with_versions(
        address: SocketAddr,
        ca: &str,
        identity: Option<(&str, &str)>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain =
                    CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
                config
                    .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                    .unwrap()
            }
        };
        Self { address, config: Arc::new(config), headers: vec![("accept-language".into(), "en".into())] }
    }

    /// With a header on every request; it replaces one of the same name.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Without any header but those that HTTP demands.
    pub fn plain(mut self) -> Self {
        self.headers.clear();
        self
    }

    /// The headers on every request.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Connects and shakes hands. In TLS 1.3 a refused certificate shows on the first read.
    pub async fn connect(&self) -> std::io::Result<Connection> {
        self.connect_over(TcpStream::connect(self.address).await?).await
    }

    /// Shakes hands over a connection that was made already.
    pub async fn connect_over(&self, tcp: TcpStream) -> std::io::Result<Connection> {
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, tcp).await?;
        Ok(Connection { stream, left: Vec::new() })
    }

    /// One request on a connection of its own.
    pub async fn send(&self, method: &str, path: &str, body: Option<&[u8]>) -> std::io::Result<Answer> {
        let mut connection = self.connect().await?;
        connection.send(method, path, &self.headers, body).await
    }

    /// `GET path`, which must be answered.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await.unwrap()
    }

    /// `POST path` with a JSON body, which must be answered.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(&serde_json::to_vec(body).unwrap())).await.unwrap()
    }

    /// Asks a dataset for fields about [`PERSON`].
    pub async fn query(&self, dataset: &str, purpose: &str, fields: &[&str]) -> Answer {
        self.post(&format!("/v1/datasets/{dataset}/query"), &ask(purpose, &[PERSON], json!(fields))).await
    }
}

/// The body of a query about people.
pub fn ask(purpose: &str, people: &[&str], fields: Value) -> Value {
    let subjects: Vec<Value> = people.iter().map(|id| json!({ "id_number": id })).collect();
    json!({ "purpose": purpose, "case": "QZ-2026-000123", "operator": "hc-0231", "subjects": subjects, "fields": fields })
}

impl Connection {
    /// One request; the connection stays open.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<&[u8]>,
    ) -> std::io::Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name == "host") {
            request.push_str("host: localhost\r\n");
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            if !headers.iter().any(|(name, _)| name == "content-type") {
                request.push_str("content-type: application/json\r\n");
            }
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        self.write(&bytes).await?;
        timeout(PATIENCE, self.read_answer(method == "HEAD")).await.map_err(std::io::Error::other)?
    }

    /// Was the handshake a full one, or did it resume a session?
    pub fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.stream.get_ref().1.handshake_kind()
    }

    /// The version of TLS in use.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.stream.get_ref().1.protocol_version()
    }

    /// The certificate that the gateway showed, in DER.
    pub fn server_certificate(&self) -> Vec<u8> {
        self.stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    /// Writes bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Everything that comes until the gateway closes the connection, as it is.
    pub async fn rest(mut self, case: &str) -> Vec<u8> {
        let reading = async { while self.fill().await.is_ok() {} };
        let closed = timeout(PATIENCE, reading).await.is_ok();
        assert!(closed, "{case}: not closed after {} bytes", self.left.len());
        self.left
    }

    /// The answer to a `HEAD` announces a body that does not follow.
    async fn read_answer(&mut self, to_head: bool) -> std::io::Result<Answer> {
        let head_end = loop {
            if let Some(at) = self.left.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            self.fill().await?;
        };
        let head = String::from_utf8(self.left.drain(..head_end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length =
            headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
        let length = if to_head { 0 } else { length };
        while self.left.len() < length {
            self.fill().await?;
        }
        let body = self.left.drain(..length).collect();
        Ok(Answer { status, headers, body })
    }

    async fn fill(&mut self) -> std::io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.left.extend_from_slice(&buffer[..n]);
                Ok(())
            }
        }
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Status and problem code: `422 invalid-request`. A page tells it as well.
    pub fn problem(&self) -> String {
        if self.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            let text = self.text();
            let code = text.split(&format!("{} <code>", self.status)).nth(1);
            let code = code.and_then(|rest| rest.split('<').next());
            return format!("{} {}", self.status, code.unwrap_or("-"));
        }
        format!("{} {}", self.status, self.json()["code"].as_str().unwrap_or("-"))
    }
}
