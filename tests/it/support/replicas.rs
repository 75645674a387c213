//! Three gateways on one PostgreSQL server with a standby, behind a load balancer, each with a
//! network of its own that can be cut.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sluice::demo::certificates::Issued;
use tokio::runtime::Handle;

use super::client::Client;
use super::gateway::{Process, ops, program};
use super::postgres::{ADMIN, Postgres};
use super::proxy::{Network, Proxy};
use super::{PATIENCE, TestGateway, until};

/// The database that they share.
const DATABASE: &str = "sluice";

/// What the standby calls itself.
const STANDBY: &str = "standby";

/// The whole stage.
pub struct Replicas {
    /// The folder that they share: catalogue, keys, certificates, provider. It serves nobody itself.
    pub gw: TestGateway,
    /// The gateways.
    pub gateways: Vec<Replica>,
    /// The program that operators run.
    program: PathBuf,
    /// The servers in their two places.
    servers: [Option<Postgres>; 2],
    /// Which of them takes writes; the other is its standby.
    writes: usize,
    balancer: Option<Child>,
    address: SocketAddr,
}

/// One gateway.
pub struct Replica {
    config: PathBuf,
    address: SocketAddr,
    program: PathBuf,
    /// To each of the servers.
    network: [Proxy; 2],
    process: Option<Process>,
}

impl Replicas {
    /// Three gateways that serve. `change` may change what they share first.
    /// Provider and clients live in a world of their own, which goes on while this one waits for
    /// processes.
    pub async fn start(world: &Handle, change: impl FnOnce(&mut TestGateway)) -> Self {
        Self::start_as(Path::new(program()), world, change).await
    }

    /// The same, all of them running another program than the one under test.
    pub async fn start_as(program: &Path, world: &Handle, change: impl FnOnce(&mut TestGateway)) -> Self {
        let mut gw = world.spawn(TestGateway::prepare()).await.unwrap();
        change(&mut gw);
        let mut primary = Postgres::prepare(0, &[]);
        primary.run();
        primary.execute("postgres", &format!("CREATE DATABASE {DATABASE}"));
        let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/postgres/roles.sql");
        primary.execute(DATABASE, &std::fs::read_to_string(roles).unwrap());
        // From its start a commit is one on both.
        let mut standby = primary.standby(0, STANDBY, &[]);
        standby.run();
        demand_standby(&primary);

        let sockets = [&primary, &standby].map(socket);
        let gateways = (1..=3).map(|number| Replica::prepare(&gw, number, &sockets, program)).collect();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let servers = [Some(primary), Some(standby)];
        let program = program.to_owned();
        let mut replicas = Self { gw, gateways, program, servers, writes: 0, balancer: None, address };
        replicas.write_office();
        replicas.migrate();
        for name in ["service.onestop", "housing.aid", "audit.office"] {
            replicas.register(name, &replicas.gw.issued[name]);
        }
        replicas.gateways.iter_mut().for_each(Replica::serve);
        replicas.balance();
        replicas.all_ready().await;
        replicas
    }

    /// A client of the load balancer.
    pub fn client(&self, issued: &Issued) -> Client {
        let identity = Some((issued.certificate.as_str(), issued.key.as_str()));
        Client::new(self.address, self.gw.authority.certificate(), identity)
    }

    /// The server that takes writes.
    pub fn server(&self) -> &Postgres {
        self.servers[self.writes].as_ref().unwrap()
    }

    /// The state, as a gateway has it.
    pub fn state(&self) -> sluice::store::state::StateStore {
        let url = self.server().configured("sluice_gateway", DATABASE);
        let section = toml::from_str(&format!("url = '{url}'")).unwrap();
        let server = sluice::store::db::Server::new(&section).unwrap();
        sluice::store::state::StateStore::on(&server, self.gw.seals()).unwrap()
    }

    /// The log's database, as the owner of the server sees it.
    pub fn database(&self) -> sluice::store::audit::Database {
        let url = self.server().configured(ADMIN, DATABASE);
        let section = toml::from_str(&format!("url = '{url}'")).unwrap();
        let server = sluice::store::db::Server::new(&section).unwrap();
        sluice::store::audit::Database::on(&server).unwrap()
    }

