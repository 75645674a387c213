//! One `POST` to one address that the configuration names, on a connection of its own.
//!
//! Invariant: over https the certificate comes from the CA that was named, and no other trust
//! counts. All of it together has ten seconds, the answer a bound; no redirect is followed, and
//! there is no proxy here, whatever the environment says.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::Builder;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::base::Finding;

/// For all of it: name, connection, handshake, answer.
const TIME: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const MAX_ANSWER: usize = crate::audit::stamp::MAX_ANSWER;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Nothing answers there, or not with the right certificate.
    #[error("cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// It broke off, is no HTTP, or is too long.
    #[error("broke off: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// It was too slow.
    #[error("did not answer within {} s", TIME.as_secs())]
    Slow,
}

/// Where to send to.
pub struct Post {
    host: String,
    port: u16,
    authority: HeaderValue,
    path: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Post {
    /// The address `url`, with `below` behind its path; over https with the CA in the file `ca`.
    /// `file` is the configuration and `what` the entry that a finding is about.
    ///
    /// # Errors
    /// When the address or the file cannot be used.
    pub fn new(file: &str, what: &str, url: &str, below: &str, ca: Option<&Path>) -> Result<Self, Finding> {
        let wrong = |fault: &str| {
            let fix = "write it as https://host:port/path, and name its CA's certificate as PEM";
            Finding::error("anchors", file, 0, format!("{what}: {fault}"), fix)
        };
        let parsed = Url::parse(url).map_err(|e| wrong(&format!("`url`: {e}")))?;
        if parsed.query().is_some() || parsed.fragment().is_some() || !parsed.username().is_empty() {
            return Err(wrong("`url` is more than an address and a path"));
        }
        let host = parsed.host_str().ok_or_else(|| wrong("`url` has no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let tls = match (parsed.scheme(), ca) {
            ("https", Some(ca)) => {
                let name =
                    ServerName::try_from(host.clone()).map_err(|_| wrong("`url` has no usable host"))?;
                let config = trust(ca).map_err(|e| wrong(&format!("{}: {e}", ca.display())))?;
                Some((TlsConnector::from(config), name))
            }
            ("http", None) => None,
            ("https", None) => return Err(wrong("https needs a CA")),
            _ => return Err(wrong("`url` is not https")),
        };
        Ok(Self {
            host,
            port: parsed.port_or_known_default().ok_or_else(|| wrong("`url` has no port"))?,
            authority: parsed.authority().parse().map_err(|_| wrong("`url` has no usable host"))?,
            path: format!("{}{below}", parsed.path().trim_end_matches('/')),
            tls,
        })
    }

    /// Sends `body`; gives the status and the answer's body, whatever they are.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn send(&self, content: &'static str, body: Vec<u8>) -> Result<(u16, Vec<u8>), PostError> {
        tokio::time::timeout(TIME, self.exchange(content, body)).await.unwrap_or(Err(PostError::Slow))
    }

    /// Connects, and over https sees the certificate; sends nothing.
    ///
    /// # Errors
    /// When nobody is reached, or not who was meant.
    pub async fn reach(&self) -> Result<(), PostError> {
        let reached = async {
            let stream = self.connect().await?;
            if let Some((tls, name)) = &self.tls {
                tls.connect(name.clone(), stream).await?;
            }
            Ok(())
        };
        tokio::time::timeout(TIME, reached).await.unwrap_or(Err(PostError::Slow))
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((self.host.as_str(), self.port)).await
    }

    async fn exchange(&self, content: &'static str, body: Vec<u8>) -> Result<(u16, Vec<u8>), PostError> {
        let path = if self.path.is_empty() { "/" } else { self.path.as_str() };
        let request = Request::post(path)
            .header(HOST, self.authority.clone())
            .header(CONTENT_TYPE, content)
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| PostError::Broken(e.into()))?;
        let stream = self.connect().await?;
        match &self.tls {
            None => speak(TokioIo::new(stream), request).await,
            Some((tls, name)) => speak(TokioIo::new(tls.connect(name.clone(), stream).await?), request).await,
        }
    }
}

async fn speak<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(u16, Vec<u8>), PostError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let broken = |e: hyper::Error| PostError::Broken(e.into());
    let (mut sender, connection) = Builder::new().handshake(stream).await.map_err(broken)?;
    // Ends with the sender, or with the other side. What goes wrong reaches the waiting request.
    tokio::spawn(async move { connection.await.ok() });
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(PostError::Broken)?;
    Ok((status, body.to_bytes().to_vec()))
}

fn trust(ca: &Path) -> Result<Arc<ClientConfig>, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err("holds no certificate".into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
