//! The decision, case by case.

use super::world::{World, at, field, grant, said, world};
use crate::base::Code;
use crate::catalogue::{Form, Op, Predicate};
use crate::policy::{Action, FieldVerdict, Offer};

const INCOME: &str = "{ field = \"income\", form = \"predicate\" }";

fn less(value: i64) -> Predicate {
    Predicate { op: Op::Lt, value: value.into() }
}

fn refusal(verdict: FieldVerdict) -> crate::base::FieldRefusal {
    match verdict {
        FieldVerdict::Refused(refusal) => refusal,
        FieldVerdict::Given { .. } => panic!("{}", said(&verdict)),
    }
}

#[test]
fn without_a_form_the_permitted_one_is_given() {
    let w = world("p, dep:hrss, civil.list, status, aid, plain, allow, R1", "");
    assert_eq!(w.says("h.one", "status", None), "plain by R1");
    assert_eq!(w.says("j.one", "status", None), "no-rule");
}

#[test]
fn a_less_revealing_form_may_be_asked_for_and_a_more_revealing_one_is_refused() {
    let w = world("p, h.one, civil.list, status, aid, predicate, allow, R1", "");
    assert_eq!(w.says("h.one", "status", Some(Form::Exists)), "exists by R1");
    assert_eq!(
        w.says("h.one", "status", Some(Form::Plain)),
        "form-not-permitted by R1, predicate is permitted"
    );
}

#[test]
fn a_form_that_the_owner_does_not_list_is_refused_even_if_it_reveals_less() {
    let w = world("p, h.one, civil.list, status, aid, plain, allow, R1", "");
    assert_eq!(w.says("h.one", "status", Some(Form::Mask)), "form-not-permitted by R1, plain is permitted");
}

#[test]
fn where_several_rules_apply_the_least_revealing_wins() {
    let rules = "p, dep:hrss, civil.list, status, aid, plain, allow, R1\np, h.one, civil.list, status, *, exists, allow, R2";
    let w = world(rules, "");
    assert_eq!(w.says("h.one", "status", None), "exists by R2");
    assert_eq!(w.says("h.two", "status", None), "plain by R1");
}

#[test]
fn a_denial_beats_every_permission_from_its_form_upwards() {
    let rules = "p, dep:hrss, civil.list, status, aid, plain, allow, R1\n\
                 p, h.two, civil.list, status, aid, exists, allow, R2\n\
                 p, *, civil.list, status, *, predicate, deny, R9";
    let w = world(rules, "");
    assert_eq!(w.says("h.one", "status", None), "denied-by-rule by R9");
    assert_eq!(w.says("h.two", "status", None), "exists by R2");
    assert_eq!(
        w.says("h.two", "status", Some(Form::Predicate)),
        "form-not-permitted by R2, exists is permitted"
    );
    assert_eq!(w.says("j.one", "status", None), "no-rule", "the denial stopped nothing of theirs");
}

#[test]
fn a_rule_for_all_fields_gives_no_conditional_field() {
    let w = world("p, *, civil.list, *, aid, exists, allow, R1", "");
    assert_eq!(w.says("h.one", "status", None), "exists by R1");
    assert_eq!(w.says("h.one", "income", None), "grant-required");
    assert_eq!(w.says("h.one", "custody", None), "withheld");
}

#[test]
fn a_refusal_says_how_to_apply_where_applying_helps() {
    let w = world(
        "p, c.one, civil.list, status, aid, plain, allow, R1\np, h.two, civil.list, *, *, *, deny, R9",
        "",
    );
    let income = refusal(w.one("h.one", field("income", None, None)));
    assert_eq!(income.apply.as_deref(), Some("/v1/applications?dataset=civil.list&field=income"));
    assert_eq!(refusal(w.one("h.two", field("income", None, None))).apply, None, "a denial stays");
}

