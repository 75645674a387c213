//! Values planted in a department's data and in requests are found in no log line, metric,
//! problem or byte that the gateway keeps.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::client::{Answer, ask};
use crate::support::provider::{Manner, answer};
use crate::support::{TestGateway, resident_id};

const NAME: &str = "慕容鸢尾";
const MOBILE: &str = "19912345670";
const BANK_CARD: &str = "6222020000071927317";
const INCOME: u32 = 731_927;
const QUERY: &str = "/v1/datasets/civil.subsistence/query";

/// What must be found nowhere.
struct Canaries(Vec<String>);

impl Canaries {
    /// The first of them that stands in `bytes`, if any does.
    fn found_in(&self, bytes: &[u8]) -> Option<&str> {
        let text = String::from_utf8_lossy(bytes);
        self.0.iter().map(String::as_str).find(|canary| {
            text.match_indices(canary).any(|(at, _)| {
                let before = text[..at].chars().next_back().unwrap_or(' ');
                let after = text[at + canary.len()..].chars().next().unwrap_or(' ');
                // The income is six digits, which a time or a hash may hold by chance.
                let alone =
                    before != '.' && !before.is_ascii_alphanumeric() && !after.is_ascii_alphanumeric();
                canary.len() > 6 || alone
            })
        })
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_value_is_found_nowhere_but_in_the_answer_that_discloses_it() {
    let mut gw = TestGateway::start_with("breaker = { failures = 1000 }\n\n[log]\nlevel = \"debug\"\n").await;
    let ids: Vec<String> = (1..=3).map(|n| resident_id(&format!("1101051987062500{n}"))).collect();
    let record = json!({
        "name": NAME, "id_number": ids[0], "status": "receiving", "category": "urban", "household_size": 2,
        "monthly_income": INCOME, "monthly_allowance": 900, "approved_on": "2024-03-01",
        "review_due_on": "2027-03-01", "mobile": MOBILE, "bank_card": BANK_CARD,
    });
    gw.civil.record(&ids[0], record.clone());
    let values = [NAME.to_owned(), MOBILE.into(), BANK_CARD.into(), INCOME.to_string()];
    let mut canaries = Canaries(values.into_iter().chain(ids.clone()).collect());
    let people: Vec<&str> = ids.iter().map(String::as_str).collect();

    // Good answers: the value itself, a part of it, a token in its place.
    let (onestop, housing) = (gw.system("service.onestop"), gw.system("housing.aid"));
    let given = onestop
        .post(QUERY, &ask("livelihood.review", &people, json!(["name", "mobile", "monthly_income"])))
        .await;
    assert_eq!(given.status, 200, "{}", given.text());
    assert_eq!(canaries.found_in(&given.body), Some(NAME), "the value does pass through the gateway");
    let token = housing.post(QUERY, &ask("housing-aid.review", &people[..1], json!(["id_number"]))).await;
    let token = token.json()["results"][0]["data"]["id_number"].as_str().unwrap().to_owned();
    assert!(token.len() > 20, "{token}");
    canaries.0.push(token);

    // Refused, and wrong in every place where a caller can put something.
    let mut told: Vec<Answer> = Vec::new();
    told.push(onestop.post(QUERY, &ask("housing-aid.review", &people, json!(["bank_card"]))).await);
    for id in &ids {
        let body = |member: &str| ask("housing-aid.review", &[member], json!(["status"]));
        let bodies = [
            format!("{{\"{id}\":[}}"),
            format!("{{\"purpose\":\"{id}\",\"{NAME}\":{INCOME}}}"),
            format!("{{\"{id}\":1,\"{id}\":2}}"),
            format!("{{\"purpose\":[[{{\"{NAME}\":{{\"{id}\":["),
            body(&format!("{id}{NAME}")).to_string(),
            json!({ "purpose": id, "case": format!("A-{id}"), "operator": NAME, "subjects": [id, { id: id }], "fields": [id, { "field": id, "form": NAME }, { id: 1 }] }).to_string(),
            ask("housing-aid.review", &[id, id], json!(["status"])).to_string().replace("QZ-2026-000123", &format!("QZ-{id}")),
        ];
        for body in bodies {
            told.push(onestop.send("POST", QUERY, Some(body.as_bytes())).await.unwrap());
        }
        for path in [
            format!("/v1/datasets/{id}"),
            format!("/v1/datasets?id={id}"),
            format!("/v1/requests/{id}/explain"),
            format!("/v1/audit/records/{id}"),
            format!("/v1/audit/records?department={id}"),
            format!("/v1/audit/records?{id}={id}"),
            format!("/v1/audit/tile/0/{id}"),
            format!("/{id}"),
        ] {
            for client in [&onestop, &gw.system("audit.office"), &gw.nobody()] {
                told.push(client.get(&path).await);
            }
        }
        told.push(onestop.post(&format!("/v1/datasets/{id}/query"), &body(id)).await);
        told.push(
            onestop.post("/v1/subjects/history", &json!({ "identifier": id, "value": id, "case": id })).await,
        );
        for header in [
            "traceparent",
            "tracestate",
            "user-agent",
            "accept-language",
            "x-request-id",
            "cookie",
            "referer",
            "x-person",
        ] {
            let client = onestop.clone().with_header(header, &format!("00-{id}-{MOBILE}-01"));
            told.push(client.get("/v1/requests/x/explain").await);
        }
        for header in ["content-type", "content-encoding"] {
            told.push(onestop.clone().with_header(header, id).post(QUERY, &body(id)).await);
        }
        told.push(
            onestop
                .send(&id[..17].replace(|c: char| c.is_ascii_digit(), "G"), "/v1/datasets", None)
                .await
                .unwrap(),
        );
    }

    // The provider fails with the value in its hands.
    let (json, page) = ("application/json", "text/html");
    let invalid =
        json!({ "records": [{ "status": NAME, "name": NAME, "mobile": MOBILE, "id_number": ids[0] }] })
            .to_string();
    let doubled = format!("{{\"records\":[{{\"status\":\"{NAME}\",\"status\":\"{}\"}}]}}", ids[0]);
    let broken = format!("{{\"records\":[{{\"{NAME}\":{INCOME},\"status\":{MOBILE}{}", ids[0]);
    let misplaced = json!({ "records": [ids[0]] }).to_string();
    let head = format!(
        "HTTP/1.1 302 {MOBILE}\r\nlocation: /{}\r\nx-name: {NAME}\r\ncontent-length: 0\r\n\r\n",
        ids[0]
    );
    let not_http = format!("{NAME} {}\r\n", ids[0]);
    for manner in [
        answer(200, json, &invalid),
        answer(200, json, &doubled),
        answer(200, json, &misplaced),
        answer(200, json, &broken),
        answer(500, json, &invalid),
        answer(400, json, &invalid),
        answer(200, page, &format!("<p>{NAME} {}</p>", ids[0])),
        head.into_bytes(),
        not_http.into_bytes(),
    ] {
        gw.civil.behave(Manner::Raw(manner));
        let failed = onestop.post(QUERY, &ask("housing-aid.review", &people[..1], json!(["status"]))).await;
        assert_eq!(failed.status, 502, "{}", failed.text());
        told.push(failed);
    }

    for answer in &told {
        assert_eq!(canaries.found_in(&answer.body), None, "{}", answer.text());
        let headers = format!("{:?}", answer.headers);
        assert_eq!(canaries.found_in(headers.as_bytes()), None, "{headers}");
    }
    for path in ["/metrics", "/readyz", "/livez"] {
        let (_, text) = gw.ops(path).await;
        assert_eq!(canaries.found_in(text.as_bytes()), None, "{path}: {text}");
    }
    let records = gw.records("").await;
    assert!(records.len() > 50, "what was refused is recorded: {}", records.len());
    let log = gw.log();
    assert!(log.contains("\"DEBUG\"") || log.contains("sluice::access"));
    assert_eq!(canaries.found_in(log.as_bytes()), None);

    gw.signal("STOP");
    let kept: Vec<_> = [files(&gw.path().join("data")), files(&gw.path().join("second-place"))].concat();
    assert!(kept.iter().any(|file| file.ends_with("audit.db-wal")), "{kept:?}");
    look_through(&canaries, &kept);
    gw.signal("CONT");
    gw.stop();
    look_through(
        &canaries,
        &[files(&gw.path().join("data")), files(&gw.path().join("second-place"))].concat(),
    );
}

fn look_through(canaries: &Canaries, files: &[PathBuf]) {
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        assert_eq!(canaries.found_in(&bytes), None, "{}", file.display());
    }
}
