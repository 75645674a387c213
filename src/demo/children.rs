//! The processes of a demo, and their end.
//!
//! Invariant: no child outlives the demo. Each child's standard input is a pipe from here; when
//! this process ends, however it ends, the pipe closes, and a child on a leash then stops by
//! itself. No process is ever ended by name.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long a child may take until it listens.
const START: Duration = Duration::from_secs(20);
/// How long a child may take to finish what it has in hand.
const STOP: Duration = Duration::from_secs(25);

/// The processes that were started, in order.
pub struct Children {
    program: PathBuf,
    running: Vec<(String, Child)>,
}

impl Children {
    /// Children that run `program`: this one, or in a test the one under test.
    pub fn of(program: PathBuf) -> Self {
        Self { program, running: Vec::new() }
    }

    /// Starts the program with `arguments`; its output goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self, name: &str, arguments: &[&str], dir: &Path, log: &Path) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(&self.program)
            .args(arguments)
            .arg("--leash")
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        self.running.push((name.to_owned(), child));
        Ok(())
    }

    /// Runs the program to its end in `dir`; what it printed.
    ///
    /// # Errors
    /// When it cannot be run, or fails: in its own words.
    pub async fn run(&self, arguments: &[&str], dir: &Path) -> io::Result<Vec<u8>> {
        let mut command = Command::new(&self.program);
        let out = command.args(arguments).current_dir(dir).kill_on_drop(true).output().await?;
        let said = || format!("{}: {}", arguments.join(" "), String::from_utf8_lossy(&out.stderr).trim());
        if out.status.success() { Ok(out.stdout) } else { Err(io::Error::other(said())) }
    }

    /// Waits until something listens on `port`.
    ///
    /// # Errors
    /// When a child ended instead, or none listened in time.
    pub async fn listening(&mut self, port: u16) -> io::Result<()> {
        let until = Instant::now() + START;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        while TcpStream::connect(address).await.is_err() {
            if let Some(name) = self.ended()? {
                return Err(io::Error::other(format!("{name} ended while starting; its log says why")));
            }
            if Instant::now() > until {
                return Err(io::Error::other(format!("nothing listens on {address}")));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Waits until a child ends by itself; gives its name.
    ///
    /// # Errors
    /// When the system does not say.
    pub async fn first_to_end(&mut self) -> io::Result<String> {
        loop {
            if let Some(name) = self.ended()? {
                return Ok(name);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Lets all of them finish, the last started first, and waits for it.
    pub async fn stop(&mut self) {
        while let Some((_, mut child)) = self.running.pop() {
            drop(child.stdin.take());
            if timeout(STOP, child.wait()).await.is_err() {
                // It had its time; what it was asked to keep is durable by design.
                child.kill().await.ok();
            }
        }
    }

    fn ended(&mut self) -> io::Result<Option<String>> {
        for (name, child) in &mut self.running {
            if child.try_wait()?.is_some() {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }
}
