//! Sharded and remembered decisions are those of one plain casbin enforcer over all rules.

use casbin::function_map::OperatorFunction;
use casbin::{CoreApi, DefaultModel, Enforcer};
use futures_util::FutureExt;
use proptest::prelude::*;

use super::world::{SYSTEMS, World, at, field, grant, sources, try_load, with};
use crate::catalogue::{Class, Form};
use crate::policy::FieldVerdict;
use crate::policy::judge::{grant_lines, rule_line};

const DATASETS: [&str; 2] = ["civil.list", "justice.list"];
const PURPOSES: [&str; 2] = ["aid", "recheck"];
const WHO: [&str; 11] = [
    "c.one",
    "c.two",
    "j.one",
    "h.one",
    "h.two",
    "dep:civil",
    "dep:justice",
    "dep:hrss",
    "group:low",
    "group:high",
    "*",
];
/// Every permission that a rule may state and the check takes: field, purpose and form.
const ALLOWED: [(&str, &str, &str); 14] = [
    ("status", "aid", "exists"),
    ("status", "recheck", "predicate"),
    ("status", "aid", "plain"),
    ("status", "*", "exists"),
    ("status", "*", "plain"),
    ("size", "aid", "band"),
    ("size", "aid", "plain"),
    ("size", "recheck", "band"),
    ("size", "*", "plain"),
    ("*", "aid", "exists"),
    ("*", "aid", "plain"),
    ("*", "*", "predicate"),
    ("*", "*", "band"),
    ("*", "recheck", "plain"),
];
const DENIED: [(&str, &str, &str); 10] = [
    ("status", "aid", "exists"),
    ("status", "*", "plain"),
    ("size", "recheck", "band"),
    ("income", "aid", "band"),
    ("income", "*", "plain"),
    ("id_number", "aid", "pseudonym"),
    ("custody", "*", "*"),
    ("*", "aid", "plain"),
    ("*", "recheck", "mask"),
    ("*", "*", "pseudonym"),
];
const GRANTED: [(&str, &str); 8] = [
    ("status", "plain"),
    ("income", "exists"),
    ("income", "predicate"),
    ("income", "band"),
    ("income", "plain"),
    ("id_number", "mask"),
    ("id_number", "plain"),
    ("custody", "predicate"),
];
const NOWS: [&str; 2] = ["2026-03-01T00:00:00Z", "2026-09-01T00:00:00Z"];

#[derive(Debug, Clone)]
struct Drawn {
    allow: Vec<(usize, usize, usize)>,
    deny: Vec<(usize, usize, usize)>,
    grants: Vec<(usize, usize, usize, usize, bool)>,
    members: Vec<(usize, bool)>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let rule = |of: usize| (0..DATASETS.len(), 0..WHO.len(), 0..of);
    let grant = (0..DATASETS.len(), 0..SYSTEMS.len(), 0..PURPOSES.len(), 0..GRANTED.len(), any::<bool>());
    (
        prop::collection::vec(rule(ALLOWED.len()), 1..14),
        prop::collection::vec(rule(DENIED.len()), 0..4),
        prop::collection::vec(grant, 0..8),
        prop::collection::vec((0..8_usize, any::<bool>()), 0..5),
    )
        .prop_map(|(allow, deny, grants, members)| Drawn { allow, deny, grants, members })
}

fn load(drawn: &Drawn) -> World {
    let mut files = DATASETS.map(|_| String::new());
    for (n, (dataset, who, what)) in drawn.allow.iter().enumerate() {
        let (field, purpose, form) = ALLOWED[*what];
        files[*dataset] +=
            &format!("p, {}, {}, {field}, {purpose}, {form}, allow, A{n}\n", WHO[*who], DATASETS[*dataset]);
    }
    for (n, (dataset, who, what)) in drawn.deny.iter().enumerate() {
        let (field, purpose, form) = DENIED[*what];
        files[*dataset] +=
            &format!("p, {}, {}, {field}, {purpose}, {form}, deny, D{n}\n", WHO[*who], DATASETS[*dataset]);
    }
    let grants: String = drawn
        .grants
        .iter()
        .enumerate()
        .map(|(n, (dataset, system, purpose, what, short))| {
            let ((system, department), (field, form)) = (SYSTEMS[*system], GRANTED[*what]);
            let until = if *short { "2026-06-30" } else { "2026-12-31" };
            let fields = format!("{{ field = \"{field}\", form = \"{form}\" }}");
            grant(
                &format!("G{n}"),
                DATASETS[*dataset],
                department,
                system,
                PURPOSES[*purpose],
                &fields,
                until,
            )
        })
        .collect();
    // Both groups exist, and one is above the other: whoever is in the low one is in the high one.
    let mut groups = "g, h.two, group:low\ng, group:low, group:high\n".to_owned();
    for (who, low) in &drawn.members {
        groups += &format!("g, {}, group:{}\n", WHO[*who], if *low { "low" } else { "high" });
    }
    let world = try_load(&with(
        sources(),
        &[
            ("policies/rules/civil.list.csv", &files[0]),
            ("policies/rules/justice.list.csv", &files[1]),
            ("policies/grants.toml", &grants),
            ("policies/groups.csv", &groups),
        ],
    ));
    world.unwrap_or_else(|found| panic!("{found}"))
}

