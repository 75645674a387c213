//! Deadlines, at a time that the tests set.

use super::*;

#[tokio::test]
async fn a_deadline_is_reminded_of_then_over_and_decides_nothing() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    assert_eq!(stage.gateway.fire_due_timers().await.unwrap(), 0);
    // Due on 7 December: two working days before, and the moment after its end in Shanghai.
    stage.at("2026-12-07T15:59:59Z");
    assert_eq!(fire(&stage).await, ["reminded"]);
    assert_eq!(fire(&stage).await, [""; 0]);
    stage.at("2026-12-07T16:00:00Z");
    assert_eq!(fire(&stage).await, ["overdue"]);
    stage.at("2027-12-07T16:00:00Z");
    assert_eq!(fire(&stage).await, [""; 0]);
    assert_eq!(stage.state(&id), "in-review", "silence approves nothing, and ends nothing");
}

#[tokio::test]
async fn what_the_requester_leaves_lying_lapses_also_when_the_gateway_stood_still_meanwhile() {
    let stage = Stage::new().await;
    let draft = stage.drafted().await;
    let offered = stage.in_review().await;
    stage.all(&offered, &VOTES).await;
    stage.at("2028-01-01T00:00:00Z");
    while stage.gateway.fire_due_timers().await.unwrap() > 0 {}
    assert_eq!((stage.state(&draft), stage.state(&offered)), ("lapsed", "lapsed"));
    assert!(stage.store().due_timers(stage.clock.now(), 10).unwrap().is_empty());
    let records = stage.store().event_records(&ApplicationId::parse(&draft).unwrap()).unwrap();
    assert!(records.iter().all(Option::is_some), "{records:?}");
}

#[tokio::test]
async fn a_grant_offers_its_renewal_and_ends_with_its_last_day() {
    let stage = Stage::new().await;
    let id = stage.active().await;
    stage.at("2027-06-01T00:00:00Z");
    assert_eq!(fire(&stage).await, ["renewal-offered"]);
    let mut body = json!({ "terms": terms(), "renews": id });
    body["terms"]["until"] = json!("2028-06-30");
    let next = applications::draft(&stage.gateway, &stage.call("h.applicant"), asked(&body)).await.unwrap();
    let call = stage.call("h.applicant");
    let view = applications::get(&stage.gateway, &call, &next.application, Lang::En).await.unwrap();
    assert_eq!(view.renews.as_deref(), Some(id.as_str()));
    assert_eq!(view.previous[0].application, id);
    stage.at("2027-06-30T15:59:59Z");
    assert_eq!(fire(&stage).await, [""; 0]);
    stage.at("2027-06-30T16:00:00Z");
    assert_eq!(fire(&stage).await, ["expired"]);
    assert_eq!(stage.state(&id), "expired");
    assert!(stage.store().grants().unwrap().is_empty());
}

#[tokio::test]
async fn a_clock_runs_out_once_however_many_look_after_it() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(stage.drafted().await);
    }
    stage.at("2028-01-01T00:00:00Z");
    let jobs: Vec<_> = (0..4)
        .map(|_| {
            let gateway = Arc::clone(&stage.gateway);
            tokio::spawn(async move { while gateway.fire_due_timers().await.unwrap() > 0 {} })
        })
        .collect();
    for job in jobs {
        job.await.unwrap();
    }
    for id in ids {
        assert_eq!(stage.events(&id).iter().filter(|event| *event == "lapsed").count(), 1, "{id}");
    }
}

#[tokio::test]
async fn new_rules_set_the_clocks_anew() {
    let stage = Stage::new().await;
    let id = stage.drafted().await;
    let due = || stage.store().due_timers(Timestamp::from_micros(i64::MAX), 10).unwrap();
    let before = due();
    let dir = tempfile::tempdir().unwrap();
    for folder in ["schemas", "policies", "policies/rules"] {
        std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), dir.path().join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    let file = dir.path().join("policies/workflow.toml");
    let rules = std::fs::read_to_string(&file).unwrap();
    assert!(rules.contains("draft = 60"));
    std::fs::write(&file, rules.replace("draft = 60", "draft = 5")).unwrap();
    apply::apply(stage.store(), dir.path(), stage.clock.as_ref()).unwrap();
    stage.gateway.in_force().await.unwrap();
    assert_eq!(stage.gateway.fire_due_timers().await.unwrap(), 1, "one was set anew");
    assert!(due()[0].1.at < before[0].1.at);
    assert_eq!(stage.gateway.fire_due_timers().await.unwrap(), 0);
    assert_eq!(stage.version(&id), 1, "that is no event");
}

/// Lets the clocks run out that have; the names of what came of it, for the newest application.
async fn fire(stage: &Stage) -> Vec<String> {
    let newest = stage.application("A-2026-000001").unwrap().version;
    while stage.gateway.fire_due_timers().await.unwrap() > 0 {}
    stage.events("A-2026-000001").split_off(usize::try_from(newest).unwrap())
}
