//! A PostgreSQL server of its own, in a folder of its own; it ends with whoever started it.
//!
//! Shared by the tests beside the code and the stories: `tests/run` installs the server programs,
//! and without them a test fails.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use tempfile::TempDir;

/// How long a server may take to do what it is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// The user who made the cluster, and may do everything.
pub const ADMIN: &str = "sluice";

/// A server, running or not.
pub struct Postgres {
    dir: TempDir,
    /// On the loopback address too, if not 0; on a socket in its folder in any case.
    pub port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl Postgres {
    /// A server for one test, which does not survive a power cut and so is fast.
    pub fn start() -> Self {
        let mut server = Self::prepare(0, &["fsync=off", "full_page_writes=off"]);
        server.run();
        server
    }

    /// A cluster that is not running yet, with `settings` of its configuration.
    pub fn prepare(port: u16, settings: &[&str]) -> Self {
        let dir = folder();
        let status = Command::new("cp").arg("-a").arg(template()).arg(dir.path().join("data")).status();
        assert!(status.unwrap().success());
        Self { dir, port, settings: settings.iter().map(|&s| s.to_owned()).collect(), process: None }
    }

    /// A standby of this server, not running yet, that calls itself `name`.
    pub fn standby(&self, port: u16, name: &str, settings: &[&str]) -> Self {
        let dir = folder();
        let data = dir.path().join("data");
        let status = program("pg_basebackup")
            .args(["--no-sync", "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf"])
            .args(["--host", self.socket(), "--port", &self.number().to_string(), "--username", ADMIN])
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        let conninfo =
            format!("host={} port={} user={ADMIN} application_name={name}", self.socket(), self.number());
        let mut settings: Vec<_> = settings.iter().map(|&s| s.to_owned()).collect();
        settings.push(format!("primary_conninfo={conninfo}"));
        Self { dir, port, settings, process: None }
    }

    /// Starts the server and waits until it takes connections.
    pub fn run(&mut self) {
        let log = File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = program("postgres");
        command.arg("-D").arg(self.dir.path().join("data")).arg("-k").arg(self.socket());
        let listen = if self.port == 0 { "" } else { "127.0.0.1" };
        command.args(["-h", listen, "-p", &self.number().to_string(), "-c", "autovacuum_naptime=5"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.process = Some(child);
        let began = Instant::now();
        while PgConnection::establish(&self.url(ADMIN, "postgres")).is_err() {
            assert!(began.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the server: `INT` ends its sessions and writes everything down, `QUIT` and `KILL` do not.
    pub fn stop(&mut self, signal: &str) {
        if let Some(mut process) = self.process.take() {
            // By way of setpriv it is the same process.
            let killed =
                Command::new("kill").args([&format!("-{signal}"), &process.id().to_string()]).status();
            assert!(killed.unwrap().success());
            process.wait().unwrap();
        }
    }

    /// Makes a standby the server that takes writes.
    pub fn promote(&self) {
        let mut promote = program("pg_ctl");
        promote.arg("promote").arg("-D").arg(self.dir.path().join("data")).stdout(Stdio::null());
        assert!(promote.status().unwrap().success(), "{}", self.log());
    }

    /// What the server said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The folder of its socket.
    pub fn socket(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    /// The port, which names the socket too.
    pub fn number(&self) -> u16 {
        if self.port == 0 { 5432 } else { self.port }
    }

    /// As libpq takes it, by the socket.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("host={} port={} user={user} dbname={database}", self.socket(), self.number())
    }

    /// As `[database]` takes it, by the socket.
    pub fn configured(&self, user: &str, database: &str) -> String {
        let socket = self.socket().replace('/', "%2F");
        format!("postgres://{user}@{socket}:{}/{database}", self.number())
    }

    /// Runs statements as the cluster's owner.
    pub fn execute(&self, database: &str, sql: &str) {
        self.connect(ADMIN, database).batch_execute(sql).unwrap();
    }

    /// A session.
    pub fn connect(&self, user: &str, database: &str) -> PgConnection {
        PgConnection::establish(&self.url(user, database)).unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// A folder that the server may write.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    if let Some(user) = unprivileged() {
        chown(dir.path(), Some(user), Some(user)).unwrap();
    }
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    dir
}

/// A fresh cluster to copy, made once: making one takes longer than most tests. It orders text as Chinese
/// is ordered, so that whatever rests on the order of bytes has to say so.
fn template() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("postgres-zh.lock")).unwrap();
    lock.lock().unwrap();
    let template = target.join("postgres-zh");
    if !template.join("PG_VERSION").exists() {
        let dir = folder();
        let data = dir.path().join("data");
        let made = program("initdb")
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--username", ADMIN])
            .args(["--locale-provider=icu", "--icu-locale=zh-CN", "--locale=C.UTF-8"])
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "initdb");
        let moved = Command::new("cp").arg("-a").arg(&data).arg(&template).status();
        assert!(moved.unwrap().success());
    }
    template
}

/// One of the server's programs, which refuse to run as root, and end with the thread that started
/// them.
fn program(name: &str) -> Command {
    let folder = programs().expect("PostgreSQL's server programs: apt-get install postgresql");
    let mut command = Command::new("setpriv");
    if let Some(user) = unprivileged() {
        command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    }
    command.arg("--pdeathsig=KILL").arg(folder.join(name)).current_dir("/");
    command
}

/// Where they are.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.push("/usr/local/bin".into());
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// Whom to become where the test runs as root: the user `nobody`, by its customary number.
fn unprivileged() -> Option<u32> {
    let own = Path::new("/proc/self").metadata().ok()?.uid();
    (own == 0).then_some(65_534)
}
