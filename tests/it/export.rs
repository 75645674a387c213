//! What is taken out of the log can be checked without it, and harms nobody who opens it.

use std::path::Path;

use serde_json::{Value, json};
use sluice::app::keys;

use crate::support::client::ask;
use crate::support::vault::Vault;
use crate::support::{PERSON, TestGateway};

/// `sluice audit export` of the vault's log.
fn export(vault: &Vault, format: &str, name: &str) -> String {
    let arguments = ["audit", "export", "--db", "data", "--format", format, "--out", name];
    let (code, _, err) = vault.gw.sluice(&arguments);
    assert_eq!(code, 0, "{err}");
    std::fs::read_to_string(vault.gw.path().join(name)).unwrap()
}

fn verify_export(gw: &TestGateway, name: &str) -> (i32, String) {
    let (code, out, err) = gw.sluice(&["audit", "verify", "--export", name, "--pubkey", "keys/audit.vkey"]);
    (code, format!("{out}{err}"))
}

#[tokio::test]
async fn an_export_verifies_offline_and_one_changed_character_does_not() {
    let vault = Vault::filled().await;
    let sound = export(&vault, "jsonl", "log.jsonl");
    // Away from the log, with the public key alone.
    std::fs::remove_dir_all(vault.gw.path().join("data")).unwrap();
    let (code, said) = verify_export(&vault.gw, "log.jsonl");
    assert_eq!(code, 0, "{said}");

    let harmed = |text: &[u8]| {
        std::fs::write(vault.gw.path().join("harmed.jsonl"), text).unwrap();
        verify_export(&vault.gw, "harmed.jsonl")
    };
    for at in (0..sound.len() - 1).step_by(89) {
        let mut bytes = sound.clone().into_bytes();
        // Another printable character, so that what is tried is not only broken JSON.
        bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
        let (code, said) = harmed(&bytes);
        assert!((10..=17).contains(&code), "byte {at} {:?}: {code} {said}", &sound[at..at + 1]);
    }
    let lines: Vec<&str> = sound.lines().collect();
    let without: Vec<&str> = [&lines[..5], &lines[6..]].concat();
    let (code, said) = harmed(without.join("\n").as_bytes());
    assert!(code == 11 && said.contains("missing: record 4"), "{code} {said}");
    let mut swapped = lines.clone();
    swapped.swap(5, 6);
    assert_ne!(harmed(swapped.join("\n").as_bytes()).0, 0);
    let (code, said) = harmed(lines[..lines.len() - 3].join("\n").as_bytes());
    assert!(code == 11, "{code} {said}");
    assert_ne!(harmed(&sound.as_bytes()[..sound.len() / 2]).0, 0);
    assert_ne!(harmed(b"").0, 0);

    keys::make(&vault.gw.path().join("stranger"), "sluice.test/log").unwrap();
    let (code, out, _) =
        vault.gw.sluice(&["audit", "verify", "--export", "log.jsonl", "--pubkey", "stranger/audit.vkey"]);
    assert_eq!(code, 15, "{out}");
}

#[tokio::test]
async fn an_export_does_not_overwrite_and_names_nobody() {
    let vault = Vault::filled().await;
    for format in ["jsonl", "csv", "ocsf"] {
        let text = export(&vault, format, format);
        assert!(
            !text.contains(PERSON) && !text.contains("王秀兰") && !text.contains("13800138000"),
            "{format}"
        );
        let again = ["audit", "export", "--db", "data", "--format", format, "--out", format];
        let (code, _, err) = vault.gw.sluice(&again);
        assert!(code == 1 && err.contains(format), "{code} {err}");
    }
}

#[tokio::test]
async fn no_cell_of_the_csv_is_a_formula() {
    let gw = TestGateway::start().await;
    let desk = gw.system("service.onestop");
    for case in ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/C'!A0", "QZ\"1\",=2"] {
        for member in ["case", "operator"] {
            let mut body = ask("housing-aid.review", &[PERSON], json!(["status"]));
            body[member] = json!(case);
            // Taken or refused: either is recorded, and whatever is recorded must be safe.
            let status = desk.post("/v1/datasets/civil.subsistence/query", &body).await.status;
            assert!([200, 422].contains(&status), "{case}: {status}");
        }
    }
    let (code, _, err) =
        gw.sluice(&["audit", "export", "--db", "data", "--format", "csv", "--out", "log.csv"]);
    assert_eq!(code, 0, "{err}");
    let text = std::fs::read_to_string(gw.path().join("log.csv")).unwrap();
    let rows: Vec<Vec<String>> = text.split("\r\n").filter(|row| !row.is_empty()).map(cells).collect();
    assert!(rows.len() > 12);
    for row in &rows {
        assert_eq!(row.len(), rows[0].len(), "{row:?}");
        for cell in row {
            assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
        }
    }
}

