//! A department's adapter that does as it is told: well, or badly in any way there is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Map, Value, json};
use sluice::demo::certificates::Issued;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What the provider does with a fetch.
#[derive(Clone)]
pub enum Manner {
    /// Answers by the protocol, from its records.
    Well,
    /// Answers these bytes, whatever was asked.
    Raw(Vec<u8>),
    /// Answers these bytes and then more and more of the last, without end.
    Endless(Vec<u8>),
    /// Never answers.
    Silent,
    /// Answers well, once it is let go.
    Held(Arc<Notify>),
}

/// A provider on a port of its own.
pub struct Provider {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    manner: Mutex<Manner>,
    records: Mutex<HashMap<String, Map<String, Value>>>,
    asked: Mutex<Vec<Value>>,
    heads: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl Provider {
    /// A provider that shows `certificate`. Who connects is the gateway's business to prove, not
    /// this stage's to check.
    pub async fn start(certificate: &Issued) -> Self {
        let chain =
            CertificateDer::pem_slice_iter(certificate.certificate.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            manner: Mutex::new(Manner::Well),
            records: Mutex::default(),
            asked: Mutex::default(),
            heads: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), Arc::clone(&shared));
                tokio::spawn(async move { serve(tcp, acceptor, state).await });
            }
        });
        Self { address, state }
    }

    /// Keeps a record of a person.
    pub fn record(&self, id: &str, record: Value) {
        self.state.records.lock().unwrap().insert(id.to_owned(), record.as_object().unwrap().clone());
    }

    /// From now on answers in this manner.
    pub fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    /// The bodies of all fetches so far.
    pub fn asked(&self) -> Vec<Value> {
        self.state.asked.lock().unwrap().clone()
    }

    /// The request lines and headers of all fetches so far, in lower case.
    pub fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

async fn serve(tcp: TcpStream, acceptor: TlsAcceptor, state: Arc<State>) -> Option<()> {
    state.connections.fetch_add(1, Ordering::SeqCst);
    let mut stream = acceptor.accept(tcp).await.ok()?;
    let mut left = Vec::new();
    loop {
        let (head, body) = read_request(&mut stream, &mut left).await?;
        state.heads.lock().unwrap().push(head);
        let asked: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        state.asked.lock().unwrap().push(asked.clone());
        let manner = state.manner.lock().unwrap().clone();
        match manner {
            Manner::Well => stream.write_all(&well(&state, &asked)).await.ok()?,
            Manner::Raw(bytes) => stream.write_all(&bytes).await.ok()?,
            Manner::Endless(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                loop {
                    stream.write_all(&[b' '; 16 * 1024]).await.ok()?;
                }
            }
            Manner::Silent => std::future::pending::<()>().await,
            Manner::Held(go) => {
                go.notified().await;
                stream.write_all(&well(&state, &asked)).await.ok()?;
            }
        }
        stream.flush().await.ok()?;
    }
}

async fn read_request(
    stream: &mut (impl AsyncReadExt + Unpin),
    left: &mut Vec<u8>,
) -> Option<(String, Vec<u8>)> {
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some(at) = left.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&left[..at]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if left.len() >= at + 4 + length {
                let body = left[at + 4..at + 4 + length].to_vec();
                left.drain(..at + 4 + length);
                return Some((head, body));
            }
        }
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            n => left.extend_from_slice(&buffer[..n]),
        }
    }
}

fn well(state: &State, asked: &Value) -> Vec<u8> {
    let records = state.records.lock().unwrap();
    let fields: Vec<&str> = asked["fields"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    let of = |id: &Value| {
        let record = records.get(id.as_str().unwrap())?;
        Some(
            fields
                .iter()
                .filter_map(|f| Some(((*f).to_owned(), record.get(*f)?.clone())))
                .collect::<Map<_, _>>(),
        )
    };
    let found: Vec<Value> = asked["subjects"].as_array().unwrap().iter().map(|id| json!(of(id))).collect();
    answer(200, "application/json", &json!({ "protocol": "sluice-adapter/1", "records": found }).to_string())
}

/// An HTTP answer.
pub fn answer(status: u16, kind: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}
