//! An identity provider that says what a test wants said: over HTTPS, and signed with a real key.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{TestGateway, idp, now};

/// The provider.
pub struct Issuer {
    pub port: u16,
    script: Arc<Mutex<Script>>,
}

/// What it says, and what it was asked.
pub struct Script {
    /// The header and the claims of the next tokens.
    pub header: Value,
    pub claims: Value,
    /// What stands in place of the signature, if something else does.
    pub signature: Option<String>,
    /// What its token endpoint answers in place of a token.
    pub error: Option<(u16, Value)>,
    /// What its discovery document says in place of the truth.
    pub discovery: Value,
    /// The paths that were asked for, and the bodies that came.
    pub asked: Vec<(String, String)>,
    key: EcdsaKeyPair,
    key_id: &'static str,
}

impl Issuer {
    pub async fn start(gw: &TestGateway) -> Self {
        idp::certify(gw);
        let read = |name: &str| std::fs::read(gw.path().join("tls").join(name)).unwrap();
        let chain = CertificateDer::pem_slice_iter(&read("idp.pem")).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(&read("idp.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(Script {
            header: json!({ "alg": "ES256", "kid": "k1" }),
            claims: json!({}),
            signature: None,
            error: None,
            discovery: json!({}),
            asked: Vec::new(),
            key: pair(),
            key_id: "k1",
        }));
        let told = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, told) = (acceptor.clone(), Arc::clone(&told));
                tokio::spawn(async move { serve(tcp, acceptor, port, &told).await });
            }
        });
        Self { port, script }
    }

    /// Changes what it says.
    pub fn tell<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.script.lock().unwrap())
    }

    /// What a good token for this sign-in says.
    pub fn claims(&self, subject: &str, nonce: &str) -> Value {
        let now = now().seconds();
        json!({
            "iss": format!("https://localhost:{}", self.port), "sub": subject, "aud": "sluice",
            "exp": now + 300, "iat": now, "nonce": nonce,
        })
    }

    /// How often that path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.tell(|script| script.asked.iter().filter(|(asked, _)| asked == path).count())
    }
}

impl Script {
    /// Signs with another key from now on.
    pub fn change_key(&mut self, id: &'static str) {
        (self.key, self.key_id) = (pair(), id);
        self.header["kid"] = id.into();
    }

    fn answer(&self, port: u16, path: &str) -> (u16, Value) {
        let own = |path: &str| format!("https://localhost:{port}{path}");
        match path {
            "/.well-known/openid-configuration" => {
                let mut document = json!({
                    "issuer": format!("https://localhost:{port}"), "authorization_endpoint": own("/auth"),
                    "token_endpoint": own("/token"), "jwks_uri": own("/jwks"),
                });
                for (name, value) in self.discovery.as_object().unwrap() {
                    document[name] = value.clone();
                }
                (200, document)
            }
            "/jwks" => {
                let point = self.key.public_key().as_ref();
                let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
                let key = json!({ "kty": "EC", "crv": "P-256", "kid": self.key_id, "x": x, "y": y });
                (200, json!({ "keys": [{ "kty": "oct", "k": "AAAA" }, key] }))
            }
            "/token" => self.error.clone().unwrap_or_else(|| (200, json!({ "id_token": self.token() }))),
            other => panic!("asked for {other}"),
        }
    }

    fn token(&self) -> String {
        let [header, claims] =
            [&self.header, &self.claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let text = format!("{header}.{claims}");
        let signature = self.signature.clone().unwrap_or_else(|| {
            URL_SAFE_NO_PAD.encode(self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap())
        });
        format!("{text}.{signature}")
    }
}

fn pair() -> EcdsaKeyPair {
    let (kind, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let document = EcdsaKeyPair::generate_pkcs8(kind, &rng).unwrap();
    EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &rng).unwrap()
}

async fn serve(tcp: TcpStream, acceptor: TlsAcceptor, port: u16, script: &Mutex<Script>) -> Option<()> {
    let mut stream = acceptor.accept(tcp).await.ok()?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    let (path, body) = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                break (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned());
            }
        }
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    };
    let (status, answer) = {
        let mut script = script.lock().unwrap();
        script.asked.push((path.clone(), body));
        script.answer(port, &path)
    };
    let answer = answer.to_string();
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n", answer.len());
    stream.write_all(format!("{head}{answer}").as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
