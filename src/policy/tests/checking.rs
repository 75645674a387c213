//! What the check finds, each fault with its file and line.

use super::world::{faults, grant, sources, try_load, with};

const RULES: &str = "policies/rules/civil.list.csv";
const OK: &str = "p, *, civil.list, status, *, exists, allow, R0\n";

fn in_rules(text: &str) -> Vec<String> {
    let found = faults(&[(RULES, &format!("{OK}{text}"))]);
    let about = found.into_iter().filter(|f| f.starts_with("civil.list.csv"));
    about.map(|f| f.trim_start_matches("civil.list.csv:").to_owned()).collect()
}

#[test]
fn a_rule_that_cannot_be_read_is_found() {
    for (line, code) in [
        ("p, *, civil.list, status, *, exists, allow", "csv-syntax"),
        ("q, *, civil.list, status, *, exists, allow, R1", "csv-syntax"),
        ("p, *, justice.list, status, *, exists, allow, R1", "foreign-dataset"),
        ("p, h.three, civil.list, status, *, exists, allow, R1", "unknown-system"),
        ("p, dep:tax, civil.list, status, *, exists, allow, R1", "unknown-department"),
        ("p, group:tax, civil.list, status, *, exists, allow, R1", "unknown-group"),
        ("p, *, civil.list, wage, *, exists, allow, R1", "unknown-field"),
        ("p, *, civil.list, status, tax, exists, allow, R1", "unknown-purpose"),
        ("p, *, civil.list, status, *, all, allow, R1", "unknown-form"),
        ("p, *, civil.list, status, *, *, allow, R1", "form-missing"),
        ("p, *, civil.list, status, *, exists, permit, R1", "unknown-effect"),
        ("p, *, civil.list, size, *, band, allow, grant:G1", "rule-id"),
        ("p, *, civil.list, size, *, band, allow, R0", "rule-id-twice"),
    ] {
        assert_eq!(in_rules(line), [format!("2 {code}")], "{line}");
    }
}

#[test]
fn a_permission_that_cannot_mean_what_it_says_is_found() {
    for (line, code) in [
        ("p, h.one, civil.list, status, aid, mask, allow, R1", "form-not-listed"),
        ("p, h.one, civil.list, size, recheck, plain, allow, R1", "form-not-for-purpose"),
        ("p, h.one, civil.list, income, aid, band, allow, R1", "needs-grant"),
        ("p, h.one, civil.list, *, aid, mask, allow, R1", "gives-nothing"),
    ] {
        assert_eq!(in_rules(line), [format!("2 {code}")], "{line}");
    }
}

#[test]
fn a_sensitive_field_in_plain_to_everybody_is_found_however_everybody_is_said() {
    let schema = sources().file("schemas/civil.list.json").unwrap().replacen("internal", "sensitive", 1);
    let groups: String = ["civil", "justice", "hrss"].map(|d| format!("g, dep:{d}, group:all\n")).concat();
    for (who, found) in [("*", true), ("group:all", true), ("dep:hrss", false)] {
        let rules = format!(
            "p, {who}, civil.list, status, aid, plain, allow, R1\np, {who}, civil.list, *, recheck, plain, allow, R2\n"
        );
        let files =
            [("schemas/civil.list.json", schema.as_str()), ("policies/groups.csv", &groups), (RULES, &rules)];
        let about = faults(&files).into_iter().filter(|f| f.ends_with("sensitive-plain-to-everyone")).count();
        assert_eq!(about, if found { 2 } else { 0 }, "{who}");
    }
}

