//! Connections of one worker to one provider: kept alive, reused, and one call at a time on each.
//!
//! Invariant: a request of which a byte may have left is never sent twice. One that provably did
//! not leave (the connection could not be made, or a kept one turned out closed before writing)
//! is tried once more. Answers are read up to a bound and no redirect is followed. There is no
//! proxy here, whatever the environment says.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;
use url::Url;

use super::egress;
use crate::base::{Code, Error, Result};
use crate::config::adapter::{AdapterConfig, Network};

/// Header bytes of an answer.
const MAX_HEAD: usize = 16 << 10;
/// Header lines of an answer.
const MAX_HEADERS: usize = 64;

/// Where a provider is, and how it is reached: shared by all workers.
pub struct Target {
    host: String,
    port: u16,
    authority: HeaderValue,
    allow: Vec<Network>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connect_timeout: Duration,
    idle: Duration,
    kept: usize,
    max_answer: usize,
}

/// One worker's connections to one provider.
pub struct Link {
    target: Arc<Target>,
    idle: Mutex<Vec<Kept>>,
}

struct Kept {
    connection: SendRequest<Full<Bytes>>,
    since: Instant,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, within the bound.
    pub body: Bytes,
}

impl Target {
    /// From a checked entry: `url` has a host, and `tls` stands exactly when its scheme is https.
    ///
    /// # Errors
    /// When the host cannot be a name in a certificate or in a header.
    pub fn new(
        config: &AdapterConfig,
        url: &Url,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, &'static str> {
        const BAD: &str = "`url` has no usable host";
        let host = url.host_str().ok_or(BAD)?.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().ok_or(BAD)?;
        let authority = url.authority().parse().map_err(|_| BAD)?;
        let name = ServerName::try_from(host.clone()).map_err(|_| BAD)?;
        Ok(Self {
            host,
            port,
            authority,
            allow: config.allow.clone(),
            tls: tls.map(|tls| (TlsConnector::from(tls), name)),
            connect_timeout: Duration::from_millis(config.connect_timeout_ms),
            idle: Duration::from_millis(config.idle_ms),
            kept: config.concurrency.get() as usize,
            max_answer: config.max_answer_bytes,
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        match tokio::time::timeout(self.connect_timeout, self.handshake()).await {
            Ok(connected) => connected.map_err(|error| Error::new(Code::ProviderFailed).because(error)),
            Err(elapsed) => Err(Error::new(Code::ProviderTimeout).because(elapsed)),
        }
    }

    /// Connects, and lets go again.
    ///
    /// # Errors
    /// Why there is no connection, for an operator.
    pub async fn reach(&self) -> Result<(), String> {
        match tokio::time::timeout(self.connect_timeout, self.handshake()).await {
            Ok(connected) => connected.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err(format!("no connection within {} ms", self.connect_timeout.as_millis())),
        }
    }

    async fn handshake(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = egress::connect(&self.allow, &self.host, self.port).await?;
        match &self.tls {
            None => speak(TokioIo::new(stream)).await,
            Some((tls, name)) => speak(TokioIo::new(tls.connect(name.clone(), stream).await?)).await,
        }
    }
}

/// Starts HTTP/1.1 on a connected stream.
async fn speak<S>(stream: S) -> io::Result<SendRequest<Full<Bytes>>>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake(stream)
        .await
        .map_err(io::Error::other)?;
    // Ends with the sender, or with the provider. What goes wrong reaches the waiting call.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

impl Link {
    /// No connections yet.
    pub fn new(target: Arc<Target>) -> Self {
        Self { target, idle: Mutex::new(Vec::new()) }
    }

    /// Sends `request` (its target in origin form) and reads the whole answer.
    ///
    /// # Errors
    /// `provider-failed` when the provider cannot be reached or breaks off, `provider-timeout`
    /// when connecting takes too long, `provider-answer-too-large`.
    pub async fn call(&self, mut request: Request<Full<Bytes>>) -> Result<Answer> {
        request.headers_mut().insert(HOST, self.target.authority.clone());
        let (response, connection) = match self.send(request).await {
            Ok(sent) => sent,
            Err(Unsent { request: Some(request), .. }) => {
                self.fresh(request).await.map_err(|unsent| unsent.error)?
            }
            Err(unsent) => return Err(unsent.error),
        };
        let status = response.status();
        let body = self.read(response.into_body()).await?;
        self.keep(connection);
        Ok(Answer { status, body })
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Sent, Unsent> {
        match self.reuse().await {
            Some(kept) => send_on(kept, request).await,
            None => self.fresh(request).await,
        }
    }

    async fn fresh(&self, request: Request<Full<Bytes>>) -> Result<Sent, Unsent> {
        match self.target.connect().await {
            Ok(connection) => send_on(connection, request).await,
            Err(error) => Err(Unsent { error, request: Some(request) }),
        }
    }

    /// The most recently used connection that is still open: the others may then grow old.
    async fn reuse(&self) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            let Kept { mut connection, since } = self.idle(Vec::pop)?;
            if since.elapsed() < self.target.idle && connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        if !connection.is_closed() {
            let kept = Kept { connection, since: Instant::now() };
            self.idle(|idle| {
                if idle.len() < self.target.kept {
                    idle.push(kept);
                }
            });
        }
    }

    /// Kept connections that are still open.
    #[cfg(test)]
    pub fn open(&self) -> usize {
        self.idle(|idle| idle.iter().filter(|kept| !kept.connection.is_closed()).count())
    }

    fn idle<T>(&self, with: impl FnOnce(&mut Vec<Kept>) -> T) -> T {
        // Only ever contended by the futures of one worker, which do not run at the same time.
        with(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a body up to the bound. Dropping an unfinished one closes its connection.
    async fn read(&self, mut body: Incoming) -> Result<Bytes> {
        let max = self.target.max_answer;
        if body.size_hint().lower() > max as u64 {
            return Err(Code::ProviderTooLarge.into());
        }
        let mut whole: Option<Vec<u8>> = None;
        let mut first = Bytes::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Error::new(Code::ProviderFailed).because(error))?;
            let Ok(data) = frame.into_data() else { continue };
            // Most answers come in one piece, which need not be copied.
            let read = whole.as_ref().map_or(first.len(), Vec::len);
            if read + data.len() > max {
                return Err(Code::ProviderTooLarge.into());
            }
            match &mut whole {
                Some(whole) => whole.extend_from_slice(&data),
                None if first.is_empty() => first = data,
                None => whole = Some([&first[..], &data[..]].concat()),
            }
        }
        Ok(whole.map_or(first, Bytes::from))
    }
}

type Sent = (Response<Incoming>, SendRequest<Full<Bytes>>);

/// A call that failed, and its request where no byte of it can have left.
struct Unsent {
    error: Error,
    request: Option<Request<Full<Bytes>>>,
}

async fn send_on(
    mut connection: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Sent, Unsent> {
    match connection.try_send_request(request).await {
        Ok(response) => Ok((response, connection)),
        Err(mut unsent) => Err(Unsent {
            request: unsent.take_message(),
            error: Error::new(Code::ProviderFailed).because(unsent.into_error()),
        }),
    }
}