#[test]
fn a_grant_gives_what_it_names_to_whom_it_names_for_what_it_names() {
    let w = world(
        "",
        &grant(
            "G1",
            "civil.list",
            "hrss",
            "h.one",
            "aid",
            "{ field = \"income\", form = \"band\" }",
            "2026-12-31",
        ),
    );
    assert_eq!(w.says("h.one", "income", None), "band by grant:G1");
    assert_eq!(w.says("h.two", "income", None), "grant-required");
    assert_eq!(w.says("h.one", "id_number", None), "grant-required");
    let other = w.ask("civil.list", "recheck", vec![field("income", None, None)]);
    let verdict = w.policy.decide(&w.system("h.one"), &other, at("2026-06-01T00:00:00Z"));
    assert_eq!(said(&verdict.fields[0]), "grant-required");
    let FieldVerdict::Given { grant: Some(used), .. } = w.one("h.one", field("income", None, None)) else {
        panic!()
    };
    assert_eq!((used.id.as_str(), used.per_day), ("G1", 10));
}

#[test]
fn a_grant_is_in_force_from_its_first_day_to_the_end_of_its_last_in_shanghai() {
    let w = world(
        "",
        &grant(
            "G1",
            "civil.list",
            "hrss",
            "h.one",
            "aid",
            "{ field = \"income\", form = \"band\" }",
            "2026-06-30",
        ),
    );
    let said_at = |time| said(&w.one_at("h.one", field("income", None, None), at(time)));
    for _ in 0..2 {
        // Twice, so that the second time everything is remembered.
        assert_eq!(said_at("2025-12-31T15:59:59.999999Z"), "grant-not-valid by grant:G1");
        assert_eq!(said_at("2025-12-31T16:00:00Z"), "band by grant:G1");
        assert_eq!(said_at("2026-06-30T15:59:59.999999Z"), "band by grant:G1");
        assert_eq!(said_at("2026-06-30T16:00:00Z"), "grant-not-valid by grant:G1");
    }
}

#[test]
fn what_else_is_in_force_decides_when_a_grant_has_ended() {
    let income = |form| format!("{{ field = \"income\", form = \"{form}\" }}");
    let grants = [
        grant("G1", "civil.list", "hrss", "h.one", "aid", &income("band"), "2026-06-30"),
        grant("G2", "civil.list", "hrss", "h.one", "aid", &income("plain"), "2026-12-31"),
    ];
    let w = world("", &grants.concat());
    let said_at = |time| said(&w.one_at("h.one", field("income", None, None), at(time)));
    assert_eq!(said_at("2026-06-01T00:00:00Z"), "band by grant:G1");
    assert_eq!(said_at("2026-08-01T00:00:00Z"), "plain by grant:G2");
    assert_eq!(said_at("2026-06-01T00:00:00Z"), "band by grant:G1");
}

#[test]
fn a_suspended_grant_gives_nothing() {
    let text = grant("G1", "civil.list", "hrss", "h.one", "aid", INCOME, "2026-12-31") + "suspended = true\n";
    assert_eq!(world("", &text).says("h.one", "income", None), "grant-not-valid by grant:G1");
}

#[test]
fn a_rule_that_gives_the_same_as_a_grant_is_used_before_it() {
    let text = grant(
        "G1",
        "civil.list",
        "hrss",
        "h.one",
        "aid",
        "{ field = \"status\", form = \"plain\" }",
        "2026-12-31",
    );
    let w = world("p, *, civil.list, status, aid, plain, allow, R1", &text);
    assert_eq!(w.says("h.one", "status", None), "plain by R1");
}

#[test]
fn a_comparison_is_one_of_those_fixed() {
    let w = world("", &grant("G1", "civil.list", "hrss", "h.one", "aid", INCOME, "2026-12-31"));
    let asked = |predicate| w.one("h.one", field("income", Some(Form::Predicate), predicate));
    assert!(
        matches!(asked(Some(less(4000))), FieldVerdict::Given { predicate: Some(p), .. } if p == less(4000))
    );
    assert_eq!(refusal(asked(Some(less(3001)))).code, Code::PredicateNotPermitted);
    assert_eq!(refusal(asked(None)).code, Code::PredicateNotPermitted, "two to choose from");
    let implied = w.one("h.one", field("income", None, Some(less(3000))));
    assert!(
        matches!(implied, FieldVerdict::Given { form: Form::Predicate, .. }),
        "a comparison can only mean one form"
    );
}

