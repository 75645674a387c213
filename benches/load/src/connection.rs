//! One connection: ask, wait, note, again; connect anew when it was closed.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::answer::{self, Head};
use crate::requests::Requests;
use crate::tally::Tally;

/// After the end, how long an answer that is on its way may still take.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait after a connection failed.
const PAUSE: Duration = Duration::from_millis(20);

/// What all connections do.
pub struct Plan {
    pub connector: Connector,
    pub requests: Requests,
    /// What is sent earlier is not counted.
    pub begin: Instant,
    /// Nothing is sent later.
    pub end: Instant,
}

/// How to connect.
pub struct Connector {
    addresses: Vec<SocketAddr>,
    tls: TlsConnector,
    name: ServerName<'static>,
}

impl Connector {
    /// With these certificates. The connections go to the addresses in turn.
    pub fn new(addresses: Vec<SocketAddr>, ca: &Path, cert: &Path, key: &Path) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(ca)?);
        let key = PrivateKeyDer::from_pem_file(key).map_err(|e| format!("{}: {e}", key.display()))?;
        // One cipher suite, so that no server is measured with a cheaper one.
        let suites = vec![ring::cipher_suite::TLS13_AES_256_GCM_SHA384];
        let provider = CryptoProvider { cipher_suites: suites, ..ring::default_provider() };
        let tls = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(cert)?, key)
            .map_err(|e| e.to_string())?;
        let name = ServerName::try_from("localhost").map_err(|e| e.to_string())?;
        Ok(Self { addresses, tls: TlsConnector::from(Arc::new(tls)), name })
    }

    async fn connect(&self, number: usize) -> io::Result<TlsStream<TcpStream>> {
        let address = self.addresses.iter().cycle().nth(number % self.addresses.len().max(1));
        let socket = TcpStream::connect(address.ok_or(io::ErrorKind::AddrNotAvailable)?).await?;
        socket.set_nodelay(true)?;
        self.tls.connect(self.name.clone(), socket).await
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|e| format!("{}: {e}", file.display()))
}

/// Sends until the end of the plan.
pub async fn drive(plan: Rc<Plan>, number: usize) -> Tally {
    let mut tally = Tally::default();
    let mut sent = 0;
    while Instant::now() < plan.end {
        let until = (plan.end + GRACE).into();
        let ended = timeout_at(until, converse(&plan, number, &mut sent, &mut tally)).await;
        let failed = ended.unwrap_or_else(|_| Err(io::Error::other("no answer in time")));
        if let Err(error) = failed {
            tally.failed(error.to_string());
            sleep(PAUSE).await;
        }
    }
    tally
}

/// Uses one connection as long as the server keeps it.
async fn converse(plan: &Plan, number: usize, sent: &mut usize, tally: &mut Tally) -> io::Result<()> {
    let mut stream = plan.connector.connect(number).await?;
    let mut buffer = Vec::with_capacity(256 * 1024);
    loop {
        let asked = Instant::now();
        if asked >= plan.end {
            return Ok(());
        }
        stream.write_all(plan.requests.nth(number, *sent)).await?;
        stream.flush().await?;
        *sent += 1;
        let head = receive(&mut stream, &mut buffer).await?;
        let answered = Instant::now();
        tally.came();
        if asked >= plan.begin && answered <= plan.end {
            tally.answered(head.status, head.len, answered - asked);
        }
        if head.closes {
            return Ok(());
        }
    }
}

/// Reads one whole answer.
async fn receive(stream: &mut TlsStream<TcpStream>, buffer: &mut Vec<u8>) -> io::Result<Head> {
    buffer.clear();
    let mut known = None;
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if known.is_none() {
            known = answer::head(buffer).map_err(io::Error::other)?;
        }
        match known {
            Some(head) if buffer.len() == head.len => return Ok(head),
            Some(head) if buffer.len() > head.len => return Err(io::Error::other("more than one answer")),
            _ => {}
        }
    }
}
