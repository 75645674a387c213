//! The listeners: bound, limited, stopped gently.
//!
//! Invariant: what a client can take without being known is bounded: connections, time for the
//! handshake, for headers and for the body. Nothing here looks at what a request says.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Payload, Server};
use actix_web::http::KeepAlive;
use actix_web::middleware::from_fn;
use actix_web::{App, FromRequest, HttpRequest, HttpServer};
use std::future::{Ready, ready};

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
}

/// Binds both listeners.
///
/// # Errors
/// An address that cannot be bound.
pub fn bind(house: &House, section: &GatewaySection, limits: &LimitsSection) -> io::Result<Bound> {
    let (listener, ops_listener) = (listen(section.listen)?, listen(section.ops_listen)?);
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    Ok(Bound {
        address,
        ops_address,
        api: serve_api(house.clone(), listener, section.workers, limits)?,
        ops: serve_ops(house.clone(), ops_listener)?,
    })
}

impl Bound {
    /// Serves until `stop`, then lets requests under way finish, within the configured time.
    ///
    /// # Errors
    /// When a listener fails for good.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let (api, ops) = (self.api.handle(), self.ops.handle());
        let serving = actix_web::rt::spawn(self.api);
        let operating = actix_web::rt::spawn(self.ops);
        stop.await;
        // Operators can watch the stop: their listener goes last.
        api.stop(true).await;
        ops.stop(true).await;
        for ended in [serving.await, operating.await] {
            ended.map_err(io::Error::other)??;
        }
        Ok(())
    }
}

/// A listener that takes its address over from a predecessor still closing its connections.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {address}: {e}")))
}

fn serve_api(
    house: House,
    listener: TcpListener,
    workers: NonZeroUsize,
    limits: &LimitsSection,
) -> io::Result<Server> {
    let tls = house.tls.server_config().map_err(io::Error::other)?;
    let body_time = seconds(limits.body_seconds.get());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Worker::new(&house, body_time))
            .wrap(from_fn(entrance::pass))
            .configure(routes::configure)
    });
    let server = server
        .on_connect(|connection, data| {
            if let Some(peer) = Peer::of(connection) {
                data.insert(peer);
            }
        })
        .workers(workers.get())
        .backlog(BACKLOG)
        .max_connections(limits.connections.get().div_ceil(workers.get()))
        .tcp_nodelay(true)
        .tls_handshake_timeout(HANDSHAKE)
        .client_request_timeout(seconds(limits.header_seconds.get()))
        .client_disconnect_timeout(DISCONNECT)
        .keep_alive(KeepAlive::Timeout(seconds(limits.keep_alive_seconds.get())))
        .shutdown_timeout(u64::from(limits.shutdown_seconds.get()))
        .disable_signals()
        .listen_rustls_0_23(listener, tls)?;
    Ok(server.run())
}

fn serve_ops(house: House, listener: TcpListener) -> io::Result<Server> {
    let server = HttpServer::new(move || App::new().app_data(house.clone()).configure(ops::configure));
    Ok(server.workers(1).max_connections(64).shutdown_timeout(1).disable_signals().listen(listener)?.run())
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
    /// Certificates.
    pub tls: Arc<Tls>,
    /// Where measurements go.
    pub metrics: Arc<Metrics>,
    /// How long a body may take to arrive.
    pub body_time: Duration,
}

impl Worker {
    fn new(house: &House, body_time: Duration) -> Self {
        Self(Rc::new(Shared {
            gateway: Arc::clone(&house.gateway),
            adapters: house.adapters.for_worker(),
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
