//! What the console must not let anybody do: run what they typed, count what is not theirs, read
//! without a trace, or be made to read by another site.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::TestGateway;

const EVENTS: &str = "/console/security/events";

/// What facets count: by value, for the facets whose values are ids.
fn counted(page: &str) -> Vec<(String, u64)> {
    let choices = page.split("<li><a href=\"/console/security/events").skip(1);
    let counted = choices.filter_map(|choice| {
        let mut spans = choice.split("</a>").next()?.split("<span>").skip(1);
        let mut span = || Some(spans.next()?.split("</span>").next()?.trim_start_matches("✓ ").to_owned());
        let (value, number) = (span()?, span()?);
        Some((value, number.replace(',', "").parse().ok()?))
    });
    counted.filter(|(value, _): &(String, u64)| value.contains('.')).collect()
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
                    record["dataset"] == value.as_str() || record["caller"]["system"] == value.as_str()
                };
                let most = readable.iter().filter(of).count() as u64;
                assert!(number <= most, "{department}, {path}: {value} {number} times, {most} to be read");
            }
        }
    }
}
