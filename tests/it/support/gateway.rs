//! A gateway process in a folder of its own, with the catalogue and policies of this repository.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sluice::app::keys::{self, act_key};
use sluice::base::ids::SystemId;
use sluice::base::{Clock, SystemClock, Timestamp};
use sluice::demo::certificates::{Authority, Issued, Usage};
use sluice::store::state::{ActKey, StateStore};
use tempfile::TempDir;

use super::client::Client;
use super::provider::Provider;
use super::{OTHER, PATIENCE, PERSON};

/// Systems of policies/systems.toml that tests play.
const SYSTEMS: [&str; 5] =
    ["service.onestop", "housing.aid", "civil.benefits", "audit.office", "citizen.portal"];

/// A gateway, its folder, its authorities and the provider `civil` behind it.
pub struct TestGateway {
    pub dir: TempDir,
    pub authority: Authority,
    pub adapters: Authority,
    pub civil: Provider,
    pub issued: HashMap<String, Issued>,
    /// Variables that the process is started with.
    pub environment: HashMap<String, PathBuf>,
    process: Option<Process>,
    config: String,
}

/// A running process, its addresses and its log.
pub(super) struct Process {
    pub child: Child,
    pub address: SocketAddr,
    pub ops: SocketAddr,
    pub log: Arc<Mutex<Vec<String>>>,
}

impl TestGateway {
    /// A gateway that serves.
    pub async fn start() -> Self {
        let mut gateway = Self::prepare().await;
        gateway.serve().unwrap();
        gateway
    }

    /// A gateway that serves with lines added to its configuration.
    pub async fn start_with(lines: &str) -> Self {
        let mut gateway = Self::prepare().await;
        gateway.config.push_str(lines);
        gateway.serve().unwrap();
        gateway
    }

    /// Everything that a gateway needs, not yet serving.
    pub async fn prepare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemClock.now();
        copy("schemas", &dir.path().join("schemas"));
        copy("policies", &dir.path().join("policies"));
        keys::make(&dir.path().join("keys"), "sluice.test/log").unwrap();
        let authority = Authority::open(&dir.path().join("ca/systems"), "systems", now).unwrap();
        let adapters = Authority::open(&dir.path().join("ca/adapters"), "adapters", now).unwrap();
        let server = authority.issue("gateway", &["localhost"], Usage::Server, now).unwrap();
        server.write(&dir.path().join("tls"), "gateway").unwrap();
        adapters
            .issue("gateway", &[], Usage::Client, now)
            .unwrap()
            .write(&dir.path().join("tls"), "out")
            .unwrap();
        let civil =
            Provider::start(&adapters.issue("civil", &["localhost"], Usage::Server, now).unwrap()).await;
        civil.record(PERSON, subsistence("王秀兰", PERSON, 2800));
        civil.record(OTHER, subsistence("欧阳锋", OTHER, 3600));

        let mut gateway = Self {
            config: config(civil.address),
            dir,
            authority,
            adapters,
            civil,
            issued: HashMap::new(),
            environment: HashMap::new(),
            process: None,
        };
        gateway.revoke(&[], now.plus_seconds(86_400));
        for system in SYSTEMS {
            let issued = gateway.authority.issue(system, &[], Usage::Client, now).unwrap();
            gateway.register(system, &issued);
            gateway.issued.insert(system.to_owned(), issued);
        }
        gateway
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The key under which acts are sealed.
    pub fn seals(&self) -> ActKey {
        act_key(&self.path().join("keys/subjects.key")).unwrap_or_else(|finding| panic!("{finding}"))
    }

    /// Registers the key of a certificate for a system.
    pub fn register(&self, system: &str, issued: &Issued) {
        let data = self.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        let state = StateStore::open(&data.join("state.db"), self.seals()).unwrap();
        state.register_key(issued.fingerprint, &SystemId::parse(system).unwrap(), SystemClock.now()).unwrap();
    }

    /// Publishes a revocation list.
    pub fn revoke(&self, serials: &[Vec<u8>], until: Timestamp) {
        let list =
            self.authority.revocation_list(serials, SystemClock.now().plus_seconds(-60), until).unwrap();
        let file = self.path().join("tls/systems.crl.pem");
        std::fs::write(file.with_extension("new"), list).unwrap();
        std::fs::rename(file.with_extension("new"), file).unwrap();
    }

    /// Starts the process; the error is what it said when it refused.
    pub fn serve(&mut self) -> Result<(), String> {
        std::fs::write(self.config_file(), &self.config).unwrap();
        self.process = Some(Process::start(&mut self.command())?);
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.args(["serve", "--config"]).arg(self.config_file()).envs(&self.environment);
        command
    }

    /// The configuration's file.
    pub fn config_file(&self) -> PathBuf {
        self.path().join("sluice.toml")
    }

    /// Replaces text of the configuration, for the next start.
    pub fn configure(&mut self, from: &str, to: &str) {
        assert!(self.config.contains(from), "the configuration has no {from:?}");
        self.config = self.config.replace(from, to);
    }

