//! Well-formed requests: who is answered what, and with which headers.

use super::*;
use crate::base::Code;
use crate::web::routes::{ROWS, Verb};

#[test]
fn every_route_that_is_not_open_wants_to_know_who_asks() {
    // More refusals than strangers are recorded in a minute.
    let served = Served::start_with(LimitsSection {
        refusals_per_minute: 10_000.try_into().unwrap(),
        ..LimitsSection::default()
    });
    for row in ROWS.iter().filter(|row| !row.open) {
        let path = row.path.replace(['{', '}'], "");
        let ask = |client: &mut Client| match row.verb {
            Verb::Get => client.ask(&format!("GET {path}"), ""),
            Verb::Post => client.post(&path, "{}"),
            Verb::Delete => client.ask(&format!("DELETE {path}"), ""),
        };
        let of_systems = row.codes.iter().copied().flatten().any(|code| *code == Code::CertificateRequired);
        let wanted = if of_systems {
            ["certificate-required", "certificate-unknown"]
        } else {
            ["sign-in-required", "sign-in-required"]
        };
        let nobody = ask(&mut served.connect(None));
        assert_eq!((nobody.status, nobody.code().as_str()), (401, wanted[0]), "{path}");
        let stranger = ask(&mut served.connect(Some(&served.stranger)));
        assert_eq!((stranger.status, stranger.code().as_str()), (401, wanted[1]), "{path}");
    }
}

#[test]
fn a_registered_system_is_answered_and_finds_its_refusals_explained() {
    let served = Served::start();
    let mut housing = served.connect(Some(&served.housing));
    let list = housing.ask("GET /v1/datasets", "");
    assert_eq!(list.status, 200, "{list:?}");
    assert!(list.json()["datasets"].as_array().unwrap().len() > 1);
    let refused = housing.post("/v1/datasets/civil.subsistence/query", "{\"purpose\": 1}");
    assert_eq!((refused.status, refused.code().as_str()), (422, "invalid-request"));
    let id = refused.headers["x-request-id"].clone();
    let explained = housing.ask(&format!("GET /v1/requests/{id}/explain"), "");
    assert_eq!(explained.json()["outcome"], "invalid-request", "{explained:?}");
}

#[test]
fn a_certificate_revoked_meanwhile_ends_an_open_connection_being_known() {
    let served = Served::start();
    let mut housing = served.connect(Some(&served.housing));
    assert_eq!(housing.ask("GET /v1/datasets", "").status, 200);
    served.pki.publish(&[2], "2026-12-01T00:00:00Z");
    served.tls.refresh();
    let revoked = housing.ask("GET /v1/datasets", "");
    assert_eq!((revoked.status, revoked.code().as_str()), (401, "certificate-revoked"));
}

#[test]
fn what_is_not_served_is_a_problem_too() {
    let served = Served::start();
    let mut client = served.connect(None);
    for path in ["/", "/v1", "/v1/datasets/", "/v1/nothing", "/%00", "/metrics"] {
        let missing = client.ask(&format!("GET {path}"), "");
        assert_eq!((missing.status, missing.code().as_str()), (404, "not-found"), "{path}");
    }
    let wrong = client.ask("DELETE /v1/datasets", "");
    assert_eq!((wrong.status, wrong.code().as_str()), (405, "method-not-allowed"));
    assert_eq!(wrong.headers["allow"], "GET");
    assert_eq!(client.ask("GET /openapi.json", "").json()["info"]["title"], "Sluice 数闸");
}

#[test]
fn every_answer_has_an_id_a_trace_and_the_headers_that_protect_it() {
    let served = Served::start();
    let mut client = served.connect(None);
    let parent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    for line in ["GET /openapi.json", "GET /v1/datasets", "GET /nothing", "PUT /v1/datasets"] {
        let answer = client.ask(line, parent);
        let id = &answer.headers["x-request-id"];
        assert_eq!(id.len(), 32);
        let span = &id[16..];
        assert_eq!(answer.headers["traceparent"], format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-01"));
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.headers[name], value, "{line}");
        }
        assert!(!answer.headers.contains_key("server"));
    }
}

