//! Bounds on how much may be asked, and on how much may be refused.

use serde_json::json;

use crate::support::client::ask;
use crate::support::{OTHER, PERSON, TestGateway, resident_id, until};

const QUERY: &str = "/v1/datasets/civil.subsistence/query";
const PURPOSE: &str = "housing-aid.review";

/// A gateway whose grant for the desk is for ten people a day.
async fn ten_a_day() -> TestGateway {
    let mut gw = TestGateway::prepare().await;
    gw.edit("policies/grants.toml", "per_day = 5000", "per_day = 10");
    gw.serve().unwrap();
    gw
}

#[tokio::test]
async fn queries_at_the_same_time_never_get_more_than_the_grants_volume() {
    let gw = ten_a_day().await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let client = gw.system("service.onestop");
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for _ in 0..5 {
                    answers.push(client.query("civil.subsistence", PURPOSE, &["name"]).await);
                }
                answers
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(task.await.unwrap());
    }
    let (given, spent): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((given.len(), spent.len()), (10, 30));
    assert_eq!(gw.civil.asked().len(), 10, "the quota is charged before anything is fetched");
    for answer in spent {
        assert_eq!(answer.problem(), "429 quota-exhausted");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=86_400).contains(&wait), "{wait}");
        assert!(answer.header("ratelimit").is_some() && answer.header("ratelimit-policy").is_some());
    }
    assert_eq!(gw.records("outcome=quota-exhausted").await.len(), 30);
    // What needs no grant, and other grants, are not affected.
    assert_eq!(
        gw.system("service.onestop").query("civil.subsistence", PURPOSE, &["status"]).await.status,
        200
    );
    assert_eq!(gw.system("housing.aid").query("civil.subsistence", PURPOSE, &["name"]).await.status, 200);
}

#[tokio::test]
async fn people_are_counted_found_or_not_and_refused_queries_are_not() {
    let gw = ten_a_day().await;
    let client = gw.system("service.onestop");
    let unknown: Vec<String> = (1..=7).map(|n| resident_id(&format!("1101051980010100{n}"))).collect();
    let people: Vec<&str> = unknown.iter().map(String::as_str).collect();
    for _ in 0..3 {
        let refused = client.query("civil.subsistence", PURPOSE, &["name", "mobile"]).await;
        assert_eq!(refused.problem(), "403 refused");
        let wrong = client.post(QUERY, &ask(PURPOSE, &people[..5], json!(["name", "name"]))).await;
        assert_eq!(wrong.status, 422);
    }
    assert_eq!(client.post(QUERY, &ask(PURPOSE, &people, json!(["name"]))).await.status, 200);
    // Three are left: four do not fit and cost nothing, three do.
    assert_eq!(
        client.post(QUERY, &ask(PURPOSE, &people[..4], json!(["name"]))).await.problem(),
        "429 quota-exhausted"
    );
    let two_fields = ask(PURPOSE, &[PERSON, OTHER], json!(["name", "monthly_income"]));
    assert_eq!(client.post(QUERY, &two_fields).await.status, 200, "two fields of one grant are charged once");
    assert_eq!(client.query("civil.subsistence", PURPOSE, &["name"]).await.status, 200);
    assert_eq!(client.query("civil.subsistence", PURPOSE, &["name"]).await.problem(), "429 quota-exhausted");
}

#[tokio::test]
async fn queries_at_the_same_time_never_reach_more_different_people_than_the_grant_bounds() {
    let mut gw = TestGateway::prepare().await;
    gw.edit("policies/grants.toml", "per_day = 5000", "per_day = 5000\ndistinct_per_day = 10");
    gw.serve().unwrap();
    let people: Vec<String> = (10..42).map(|n| resident_id(&format!("11010519800101{n:02}0"))).collect();
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let (client, person) = (gw.system("service.onestop"), people[n % 32].clone());
            tokio::spawn(async move {
                let body = ask(PURPOSE, &[&person], json!(["name"]));
                (client.post(QUERY, &body).await, person)
            })
        })
        .collect();
    let mut met = std::collections::BTreeSet::new();
    let mut spent = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            (answer, person) if answer.status == 200 => _ = met.insert(person),
            (answer, _) => spent.push(answer),
        }
    }
    assert_eq!(met.len(), 10, "of 32, each asked about twice");
    assert_eq!(spent.len(), 64 - 20, "who was met may be asked about again");
    for answer in spent {
        assert_eq!(answer.problem(), "429 quota-exhausted");
        let policy = answer.header("ratelimit-policy").unwrap();
        assert_eq!(policy, "\"grant-distinct-day\";q=10;w=86400");
    }
}

#[tokio::test]
async fn a_volume_that_is_used_up_stays_used_up_after_a_restart() {
    let mut gw = ten_a_day().await;
    for _ in 0..10 {
        assert_eq!(
            gw.system("service.onestop").query("civil.subsistence", PURPOSE, &["name"]).await.status,
            200
        );
    }
    gw.kill();
    gw.serve().unwrap();
    let spent = gw.system("service.onestop").query("civil.subsistence", PURPOSE, &["name"]).await;
    assert_eq!(spent.problem(), "429 quota-exhausted");
}

#[tokio::test]
async fn a_flood_of_refusals_is_counted_and_shuts_out_nobody_else() {
    let mut gw = TestGateway::start_with("\n[limits]\nrefusals_per_minute = 5\n").await;
    let (onestop, housing) = (gw.system("service.onestop"), gw.system("housing.aid"));
    let mut codes = Vec::new();
    for _ in 0..30 {
        let answer = onestop.query("civil.subsistence", PURPOSE, &["mobile"]).await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some());
        }
        codes.push(answer.problem());
    }
    assert_eq!(codes[..5], ["403 refused"; 5]);
    let counted = codes.iter().filter(|code| *code == "429 too-many-refusals").count();
    // One more may be recorded for each twelve seconds that the test took.
    assert!((20..=25).contains(&counted), "{codes:?}");
    assert_eq!(gw.civil.asked().len(), 0);

    // Good queries of the same caller, refusals of another, and the door have nothing to do with it.
    assert_eq!(onestop.query("civil.subsistence", PURPOSE, &["status"]).await.status, 200);
    assert_eq!(housing.query("civil.subsistence", PURPOSE, &["mobile"]).await.problem(), "403 refused");
    let mut door = Vec::new();
    for _ in 0..10 {
        door.push(gw.nobody().get("/v1/datasets").await.problem());
    }
    assert_eq!(door[0], "401 certificate-required");
    assert_eq!(door[9], "429 too-many-refusals");
    assert_eq!(onestop.get("/v1/datasets").await.status, 200);

    // What was only counted is recorded before the end.
    gw.stop();
    gw.serve().unwrap();
    let counts = until("the counts", async || {
        Some(gw.records("kind=refusals-counted").await).filter(|records| records.len() >= 2)
    });
    let counts = counts.await;
    let of = |system: serde_json::Value| {
        counts.iter().filter(|r| r["system"] == system).map(|r| r["count"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(of(json!("service.onestop")), counted as u64);
    assert!(of(serde_json::Value::Null) >= 4);
    assert_eq!(gw.records("outcome=refused&system=service.onestop").await.len(), 30 - counted);
}
