//! A network that fails when it is told to: a proxy between a gateway and its database.
//!
//! Shared by the tests beside the code and the stories.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Network {
    /// It carries.
    Up,
    /// It swallows everything, and says nothing.
    Silent,
    /// The next commit reaches the server, and then the connection breaks.
    BreaksAfterCommit,
    /// The connection breaks before the next commit reaches the server.
    BreaksBeforeCommit,
}

/// A proxy on an address of its own.
pub struct Proxy {
    /// Where to connect to.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    to: Mutex<PathBuf>,
    network: AtomicU8,
    up: (Mutex<()>, Condvar),
    /// Connections so far.
    opened: AtomicU64,
    /// So many of them, the first, are swallowed for ever.
    deaf: AtomicU64,
}

impl Proxy {
    /// A proxy to the socket `to` of a server on this machine.
    pub fn start(to: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let network = AtomicU8::new(Network::Up as u8);
        let shared = Arc::new(Shared {
            to: Mutex::new(to),
            network,
            up: Default::default(),
            opened: AtomicU64::new(0),
            deaf: AtomicU64::new(0),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.carry(client));
            }
        });
        Self { address, shared }
    }

    /// Changes the network, for open connections too.
    pub fn set(&self, network: Network) {
        let _held = self.shared.up.0.lock().unwrap();
        self.shared.network.store(network as u8, Ordering::SeqCst);
        self.shared.up.1.notify_all();
    }

    /// From now on what goes over the connections that are open is swallowed, for ever; new ones are
    /// carried. So does a balancer that lost the server behind it.
    pub fn deafen(&self) {
        self.shared.deaf.store(self.shared.opened.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// New connections go to the socket `to`.
    pub fn lead_to(&self, to: PathBuf) {
        *self.shared.to.lock().unwrap() = to;
    }
}

impl Shared {
    fn is(&self, network: Network) -> bool {
        self.network.load(Ordering::SeqCst) == network as u8
    }

    fn wait_while_silent(&self, number: u64) {
        let held = self.up.0.lock().unwrap();
        let silent = || self.is(Network::Silent) || number < self.deaf.load(Ordering::SeqCst);
        drop(self.up.1.wait_while(held, |()| silent()).unwrap());
    }

    fn carry(&self, client: TcpStream) {
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        self.wait_while_silent(number);
        let to = self.to.lock().unwrap().clone();
        let Ok(server) = UnixStream::connect(to) else { return };
        client.set_nodelay(true).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                self.upwards(&client, &server, number);
                end(&client, &server);
            });
            self.copy(&server, &client, number);
            end(&client, &server);
        });
    }

    fn copy(&self, mut from: impl Read, mut to: impl Write, number: u64) {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.wait_while_silent(number);
            if to.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    }

    /// From the gateway to the server: here commits pass.
    fn upwards(&self, mut client: &TcpStream, mut server: &UnixStream, number: u64) {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            self.wait_while_silent(number);
            let commits = buffer[..count].windows(6).any(|window| window == b"COMMIT");
            if commits && self.is(Network::BreaksBeforeCommit) {
                self.network.store(Network::Up as u8, Ordering::SeqCst);
                return;
            }
            let breaks = commits && self.is(Network::BreaksAfterCommit);
            if breaks {
                // What comes back is not heard any more.
                client.shutdown(Shutdown::Both).ok();
                self.network.store(Network::Up as u8, Ordering::SeqCst);
            }
            if server.write_all(&buffer[..count]).is_err() || breaks {
                return;
            }
        }
    }
}

/// Ends both sides. The server reads what it was sent first.
fn end(client: &TcpStream, server: &UnixStream) {
    client.shutdown(Shutdown::Both).ok();
    server.shutdown(Shutdown::Write).ok();
}
