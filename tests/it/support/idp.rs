//! A real identity provider in a process of its own: the npm package oidc-provider, which
//! `tests/run --prepare` installs.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use sluice::demo::certificates::Usage;

use super::browser::CALLBACK;
use super::gateway::program;
use super::office::private;
use super::{TestGateway, now};

/// The gateway's secret there: with characters that a form and a header must not change.
pub const SECRET: &str = "canary+secret/with:colon&and=sign-0123456789";

/// An identity provider on a port of 127.0.0.1.
pub struct IdentityProvider {
    pub port: u16,
    child: Child,
    /// It says more later; with nobody to read it, it would end.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl IdentityProvider {
    /// One that knows the gateway, takes its secret by `method` and signs with `algorithm`.
    pub fn start(gw: &TestGateway, method: &str, algorithm: &str) -> Self {
        certify(gw);
        let target = Path::new(program()).parent().and_then(Path::parent).unwrap().join("oidc");
        let package = target.join("node_modules/oidc-provider/package.json");
        assert!(package.exists(), "`tests/run --prepare` installs the identity provider");
        let mut child = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc/provider.mjs"))
            .args([target, at(gw, "idp.pem"), at(gw, "idp.key")])
            .args([CALLBACK, SECRET, method, algorithm])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{error}: `tests/run --prepare` installs node"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said =
            lines.by_ref().map_while(Result::ok).find_map(|line| serde_json::from_str::<Value>(&line).ok());
        let port = said.expect("the identity provider did not start")["port"].as_u64().unwrap();
        Self { port: port as u16, child, _lines: lines }
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Certificate and key of an identity provider, at `tls/idp` in the gateway's folder.
pub fn certify(gw: &TestGateway) {
    let issued = gw.authority.issue("idp", &["localhost"], Usage::Server, now()).unwrap();
    issued.write(&gw.path().join("tls"), "idp").unwrap();
}

/// Configures a gateway that is not yet serving for the provider at `port`.
pub fn configure(gw: &mut TestGateway, port: u16) {
    private(&gw.dir, "oidc.secret", &format!("{SECRET}\n"));
    let section = format!(
        "[oidc]\nissuer = \"https://localhost:{port}\"\nclient_id = \"sluice\"\n\
         client_secret_file = \"oidc.secret\"\nredirect_url = \"{CALLBACK}\"\n\
         allow = [\"127.0.0.1:{port}\"]\nca = \"ca/systems/ca.pem\"\n\n[tls]\n"
    );
    gw.configure("[tls]\n", &section);
}

fn at(gw: &TestGateway, name: &str) -> PathBuf {
    gw.path().join("tls").join(name)
}