#[test]
fn a_rule_that_never_decides_anything_is_found() {
    let reach = |rules: &str| {
        in_rules(rules).into_iter().filter(|f| f.ends_with("unreachable-rule")).collect::<Vec<_>>()
    };
    let twice =
        "p, h.one, civil.list, size, aid, band, allow, R1\np, h.one, civil.list, size, aid, band, allow, R2";
    assert_eq!(reach(twice), ["3 unreachable-rule"], "said twice");
    let broad =
        "p, h.one, civil.list, size, aid, band, allow, R1\np, dep:hrss, civil.list, size, *, band, allow, R2";
    assert_eq!(reach(broad), ["2 unreachable-rule"], "said more broadly");
    let less = "p, h.one, civil.list, status, aid, plain, allow, R1";
    assert_eq!(reach(less), ["2 unreachable-rule"], "everybody has it in a lesser form, which wins");
    let denied =
        "p, h.one, civil.list, size, aid, plain, allow, R1\np, *, civil.list, *, aid, band, deny, R2";
    assert_eq!(reach(denied), ["2 unreachable-rule"], "denied to all");
    let elsewhere = "p, h.one, civil.list, size, aid, plain, allow, R1\np, h.two, civil.list, *, aid, band, deny, R2\n\
                     p, h.one, civil.list, size, recheck, band, deny, R3\np, h.one, civil.list, size, aid, plain, deny, R4";
    assert_eq!(reach(elsewhere), ["2 unreachable-rule"], "only the denial of the same is in its way");
    let unlisted = "p, h.one, civil.list, *, recheck, band, allow, R1\np, h.one, civil.list, status, recheck, plain, allow, R2";
    assert_eq!(reach(unlisted), ["3 unreachable-rule"], "by R0; R1 gives no band of a field that has none");
}

#[test]
fn a_grant_that_cannot_hold_is_found_on_its_line() {
    let good = grant(
        "G1",
        "civil.list",
        "hrss",
        "h.one",
        "aid",
        "{ field = \"income\", form = \"band\" }",
        "2026-12-31",
    );
    let of = |text: &str| {
        let found = faults(&[(RULES, OK), ("policies/grants.toml", text)]);
        found.into_iter().filter(|f| f.starts_with("grants.toml")).collect::<Vec<_>>()
    };
    assert_eq!(of(&good), [""; 0]);
    for (from, to, code) in [
        ("civil.list", "civil.lost", "unknown-dataset"),
        ("\"aid\"", "\"tax\"", "unknown-purpose"),
        ("h.one", "h.three", "unknown-system"),
        ("h.one", "j.one", "foreign-system"),
        ("income", "wage", "unknown-field"),
        ("band", "pseudonym", "form-not-listed"),
        ("2026-12-31", "2025-12-30", "grant-ends-before-start"),
        ("2026-12-31", "2026-13-31", "grant-date"),
        ("per_day = 10", "per_day = 0", "grant-incomplete"),
        ("basis = \"法\"", "basis = \" \"", "grant-incomplete"),
        ("\"band\"", "\"predicate\", compare = [{ op = \"<\", value = 3500 }]", "predicate-not-listed"),
        ("income\", form = \"band", "custody\", form = \"plain", "withheld-in-plain"),
    ] {
        assert_eq!(of(&good.replace(from, to)), [format!("grants.toml:1 {code}")], "{to}");
    }
    assert_eq!(of(&format!("{good}\n{good}")), ["grants.toml:13 grant-twice"]);
    assert_eq!(of(&good.replace("basis", "bases")), ["grants.toml:11 toml-syntax"]);
}

#[test]
fn a_grant_that_a_rule_denies_is_found() {
    let good = grant(
        "G1",
        "civil.list",
        "hrss",
        "h.one",
        "aid",
        "{ field = \"income\", form = \"band\" }",
        "2026-12-31",
    );
    let found = |deny: &str| {
        let rules = format!("{OK}{deny}");
        faults(&[(RULES, &rules), ("policies/grants.toml", &good)])
            .iter()
            .any(|f| f == "grants.toml:1 unreachable-grant")
    };
    assert!(found("p, dep:hrss, civil.list, income, *, predicate, deny, R9"));
    assert!(!found("p, dep:hrss, civil.list, income, *, mask, deny, R9"));
    assert!(!found("p, h.two, civil.list, income, *, *, deny, R9"));
}

#[test]
fn a_purpose_that_nobody_may_use_is_found() {
    let found = faults(&[(RULES, "p, h.one, civil.list, status, aid, exists, allow, R1")]);
    let purposes: Vec<_> = found.iter().filter(|f| f.ends_with("purpose-nobody-may-use")).collect();
    assert_eq!(purposes.len(), 3, "one of civil.list and both of justice.list: {found:?}");
}

