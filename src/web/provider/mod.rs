//! The entrance of the adapter process: the adapter protocol's side at the department,
//! `docs/adapter-protocol.md`.
//!
//! Invariant: only a client whose certificate the configured CA signed and whose key is listed
//! gets an answer; a request is parsed strictly and bounded before the source is
//! asked; and no value or identifier is logged. This room does not know what a source reads.

pub mod ask;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::KeepAlive;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev, web};
use futures_util::StreamExt;
use ring::rand::SystemRandom;

use self::ask::Ask;
use super::problem;
use super::tls::peer::Peer;
use crate::base::ids::{FieldName, Fingerprint, RequestId};
use crate::base::{Code, Error, Findings, Lang, Result, Timestamp};
use crate::config::adapter::ProcessConfig;

/// The version spoken.
pub const PROTOCOL: &str = "sluice-adapter/1";

/// The size of the largest request, in bytes.
const MAX_BODY: usize = 256 << 10;
/// How long a request's headers, and then its body, may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);
/// How long an unused connection is kept: longer than a gateway keeps it, so that the gateway
/// is the one to close it and never writes into a closing one.
const KEPT: Duration = Duration::from_secs(75);
/// Connections that are open at one time.
const CONNECTIONS: usize = 1024;
/// Seconds that a stop waits for requests in hand.
const STOP: u64 = 5;
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What answers: the department's data.
pub trait Source: Send + Sync + 'static {
    /// The text of a JSON array with, for each subject in order, an object of exactly `fields`,
    /// or null where there is no record. Blocks.
    ///
    /// # Errors
    /// Those of the protocol's table.
    fn fetch(&self, dataset: &str, fields: &[FieldName], subjects: &[&str]) -> Result<String>;
}

/// The listener, bound and not yet serving.
pub struct Bound {
    /// Where it listens.
    pub address: SocketAddr,
    server: dev::Server,
}

#[derive(Clone)]
struct Shared {
    source: Arc<dyn Source>,
    clients: Arc<[Fingerprint]>,
    within: Duration,
}

/// Binds the listener of the configuration.
///
/// # Errors
/// A file that cannot be used, or an address that cannot be bound.
pub fn bind(config: &ProcessConfig, source: Arc<dyn Source>) -> Result<Bound, Findings> {
    let tls = tls::server(config).map_err(|finding| Findings(vec![finding]))?;
    let shared = Shared {
        source,
        clients: config.clients.clone().into(),
        // Waiting for a connection to the database, and then for the statement.
        within: Duration::from_millis(config.statement_timeout_ms.saturating_mul(2)),
    };
    let server = HttpServer::new(move || App::new().app_data(shared.clone()).configure(routes))
        .on_connect(|connection, data| {
            if let Some(peer) = Peer::of(connection) {
                data.insert(peer);
            }
        })
        .workers(config.workers.get())
        .max_connections(CONNECTIONS.div_ceil(config.workers.get()))
        .tcp_nodelay(true)
        .keep_alive(KeepAlive::Timeout(KEPT))
        .client_request_timeout(ARRIVAL)
        .tls_handshake_timeout(ARRIVAL)
        .shutdown_timeout(STOP)
        .bind_rustls_0_23(config.listen, tls)
        .map_err(|error| Findings(vec![tls::fault("listen", &config.listen, &error)]))?;
    let address = server.addrs().first().copied().unwrap_or(config.listen);
    Ok(Bound { address, server: server.run() })
}

impl Bound {
    /// What stops the server from another thread; requests in hand are finished.
    pub fn stopper(&self) -> impl FnOnce() + Send + use<> {
        let server = self.server.handle();
        // The order to stop is given by the call; its end is seen where the server is awaited.
        move || drop(server.stop(true))
    }

    /// Serves until SIGTERM or SIGINT, then lets requests in hand finish.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(self) -> io::Result<()> {
        self.server.await
    }
}

