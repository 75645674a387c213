//! One request to the identity provider, one answer.
//!
//! Invariant: it goes encrypted to an allowed address that shows a certificate of the named CA; no
//! redirect is followed; the answer is JSON of bounded size that came within a bounded time. There is
//! no proxy here, whatever the environment says.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::Builder;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio_rustls::TlsConnector;
use url::Url;

use super::Failure;
use crate::adapters::egress;
use crate::base::json;
use crate::config::adapter::Network;

/// How long an answer may take, with connecting.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MAX_ANSWER: usize = 256 << 10;
/// Header bytes of an answer.
const MAX_HEAD: usize = 16 << 10;
/// The deepest nesting of an answer.
const DEEPEST: usize = 16;

/// How the provider is reached.
pub struct Https {
    allow: Vec<Network>,
    tls: TlsConnector,
}

impl Https {
    /// At these addresses, with this trust.
    pub fn new(allow: Vec<Network>, tls: Arc<ClientConfig>) -> Self {
        Self { allow, tls: TlsConnector::from(tls) }
    }

    /// `GET url`.
    ///
    /// # Errors
    /// [`Failure::Unreachable`], [`Failure::Unusable`].
    pub async fn get(&self, url: &Url) -> Result<Value, Failure> {
        match self.answer(url, Request::get(target(url)), Bytes::new()).await? {
            (StatusCode::OK, value) => Ok(value),
            (status, _) => Err(Failure::Unusable(format!("it answers {}", status.as_u16()))),
        }
    }

    /// `POST url` with a form, and `headers` beside its own.
    ///
    /// # Errors
    /// [`Failure::Unreachable`], [`Failure::Unusable`].
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        form: String,
    ) -> Result<(StatusCode, Value), Failure> {
        let mut request =
            Request::post(target(url)).header("content-type", "application/x-www-form-urlencoded");
        if let Some(own) = request.headers_mut() {
            own.extend(headers);
        }
        self.answer(url, request, Bytes::from(form)).await
    }

    async fn answer(
        &self,
        url: &Url,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<(StatusCode, Value), Failure> {
        let unreachable = |error: &dyn std::fmt::Display| Failure::Unreachable(error.to_string());
        let request = request
            .header(HOST, url.authority())
            .header(CONNECTION, "close")
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body(Full::new(body))
            .map_err(|error| unreachable(&error))?;
        let (status, body) = tokio::time::timeout(PATIENCE, self.exchange(url, request))
            .await
            .map_err(|_| unreachable(&"no answer in time"))?
            .map_err(|error| unreachable(&error))?;
        let value = json::parse(&body, DEEPEST)
            .map_err(|fault| Failure::Unusable(format!("no JSON in its answer: {}", fault.code.as_str())))?;
        Ok((status, value))
    }

    async fn exchange(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let stream = egress::connect(&self.allow, &host, port).await?;
        let stream = TokioIo::new(self.tls.connect(ServerName::try_from(host)?, stream).await?);
        let (mut sender, connection) = Builder::new().max_buf_size(MAX_HEAD).handshake(stream).await?;
        // Ends with the sender and the answer.
        tokio::spawn(async move { connection.await.ok() });
        let (head, body) = sender.send_request(request).await?.into_parts();
        Ok((head.status, Limited::new(body, MAX_ANSWER).collect().await?.to_bytes()))
    }
}

/// What is asked for, in origin form.
fn target(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}{query}", url.path())
}
