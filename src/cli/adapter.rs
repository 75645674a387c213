//! `sluice adapter`: the process that runs at a department and answers gateways from its database.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::adapters::sql::SqlSource;
use crate::base::ids::FieldName;
use crate::base::{Findings, Result};
use crate::config::adapter::ProcessConfig;
use crate::config::file;
use crate::telemetry;
use crate::web::provider::{self, Bound, Source};

/// Options of `sluice adapter`.
#[derive(clap::Args)]
pub struct Args {
    /// The configuration: where to listen, which database, which view for which dataset
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stop when standard input closes
    #[arg(long, hide = true)]
    leash: bool,
}

/// Serves until SIGTERM or SIGINT.
pub fn run(args: &Args) -> ExitCode {
    match serve(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => super::fail(why),
    }
}

fn serve(args: &Args) -> Result<(), String> {
    let config = read(args).map_err(|findings| findings.to_string())?;
    let _log = telemetry::log::start(&config.log).map_err(|finding| finding.to_string())?;
    actix_rt::System::new().block_on(async {
        let bound = bind(args, &config).map_err(|findings| findings.to_string())?;
        if args.leash {
            super::leash::hold(bound.stopper());
        }
        eprintln!("ready on {}", bound.address);
        bound.serve().await.map_err(|error| error.to_string())
    })
}

fn read(args: &Args) -> Result<ProcessConfig, Findings> {
    let mut config: ProcessConfig = file::read(&args.config, &[])?;
    if let Some(dir) = args.config.parent() {
        config.resolve(dir);
    }
    Ok(config)
}

fn bind(args: &Args, config: &ProcessConfig) -> Result<Bound, Findings> {
    let source = SqlSource::open(&args.config.display().to_string(), config)?;
    provider::bind(config, Arc::new(Database(source)))
}

/// The department's database as the entrance knows it.
struct Database(SqlSource);