    /// `sluice audit verify` on the server, with the operators' program: exit code and what it said.
    pub fn verify(&self) -> (i32, String) {
        let url = self.server().configured("sluice_gateway", DATABASE);
        let mut command = Command::new(&self.program);
        command.args(["audit", "verify", "--server", &url, "--pubkey", "keys/audit.vkey"]);
        let out = command.current_dir(self.gw.path()).output().unwrap();
        let said = [out.stdout, out.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        (out.status.code().unwrap_or(-1), said)
    }

    /// Registers a key, as an operator does.
    pub fn register(&self, system: &str, issued: &Issued) {
        std::fs::write(self.gw.path().join("key.pem"), &issued.certificate).unwrap();
        self.office(&["key", "register", "--system", system, "--certificate", "key.pem"]);
    }

    /// Revokes a key, and gives the moment at which that was acknowledged.
    pub fn revoke(&self, issued: &Issued) -> Instant {
        std::fs::write(self.gw.path().join("key.pem"), &issued.certificate).unwrap();
        self.office(&["key", "revoke", "--certificate", "key.pem"]);
        Instant::now()
    }

    /// Kills the server that takes writes, makes its standby take them, and gives that one a
    /// standby in the place of the old server.
    pub fn fail_over(&mut self) {
        let other = 1 - self.writes;
        // Fenced before the other takes over: nobody may write to both.
        self.servers[self.writes].take().unwrap().stop("KILL");
        self.servers[other].as_ref().unwrap().promote();
        self.writes = other;
        let mut standby = self.server().standby(0, STANDBY, &[]);
        standby.run();
        demand_standby(self.server());
        let place = 1 - other;
        self.gateways.iter().for_each(|gateway| gateway.network[place].lead_to(socket(&standby)));
        self.servers[place] = Some(standby);
        self.write_office();
    }

    /// Kills the server that takes writes, and starts it again.
    pub fn restart_server(&mut self) {
        let server = self.servers[self.writes].as_mut().unwrap();
        server.stop("QUIT");
        server.run();
    }

    /// Waits until every gateway says that it can answer queries.
    pub async fn all_ready(&self) {
        for gateway in &self.gateways {
            let at = gateway.process.as_ref().unwrap().ops;
            until("every gateway is ready", async || (ops(at, "/readyz").await.0 == 200).then_some(())).await;
        }
    }

    /// What a gateway says of itself.
    pub async fn readiness(&self, gateway: usize) -> (u16, String) {
        ops(self.gateways[gateway].process.as_ref().unwrap().ops, "/readyz").await
    }

    /// What operators run from now on.
    pub fn equip(&mut self, program: &Path) {
        self.program = program.to_owned();
    }

    /// Runs `sluice` on the machine of the operators; it must do what it is told, sooner or later.
    pub fn office(&self, arguments: &[&str]) -> String {
        let began = Instant::now();
        loop {
            let (code, said) = self.office_once(arguments);
            if code == 0 {
                return said;
            }
            assert!(began.elapsed() < PATIENCE, "{arguments:?}: {said}");
        }
    }

    /// Runs `sluice` there once: exit code and what it said.
    pub fn office_once(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(&self.program);
        let out = command.args(arguments).args(["--config", "office.toml"]).current_dir(self.gw.path());
        let out = out.output().unwrap();
        let said = [out.stdout, out.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        (out.status.code().unwrap_or(-1), said)
    }

    /// Operators sit beside the servers: nothing comes between.
    fn write_office(&self) {
        let sockets = [0, 1].map(|place| socket(self.servers[place].as_ref().unwrap()));
        let office =
            config(&self.gw, "office", free_port(), &sockets.each_ref().map(|to| hosts_by_socket(to)));
        std::fs::write(self.gw.path().join("office.toml"), office).unwrap();
    }

    /// Brings the tables to the schema of the operators' program.
    pub fn migrate(&self) {
        self.office(&["migrate", "--owner", "sluice_owner"]);
    }

    fn balance(&mut self) {
        let servers: String = self
            .gateways
            .iter()
            .map(|gateway| format!("server {} max_fails=1 fail_timeout=1s; ", gateway.address))
            .collect();
        let config = format!(
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\nmaster_process off;\n\
             pid nginx.pid;\nerror_log nginx.log;\nevents {{}}\nstream {{\n upstream gateways {{ {servers} }}\n \
             server {{ listen {}; proxy_pass gateways; proxy_connect_timeout 1s; }}\n}}\n",
            self.address
        );
        let path = self.gw.path().join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(self.gw.path()).arg("-c").arg(&path).args(["-e", "nginx.log"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.balancer =
            Some(child.expect("nginx with its stream module: apt-get install nginx libnginx-mod-stream"));
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(began.elapsed() < PATIENCE, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A thread in which provider and clients live.
pub fn world() -> Handle {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        sender.send(runtime.handle().clone()).unwrap();
        runtime.block_on(std::future::pending::<()>());
    });
    receiver.recv().unwrap()
}

impl Drop for Replicas {
    fn drop(&mut self) {
        if let Some(mut balancer) = self.balancer.take() {
            balancer.kill().ok();
            balancer.wait().ok();
        }
    }
}

impl Replica {
    fn prepare(gw: &TestGateway, number: usize, sockets: &[PathBuf; 2], program: &Path) -> Self {
        let network = sockets.each_ref().map(|socket| Proxy::start(socket.clone()));
        let name = format!("gateway-{number}");
        let hosts = network.each_ref().map(|proxy| proxy.address.to_string());
        let listen = free_port();
        let path = gw.path().join(format!("{name}.toml"));
        std::fs::write(&path, config(gw, &name, listen, &hosts)).unwrap();
        // It has seen nothing of the log yet, and may say so.
        std::fs::create_dir_all(gw.path().join("second-place")).unwrap();
        std::fs::write(gw.path().join("second-place").join(&name), "").unwrap();
        let address = ([127, 0, 0, 1], listen).into();
        Self { config: path, address, program: program.to_owned(), network, process: None }
    }

    /// Starts the process.
    pub fn serve(&mut self) {
        let began = Instant::now();
        // It refuses while the database is away; a supervisor would try again too.
        while let Err(said) = self.try_to_serve() {
            assert!(began.elapsed() < PATIENCE, "{said}");
        }
    }

    /// Starts the process; the error is what it said when it refused.
    pub fn try_to_serve(&mut self) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.args(["serve", "--config"]).arg(&self.config);
        self.process = Some(Process::start(&mut command)?);
        Ok(())
    }

    /// Has the process stop in good order (SIGTERM), and puts another program in its place.
    pub fn stop_for(&mut self, program: &Path) {
        self.signal("TERM");
        let mut process = self.process.take().unwrap();
        assert!(process.child.wait().unwrap().success());
        self.equip(program);
    }

    /// Puts another program in its place, for its next start.
    pub fn equip(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Kills the process outright.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.child.kill().unwrap();
        process.child.wait().unwrap();
    }

    /// Sends the process a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let pid = self.process.as_ref().unwrap().child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Its connections to the servers are swallowed for ever; new ones are carried.
    pub fn deafen(&self) {
        self.network.iter().for_each(Proxy::deafen);
    }

    /// What its network to the servers does.
    pub fn network(&self, does: Network) {
        self.network.iter().for_each(|proxy| proxy.set(does));
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.child.kill().ok();
            process.child.wait().ok();
        }
    }
}

/// The configuration of a gateway, or of a command, that calls itself `name`.
fn config(gw: &TestGateway, name: &str, listen: u16, hosts: &[String; 2]) -> String {
    let shared = gw.config();
    let own = [
        ("listen = \"127.0.0.1:0\"", format!("listen = \"127.0.0.1:{listen}\"")),
        ("data_dir = \"data\"", format!("data_dir = \"{name}\"")),
        ("second-place/checkpoint", format!("second-place/{name}")),
    ];
    let own = own.iter().fold(shared.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    format!("{own}\n[database]\nurl = \"postgres://sluice_gateway@{}/{DATABASE}\"\n", hosts.join(","))
}

fn hosts_by_socket(socket: &Path) -> String {
    socket.parent().unwrap().to_str().unwrap().replace('/', "%2F")
}

/// The file of a server's socket.
fn socket(server: &Postgres) -> PathBuf {
    Path::new(server.socket()).join(format!(".s.PGSQL.{}", server.number()))
}

/// A commit waits for the standby, from now on and on the one that takes over.
fn demand_standby(server: &Postgres) {
    server.execute("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'"));
    server.execute("postgres", "SELECT pg_reload_conf()");
}

/// A port on which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