#[test]
fn a_grant_may_narrow_the_comparisons_and_then_one_needs_no_naming() {
    let narrow = "{ field = \"income\", form = \"predicate\", compare = [{ op = \"<\", value = 3000 }] }";
    let w = world("", &grant("G1", "civil.list", "hrss", "h.one", "aid", narrow, "2026-12-31"));
    assert!(matches!(
        w.one("h.one", field("income", None, None)),
        FieldVerdict::Given { predicate: Some(p), .. } if p == less(3000)
    ));
    assert_eq!(
        refusal(w.one("h.one", field("income", None, Some(less(4000))))).code,
        Code::PredicateNotPermitted
    );
}

#[test]
fn a_withheld_value_is_plain_to_its_owner_alone() {
    let own = grant(
        "G1",
        "civil.list",
        "civil",
        "c.one",
        "aid",
        "{ field = \"custody\", form = \"plain\" }",
        "2026-12-31",
    );
    let w = world("", &own);
    assert_eq!(w.says("c.one", "custody", None), "plain by grant:G1");
    assert_eq!(w.says("j.one", "custody", None), "withheld");
}

#[test]
fn fields_are_decided_in_the_order_asked() {
    let w = world("p, h.one, civil.list, status, aid, plain, allow, R1", "");
    let ask =
        w.ask("civil.list", "aid", ["income", "status", "custody"].map(|n| field(n, None, None)).to_vec());
    let verdict = w.policy.decide(&w.system("h.one"), &ask, at("2026-06-01T00:00:00Z"));
    assert_eq!(
        verdict.fields.iter().map(said).collect::<Vec<_>>(),
        ["grant-required", "plain by R1", "withheld"]
    );
}

#[test]
fn an_offer_names_every_form_that_would_be_given() {
    let w = world("p, h.one, civil.list, status, aid, predicate, allow, R1", "");
    let ask = w.ask("civil.list", "aid", vec![]);
    let offers = w.policy.offers(&w.system("h.one"), &ask.dataset, &ask.purpose, at("2026-06-01T00:00:00Z"));
    let Offer::UpTo { forms, compare, .. } = &offers[0] else { panic!() };
    assert_eq!((forms.as_slice(), compare.len()), ([Form::Exists, Form::Predicate].as_slice(), 1));
    for form in forms {
        assert!(w.says("h.one", "status", Some(*form)).ends_with("by R1"));
    }
    assert!(matches!(&offers[2], Offer::Refused(refusal) if refusal.code == Code::GrantRequired));
}

#[test]
fn a_system_that_the_version_does_not_know_gets_nothing() {
    let w = world("p, *, civil.list, status, aid, plain, allow, R1", "");
    let mut stranger = (*w.system("h.one")).clone();
    stranger.id = crate::base::ids::SystemId::parse("x.one").unwrap();
    let ask = w.ask("civil.list", "aid", vec![field("status", None, None)]);
    let verdict = w.policy.decide(&stranger, &ask, at("2026-06-01T00:00:00Z"));
    assert_eq!(said(&verdict.fields[0]), "no-rule");
}

#[test]
fn roles_may_do_what_is_listed_and_no_more() {
    let w: World = world("p, *, civil.list, status, aid, plain, allow, R1", "");
    let mut system = (*w.system("h.one")).clone();
    let may = |system: &_| {
        Action::ALL.into_iter().filter(|a| w.policy.may(system, *a)).map(Action::as_str).collect::<Vec<_>>()
    };
    assert_eq!(may(&system), ["datasets.read", "datasets.query", "explain.own"]);
    system.roles = vec![crate::identity::Role::Auditor];
    assert_eq!(
        may(&system),
        [
            "datasets.read",
            "datasets.query",
            "explain.own",
            "explain.all",
            "audit.read_all",
            "subjects.history",
            "applications.read_all",
            "people.read_all",
            "overview.read",
            "operations.read"
        ]
    );
    system.roles = vec![crate::identity::Role::SecurityAdmin];
    assert_eq!(
        may(&system)[3..],
        [
            "subjects.erase",
            "applications.read_all",
            "people.read_all",
            "people.roles",
            "overview.read",
            "callers.suspend",
            "operations.read"
        ]
    );
}

#[tokio::test]
async fn a_version_loads_within_a_runtime_too() {
    let w = world("p, *, civil.list, status, aid, plain, allow, R1", "");
    assert_eq!(w.says("h.one", "status", None), "plain by R1");
}
