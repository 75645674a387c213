//! Receipts, records and tiles prove what the log holds, with the public key alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::TestGateway;
use crate::support::client::Answer;

async fn asked(gw: &TestGateway, fields: &[&str]) -> Answer {
    gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", fields).await
}

#[tokio::test]
async fn a_record_is_proved_with_the_public_key_alone() {
    let gw = TestGateway::start().await;
    let answer = asked(&gw, &["status"]).await;
    let index = answer.json()["receipt"]["index"].as_u64().unwrap();
    let proof = gw.system("service.onestop").get(&format!("/v1/audit/records/{index}/proof")).await;
    assert_eq!(proof.status, 200, "{}", proof.text());
    let record = gw.system("audit.office").get(&format!("/v1/audit/records/{index}")).await.json();
    assert_eq!(record["leaf"], proof.json()["leaf"]);

    let elsewhere = tempfile::tempdir().unwrap();
    let key = std::fs::read_to_string(gw.path().join("keys/audit.vkey")).unwrap();
    let check = |signed: &Value| {
        let file = elsewhere.path().join("proof.json");
        std::fs::write(&file, signed.to_string()).unwrap();
        gw.sluice(&["audit", "check-proof", file.to_str().unwrap(), "--pubkey", key.trim()])
    };
    let (code, out, err) = check(&proof.json());
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(answer.header("x-request-id").unwrap()), "{out}");

    let leaf = proof.json()["leaf"].as_str().unwrap().replace("service.onestop", "service.onestap");
    let mut altered = proof.json();
    altered["leaf"] = leaf.into();
    assert_ne!(check(&altered).0, 0, "an altered record is not proved");
    let mut short = proof.json();
    short["proof"].as_array_mut().unwrap().pop();
    assert_ne!(check(&short).0, 0, "nor one with a hash too few");

    // Whoever may not know the record is told that there is none.
    for path in [format!("/v1/audit/records/{index}"), format!("/v1/audit/records/{index}/proof")] {
        assert_eq!(gw.system("housing.aid").get(&path).await.problem(), "404 not-found");
    }
    for path in ["/v1/audit/records/999999", "/v1/audit/records/-1", "/v1/audit/records/x/proof"] {
        assert_eq!(gw.system("audit.office").get(path).await.problem(), "404 not-found", "{path}");
    }
}

#[tokio::test]
async fn a_receipt_holds_the_log_to_the_answer() {
    let gw = TestGateway::start().await;
    let answer = asked(&gw, &["status", "name"]).await;
    let receipt = &answer.json()["receipt"];
    let record =
        gw.system("audit.office").get(&format!("/v1/audit/records/{}", receipt["index"])).await.json();
    let leaf = record["leaf"].as_str().unwrap();
    assert_eq!(receipt["leaf_hash"], STANDARD.encode(leaf_hash(leaf.as_bytes())));
    let checkpoint = receipt["checkpoint"].as_str().unwrap();
    assert!(checkpoint.starts_with("sluice.test/log\n"), "{checkpoint}");
}

#[tokio::test]
async fn the_tiles_lead_to_the_root_of_the_checkpoint() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    let mut connection = client.connect().await.unwrap();
    // Enough records for a full tile: requests for explanations of nothing are quick.
    for _ in 0..270 {
        let answer = connection.send("GET", "/v1/requests/x/explain", client.headers(), None).await.unwrap();
        assert_eq!(answer.status, 404, "{}", answer.text());
    }
    let note = client.get("/v1/audit/checkpoint").await;
    assert!(note.header("content-type").unwrap().starts_with("text/plain"));
    let note = note.text();
    let mut lines = note.lines();
    let (origin, size, root) = (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
    let size: usize = size.parse().unwrap();
    assert_eq!(origin, "sluice.test/log");
    assert!(size > 256);

    let tile = async |path: &str| {
        let answer = client.get(&format!("/v1/audit/tile/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.body.chunks(32).map(|hash| hash.try_into().unwrap()).collect::<Vec<[u8; 32]>>()
    };
    let mut leaves = tile("0/000").await;
    assert_eq!(leaves.len(), 256);
    leaves.extend(tile(&format!("0/001.p/{}", size - 256)).await);
    assert_eq!(leaves.len(), size);
    assert_eq!(STANDARD.encode(tree_hash(&leaves)), root);
    assert_eq!(tile("1/000.p/1").await, [tree_hash(&leaves[..256])]);

    let record = gw.system("audit.office").get("/v1/audit/records/7").await.json();
    assert_eq!(leaves[7], leaf_hash(record["leaf"].as_str().unwrap().as_bytes()));
    for beyond in ["0/009", "8/000", "0/000.p/257", "0/000.p/0", "0/0", "x/000", "0/../../checkpoint"] {
        assert_eq!(
            client.get(&format!("/v1/audit/tile/{beyond}")).await.problem(),
            "404 not-found",
            "{beyond}"
        );
    }
}

/// RFC 6962 section 2.1, by hand.
fn tree_hash(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Sha256::digest([&[1][..], &tree_hash(left), &tree_hash(right)].concat()).into()
        }
    }
}

fn leaf_hash(leaf: &[u8]) -> [u8; 32] {
    Sha256::digest([&[0], leaf].concat()).into()
}
