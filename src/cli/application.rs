//! `sluice application`: applications and grants at a running gateway.
//!
//! Invariant: it goes the way that everybody goes. It signs in with a certificate that is bound to an
//! account, speaks the interface, and signs out; nothing here can do what the interface cannot.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::https::{Answer, Ask, Https, HttpsError};
use crate::config::adapter::ClientTls;

/// The longest answer that is read.
const MAX: usize = 32 << 20;
/// Where people sign in and out.
const SESSION: &str = "/v1/session";

/// Applications at a running gateway.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    /// The gateway, such as https://gateway.example:8443
    #[arg(long, global = true, default_value = "https://localhost:8443")]
    url: String,
    /// The certificate bound to the account (PEM)
    #[arg(long, global = true, default_value = "person.pem")]
    cert: PathBuf,
    /// Its key (PEM)
    #[arg(long, global = true, default_value = "person.key")]
    key: PathBuf,
    /// The CA that the gateway's certificate is from (PEM)
    #[arg(long, global = true, default_value = "ca.pem")]
    ca: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// The applications of one's own department, the newest first
    List {
        /// Only those that stand so, such as in-review
        #[arg(long, conflicts_with = "waiting")]
        state: Option<String>,
        /// Only those that wait for oneself
        #[arg(long)]
        waiting: bool,
    },
    /// One application
    Show {
        /// Its id, such as A-2026-000001
        id: String,
    },
    /// What happened to an application
    Events {
        /// Its id
        id: String,
    },
    /// Write a new application
    Draft {
        /// A file with `terms` as JSON
        #[arg(long)]
        body: PathBuf,
    },
    /// Give an application a command, for the version that it has now
    Give {
        /// Its id
        id: String,
        /// The command, such as submit
        command: String,
        /// The command's own members: a file with JSON
        #[arg(long)]
        body: Option<PathBuf>,
        /// Why, in words
        #[arg(long)]
        note: Option<String>,
        /// The version that one saw, where it is not to be looked up
        #[arg(long)]
        seen: Option<u32>,
    },
}

/// What ends a command without a result.
type Failure = Box<dyn std::error::Error>;

pub(super) fn run(args: &Args) -> ExitCode {
    match tell(args) {
        Ok(answer) => {
            println!("{answer:#}");
            ExitCode::SUCCESS
        }
        Err(why) => super::fail(why),
    }
}

fn tell(args: &Args) -> Result<Value, Failure> {
    let tls = ClientTls { ca: args.ca.clone(), certificate: args.cert.clone(), key: args.key.clone() };
    let mut session = Session::begin(Https::new(&args.url, &tls)?)?;
    let told = session.tell(&args.command);
    // Nothing is left to do about a session that does not end: it ends by itself.
    session.send(Method::DELETE, SESSION, String::new()).ok();
    told
}

/// Somebody who is signed in.
struct Session {
    https: Https,
    cookie: String,
}

impl Session {
    fn begin(mut https: Https) -> Result<Self, Failure> {
        let body = json!({ "by": "certificate" }).to_string();
        let answer = https.send(Ask { method: Method::POST, path: SESSION, cookie: "", body }, MAX)?;
        let cookie = answer.cookies.join("; ");
        accepted(&answer)?;
        Ok(Self { https, cookie })
    }

    fn tell(&mut self, command: &Command) -> Result<Value, Failure> {
        match command {
            Command::List { state: Some(state), .. } => {
                let query: String = url::form_urlencoded::byte_serialize(state.as_bytes()).collect();
                self.get(&format!("/v1/applications?state={query}"))
            }
            Command::List { waiting: true, .. } => self.get("/v1/applications?waiting=me"),
            Command::List { .. } => self.get("/v1/applications"),
            Command::Show { id } => self.get(&path(id, "")?),
            Command::Events { id } => self.get(&path(id, "/events")?),
            Command::Draft { body } => self.post("/v1/applications", &read(body)?),
            Command::Give { id, command, body, note, seen } => {
                let mut members = body.as_ref().map(read).transpose()?.unwrap_or_else(|| json!({}));
                let members_of = |value: &mut Value| value.as_object_mut().map(std::mem::take);
                let mut members: Map<String, Value> =
                    members_of(&mut members).ok_or("--body is not a JSON object")?;
                let version = match seen {
                    Some(seen) => json!(seen),
                    None => self.get(&path(id, "")?)?.get("version").cloned().unwrap_or_default(),
                };
                members.insert("version".into(), version);
                if let Some(note) = note {
                    members.insert("note".into(), json!(note));
                }
                self.post(&path(id, &format!("/{}", word(command)?))?, &Value::Object(members))
            }
        }
    }

    fn get(&mut self, path: &str) -> Result<Value, Failure> {
        accepted(&self.send(Method::GET, path, String::new())?)
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<Value, Failure> {
        accepted(&self.send(Method::POST, path, body.to_string())?)
    }

    fn send(&mut self, method: Method, path: &str, body: String) -> Result<Answer, HttpsError> {
        self.https.send(Ask { method, path, cookie: &self.cookie, body }, MAX)
    }
}

/// What was answered, or the problem in the gateway's words.
fn accepted(answer: &Answer) -> Result<Value, Failure> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if (200..300).contains(&answer.status) {
        return Ok(body);
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut said = format!("{} {}: {}", answer.status, text("code"), text("detail"));
    for error in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        said.push_str(&format!("\n  {} {}: {}", text("pointer"), text("code"), text("detail")));
    }
    Err(said.into())
}

fn read(file: &PathBuf) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?)
}

fn path(id: &str, rest: &str) -> Result<String, Failure> {
    Ok(format!("/v1/applications/{}{rest}", word(id)?))
}

/// An id or the name of a command: it becomes part of a path as it is.
fn word(text: &str) -> Result<&str, Failure> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if plain { Ok(text) } else { Err(format!("{text:?} is neither an id nor a command").into()) }
}
