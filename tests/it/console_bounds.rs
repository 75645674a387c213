//! What the console must not let anybody do: run what they typed, count what is not theirs, read
//! without a trace, or be made to read by another site.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::console::{send, token};
use crate::support::TestGateway;
use crate::support::client::{Answer, Client};

const TRY: &str = "/console/admin/rules/try";
const RULES: &str = "policies/rules/civil.subsistence.csv";
const EVENTS: &str = "/console/security/events";

async fn try_wording(person: &Client, file: &str, text: &str) -> Answer {
    let token = token(&person.get("/console/admin/rules").await);
    send(person, TRY, &[("token", &token), ("file", file), ("text", text), ("days", "7")]).await
}

#[tokio::test]
async fn the_law_of_decisions_is_not_tried_in_the_gateway() {
    let gw = TestGateway::start().await;
    let admin = gw.person("sam", "audit", &["system_admin"]).await;
    // casbin takes a matcher for an expression: this one is deeper than a stack.
    let deep = format!("[matchers]\nm = {}true", "(".repeat(15_000));
    for file in ["policies/model.conf", "policies/roles.conf"] {
        assert_eq!(admin.get(&format!("{TRY}?file={file}")).await.status, 404, "{file}");
        assert_eq!(try_wording(&admin, file, &deep).await.status, 404, "{file}");
    }
    let listed = admin.get("/console/admin/rules").await.text();
    assert!(listed.contains(RULES) && !listed.contains(".conf"), "{listed}");
}

/// What facets count, by value, where that is an id: of a dataset, a system, an operator, an account or a rule.
fn counted(page: &str) -> Vec<(String, u64)> {
    let choices = page.split("<li><a href=\"/console/security/events").skip(1);
    let counted = choices.filter_map(|choice| {
        let mut spans = choice.split("</a>").next()?.split("<span>").skip(1);
        let mut span = || Some(spans.next()?.split("</span>").next()?.trim_start_matches("✓ ").to_owned());
        let (value, number) = (span()?, span()?);
        Some((value, number.replace(',', "").parse().ok()?))
    });
    // Ids have points or digits, words for people have none.
    counted
        .filter(|(value, _): &(String, u64)| value.contains(|c: char| c == '.' || c.is_ascii_digit()))
        .collect()
}

#[tokio::test]
async fn an_officer_counts_what_the_department_asked_or_was_asked_and_nothing_else() {
    let gw = TestGateway::start().await;
    let owners = BTreeMap::from([
        ("civil.subsistence", "civil"),
        ("housing.ownership", "housing"),
        ("medical.assistance", "medical"),
    ]);
    // Each as often as no other, so that a number tells whose it is.
    for (system, times) in [("civil.benefits", 1), ("housing.aid", 2), ("service.onestop", 4)] {
        for dataset in owners.keys() {
            for _ in 0..times {
                gw.system(system).query(dataset, "housing-aid.review", &["status"]).await;
            }
        }
    }
    for department in ["civil", "housing", "medical", "hrss"] {
        let officer =
            gw.person(&format!("{department}.officer"), department, &["confidentiality_officer"]).await;
        let mut pages = Vec::new();
        let others = ["", "civil", "housing", "medical", "service", "hrss"];
        for (dataset, asking) in
            owners.keys().chain([&""]).flat_map(|dataset| others.map(|other| (dataset, other)))
        {
            let path = format!("{EVENTS}?dataset={dataset}&department={asking}");
            let page = officer.get(&path).await;
            assert_eq!(page.status, 200, "{path}");
            pages.push((path, counted(&page.text())));
        }
        let records = gw.records("").await;
        let is_readable = |record: &&Value| {
            let dataset = record["dataset"].as_str().unwrap_or_default();
            record["caller"]["department"] == department || owners.get(dataset) == Some(&department)
        };
        let readable: Vec<&Value> = records.iter().filter(is_readable).collect();
        for (path, counted) in pages {
            for (value, number) in counted {
                let of = |record: &&&Value| {
                    let caller = &record["caller"];
                    let names =
                        [&record["dataset"], &record["operator"], &caller["system"], &caller["account"]];
                    let fields = record["fields"].as_array().into_iter().flatten();
                    names.into_iter().chain(fields.map(|field| &field["rule"])).any(|name| *name == value)
                };
                let most = readable.iter().filter(of).count() as u64;
                assert!(number <= most, "{department}, {path}: {value} {number} times, {most} to be read");
            }
        }
    }
}

#[tokio::test]
async fn past_queries_are_named_to_who_may_read_the_log_and_to_others_they_are_a_number() {
    let gw = TestGateway::start().await;
    let asked =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let record = format!("href=\"{EVENTS}/{}\"", gw.record_of(&asked).await["index"]);
    let text = "p, dep:service, civil.subsistence, status, livelihood.review, plain, allow, CS-011\n";
    for (role, reads) in [("auditor", true), ("system_admin", false), ("security_admin", false)] {
        let person = gw.person(role, "audit", &[role]).await;
        let tried = try_wording(&person, RULES, text).await.text();
        assert!(tried.contains("1 of 1") || tried.contains("1 / 1"), "{role}: {tried}");
        assert_eq!(tried.contains(&record), reads, "{role}: {tried}");
    }
}

#[tokio::test]
async fn whatever_an_officer_reads_is_recorded() {
    let gw = TestGateway::start().await;
    for (role, path, kind) in [
        ("system_admin", "/console/admin", "operations"),
        ("coordinator", "/console/coordinator", "coordination"),
        ("security_admin", "/console/security/stopped", "suspensions-read"),
        ("system_admin", "/console/admin/rules", "policy-read"),
        ("security_admin", "/console/admin/rules/try?file=policies/groups.csv", "policy-read"),
    ] {
        let person = gw.person(&format!("{role}.{}", path.len()), "audit", &[role]).await;
        let answer = person.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let record = gw.record_of(&answer).await;
        assert_eq!((&record["kind"], &record["outcome"]), (&kind.into(), &"ok".into()), "{path}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_has_nobody_read_the_log() {
    let gw = TestGateway::start().await;
    let auditor = gw.person("eve", "audit", &["auditor"]).await;
    let from = |site: &str, mode: &str, dest: &str| {
        let client = auditor.clone().with_header("sec-fetch-site", site);
        client.with_header("sec-fetch-mode", mode).with_header("sec-fetch-dest", dest)
    };
    for path in [EVENTS, "/v1/audit/records"] {
        for (site, mode, dest) in [
            ("same-site", "no-cors", "image"),
            ("same-site", "cors", "empty"),
            ("same-site", "navigate", "iframe"),
            ("cross-site", "no-cors", "script"),
            ("same-site", "no-cors", "document"),
        ] {
            let answer = from(site, mode, dest).get(path).await;
            assert_eq!(answer.status, 403, "{path} {site} {mode} {dest}");
            assert_eq!(gw.record_of(&answer).await["outcome"], "cross-site");
        }
        for (site, mode, dest) in [
            ("same-origin", "cors", "empty"),
            ("none", "navigate", "document"),
            // Somebody follows a link: the address of a search may stand anywhere.
            ("same-site", "navigate", "document"),
            ("cross-site", "navigate", "document"),
        ] {
            assert_eq!(from(site, mode, dest).get(path).await.status, 200, "{path} {site} {mode} {dest}");
        }
    }
    for path in [EVENTS, "/v1/audit/records", "/v1/session", "/console/sign-in"] {
        let answer = auditor.get(path).await;
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
    }
}
