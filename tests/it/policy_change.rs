//! New rules take effect while the gateway serves, whole or not at all.

use serde_json::Value;

use crate::support::{TestGateway, until};

const RULES: &str = "policies/rules/civil.subsistence.csv";
const PURPOSE: &str = "housing-aid.review";

/// Asks for `field`, and gives the answer once it has `status`.
async fn becomes(gw: &TestGateway, field: &str, status: u16) -> Value {
    let client = gw.system("service.onestop");
    let answered = until("the change is in force", async || {
        let answer = client.query("civil.subsistence", PURPOSE, &[field]).await;
        (answer.status == status).then_some(answer)
    });
    answered.await.json()
}

fn versions(answer: &Value) -> (u64, u64) {
    (answer["catalogue_version"].as_u64().unwrap(), answer["policy_version"].as_u64().unwrap())
}

#[tokio::test]
async fn a_rule_that_is_applied_is_in_force_without_a_restart_and_recorded() {
    let gw = TestGateway::start().await;
    let (catalogue, policy) = versions(&becomes(&gw, "status", 200).await);
    becomes(&gw, "category", 403).await;

    gw.append(RULES, "p, dep:service, civil.subsistence, category, housing-aid.review, plain, allow, CS-777");
    let (code, said) = gw.apply();
    assert_eq!(code, 0, "{said}");
    let answer = becomes(&gw, "category", 200).await;
    assert_eq!(versions(&answer), (catalogue, policy + 1));
    assert_eq!(answer["results"][0]["data"]["category"], "urban");

    let acts = gw.records("kind=administration").await;
    let act = acts.iter().rfind(|act| act["action"] == "policy-applied").unwrap();
    assert_eq!(act["object"], (policy + 1).to_string());
    let queries = gw.records("kind=query&outcome=ok").await;
    assert_eq!(queries.last().unwrap()["policy_version"], policy + 1);
    assert_eq!(queries.last().unwrap()["fields"][0]["rule"], "CS-777");
    let place = |record: &Value| record["index"].as_u64().unwrap();
    assert!(place(act) < place(queries.last().unwrap()), "a change is recorded before it is in force");

    // The same files again are no new version.
    let (code, said) = gw.apply();
    assert!(code == 0 && said.contains("nothing changed"), "{said}");
}

#[tokio::test]
async fn a_denial_takes_away_what_was_given() {
    let gw = TestGateway::start().await;
    becomes(&gw, "status", 200).await;
    gw.append(RULES, "p, service.onestop, civil.subsistence, status, *, *, deny, CS-999");
    assert_eq!(gw.apply().0, 0);
    let refused = becomes(&gw, "status", 403).await;
    assert_eq!(refused["fields"][0]["code"], "denied-by-rule");
    assert_eq!(refused["fields"][0]["rule"], "CS-999");
}

#[tokio::test]
async fn a_changed_schema_is_a_new_catalogue() {
    let gw = TestGateway::start().await;
    let (catalogue, policy) = versions(&becomes(&gw, "status", 200).await);
    gw.edit(
        "schemas/civil.subsistence.json",
        r#"["receiving", "suspended", "ended"]"#,
        r#"["suspended", "ended"]"#,
    );
    let (code, said) = gw.apply();
    assert_eq!(code, 0, "{said}");
    // What the provider has is no longer what the catalogue says.
    becomes(&gw, "status", 502).await;
    gw.edit(
        "schemas/civil.subsistence.json",
        r#"["suspended", "ended"]"#,
        r#"["receiving", "suspended", "ended"]"#,
    );
    assert_eq!(gw.apply().0, 0);
    assert_eq!(versions(&becomes(&gw, "status", 200).await), (catalogue + 2, policy));
}

#[tokio::test]
async fn files_with_a_fault_are_refused_whole_and_the_fault_is_named() {
    let gw = TestGateway::start().await;
    let before = versions(&becomes(&gw, "status", 200).await);
    let good = "p, dep:service, civil.subsistence, category, housing-aid.review, plain, allow, CS-777";
    for (file, line) in [
        (RULES, "p, dep:service, civil.subsistence, category"),
        (RULES, "p, dep:service, civil.subsistence, salary, housing-aid.review, plain, allow, CS-778"),
        (RULES, "p, dep:service, civil.subsistence, category, housing-aid.review, whole, allow, CS-778"),
        (RULES, "p, dep:service, civil.subsistence, category, housing-aid.review, plain, perhaps, CS-778"),
        (RULES, "p, dep:nobody, civil.subsistence, category, housing-aid.review, plain, allow, CS-778"),
        ("schemas/civil.subsistence.json", "}"),
        ("policies/grants.toml", "[[grant]"),
        ("policies/systems.toml", "[[system"),
        ("schemas/purposes.toml", "id ="),
    ] {
        let clean = std::fs::read(gw.path().join(file)).unwrap();
        let clean_rules = std::fs::read(gw.path().join(RULES)).unwrap();
        // A good rule beside it must not get in either.
        gw.append(RULES, good);
        let at = gw.append(file, line);
        let (code, said) = gw.apply();
        assert_eq!(code, 1, "{line}: {said}");
        assert!(said.contains(&format!("{file}:{at}")), "{line}: {said}");
        assert!(said.contains("the version in force stays"), "{line}: {said}");
        std::fs::write(gw.path().join(file), clean).unwrap();
        std::fs::write(gw.path().join(RULES), clean_rules).unwrap();
    }
    assert_eq!(versions(&becomes(&gw, "status", 200).await), before);
    becomes(&gw, "category", 403).await;
}

#[tokio::test]
async fn a_hangup_applies_the_files_too() {
    let gw = TestGateway::start().await;
    let (_, policy) = versions(&becomes(&gw, "status", 200).await);
    let broken = "p, dep:broken";
    let at = gw.append(RULES, broken);
    gw.signal("HUP");
    until("the fault is in the log", async || gw.log().contains(&format!("{RULES}:{at}")).then_some(()))
        .await;
    assert_eq!(versions(&becomes(&gw, "status", 200).await).1, policy);

    gw.edit(
        RULES,
        broken,
        "p, dep:service, civil.subsistence, category, housing-aid.review, plain, allow, CS-777",
    );
    gw.signal("HUP");
    assert_eq!(versions(&becomes(&gw, "category", 200).await).1, policy + 1);
}