impl Source for Database {
    fn fetch(&self, dataset: &str, fields: &[FieldName], subjects: &[&str]) -> Result<String> {
        self.0.fetch(dataset, fields, subjects)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapters::sql::tests::database;
    use crate::adapters::testing::Pki;
    use crate::adapters::{Adapters, WorkerAdapters};
    use crate::base::ids::{DatasetId, Fingerprint, RequestId};
    use crate::base::{Code, Value};

    const ASK: &str = r#"{"protocol":"sluice-adapter/1","request_id":"00112233445566778899aabbccddeeff","dataset":"civil.subsistence","fields":["status"],"subjects":["A"]}"#;

    /// An adapter process within this one, over a database of three people, one of them there twice.
    fn start(pki: &Pki) -> Bound {
        start_for(pki, &pki.fingerprint("client.pem"))
    }

    /// The same, for one client.
    fn start_for(pki: &Pki, client: &Fingerprint) -> Bound {
        database(
            &pki.path("civil.db"),
            "CREATE TABLE people (id TEXT, status TEXT, disabled INTEGER);
             INSERT INTO people VALUES ('A', 'receiving', 1), ('B', 'stopped', 0);
             INSERT INTO people VALUES ('twice', 'receiving', 1), ('twice', 'stopped', 0);",
        );
        let config = format!(
            "listen = '127.0.0.1:0'\ncertificate = 'server.pem'\nkey = 'server.key'\nclient_ca = 'ca.pem'\nclients = ['{client}']\n\
             [database.sqlite]\npath = 'civil.db'\n[dataset.'civil.subsistence']\ntable = 'people'\nkey = 'id'\n\
             fields.status = {{ column = 'status' }}\nfields.disabled = {{ column = 'disabled', type = 'boolean' }}"
        );
        std::fs::write(pki.path("adapter.toml"), config).unwrap();
        let args = Args { config: pki.path("adapter.toml"), leash: false };
        bind(&args, &read(&args).unwrap()).unwrap()
    }

    fn gateway(pki: &Pki, bound: &Bound) -> WorkerAdapters {
        Adapters::new("gateway.toml", &[pki.sluice(bound.address.port(), "")])
            .map_err(|_| ())
            .unwrap()
            .for_worker()
    }

    async fn ask(gateway: &WorkerAdapters, subjects: &[&str]) -> Result<serde_json::Value, Code> {
        let dataset = DatasetId::parse("civil.subsistence").unwrap();
        let fields = ["status", "disabled"].map(|field| FieldName::parse(field).unwrap());
        let subjects: Vec<_> = subjects.iter().map(|subject| Value::new(json!(subject))).collect();
        let id = RequestId::parse("00112233445566778899aabbccddeeff").unwrap();
        let records = gateway.fetch(&dataset, &fields.each_ref(), &subjects, &id, None).await;
        records.map(|records| serde_json::to_value(records).unwrap()).map_err(|error| error.code)
    }

    fn post(path: &str, more: &str, body: &str) -> String {
        format!(
            "POST {path} HTTP/1.1\r\nhost: adapter\r\nconnection: close\r\naccept-language: en\r\n{more}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    #[tokio::test]
    async fn a_gateway_fetches_from_an_adapter_over_mutual_tls() {
        let pki = Pki::new();
        let bound = start(&pki);
        let gateway = gateway(&pki, &bound);
        let stop = bound.stopper();
        let serving = tokio::spawn(bound.serve());
        assert_eq!(
            ask(&gateway, &["B", "nobody", "A", "' OR 1=1 --"]).await,
            Ok(json!([
                { "disabled": false, "status": "stopped" },
                null,
                { "disabled": true, "status": "receiving" },
                null
            ]))
        );
        stop();
        serving.await.unwrap().unwrap();
        assert_eq!(ask(&gateway, &["A"]).await, Err(Code::ProviderFailed));
    }

    #[tokio::test]
    async fn only_clients_of_the_ca_and_of_the_list_are_answered() {
        let (pki, foreign) = (Pki::new(), Pki::new());
        let bound = start(&pki);
        let address = bound.address;
        tokio::spawn(bound.serve());
        // A client of another CA that does trust this adapter.
        std::fs::copy(pki.path("ca.pem"), foreign.path("ca.pem")).unwrap();
        let refused = foreign.exchange(address, &post("/v1/fetch", "", ASK)).await;
        assert!(refused.is_err(), "{refused:?}");

        let listed = Pki::new();
        let own = start(&listed);
        let other = Pki::new();
        let others = start_for(&other, &pki.fingerprint("client.pem"));
        let (own_address, others_address) = (own.address, others.address);
        tokio::spawn(own.serve());
        tokio::spawn(others.serve());
        let answered = listed.exchange(own_address, &post("/v1/fetch", "", ASK)).await.unwrap();
        assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
        let unknown = other.exchange(others_address, &post("/v1/fetch", "", ASK)).await.unwrap();
        assert!(unknown.starts_with("HTTP/1.1 401 ") && unknown.contains("certificate-unknown"), "{unknown}");
    }

    #[tokio::test]
    async fn requests_that_are_not_the_protocol_are_told_so() {
        let pki = Pki::new();
        let bound = start(&pki);
        let address = bound.address;
        tokio::spawn(bound.serve());
        let big = format!("{{\"protocol\":\"{}\"}}", "x".repeat(300_000));
        for (request, status, code) in [
            (post("/v1/fetch", "", "{"), 400, "malformed-json"),
            (post("/v1/fetch", "", &ASK.replace("adapter/1", "adapter/2")), 422, "/protocol"),
            (post("/v1/fetch", "", &ASK.replace("status", "income")), 422, "unknown-field"),
            (post("/v1/fetch", "", &ASK.replace("civil.", "other.")), 404, "not-found"),
            (post("/v1/fetch", "", &big), 413, "too-large"),
            (post("/v2/fetch", "", ASK), 404, "not-found"),
            (post("/v1/health", "", ""), 405, "allow: GET"),
            (post("/v1/health", "", ""), 405, "method-not-allowed"),
        ] {
            let answer = pki.exchange(address, &request).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(code), "{answer}");
        }
    }

    #[tokio::test]
    async fn the_trace_context_comes_back_and_health_is_told() {
        let pki = Pki::new();
        let bound = start(&pki);
        let address = bound.address;
        tokio::spawn(bound.serve());
        let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
        let answer = pki.exchange(address, &post("/v1/fetch", trace, ASK)).await.unwrap();
        assert!(answer.contains(trace), "{answer}");
        assert!(
            answer.ends_with(r#"{"protocol":"sluice-adapter/1","records":[{"status":"receiving"}]}"#),
            "{answer}"
        );
        let health = "GET /v1/health HTTP/1.1\r\nhost: adapter\r\nconnection: close\r\n\r\n";
        let answer = pki.exchange(address, health).await.unwrap();
        assert!(answer.ends_with(r#"{"protocol":"sluice-adapter/1","status":"ok"}"#), "{answer}");
    }

    #[tokio::test]
    async fn somebody_who_is_there_twice_is_a_data_fault_and_no_failure_of_the_adapter() {
        let pki = Pki::new();
        let bound = start(&pki);
        let (address, gateway) = (bound.address, gateway(&pki, &bound));
        tokio::spawn(bound.serve());
        let answer =
            pki.exchange(address, &post("/v1/fetch", "", &ASK.replace("\"A\"", "\"twice\""))).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 409 ") && answer.contains("\"data-fault\""), "{answer}");
        // More often than the breaker lets anything fail.
        for _ in 0..7 {
            assert_eq!(ask(&gateway, &["A", "twice"]).await, Err(Code::ProviderInvalid));
        }
        assert!(ask(&gateway, &["A"]).await.is_ok());
    }

    #[test]
    fn a_configuration_with_an_unknown_key_is_refused_by_name() {
        let pki = Pki::new();
        std::fs::write(pki.path("adapter.toml"), "listen = '127.0.0.1:0'\nlisten_on = 1").unwrap();
        let refused = read(&Args { config: pki.path("adapter.toml"), leash: false }).unwrap_err();
        assert!(refused.to_string().contains("listen_on"), "{refused}");
    }

    #[test]
    fn a_configuration_that_lets_nobody_or_everybody_of_the_ca_in_is_refused_with_its_line() {
        let pki = Pki::new();
        let path = pki.path("adapter.toml");
        let example = include_str!("../../deploy/adapter.example.toml");
        let line = example.lines().position(|line| line.starts_with("clients = ")).unwrap() + 1;
        let listed = example.lines().nth(line - 1).unwrap();
        for (clients, named) in
            [("clients = []", format!(":{line}:")), ("", "missing field `clients`".into())]
        {
            std::fs::write(&path, example.replace(listed, clients)).unwrap();
            let refused = read(&Args { config: path.clone(), leash: false }).unwrap_err().to_string();
            assert!(refused.contains("clients") && refused.contains(&named), "{refused}");
            assert!(refused.contains("adapter.toml"), "{refused}");
        }
    }
}
