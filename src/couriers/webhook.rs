//! Webhooks: a signed POST to a department's own program.
//!
//! Invariant: what is sent is signed with that department's secret, to that department's URL;
//! no redirect is followed, and nothing but the status of the answer is looked at. There is no
//! proxy here, whatever the environment says.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::Builder;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;
use url::Url;

use super::signature::{self, Message};
use super::{Failure, Why, fault};
use crate::adapters::egress;
use crate::base::ids::{DepartmentId, decode_hex};
use crate::base::{Finding, Secret, Timestamp};
use crate::config::adapter::Network;
use crate::config::notices::WebhookSection;
use crate::config::read_private;

/// Header bytes of an answer.
const MAX_HEAD: usize = 16 << 10;

/// The webhooks of all departments that have one.
pub struct Webhooks {
    timeout: Duration,
    hooks: BTreeMap<DepartmentId, Hook>,
}

struct Hook {
    url: Url,
    host: String,
    port: u16,
    name: ServerName<'static>,
    allow: Vec<Network>,
    tls: TlsConnector,
    secret: Secret<[u8; 32]>,
}

/// What is sent.
pub struct Post {
    /// The id: the same however often it is sent.
    pub id: String,
    /// The content: JSON.
    pub content: Vec<u8>,
    /// When it is signed.
    pub at: Timestamp,
}

impl Webhooks {
    /// Reads the files that the sections name.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn new(sections: &[WebhookSection], timeout: Duration) -> Result<Self, Finding> {
        let hooks = sections.iter().map(|section| Ok((section.department.clone(), Hook::new(section)?)));
        Ok(Self { timeout, hooks: hooks.collect::<Result<_, Finding>>()? })
    }

    /// Has the department one?
    pub fn has(&self, department: &DepartmentId) -> bool {
        self.hooks.contains_key(department)
    }

    /// Sends `post` to the department, and has it taken if the answer's status is one of 2xx.
    ///
    /// # Errors
    /// Why it was not taken, as far as we know.
    pub async fn send(&self, department: &DepartmentId, post: &Post) -> Result<(), Failure> {
        // A department whose webhook was taken out of the configuration wants nothing any more.
        let hook = self.hooks.get(department).ok_or(Failure::of(Why::NotThis))?;
        let request = hook.request(department, post).ok_or(Failure::of(Why::NotThis))?;
        match tokio::time::timeout(self.timeout, hook.status(request)).await {
            Err(_) => Err(Failure::of(Why::TooSlow)),
            Ok(Err(_)) => Err(Failure::of(Why::Unreachable)),
            Ok(Ok(status)) => judge(status),
        }
    }
}

impl Hook {
    fn new(section: &WebhookSection) -> Result<Self, Finding> {
        let file = &section.secret_file;
        let secret = decode_hex::<32>(read_private(file)?.trim()).ok_or_else(|| {
            fault(file, "holds no secret", "32 random bytes as 64 hex digits: openssl rand -hex 32")
        })?;
        let url = section.url.url().clone();
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone())
            .map_err(|_| fault(file, "the URL beside it has no usable host", "correct the URL"))?;
        Ok(Self {
            port: url.port_or_known_default().unwrap_or(443),
            host,
            name,
            url,
            allow: section.allow.clone(),
            tls: TlsConnector::from(super::tls(&section.ca)?),
            secret: Secret::new(secret),
        })
    }

    /// The signed request; `None` for a URL that cannot stand in one, which the type prevents.
    fn request(&self, department: &DepartmentId, post: &Post) -> Option<Request<Full<Bytes>>> {
        let message = Message {
            target: self.url.as_str(),
            content: &post.content,
            id: &post.id,
            key_id: department.as_str(),
            created: post.at.seconds(),
        };
        let signed = signature::sign(self.secret.reveal(), &message);
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Request::post(format!("{}{query}", self.url.path()))
            .header(HOST, self.url.authority())
            .header(CONNECTION, "close")
            .header(CONTENT_TYPE, "application/json")
            .header("content-digest", signed.content_digest)
            .header("idempotency-key", signed.idempotency_key)
            .header("signature-input", signed.signature_input)
            .header("signature", signed.signature)
            .body(Full::new(Bytes::copy_from_slice(&post.content)))
            .ok()
    }

    async fn status(&self, request: Request<Full<Bytes>>) -> io::Result<StatusCode> {
        let stream = egress::connect(&self.allow, &self.host, self.port).await?;
        let stream = TokioIo::new(self.tls.connect(self.name.clone(), stream).await?);
        let (mut sender, connection) =
            Builder::new().max_buf_size(MAX_HEAD).handshake(stream).await.map_err(io::Error::other)?;
        // Ends with the sender and the answer, whose body is not waited for.
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender.send_request(request).await.map_err(io::Error::other)?.status())
    }
}

/// 2xx took it. What says that this very content is at fault is not sent again; all else may be
/// mended at the receiver, and is.
fn judge(status: StatusCode) -> Result<(), Failure> {
    let why = match status.as_u16() {
        200..=299 => return Ok(()),
        400 | 413 | 415 | 422 => Why::NotThis,
        401 | 403 => Why::NotLetIn,
        _ => Why::NotNow,
    };
    Err(Failure { why, status: Some(status.as_u16()) })
}