/// The cells of a row (RFC 4180).
fn cells(row: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    let mut characters = row.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cells.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    assert!(!quoted, "{row}");
    cells
}

#[tokio::test]
async fn each_ocsf_line_is_an_api_activity() {
    let vault = Vault::filled().await;
    let text = export(&vault, "ocsf", "log.ocsf");
    let size = vault.cells("record").len();
    assert_eq!(text.lines().count(), size);
    let mut statuses = std::collections::BTreeSet::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["class_uid"], 6003, "{line}");
        assert_eq!(event["category_uid"], 6, "{line}");
        let activity = event["activity_id"].as_u64().unwrap();
        assert_eq!(event["type_uid"], 600_300 + activity, "{line}");
        assert!(event["time"].as_u64().unwrap() > 1_600_000_000_000, "milliseconds: {line}");
        assert!(event["metadata"]["version"].is_string() && event["severity_id"].is_u64(), "{line}");
        statuses.insert(event["status_id"].as_u64().unwrap());
    }
    assert!(statuses.contains(&1) && statuses.contains(&2), "{statuses:?}");
}

#[tokio::test]
async fn a_proof_holds_for_its_record_under_its_key_and_for_nothing_else() {
    let vault = Vault::filled().await;
    keys::make(&vault.gw.path().join("stranger"), "sluice.test/log").unwrap();
    keys::make(&vault.gw.path().join("other"), "another.test/log").unwrap();
    let last = vault.cells("record").len() - 1;
    for index in [0, 3, last] {
        let (code, out, err) =
            vault.gw.sluice(&["audit", "prove", "--db", "data", "--index", &index.to_string()]);
        assert_eq!(code, 0, "{err}");
        let record: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(check(&vault, &record, "keys/audit.vkey").0, 0);
        for key in ["stranger/audit.vkey", "other/audit.vkey"] {
            assert_eq!(check(&vault, &record, key).0, 1, "{key}");
        }
        let altered = |path: &str, to: Value| {
            let mut record = record.clone();
            *record.pointer_mut(path).unwrap() = to;
            check(&vault, &record, "keys/audit.vkey")
        };
        let leaf = record["leaf"].as_str().unwrap();
        for at in (0..leaf.len()).step_by(31).filter(|at| leaf.is_char_boundary(*at)) {
            let changed = format!("{}7{}", &leaf[..at], &leaf[at..]);
            assert_eq!(altered("/leaf", json!(changed)).0, 1, "leaf at {at}");
        }
        assert_eq!(altered("/index", json!(index + 1)).0, 1);
        for at in 0..record["proof"].as_array().unwrap().len() {
            let other = record["proof"][(at + 1) % 2].clone();
            assert_eq!(
                altered(&format!("/proof/{at}"), json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")).0,
                1
            );
            if other != record["proof"][at] {
                assert_eq!(altered(&format!("/proof/{at}"), other).0, 1);
            }
        }
        let note = record["checkpoint"].as_str().unwrap();
        for at in (0..note.len()).step_by(7).filter(|at| note.is_char_boundary(*at)) {
            let changed = format!("{}7{}", &note[..at], &note[at..]);
            assert_eq!(altered("/checkpoint", json!(changed)).0, 1, "checkpoint at {at}");
        }
    }
    let (code, _, err) = vault.gw.sluice(&["audit", "prove", "--db", "data", "--index", "9999"]);
    assert!(code == 1 && err.contains("there is no 9999"), "{code} {err}");
}

fn check(vault: &Vault, record: &Value, key: &str) -> (i32, String) {
    std::fs::write(vault.gw.path().join("record.json"), record.to_string()).unwrap();
    assert!(Path::new(&vault.gw.path().join(key)).exists());
    let (code, out, err) = vault.gw.sluice(&["audit", "check-proof", "record.json", "--pubkey", key]);
    (code, format!("{out}{err}"))
}
