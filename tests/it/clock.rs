//! A machine's clock that is set while the gateway runs.

use serde_json::json;

use crate::support::client::{Answer, ask};
use crate::support::clock::Clock;
use crate::support::ledger::{Promise, intact};
use crate::support::load::PATH;
use crate::support::{PERSON, TestGateway, until};

async fn asked(gw: &TestGateway) -> Answer {
    let body = ask("housing-aid.review", &[PERSON], json!(["status"]));
    gw.system("service.onestop").post(PATH, &body).await
}

async fn served(gw: &TestGateway, ledger: &mut Vec<Promise>) {
    let answer = asked(gw).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    ledger.push(Promise::of(&answer));
}

/// The times of all records, in the log's order.
async fn times(gw: &TestGateway) -> Vec<String> {
    gw.records("").await.iter().map(|record| record["time"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_clock_set_back_a_little_is_recorded_and_records_never_go_back() {
    let mut gw = TestGateway::prepare().await;
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let mut ledger = Vec::new();
    served(&gw, &mut ledger).await;
    clock.set(-4);
    for _ in 0..5 {
        served(&gw, &mut ledger).await;
    }
    assert_eq!(gw.records("kind=clock-step").await.len(), 1, "the step is on record, once");
    assert!(times(&gw).await.is_sorted());
    intact(&gw, &ledger, "after a small step");
}

#[tokio::test]
async fn a_clock_set_back_far_stops_the_disclosing_until_it_is_right_and_says_so() {
    let mut gw = TestGateway::prepare().await;
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let mut ledger = Vec::new();
    served(&gw, &mut ledger).await;
    clock.set(-40);
    for _ in 0..3 {
        let answer = asked(&gw).await;
        assert_eq!(answer.problem(), "503 audit-unavailable", "{}", answer.text());
        assert!(!answer.text().contains("receiving"), "{}", answer.text());
    }
    let told = async || gw.log().lines().any(|line| line.contains("set the clock right")).then_some(());
    until("the operator is told what to do", told).await;

    // Nor does one start under such a clock.
    gw.kill();
    let (code, said) = gw.refusal();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("Set the clock right"), "{said}");
    clock.set(0);
    gw.serve().unwrap();
    served(&gw, &mut ledger).await;

    // The same process goes on when its clock is put right.
    clock.set(-40);
    assert_eq!(asked(&gw).await.problem(), "503 audit-unavailable");
    clock.set(0);
    served(&gw, &mut ledger).await;
    assert!(times(&gw).await.is_sorted());
    intact(&gw, &ledger, "the clock is right again");
}

#[tokio::test]
async fn a_clock_set_forward_is_believed_and_cannot_be_taken_back_unnoticed() {
    let mut gw = TestGateway::prepare().await;
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let mut ledger = Vec::new();
    served(&gw, &mut ledger).await;
    clock.set(600);
    served(&gw, &mut ledger).await;
    clock.set(0);
    assert_eq!(asked(&gw).await.problem(), "503 audit-unavailable");
    clock.set(601);
    served(&gw, &mut ledger).await;
    assert!(times(&gw).await.is_sorted());
    intact(&gw, &ledger, "after a step forward and back");
}
