//! The log as auditors read it, and the commands of an administrator.

use std::process::Command;

use serde_json::Value;
use sluice::demo::certificates::Usage;

use super::client::Answer;
use super::{TestGateway, now, until};

impl TestGateway {
    /// Every record that an auditor's search finds, as JSON, once the search index has caught up.
    /// `search` is a query string, such as `kind=query&outcome=ok`.
    pub async fn records(&self, search: &str) -> Vec<Value> {
        let auditor = self.system("audit.office");
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/v1/audit/records?{search}{after}");
            let page = until("the search index catches up", async || {
                let answer = auditor.get(&path).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                Some(answer.json()).filter(|page| page["index_lag"] == 0)
            });
            let page = page.await;
            let leaves =
                page["records"].as_array().unwrap().iter().map(|line| line["leaf"].as_str().unwrap());
            found.extend(leaves.map(|leaf| serde_json::from_str::<Value>(leaf).unwrap()));
            match page["next"].as_u64() {
                Some(next) if search.is_empty() => after = format!("after={next}"),
                Some(next) => after = format!("&after={next}"),
                None => return found,
            }
        }
    }

    /// The record of the request that was answered so.
    pub async fn record_of(&self, answer: &Answer) -> Value {
        let id = answer.header("x-request-id").unwrap();
        let records = self.records("").await;
        records
            .into_iter()
            .find(|r| r["request_id"] == id)
            .unwrap_or_else(|| panic!("no record: {}", answer.text()))
    }

    /// Issues a certificate for a system of policies/systems.toml and registers its key.
    pub fn admit(&mut self, system: &str) {
        let issued = self.authority.issue(system, &[], Usage::Client, now()).unwrap();
        self.register(system, &issued);
        self.issued.insert(system.to_owned(), issued);
    }

    /// Replaces text in a file of the folder.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Adds a line at the end of a file of the folder; gives its number.
    pub fn append(&self, file: &str, line: &str) -> usize {
        let path = self.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{text}{line}\n")).unwrap();
        text.lines().count() + 1
    }

    /// `sluice apply`: exit code and what it said.
    pub fn apply(&self) -> (i32, String) {
        let (code, out, err) = self.sluice(&["apply", "--config", "sluice.toml"]);
        (code, format!("{out}{err}"))
    }

    /// Sends the process a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}