fn routes(app: &mut web::ServiceConfig) {
    let post = |request| other_method(request, "POST");
    let get = |request| other_method(request, "GET");
    app.service(web::resource("/v1/fetch").route(web::post().to(fetch)).default_service(web::to(post)))
        .service(web::resource("/v1/health").route(web::get().to(health)).default_service(web::to(get)))
        .default_service(web::to(nothing));
}

async fn fetch(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let (id, outcome) = answer(&request, payload).await;
    let mut response = match outcome {
        Ok(records) => HttpResponse::Ok()
            .content_type(header::ContentType::json())
            .body(format!("{{\"protocol\":\"{PROTOCOL}\",\"records\":{records}}}")),
        Err(error) => {
            tracing::warn!(
                request.id = %id,
                code = error.code.as_str(),
                cause = error.cause().map(tracing::field::display),
                "fetch not answered"
            );
            problem::render(&error, &id, language(request.headers()))
        }
    };
    if let Some(trace) = request.headers().get(TRACEPARENT) {
        response.headers_mut().insert(TRACEPARENT, trace.clone());
    }
    response
}

async fn answer(request: &HttpRequest, payload: web::Payload) -> (RequestId, Result<String>) {
    let ask = async {
        let shared = known(request)?;
        let body = read(payload).await?;
        Ok((shared, Ask::parse(&body)?))
    };
    match ask.await {
        Ok((shared, ask)) => (ask.request_id, look_up(shared, ask).await),
        Err(error) => (unnamed(), Err(error)),
    }
}

/// Off the worker thread, for the source blocks; and not for longer than it should.
async fn look_up(shared: Shared, ask: Ask) -> Result<String> {
    let source = shared.source;
    let work = web::block(move || source.fetch(&ask.dataset, &ask.fields, &ask.subjects()));
    match tokio::time::timeout(shared.within, work).await {
        Ok(Ok(records)) => records,
        Ok(Err(error)) => Err(Error::new(Code::Internal).because(error)),
        Err(elapsed) => Err(Error::new(Code::ProviderTimeout).because(elapsed)),
    }
}

/// The shared state, for a client that may have it.
fn known(request: &HttpRequest) -> Result<Shared> {
    let shared = request.app_data::<Shared>().ok_or(Code::Internal)?;
    let peer = request.conn_data::<Peer>().ok_or(Code::CertificateRequired)?;
    match shared.clients.contains(&peer.key) {
        true => Ok(shared.clone()),
        false => Err(Code::CertificateUnknown.into()),
    }
}

async fn read(mut payload: web::Payload) -> Result<Vec<u8>> {
    let collect = async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| Error::new(Code::MalformedRequest).because(error))?;
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Code::TooLarge.into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    tokio::time::timeout(ARRIVAL, collect).await.unwrap_or_else(|_| Err(Code::RequestTimeout.into()))
}

async fn health(request: HttpRequest) -> HttpResponse {
    match known(&request) {
        Ok(_) => HttpResponse::Ok()
            .content_type(header::ContentType::json())
            .body(format!("{{\"protocol\":\"{PROTOCOL}\",\"status\":\"ok\"}}")),
        Err(error) => problem::render(&error, &unnamed(), language(request.headers())),
    }
}

async fn other_method(request: HttpRequest, allowed: &'static str) -> HttpResponse {
    let error = Code::MethodNotAllowed.into();
    let mut response = problem::render(&error, &unnamed(), language(request.headers()));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

async fn nothing(request: HttpRequest) -> HttpResponse {
    problem::render(&Code::NotFound.into(), &unnamed(), language(request.headers()))
}

/// The id of a request that did not get as far as naming its own.
fn unnamed() -> RequestId {
    RequestId::new(Timestamp::default(), &SystemRandom::new()).unwrap_or_default()
}

fn language(headers: &HeaderMap) -> Lang {
    Lang::negotiate(headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
}
