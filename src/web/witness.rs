//! The entrance of a witness: C2SP tlog-witness, `POST /add-checkpoint` and nothing else.
//!
//! Invariant: a request is bounded in size and time before it is looked at, and looked at off the
//! thread that serves; what is answered are statuses of the protocol, never what was sent.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::ContentType;
use actix_web::http::{KeepAlive, StatusCode};
use actix_web::{App, HttpResponse, HttpServer, dev, web};
use futures_util::StreamExt;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::app::witness::{Refused, WitnessService};
use crate::base::Finding;
use crate::config::{WitnessConfig, read_private};

/// The size of the largest request, in bytes: 63 hashes and a checkpoint with many signatures.
const MAX_BODY: usize = 16 << 10;
/// How long a handshake, headers and the body may each take.
const ARRIVAL: Duration = Duration::from_secs(5);
/// How long an unused connection is kept.
const KEPT: Duration = Duration::from_secs(75);
/// Connections that are open at one time.
const CONNECTIONS: usize = 256;
/// Seconds that a stop waits for requests in hand.
const STOP: u64 = 5;

/// The listener, bound and not yet serving.
pub struct Bound {
    /// Where it listens.
    pub address: SocketAddr,
    server: dev::Server,
}

/// Binds the listener of the configuration.
///
/// # Errors
/// A file that cannot be used, or an address that cannot be bound.
pub fn bind(config: &WitnessConfig, witness: WitnessService) -> Result<Bound, Finding> {
    let tls = tls(config)?;
    let witness = web::Data::new(witness);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::clone(&witness))
            .service(
                web::resource("/add-checkpoint")
                    .route(web::post().to(add_checkpoint))
                    .default_service(web::to(HttpResponse::MethodNotAllowed)),
            )
            .default_service(web::to(HttpResponse::NotFound))
    });
    let server = server
        .workers(1)
        .max_connections(CONNECTIONS)
        .tcp_nodelay(true)
        .keep_alive(KeepAlive::Timeout(KEPT))
        .client_request_timeout(ARRIVAL)
        .tls_handshake_timeout(ARRIVAL)
        .shutdown_timeout(STOP)
        .bind_rustls_0_23(config.listen, tls)
        .map_err(|e| fault("listen", &config.listen, &e))?;
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

async fn add_checkpoint(witness: web::Data<WitnessService>, payload: web::Payload) -> HttpResponse {
    let body = match tokio::time::timeout(ARRIVAL, read(payload)).await {
        Ok(Ok(body)) => body,
        Ok(Err(status)) => return closing(status),
        Err(_) => return closing(StatusCode::REQUEST_TIMEOUT),
    };
    // It waits for the disk.
    let told = web::block(move || witness.add_checkpoint(&body)).await.unwrap_or(Err(Refused::Broken));
    match told {
        Ok(line) => HttpResponse::Ok().content_type(ContentType::plaintext()).body(line),
        Err(Refused::Conflict(size)) => {
            HttpResponse::Conflict().content_type("text/x.tlog.size").body(format!("{size}\n"))
        }
        Err(Refused::Malformed) => HttpResponse::BadRequest().finish(),
        Err(Refused::UnknownLog) => HttpResponse::NotFound().finish(),
        Err(Refused::UnknownKey) => HttpResponse::Forbidden().finish(),
        Err(Refused::NotConsistent) => HttpResponse::UnprocessableEntity().finish(),
        Err(Refused::Broken) => HttpResponse::InternalServerError().finish(),
    }
}

/// An answer after which what remains of the body is not read as the next request.
fn closing(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status).force_close().finish()
}

async fn read(mut payload: web::Payload) -> Result<String, StatusCode> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| StatusCode::BAD_REQUEST)
}

/// TLS without certificates of clients: the protocol asks nobody who they are.
fn tls(config: &WitnessConfig) -> Result<ServerConfig, Finding> {
    let file = config.certificate.display();
    let chain: Vec<_> = CertificateDer::pem_file_iter(&config.certificate)
        .and_then(Iterator::collect)
        .map_err(|e| fault("certificate", &file, &e))?;
    let key = PrivateKeyDer::from_pem_slice(read_private(&config.key)?.as_bytes())
        .map_err(|e| fault("key", &config.key.display(), &e))?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|e| fault("certificate", &file, &e))
}

fn fault(key: &str, what: &dyn std::fmt::Display, why: &dyn std::fmt::Display) -> Finding {
    let fix = format!("correct `{key}` in the configuration of the witness");
    Finding::error("witness", &what.to_string(), 0, why.to_string(), fix)
}