#[test]
fn a_masked_number_beside_an_age_for_the_same_recipient_and_purpose_is_found() {
    let schema = sources().file("schemas/civil.list.json").unwrap().to_owned();
    let schema = schema.replace(r#""size":"#, r#""birth_date":"#);
    let schema =
        schema.replacen(r#""id_number":{"title""#, r#""id_number":{"x-identifier":"resident-id","title""#, 1);
    let mask = grant(
        "G1",
        "civil.list",
        "hrss",
        "h.one",
        "aid",
        "{ field = \"id_number\", form = \"mask\" }",
        "2026-12-31",
    );
    let found = |rule: &str| {
        let files =
            [("schemas/civil.list.json", schema.as_str()), ("policies/grants.toml", &mask), (RULES, rule)];
        faults(&files).iter().any(|f| f == "grants.toml:1 mask-beside-age")
    };
    assert!(found("p, dep:hrss, civil.list, birth_date, aid, band, allow, R1"));
    assert!(
        found("p, *, civil.list, *, *, plain, allow, R1")
            || found("p, *, civil.list, birth_date, *, plain, allow, R1")
    );
    assert!(!found("p, dep:hrss, civil.list, birth_date, recheck, band, allow, R1"), "another purpose");
    assert!(!found("p, h.two, civil.list, birth_date, aid, band, allow, R1"), "another recipient");
}

#[test]
fn groups_that_do_not_hold_together_are_found() {
    for (groups, fault) in [
        ("g, dep:civil", "groups.csv:1 csv-syntax"),
        ("g, dep:civil, livelihood", "groups.csv:1 group-name"),
        ("g, dep:tax, group:a", "groups.csv:1 unknown-member"),
        ("g, group:a, group:a", "groups.csv:1 group-circle"),
        ("g, group:a, group:b\ng, group:b, group:a", "groups.csv:2 group-circle"),
    ] {
        assert_eq!(faults(&[(RULES, OK), ("policies/groups.csv", groups)])[0], fault, "{groups}");
    }
    let tower: String = (0..10).map(|n| format!("g, group:{n}, group:{}\n", n + 1)).collect();
    assert!(
        faults(&[(RULES, OK), ("policies/groups.csv", &tower)])
            .contains(&"groups.csv:0 group-depth".to_owned())
    );
}

#[test]
fn separate_duties_in_one_hand_are_found() {
    let systems = sources().file("policies/systems.toml").unwrap().to_owned();
    for other in ["citizen_service", "confidentiality_officer", "security_admin"] {
        let both = format!("{systems}roles = [\"auditor\", \"{other}\"]\n");
        let found = faults(&[(RULES, OK), ("policies/systems.toml", &both)]);
        assert!(found.contains(&"systems.toml:18 exclusive-roles".to_owned()), "{other}: {found:?}");
    }
}

#[test]
fn roles_and_actions_that_nobody_knows_are_found() {
    for (roles, fault) in [
        ("p, king, audit.read_all", "roles.csv:1 unknown-role"),
        ("p, auditor, audit.write", "roles.csv:1 unknown-action"),
        ("p, auditor", "roles.csv:1 csv-syntax"),
        ("", "roles.csv:0 no-rules"),
    ] {
        let found = faults(&[(RULES, OK), ("policies/roles.csv", roles)]);
        assert!(found.iter().any(|f| f == fault), "{roles}: {found:?}");
    }
}

#[test]
fn a_version_without_rules_or_without_a_law_is_refused() {
    let found = |files: &[(&str, &str)]| {
        try_load(&with(sources(), files)).err().map(|f| f.to_string()).unwrap_or_default()
    };
    assert!(found(&[]).contains("no-rules"));
    assert!(found(&[(RULES, OK), ("policies/model.conf", "")]).contains("model"));
    let open = include_str!("../../../policies/model.conf")
        .replace("m = r.dataset == p.dataset && \\", "m = true || \\");
    assert!(found(&[(RULES, OK), ("policies/model.conf", &open)]).contains("does not hold that"));
    assert!(found(&[(RULES, OK), ("policies/rules/civil.lost.csv", OK)]).contains("unknown-dataset"));
}
