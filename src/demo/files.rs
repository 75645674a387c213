//! The catalogue and policies that the program carries, and the configuration files it writes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::departments::Table;

static SCHEMAS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/schemas");
static POLICIES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/policies");

/// Where each process of the demo listens, on 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// The gateway, for systems.
    pub gateway: u16,
    /// The gateway, for operators.
    pub ops: u16,
    /// The old REST service of the housing bureau.
    pub legacy: u16,
    /// Each department's adapter.
    pub adapters: BTreeMap<&'static str, u16>,
}

/// Writes `schemas/` and `policies/` into `dir`.
///
/// # Errors
/// When a file cannot be written.
pub fn write_catalogue(dir: &Path) -> io::Result<()> {
    for (name, files) in [("schemas", &SCHEMAS), ("policies", &POLICIES)] {
        fs::create_dir_all(dir.join(name))?;
        files.extract(dir.join(name))?;
    }
    Ok(())
}

/// The gateway's configuration.
pub fn gateway_config(ports: &Ports, sluice: &BTreeMap<&'static str, Vec<&str>>) -> String {
    let mut text = format!(
        r#"# Written anew at each start of the demo. deploy/sluice.example.toml explains every key.
[gateway]
listen = "127.0.0.1:{gateway}"
ops_listen = "127.0.0.1:{ops}"
data_dir = "data"
catalogue_dir = "."

[tls]
certificate = "tls/gateway.pem"
key = "tls/gateway.key"
client_ca = "ca/systems/ca.pem"
client_crls = ["tls/systems.crl.pem"]

[audit]
signing_key_file = "keys/audit.key"
subject_key_file = "keys/subjects.key"
checkpoint_copy_file = "second-place/checkpoint"

[history]
consent_hours = 24
"#,
        gateway = ports.gateway,
        ops = ports.ops
    );
    for (department, datasets) in sluice {
        let port = ports.adapters.get(department).copied().unwrap_or_default();
        // Writing to a String cannot fail.
        write!(
            text,
            r#"
[[adapter]]
name = "{department}"
url = "https://localhost:{port}"
allow = ["127.0.0.1/32:{port}"]
[adapter.tls]
ca = "ca/adapters/ca.pem"
certificate = "tls/to-adapters.pem"
key = "tls/to-adapters.key"
[adapter.source.sluice]
datasets = {datasets:?}
"#
        )
        .ok();
    }
    write!(text, "{}", LEGACY_ADAPTER.replace("PORT", &ports.legacy.to_string())).ok();
    text
}

/// How the gateway reads a service that was built ten years ago and that nobody will change.
const LEGACY_ADAPTER: &str = r#"
[[adapter]]
name = "housing-legacy"
url = "http://127.0.0.1:PORT"
allow = ["127.0.0.1/32:PORT"]
[adapter.source.rest]
plaintext = true
headers_file = "departments/housing/legacy-headers"
[adapter.source.rest.datasets."housing.ownership"]
path = "/fcxx/queryHouse.do?zjhm={subject}"
success = { pointer = "/code", equals = "0000" }
record = "/data"
fields.name = { pointer = "/XM" }
fields.id_number = { pointer = "/ZJHM" }
fields.homes = { pointer = "/FWTS", type = "integer" }
fields.total_area = { pointer = "/ZMJ", type = "number" }
fields.region_code = { pointer = "/XZQH" }
fields.address = { pointer = "/ZL" }
fields.acquired_on = { pointer = "/DJRQ", type = "date8" }
fields.mortgaged = { pointer = "/DYZT", type = "boolean" }
"#;

/// The configuration of a department's adapter.
pub fn adapter_config(port: u16, client: &str, tables: &[Table]) -> String {
    let mut text = format!(
        r#"# Written anew at each start of the demo. docs/adapter-protocol.md explains every key.
listen = "127.0.0.1:{port}"
certificate = "adapter.pem"
key = "adapter.key"
client_ca = "../../ca/adapters/ca.pem"
clients = ["{client}"]

[database.sqlite]
path = "data.db"
"#
    );
    for table in tables {
        write!(
            text,
            "\n[dataset.\"{}\"]\ntable = \"{}\"\nkey = \"{}\"\n",
            table.dataset, table.name, table.key
        )
        .ok();
        for column in &table.columns {
            let kind = if column.boolean { ", type = \"boolean\"" } else { "" };
            writeln!(text, "fields.{} = {{ column = \"{}\"{kind} }}", column.field, column.name).ok();
        }
    }
    text
}