/// One enforcer that has every rule, and every grant that is in force.
fn plain_enforcer(world: &World, now: crate::base::Timestamp) -> Enforcer {
    fn reach(asked: casbin::rhai::Dynamic, denied: casbin::rhai::Dynamic) -> casbin::rhai::Dynamic {
        let place = |form: casbin::rhai::Dynamic| {
            let name = form.into_string().unwrap();
            ["exists", "predicate", "band", "mask", "pseudonym", "plain"]
                .iter()
                .position(|f| *f == name)
                .unwrap()
        };
        (place(asked) >= place(denied)).into()
    }
    let model = include_str!("../../../policies/model.conf");
    let model = DefaultModel::from_str(model).now_or_never().unwrap().unwrap();
    let mut enforcer = Enforcer::new(model, ()).now_or_never().unwrap().unwrap();
    enforcer.add_function("reveals_as_much", OperatorFunction::Arg2(reach));
    let policy = &world.policy;
    let rules =
        policy.shards.iter().flat_map(|(id, shard)| shard.rules().iter().map(|rule| rule_line(id, rule)));
    let in_force = policy.grants().iter().filter(|grant| grant.in_force(now));
    let grants = in_force.flat_map(|g| {
        g.systems.iter().flat_map(|s| g.fields.iter().flat_map(|f| grant_lines(g, s, &f.field)))
    });
    enforcer.get_mut_model().add_policies("p", "p", rules.chain(grants).collect());
    let edges: Vec<_> = policy.groups.edges().map(|(m, g)| vec![m.to_owned(), g.to_owned()]).collect();
    assert!(edges.len() >= SYSTEMS.len());
    enforcer.get_mut_model().add_policies("g", "g", edges);
    enforcer.build_role_links().unwrap();
    enforcer
}

/// What the plain enforcer makes of one field, form by form: the least revealing it allows.
fn ceiling(
    enforcer: &Enforcer,
    world: &World,
    system: &str,
    dataset: &str,
    name: &str,
    purpose: &str,
) -> Option<Form> {
    let entry = &world.catalogue.datasets[dataset];
    let field = entry.field(name).unwrap();
    let owner = world.system(system).department == entry.entry.provider;
    let class = match field.sharing.class {
        Class::Unconditional => "unconditional",
        Class::Conditional => "conditional",
        Class::Withheld => "withheld",
    };
    let allowed = |form: &Form| {
        let owner = if owner { "owner" } else { "other" };
        enforcer.enforce((system, dataset, name, class, owner, purpose, form.as_str())).unwrap()
    };
    let listed = |form: &Form| {
        field
            .sharing
            .forms
            .get(form)
            .is_some_and(|terms| terms.serves(&crate::base::ids::PurposeId::parse(purpose).unwrap()))
    };
    Form::LADDER.into_iter().filter(listed).filter(allowed).min()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sharded_and_remembered_decisions_are_those_of_one_plain_enforcer(drawn in drawn()) {
        let world = load(&drawn);
        for now in NOWS.iter().chain(&NOWS).map(|now| at(now)) {
            let plain = plain_enforcer(&world, now);
            for (system, _) in SYSTEMS {
                for (dataset, purpose) in DATASETS.iter().flat_map(|d| PURPOSES.map(|p| (*d, p))) {
                    for of in &world.catalogue.datasets[dataset].fields {
                        let ceiling = ceiling(&plain, &world, system, dataset, of.name.as_str(), purpose);
                        // Every form that can be asked for, and none.
                        let asked = Form::LADDER.into_iter().map(Some).chain([None]);
                        let compare = of.sharing.forms.get(&Form::Predicate).map(|t| t.compare[0].clone());
                        let fields = asked.clone().map(|form| {
                            let predicate = form.or(ceiling).filter(|f| *f == Form::Predicate).and(compare.clone());
                            field(of.name.as_str(), form, predicate)
                        });
                        let ask = world.ask(dataset, purpose, fields.collect());
                        let verdict = world.policy.decide(&world.system(system), &ask, now);
                        for (asked, got) in asked.zip(&verdict.fields) {
                            let lists = |f: Form| of.sharing.forms.get(&f).is_some_and(|t| t.serves(&ask.purpose));
                            let wanted = match (ceiling, asked) {
                                (Some(ceiling), Some(asked)) => Some(asked).filter(|f| *f <= ceiling && lists(*f)),
                                (ceiling, _) => ceiling,
                            };
                            let got_form = match got {
                                FieldVerdict::Given { form, .. } => Some(*form),
                                FieldVerdict::Refused(_) => None,
                            };
                            prop_assert_eq!(got_form, wanted, "{} {} {} {} {:?}", system, dataset, of.name, purpose, asked);
                        }
                    }
                }
            }
        }
    }
}
