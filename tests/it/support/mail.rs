//! A real mail server in a process of its own: aiosmtpd, which `tests/run --prepare` installs.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::PATIENCE;
use super::gateway::program;

/// A mail server on a port of 127.0.0.1.
pub struct MailServer {
    pub port: u16,
    child: Child,
    orders: ChildStdin,
    answers: Receiver<Value>,
    letters: Arc<Mutex<Vec<Value>>>,
}

impl MailServer {
    /// A server that shows the certificate `name` of the folder `tls`; `security` is `tls`,
    /// `starttls` or `none`, port 0 any that is free.
    pub fn start(tls: &Path, name: &str, security: &str, port: u16) -> Self {
        let (certificate, key) = (tls.join(format!("{name}.pem")), tls.join(format!("{name}.key")));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/mail.py");
        let mut child = Command::new(python())
            .arg(script)
            .args([certificate, key])
            .args([security, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{error}: `tests/run --prepare` installs the mail server"));
        let letters = Arc::new(Mutex::new(Vec::new()));
        let (sender, answers) = channel();
        let (lines, kept) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(&letters));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let said: Value = serde_json::from_str(&line).unwrap();
                match said.get("id") {
                    Some(_) => kept.lock().unwrap().push(said),
                    None => sender.send(said).unwrap_or_default(),
                }
            }
        });
        let port = answers.recv_timeout(PATIENCE).expect("the mail server did not start")["port"].clone();
        let orders = child.stdin.take().unwrap();
        Self { port: port.as_u64().unwrap() as u16, child, orders, answers, letters }
    }

    /// Tells it how to behave, and waits until it does.
    pub fn behave(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        assert_eq!(self.answers.recv_timeout(PATIENCE).unwrap()["told"], order);
    }

    /// Everything that was handed to it, taken or not, in order.
    pub fn letters(&self) -> Vec<Value> {
        self.letters.lock().unwrap().clone()
    }

    /// Everything that it has taken, in order.
    pub fn taken(&self) -> Vec<Value> {
        self.letters().into_iter().filter(|letter| letter["taken"] == true).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Beside the program under test: target/probes.
fn python() -> PathBuf {
    let target = Path::new(program()).parent().and_then(Path::parent).unwrap();
    target.join("probes/aiosmtpd/bin/python")
}