    /// Kills the process outright (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.child.kill().unwrap();
        process.child.wait().unwrap();
    }

    /// Asks the process to stop (SIGTERM) and waits for its end.
    pub fn stop(&mut self) {
        self.ask_to_stop();
        self.ended();
    }

    /// Asks the process to stop (SIGTERM).
    pub fn ask_to_stop(&self) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits for the end of the process, which must have gone well.
    pub fn ended(&mut self) {
        let mut process = self.process.take().unwrap();
        assert!(process.child.wait().unwrap().success());
    }

    /// Is there a process?
    pub fn serves(&self) -> bool {
        self.process.is_some()
    }

    /// Where operators look.
    pub fn ops_address(&self) -> SocketAddr {
        self.process.as_ref().unwrap().ops
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.process.as_ref().unwrap().address
    }

    /// Everything that it has logged so far.
    pub fn log(&self) -> String {
        self.process.as_ref().unwrap().log.lock().unwrap().join("\n")
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().child.id()
    }

    /// A registered system's client.
    pub fn system(&self, name: &str) -> Client {
        self.client(&self.issued[name])
    }

    /// A client that shows `issued`.
    pub fn client(&self, issued: &Issued) -> Client {
        Client::new(self.address(), self.authority.certificate(), Some((&issued.certificate, &issued.key)))
    }

    /// A client without a certificate.
    pub fn nobody(&self) -> Client {
        Client::new(self.address(), self.authority.certificate(), None)
    }

    /// The configuration as it will be written.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// `GET` on the operations port: status and body.
    pub async fn ops(&self, path: &str) -> (u16, String) {
        ops(self.ops_address(), path).await
    }

    /// Runs `sluice` with `arguments` in the folder: exit code, standard output, standard error.
    pub fn sluice(&self, arguments: &[&str]) -> (i32, String, String) {
        let out = Command::new(program()).args(arguments).current_dir(self.path()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code().unwrap_or(-1), text(&out.stdout), text(&out.stderr))
    }

    /// The same while providers and clients of this test go on.
    pub async fn sluice_beside(&self, arguments: &[&str]) -> (i32, String, String) {
        let command =
            tokio::process::Command::new(program()).args(arguments).current_dir(self.path()).output();
        let out = command.await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code().unwrap_or(-1), text(&out.stdout), text(&out.stderr))
    }

    /// `sluice audit verify` on the folder: exit code and what it said.
    pub fn verify(&self) -> (i32, String) {
        self.verify_with(&[])
    }

    /// `sluice audit verify` on the folder, with further arguments.
    pub fn verify_with(&self, arguments: &[&str]) -> (i32, String) {
        let verify = ["audit", "verify", "--db", "data", "--pubkey", "keys/audit.vkey"];
        let (code, out, err) = self.sluice(&[&verify, arguments].concat());
        (code, format!("{out}{err}"))
    }

    /// Starts the process, which must refuse: exit code and what it said.
    pub fn refusal(&mut self) -> (i32, String) {
        std::fs::write(self.config_file(), &self.config).unwrap();
        let mut child = self.command();
        let mut child =
            child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = follow(child.stderr.take().unwrap(), Arc::clone(&log));
        // Its end closes the channel; a gateway that serves says so, and must not have.
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if line.contains("\"ready\"") {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("it serves: {line}");
            }
        }
        let status = child.wait().unwrap();
        let said = log.lock().unwrap().join("\n");
        (status.code().unwrap_or(-1), said)
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.child.kill().ok();
            process.child.wait().ok();
        }
    }
}

impl Process {
    pub fn start(command: &mut Command) -> Result<Process, String> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = follow(child.stderr.take().unwrap(), Arc::clone(&log));
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
                    let at = |name: &str| line[name].as_str().and_then(|a| a.parse().ok());
                    if line["message"] == "ready" {
                        let (address, ops) = (at("listen").unwrap(), at("ops.listen").unwrap());
                        return Ok(Process { child, address, ops, log });
                    }
                }
                Err(_) => {
                    child.kill().ok();
                    child.wait().unwrap();
                    return Err(log.lock().unwrap().join("\n"));
                }
            }
        }
    }
}

/// Reads lines into `log` until there are no more, and passes them on.
pub(super) fn follow(
    from: impl std::io::Read + Send + 'static,
    log: Arc<Mutex<Vec<String>>>,
) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            log.lock().unwrap().push(line.clone());
            sender.send(line).ok();
        }
    });
    receiver
}

/// `GET` on an operations port: status and body.
pub async fn ops(address: SocketAddr, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The program under test.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_sluice")
}

fn subsistence(name: &str, id: &str, income: i64) -> Value {
    json!({
        "name": name, "id_number": id, "status": "receiving", "category": "urban", "household_size": 2,
        "monthly_income": income, "monthly_allowance": 900, "approved_on": "2024-03-01",
        "review_due_on": "2027-03-01", "mobile": "13800138000", "bank_card": "6222020000000000000",
    })
}

fn copy(from: &str, to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(from);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(entry.path().to_str().unwrap(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn config(civil: SocketAddr) -> String {
    let port = civil.port();
    format!(
        r#"[gateway]
listen = "127.0.0.1:0"
ops_listen = "127.0.0.1:0"
data_dir = "data"
catalogue_dir = "."
workers = 2

[tls]
certificate = "tls/gateway.pem"
key = "tls/gateway.key"
client_ca = "ca/systems/ca.pem"
client_crls = ["tls/systems.crl.pem"]

[audit]
signing_key_file = "keys/audit.key"
subject_key_file = "keys/subjects.key"
checkpoint_copy_file = "second-place/checkpoint"

[[adapter]]
name = "civil"
url = "https://localhost:{port}"
allow = ["127.0.0.1/32:{port}"]
timeout_ms = 1500
tls = {{ ca = "ca/adapters/ca.pem", certificate = "tls/out.pem", key = "tls/out.key" }}
source.sluice.datasets = ["civil.subsistence"]
"#
    )
}
