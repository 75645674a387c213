//! The listeners: bound, limited, stopped gently.
//!
//! Invariant: what a client can take without being known is bounded: connections, time for the
//! handshake, for headers and for the body. Nothing here looks at what a request says.

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Payload, Server};
use actix_web::http::KeepAlive;
use actix_web::middleware::from_fn;
use actix_web::{App, FromRequest, HttpRequest, HttpServer};

use super::connections::Connections;
use super::tls::Tls;
use super::tls::peer::Peer;
use super::{entrance, ops, routes};
use crate::app::{Adapters, Gateway, WorkerAdapters};
use crate::base::{Code, Error, Result};
use crate::config::{GatewaySection, LimitsSection};
use crate::telemetry::Metrics;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a client may take to close a connection after the last answer.
const DISCONNECT: Duration = Duration::from_secs(2);

/// What the entrance stands before.
#[derive(Clone)]
pub struct House {
    /// The use cases.
    pub gateway: Arc<Gateway>,
    /// The ways to the providers.
    pub adapters: Adapters,
    /// Certificates.
    pub tls: Arc<Tls>,
    /// Where measurements go.
    pub metrics: Arc<Metrics>,
}

/// Both listeners, bound and not yet serving.
pub struct Bound {
    /// Where systems and people connect.
    pub address: SocketAddr,
    /// Where operators look.
    pub ops_address: SocketAddr,
    api: Server,
    ops: Server,
    connections: Arc<Connections>,
}

/// Binds both listeners.
///
/// # Errors
/// An address that cannot be bound.
pub fn bind(house: &House, section: &GatewaySection, limits: &LimitsSection) -> io::Result<Bound> {
    // Longer than the library keeps a connection that is idle: what is left then stands still.
    let connections = Connections::new(seconds(
        limits.keep_alive_seconds.saturating_add(limits.header_seconds.get()).get(),
    ));
    let (address, api) = bind_api(house.clone(), section, limits, Arc::clone(&connections))?;
    let (ops_address, ops) = bind_ops(house.clone(), section.ops_listen)?;
    Ok(Bound { address, ops_address, api, ops, connections })
}

impl Bound {
    /// Serves until `stop`, then lets requests under way finish, within the configured time.
    ///
    /// # Errors
    /// When a listener fails for good.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let (api, ops) = (self.api.handle(), self.ops.handle());
        let mut serving = actix_web::rt::spawn(self.api);
        let mut operating = actix_web::rt::spawn(self.ops);
        let watching = actix_web::rt::spawn(self.connections.watch());
        tokio::select! {
            () = stop => {}
            failed = &mut serving => return failed.map_err(io::Error::other)?,
            failed = &mut operating => return failed.map_err(io::Error::other)?,
        }
        // Operators can watch the stop: their listener goes last.
        api.stop(true).await;
        watching.abort();
        ops.stop(true).await;
        serving.await.map_err(io::Error::other)??;
        operating.await.map_err(io::Error::other)?
    }
}

fn bind_api(
    house: House,
    section: &GatewaySection,
    limits: &LimitsSection,
    connections: Arc<Connections>,
) -> io::Result<(SocketAddr, Server)> {
    let tls = house.tls.server_config().map_err(io::Error::other)?;
    let workers = section.workers.get();
    let per_worker = limits.connections.get().div_ceil(workers);
    let body_time = seconds(limits.body_seconds.get());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Worker::new(&house, body_time))
            .wrap(from_fn(entrance::pass))
            .configure(routes::configure)
    });
    let server = server
        .on_connect(move |connection, data| {
            if let Some(peer) = Peer::of(connection) {
                data.insert(peer);
            }
            if let Some(line) = connections.open(connection) {
                data.insert(line);
            }
        })
        .workers(workers)
        .backlog(BACKLOG)
        .max_connections(per_worker)
        // Handshakes that stand still have no bound that is reached before that of connections.
        .max_connection_rate(per_worker)
        .tcp_nodelay(true)
        .tls_handshake_timeout(HANDSHAKE)
        .client_request_timeout(seconds(limits.header_seconds.get()))
        .client_disconnect_timeout(DISCONNECT)
        .keep_alive(KeepAlive::Timeout(seconds(limits.keep_alive_seconds.get())))
        .shutdown_timeout(u64::from(limits.shutdown_seconds.get()))
        .disable_signals()
        .bind_rustls_0_23(section.listen, tls)
        .map_err(|e| cannot_listen(section.listen, &e))?;
    Ok((first(&server.addrs())?, server.run()))
}

fn bind_ops(house: House, address: SocketAddr) -> io::Result<(SocketAddr, Server)> {
    let server = HttpServer::new(move || App::new().app_data(house.clone()).configure(ops::configure))
        .workers(1)
        .max_connections(64)
        .shutdown_timeout(1)
        .disable_signals()
        .bind(address)
        .map_err(|e| cannot_listen(address, &e))?;
    Ok((first(&server.addrs())?, server.run()))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

/// The address that was bound: the port is chosen by the machine where 0 was asked for.
fn first(addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
    addresses.first().copied().ok_or_else(|| io::Error::other("no address was bound"))
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}

/// What the handlers of one worker thread share. Cheap to clone.
#[derive(Clone)]
pub struct Worker(Rc<Shared>);

/// See [`Worker`].
pub struct Shared {
    /// The use cases.
    pub gateway: Arc<Gateway>,
    /// This thread's connections to the providers.
    pub adapters: WorkerAdapters,
    /// The providers, as all threads share them: how they stand.
    pub all_adapters: Adapters,
    /// Certificates.
    pub tls: Arc<Tls>,
    /// Where measurements go.
    pub metrics: Arc<Metrics>,
    /// How long a body may take to arrive.
    pub body_time: Duration,
}

impl Worker {
    pub(super) fn new(house: &House, body_time: Duration) -> Self {
        Self(Rc::new(Shared {
            gateway: Arc::clone(&house.gateway),
            adapters: house.adapters.for_worker(),
            all_adapters: house.adapters.clone(),
            tls: Arc::clone(&house.tls),
            metrics: Arc::clone(&house.metrics),
            body_time,
        }))
    }

    /// The worker that `req` came to.
    ///
    /// # Errors
    /// `internal` when the app was put together without one.
    pub fn of(req: &HttpRequest) -> Result<Self> {
        req.app_data::<Self>().cloned().ok_or_else(|| Error::new(Code::Internal))
    }
}

impl Deref for Worker {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRequest for Worker {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(req))
    }
}
