//! Who vouches for a log from outside: witnesses, which are processes of the program, and a
//! timestamp authority, which is `openssl ts`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use sluice::audit::WitnessSigningKey;
use sluice::demo::certificates::{Authority, Usage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::gateway::{follow, program};
use super::{PATIENCE, TestGateway, now};

/// A witness in a folder of its own.
pub struct Witness {
    pub name: String,
    pub key: String,
    dir: PathBuf,
    address: SocketAddr,
    process: Option<Child>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    /// A witness of the gateway's log, serving.
    pub fn start(gw: &TestGateway, name: &str) -> Self {
        let dir = gw.path().join(name);
        let dir_name = dir.to_str().unwrap();
        let (code, key, said) = gw.sluice(&["witness", "keys", "--dir", dir_name, "--name", name]);
        assert_eq!(code, 0, "{said}");
        let authority = Authority::open(&gw.path().join("ca/witnesses"), "witnesses", now()).unwrap();
        authority.issue(name, &["localhost"], Usage::Server, now()).unwrap().write(&dir, "tls").unwrap();
        let log = std::fs::read_to_string(gw.path().join("keys/audit.vkey")).unwrap();
        let mut witness = Self {
            name: name.into(),
            key: key.trim().into(),
            dir,
            address: ([127, 0, 0, 1], 0).into(),
            process: None,
            log: Arc::default(),
        };
        witness.configure(&format!("logs = [\"{}\"]", log.trim()));
        witness.serve();
        witness
    }

    fn configure(&self, logs: &str) {
        let config = "certificate = \"tls.pem\"\nkey = \"tls.key\"\nsigning_key_file = \"witness.key\"\ndatabase = \"witness.db\"\n";
        std::fs::write(self.config(), format!("listen = \"{}\"\n{config}{logs}\n", self.address)).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.dir.join("witness.toml")
    }

    /// Starts it; again at the address that it had before.
    pub fn serve(&mut self) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        let rest = text.split_once('\n').unwrap().1;
        std::fs::write(self.config(), format!("listen = \"{}\"\n{rest}", self.address)).unwrap();
        let mut child = Command::new(program())
            .args(["witness", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = follow(child.stderr.take().unwrap(), Arc::clone(&self.log));
        self.process = Some(child);
        self.address = loop {
            let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{}", self.log()));
            let Ok(line) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
            if line["message"] == "ready" {
                break line["listen"].as_str().unwrap().parse().unwrap();
            }
        };
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Everything that it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Its private key.
    pub fn signing_key(&self) -> WitnessSigningKey {
        WitnessSigningKey::parse(&std::fs::read_to_string(self.dir.join("witness.key")).unwrap()).unwrap()
    }

    /// Its entry in the gateway's configuration.
    pub fn entry(&self) -> String {
        let (name, key, port) = (&self.name, &self.key, self.address.port());
        format!(
            "[[witness]]\nname = \"{name}\"\nurl = \"https://localhost:{port}\"\nkey = \"{key}\"\nca_file = \"ca/witnesses/ca.pem\"\n"
        )
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// A timestamp authority: `openssl ts` behind as much HTTP as it needs.
pub struct Stamper {
    address: SocketAddr,
}

impl Stamper {
    /// An authority with a CA of its own in the folder `tsa` of the gateway's; serves until the
    /// test ends.
    pub async fn start(gw: &TestGateway) -> Self {
        let dir = gw.path().join("tsa");
        make(&dir);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            'each: for number in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                let body = loop {
                    let mut buffer = [0; 4096];
                    let read = stream.read(&mut buffer).await.unwrap();
                    if read == 0 {
                        // Somebody only looked whether there is an authority.
                        continue 'each;
                    }
                    bytes.extend_from_slice(&buffer[..read]);
                    let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
                    assert!(head.contains("application/timestamp-query"), "{head}");
                    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap();
                    if bytes.len() >= at + 4 + length.parse::<usize>().unwrap() {
                        break bytes.split_off(at + 4);
                    }
                };
                let answer = reply(&dir, number, &body);
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\n\r\n",
                    answer.len()
                );
                stream.write_all(&[head.as_bytes(), &answer].concat()).await.unwrap();
            }
        });
        Self { address }
    }

    /// Its section in the gateway's configuration.
    pub fn section(&self) -> String {
        let port = self.address.port();
        format!(
            "[timestamp]\nurl = \"http://localhost:{port}/tsr\"\nca_file = \"tsa/ca.pem\"\npolicy = \"1.2.156.1.1\"\nevery_minutes = 1\n"
        )
    }
}

fn reply(dir: &Path, number: usize, query: &[u8]) -> Vec<u8> {
    let (asked, answered) = (format!("{number}.tsq"), format!("{number}.tsr"));
    std::fs::write(dir.join(&asked), query).unwrap();
    openssl(dir, &["ts", "-reply", "-config", "tsa.cnf", "-queryfile", &asked, "-out", &answered]);
    std::fs::read(dir.join(answered)).unwrap()
}

/// A CA, an authority's certificate from it, and a CA that has nothing to do with it.
fn make(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let config = "[req]\ndistinguished_name = dn\n[dn]\n[ca]\nbasicConstraints = critical,CA:TRUE\n\
        [tsa]\nextendedKeyUsage = critical,timeStamping\ndefault_tsa = tsa\nserial = serial\n\
        signer_cert = tsa.pem\nsigner_key = tsa.key\ncerts = ca.pem\nsigner_digest = sha256\n\
        default_policy = 1.2.156.1.1\ndigests = sha256\n";
    std::fs::write(dir.join("tsa.cnf"), config).unwrap();
    let extensions = "extendedKeyUsage = critical,timeStamping\n";
    std::fs::write(dir.join("extensions.cnf"), extensions).unwrap();
    std::fs::write(dir.join("serial"), "01\n").unwrap();
    for key in ["ca", "other", "tsa"] {
        let key = format!("{key}.key");
        openssl(dir, &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &key]);
    }
    for ca in ["ca", "other"] {
        let (key, certificate) = (format!("{ca}.key"), format!("{ca}.pem"));
        let made =
            ["req", "-x509", "-new", "-key", &key, "-subj", "/CN=stamps", "-days", "2", "-out", &certificate];
        openssl(dir, &[&made[..], &["-config", "tsa.cnf", "-extensions", "ca"]].concat());
    }
    openssl(
        dir,
        &["req", "-new", "-key", "tsa.key", "-subj", "/CN=tsa", "-config", "tsa.cnf", "-out", "tsa.csr"],
    );
    let signed = ["x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(dir, &[&signed[..], &["-days", "2", "-extfile", "extensions.cnf", "-out", "tsa.pem"]].concat());
}

/// Runs `openssl` in a folder; gives what it said.
pub fn openssl(dir: &Path, arguments: &[&str]) -> String {
    let ran = Command::new("openssl").args(arguments).current_dir(dir).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "openssl {arguments:?}: {said}");
    said
}
