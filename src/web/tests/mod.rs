//! The entrance over real sockets and real TLS, with the repository's own catalogue behind it and
//! no provider: what happens before a query reaches one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod faults;
mod framing;
mod requests;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::version::TLS13;
use rustls::{ClientConnection, StreamOwned};
use tokio::sync::oneshot;

use super::server::{House, bind};
use super::tls::Tls;
use super::tls::pki::{Identity, Pki, client};
use crate::app::consents::Consents;
use crate::app::gateway::Parts;
use crate::app::keys::{self, Keys};
use crate::app::lease::Lease;
use crate::app::session::Entry;
use crate::app::world::World;
use crate::app::{Adapters, Gateway, apply};
use crate::base::Clock;
use crate::base::ids::SystemId;
use crate::config::{AuditSection, GatewaySection, HistorySection, LimitsSection, SessionsSection};
use crate::store::audit::{AuditLog, Options};
use crate::store::state::{Quotas, StateStore};
use crate::telemetry::Metrics;

/// A gateway that serves on loopback until it is dropped.
struct Served {
    pki: Pki,
    gateway: Arc<Gateway>,
    tls: Arc<Tls>,
    address: SocketAddr,
    ops_address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The certificate of `housing.aid`, registered.
    housing: Identity,
    /// A good certificate that nobody registered.
    stranger: Identity,
}

impl Served {
    fn start() -> Self {
        Self::start_with(LimitsSection::default())
    }

    fn start_with(limits: LimitsSection) -> Self {
        let pki = Pki::new();
        let housing = pki.identity("housing.aid", 2, "2030-01-01T00:00:00Z");
        let stranger = pki.identity("stranger", 3, "2030-01-01T00:00:00Z");
        let house = house(&pki, &housing, &limits);
        let (tls, gateway) = (Arc::clone(&house.tls), Arc::clone(&house.gateway));
        let section = GatewaySection {
            listen: ([127, 0, 0, 1], 0).into(),
            ops_listen: ([127, 0, 0, 1], 0).into(),
            data_dir: pki.path("data"),
            catalogue_dir: pki.path("unused"),
            workers: 1.try_into().unwrap(),
        };
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = channel();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let bound = bind(&house, &section, &limits).unwrap();
                tell.send((bound.address, bound.ops_address)).unwrap();
                bound.serve(async { stopped.await.unwrap_or_default() }).await.unwrap();
            });
        });
        let (address, ops_address) = told.recv().unwrap();
        let (stop, thread) = (Some(stop), Some(thread));
        Self { pki, gateway, tls, address, ops_address, stop, thread, housing, stranger }
    }

    /// A connection that shows `identity`.
    fn connect(&self, identity: Option<&Identity>) -> Client {
        let config = client(&self.pki, identity, &TLS13);
        let tls = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let tcp = TcpStream::connect(self.address).unwrap();
        // So that a test which waits in vain ends.
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client(StreamOwned::new(tls, tcp))
    }

    /// One GET of the operations port.
    fn ops(&self, path: &str) -> Answer {
        let mut tcp = TcpStream::connect(self.ops_address).unwrap();
        write!(tcp, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        read_answer(&mut tcp).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A server that fell already has nobody to stop.
        self.stop.take().map(|stop| stop.send(()).ok());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the server fell");
    }
}

/// A house whose one registered system is `housing.aid`, and which reaches no provider.
fn house(pki: &Pki, housing: &Identity, limits: &LimitsSection) -> House {
    let metrics = Arc::new(Metrics::default());
    let gateway = Arc::new(gateway(pki, housing, limits, &metrics));
    House { gateway, adapters: Adapters::default(), tls: pki.load(), metrics }
}

fn gateway(pki: &Pki, housing: &Identity, limits: &LimitsSection, metrics: &Arc<Metrics>) -> Gateway {
    let clock = Arc::clone(&pki.clock) as Arc<dyn Clock>;
    keys::make(&pki.path("keys"), "test.example/log").unwrap();
    let audit = AuditSection {
        signing_key_file: pki.path("keys/audit.key"),
        previous_signing_key_file: None,
        subject_key_file: pki.path("keys/subjects.key"),
        checkpoint_copy_file: pki.path("checkpoint"),
        queue: 64.try_into().unwrap(),
    };
    let keys = Keys::read(&audit).unwrap();
    let log = AuditLog::open(Options {
        data_dir: pki.path("data"),
        server: None,
        checkpoint_copy: audit.checkpoint_copy_file,
        signing_key: keys.signing,
        previous_key: None,
        subject_key: keys.subjects,
        clock: Arc::clone(&clock),
        queue: 64,
    })
    .unwrap();
    let state = StateStore::open(&pki.path("data/state.db"), keys.acts).unwrap();
    apply::apply(&state, Path::new(env!("CARGO_MANIFEST_DIR")), clock.as_ref()).unwrap();
    state.register_key(housing.key(), &SystemId::parse("housing.aid").unwrap(), clock.now()).unwrap();
    let version = state.newest_version().unwrap().unwrap();
    let world = World::build(&version, &state.keys().unwrap(), None).unwrap();
    let (limits, metrics) = (limits.clone(), Arc::clone(metrics));
    let quotas = Quotas::start(&state).unwrap();
    let entry = Entry::new(keys.credentials, &SessionsSection::default()).unwrap();
    let consents = Consents::new(keys.consents, &HistorySection::default());
    let (anchors, pseudonyms, counting) = (None, keys.pseudonyms, keys.counting);
    let lease = Lease::new(None);
    Gateway::new(Parts {
        clock,
        log,
        anchors,
        state,
        quotas,
        world,
        pseudonyms,
        counting,
        entry,
        consents,
        lease,
        limits,
        metrics,
    })
}

/// A client's end of a connection.
struct Client(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    /// Sends bytes as they are.
    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
        self.0.flush().unwrap();
    }

    /// Sends a request without a body; the answer.
    fn ask(&mut self, line: &str, headers: &str) -> Answer {
        self.send(
            format!("{line} HTTP/1.1\r\nHost: localhost\r\nAccept-Language: en\r\n{headers}\r\n").as_bytes(),
        );
        self.answer()
    }

    /// Sends JSON; the answer.
    fn post(&mut self, path: &str, body: &str) -> Answer {
        let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        self.send(
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Language: en\r\n{headers}\r\n{body}")
                .as_bytes(),
        );
        self.answer()
    }

    /// The next answer.
    fn answer(&mut self) -> Answer {
        read_answer(&mut self.0).unwrap()
    }

    /// Is the connection closed, with nothing more to read?
    fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(e) => !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of a problem.
    fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.json()["status"], self.status);
        assert_eq!(self.json()["request_id"], self.headers["x-request-id"].as_str());
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

fn read_answer(stream: &mut impl Read) -> io::Result<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |l| l.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Answer { status, headers, body: String::from_utf8(body).unwrap() })
}
