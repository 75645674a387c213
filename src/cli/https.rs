//! A client of one gateway over mutual TLS: one request at a time, on a connection that is kept.
//!
//! Invariant: the certificate that answers comes from the CA that was given and bears the name
//! that was asked for; there is no other trust. An answer is read within a time and a bound, no
//! redirect is followed, and there is no proxy here, whatever the environment says.

use std::error::Error;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::Method;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{ACCEPT_ENCODING, CONTENT_TYPE, COOKIE, HOST, HeaderValue, SET_COOKIE};
use hyper_util::rt::TokioIo;
use rustls::{AlertDescription, CertificateError};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::adapters::tls;
use crate::config::adapter::ClientTls;

/// For a connection, with its handshake.
const CONNECT: Duration = Duration::from_secs(10);
/// For an answer.
const ANSWER: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// The address.
    #[error("--url is not the address of a gateway: expected https://HOST:PORT")]
    Url,
    /// A file of the certificates.
    #[error("{0}")]
    File(String),
    /// This machine.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// Nothing answers there.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, io::Error),
    /// The gateway's certificate is from elsewhere.
    #[error("the CA in --ca has not issued the certificate of {0}")]
    WrongCa(String),
    /// The gateway's certificate is not good for it.
    #[error("the certificate of {0} is not valid: {1}")]
    Untrusted(String, rustls::Error),
    /// The gateway does not take the certificate.
    #[error("{0} refused the certificate in --cert: {1:?}")]
    Refused(String, AlertDescription),
    /// It broke off.
    #[error("{0} broke off: {1}")]
    Broken(String, Box<dyn Error + Send + Sync>),
    /// It was too slow.
    #[error("{0} did not answer within {1} s")]
    Slow(String, u64),
    /// It is longer than the bound.
    #[error("the answer is too large")]
    TooLarge,
}

/// The client.
pub struct Https {
    runtime: Runtime,
    tls: TlsConnector,
    name: ServerName<'static>,
    /// As it stands in the URL: host and port.
    authority: String,
    host: String,
    port: u16,
    kept: Option<SendRequest<Full<Bytes>>>,
}

/// A whole answer.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// What it sets as cookies: `name=value`.
    pub cookies: Vec<String>,
}

/// A request that changes something.
pub struct Ask<'a> {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: &'a str,
    /// The cookie by which the sender is known; empty where it is not yet.
    pub cookie: &'a str,
    /// JSON.
    pub body: String,
}

impl Https {
    /// Connects when first asked.
    ///
    /// # Errors
    /// When the address or a file cannot be used.
    pub fn new(url: &str, tls: &ClientTls) -> Result<Self, HttpsError> {
        let url = Url::parse(url).map_err(|_| HttpsError::Url)?;
        let plain = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        let host = url.host_str().filter(|_| plain && url.scheme() == "https").ok_or(HttpsError::Url)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let config =
            tls::client(tls).map_err(|found| HttpsError::File(format!("{}: {}", found.file, found.what)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.map_err(HttpsError::Runtime)?,
            tls: TlsConnector::from(config),
            name: ServerName::try_from(host.clone()).map_err(|_| HttpsError::Url)?,
            authority: url.authority().to_owned(),
            port: url.port_or_known_default().ok_or(HttpsError::Url)?,
            host,
            kept: None,
        })
    }

    /// `GET path`. Whatever the status, it is an answer; its body has at most `max` bytes.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&mut self, path: &str, max: usize) -> Result<Answer, HttpsError> {
        if let Some(kept) = self.kept.take() {
            match self.send_on(Some(kept), self.request(Method::GET, path, "", String::new())?, max) {
                // The gateway may close what has been idle, just when it is used again.
                Err(HttpsError::Broken(..)) => {}
                answered => return answered,
            }
        }
        let request = self.request(Method::GET, path, "", String::new())?;
        self.send_on(None, request, max)
    }

    /// Sends `ask`, once: on a connection of its own, which cannot turn out to have been closed.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(&mut self, ask: Ask<'_>, max: usize) -> Result<Answer, HttpsError> {
        let request = self.request(ask.method, ask.path, ask.cookie, ask.body)?;
        self.send_on(None, request, max)
    }

    fn send_on(
        &mut self,
        kept: Option<SendRequest<Full<Bytes>>>,
        request: Request<Full<Bytes>>,
        max: usize,
    ) -> Result<Answer, HttpsError> {
        let name = &self.authority;
        let slow = |limit: Duration| move |_| HttpsError::Slow(name.clone(), limit.as_secs());
        let answered = self.runtime.block_on(async {
            let mut connection = match kept {
                Some(kept) => kept,
                None => timeout(CONNECT, connect(&self.tls, &self.name, &self.host, self.port))
                    .await
                    .map_err(slow(CONNECT))?
                    .map_err(|e| unconnected(name, e))?,
            };
            let answer = timeout(ANSWER, exchange(&mut connection, request, max))
                .await
                .map_err(slow(ANSWER))?
                .map_err(|e| broken(name, e))?;
            Ok((answer, connection))
        });
        let (answer, connection) = answered?;
        self.kept = Some(connection);
        Ok(answer)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        cookie: &str,
        body: String,
    ) -> Result<Request<Full<Bytes>>, HttpsError> {
        let host = HeaderValue::from_str(&self.authority).map_err(|_| HttpsError::Url)?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(ACCEPT_ENCODING, "identity");
        if !cookie.is_empty() {
            request = request.header(COOKIE, cookie);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(Full::from(body)).map_err(|_| HttpsError::Url)
    }
}

async fn connect(
    tls: &TlsConnector,
    name: &ServerName<'static>,
    host: &str,
    port: u16,
) -> io::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let stream = TokioIo::new(tls.connect(name.clone(), stream).await?);
    let (sender, connection) = Builder::new().handshake(stream).await.map_err(io::Error::other)?;
    // Ends with the sender, or with the gateway. What goes wrong reaches the waiting request.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

type Broken = Box<dyn Error + Send + Sync>;

async fn exchange(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    max: usize,
) -> Result<Answer, Broken> {
    connection.ready().await?;
    let response = connection.send_request(request).await?;
    let status = response.status().as_u16();
    let cookies = response.headers().get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = cookies.filter_map(|line| line.split(';').next()).map(str::to_owned).collect();
    let body = Limited::new(response.into_body(), max).collect().await?;
    Ok(Answer { status, body: body.to_bytes().to_vec(), cookies })
}

fn unconnected(name: &str, error: io::Error) -> HttpsError {
    use CertificateError::UnknownIssuer;
    match tls_error(&error) {
        Some(rustls::Error::InvalidCertificate(UnknownIssuer)) => HttpsError::WrongCa(name.into()),
        Some(fault @ rustls::Error::InvalidCertificate(_)) => {
            HttpsError::Untrusted(name.into(), fault.clone())
        }
        Some(rustls::Error::AlertReceived(alert)) => HttpsError::Refused(name.into(), *alert),
        _ => HttpsError::Unreachable(name.into(), error),
    }
}

/// In TLS 1.3 a certificate that the gateway does not take shows only here.
fn broken(name: &str, error: Broken) -> HttpsError {
    if error.is::<LengthLimitError>() {
        return HttpsError::TooLarge;
    }
    match tls_error(&*error) {
        Some(rustls::Error::AlertReceived(alert)) => HttpsError::Refused(name.into(), *alert),
        _ => HttpsError::Broken(name.into(), error),
    }
}

/// What TLS said, somewhere below `error`. An I/O error holds its cause without naming it as one.
fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let below = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.downcast_ref().or_else(|| tls_error(below?)).or_else(|| tls_error(error.source()?))
}