#[test]
fn texts_follow_the_language_asked_for() {
    let served = Served::start();
    let mut client = served.connect(None);
    client.send(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.json()["title"], "未找到");
    assert_eq!(answer.headers["content-language"], "zh-CN");
    assert_eq!(client.ask("GET /nothing", "").json()["title"], "Not found");
}

#[test]
fn measurements_name_templates_and_never_what_was_sent() {
    let served = Served::start();
    let mut client = served.connect(Some(&served.housing));
    client.ask("GET /v1/datasets/canary-in-path?canary-in-query", "X-Canary: canary-in-header\r\n");
    client.ask("GET /canary-in-unknown-path", "");
    client.send(b"CANARY /v1/datasets HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.answer();
    let text = served.ops("/metrics").body;
    assert!(!text.to_lowercase().contains("canary"), "{text}");
    for line in [
        "sluice_requests_total{route=\"/v1/datasets/{dataset}\",status=\"404\",code=\"not-found\"} 1",
        "sluice_requests_total{route=\"unknown\",status=\"404\",code=\"not-found\"} 1",
        "sluice_requests_total{route=\"/v1/datasets\",status=\"405\",code=\"method-not-allowed\"} 1",
        "sluice_requests_in_flight 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in:\n{text}");
    }
}

#[test]
fn operators_learn_whether_it_lives_and_is_ready() {
    let served = Served::start();
    assert_eq!(served.ops("/livez").body, "ok\n");
    let just = served.gateway.taking_up.begin();
    assert_eq!(served.ops("/livez").body, "ok\n");
    drop(just);
    let long_ago = std::time::Instant::now() - std::time::Duration::from_secs(46);
    let stuck = served.gateway.taking_up.begin_at(long_ago);
    let answer = served.ops("/livez");
    assert_eq!((answer.status, &*answer.body), (503, "stuck: changes are being taken up\n"));
    drop(stuck);
    let ready = served.ops("/readyz");
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()), "{ready:?}");
    served.pki.clock.set(crate::base::Timestamp::parse("2026-12-01T00:00:01Z").unwrap());
    let stale = served.ops("/readyz");
    assert_eq!((stale.status, &stale.json()["ready"]), (503, &false.into()), "stale revocation list");
    assert_eq!(served.ops("/v1/datasets").status, 404);
}

#[test]
fn a_flood_of_refusals_is_told_its_bound() {
    // Strangers together get a tenth of what a known caller gets.
    let limits = LimitsSection { refusals_per_minute: 20.try_into().unwrap(), ..LimitsSection::default() };
    let served = Served::start_with(limits);
    let mut nobody = served.connect(None);
    let codes: Vec<_> = (0..3).map(|_| nobody.ask("GET /v1/datasets", "").code()).collect();
    assert_eq!(codes, ["certificate-required", "certificate-required", "too-many-refusals"]);
    let flooding = nobody.ask("GET /v1/datasets", "");
    assert_eq!(flooding.status, 429);
    assert_eq!(flooding.headers["retry-after"], "60");
    assert_eq!(flooding.headers["ratelimit-policy"], "\"refusals-minute\";q=2;w=60");
    assert_eq!(flooding.headers["ratelimit"], "\"refusals-minute\";r=0;t=60");
    let mut housing = served.connect(Some(&served.housing));
    assert_eq!(housing.ask("GET /v1/datasets", "").status, 200, "a caller that is known is not locked out");
}

#[test]
fn a_search_with_a_fault_is_told_which_parameter_has_it() {
    let served = Served::start();
    let mut housing = served.connect(Some(&served.housing));
    let answer = housing.ask("GET /v1/audit/records?limit=many", "");
    assert_eq!(answer.code(), "invalid-request");
    assert_eq!(answer.json()["errors"][0]["pointer"], "/limit");
    assert_eq!(housing.ask("GET /v1/audit/records", "").code(), "forbidden");
}
