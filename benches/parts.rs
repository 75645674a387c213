//! The parts of a query by themselves, over the project's own catalogue and policies.
//!
//! `cargo bench --bench parts`, or `cargo bench --bench parts -- decide` for some of them. What a
//! whole query costs beside other gateways is for `benches/compare`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made ends loudly")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use ring::rand::SystemRandom;
use serde_json::{Map, Value, json};
use sluice::app::apply::read_sources;
use sluice::audit::{Checkpoint, Draft, Hash, Object, SigningKey, SubjectKey, Tree, record};
use sluice::base::ids::{DepartmentId, PurposeId};
use sluice::base::{Secret, Sources, Timestamp};
use sluice::catalogue::{Ask, Catalogue, Dataset, Form, request};
use sluice::identity::{self, Registry, System};
use sluice::policy::Policy;
use sluice::privacy::{self, Context, Disclosure, PseudonymKey, Recipient};

/// 2026-11-22, noon in Beijing.
const NOON: Timestamp = Timestamp::from_micros(1_795_320_000_000_000);

const QUERY: &str = r#"{"purpose":"housing-aid.review","case":"QZ-2026-000123","operator":"hc-0231",
    "subjects":[{"id_number":"11010519491231002X"}],
    "fields":["status","household_size",{"field":"name","form":"mask"},
        {"field":"monthly_income","form":"predicate","op":"<","value":3000}]}"#;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let world = World::load(&sources());
    request_schema(&mut criterion, &world);
    decisions(&mut criterion, &world);
    answer_schema(&mut criterion, &world);
    forms(&mut criterion, &world);
    records(&mut criterion);
    trees(&mut criterion);
    checkpoints(&mut criterion);
    criterion.final_summary();
}

struct World {
    catalogue: Catalogue,
    registry: Registry,
    policy: Policy,
}

impl World {
    fn load(sources: &Sources) -> Self {
        let (catalogue, _) = Catalogue::load(sources).unwrap();
        let registry = Registry::new(identity::load(sources).unwrap());
        let (policy, _) = Policy::load(sources, &catalogue, &registry).unwrap();
        Self { catalogue, registry, policy }
    }

    fn dataset(&self) -> &Arc<Dataset> {
        self.catalogue.datasets.values().find(|d| d.id().as_str() == "civil.subsistence").unwrap()
    }

    fn system(&self, id: &str) -> &Arc<System> {
        self.registry.system(id).unwrap()
    }

    fn ask(&self) -> Ask {
        request::parse(self.dataset(), QUERY.as_bytes(), NOON.day()).unwrap()
    }
}

fn sources() -> Sources {
    read_sources(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn request_schema(criterion: &mut Criterion, world: &World) {
    let dataset = world.dataset();
    criterion.bench_function("request: parsed against the dataset's schema", |b| {
        b.iter(|| request::parse(black_box(dataset), black_box(QUERY.as_bytes()), NOON.day()).unwrap());
    });
    let wrong = QUERY.replace("household_size", "household_sizes");
    criterion.bench_function("request: an unknown field is found", |b| {
        b.iter(|| request::parse(dataset, black_box(wrong.as_bytes()), NOON.day()).unwrap_err());
    });
}

/// Four fields: a rule for two, a grant for two. With a policy that has met the question, and with
/// one that has not, among the project's rules and among 10,000 on the dataset.
fn decisions(criterion: &mut Criterion, world: &World) {
    let (system, ask) = (world.system("service.onestop"), world.ask());
    criterion.bench_function("decide: four fields, met before", |b| {
        b.iter(|| world.policy.decide(black_box(system), black_box(&ask), NOON));
    });
    for (name, extra) in [("the project's rules", 0), ("10,000 rules", 10_000)] {
        let sources = crowded(extra);
        let world = World::load(&sources);
        let (system, ask) = (world.system("service.onestop"), world.ask());
        let fresh = || Policy::load(&sources, &world.catalogue, &world.registry).unwrap().0;
        // A policy forgets nothing, so each measured decision has one that has met nothing yet.
        criterion.bench_function(&format!("decide: four fields, not met before, {name}"), |b| {
            b.iter_batched(fresh, |policy| policy.decide(system, &ask, NOON), BatchSize::PerIteration);
        });
    }
}

/// The project's files with `extra` rules more on the dataset, of systems of other names.
fn crowded(extra: usize) -> Sources {
    let mut sources = sources();
    let others = extra.div_ceil(15);
    let systems: String = (0..others)
        .map(|n| format!("[[system]]\nid = \"desk.{n}\"\ndepartment = \"service\"\ntitle = {{ zh = \"系统\", en = \"S\" }}\n"))
        .collect();
    let purposes: Vec<_> = [
        "housing-aid.review",
        "livelihood.review",
        "medical-aid.review",
        "employment-aid.review",
        "release.resettlement",
    ]
    .into();
    let rules: String = (0..others)
        .flat_map(|n| purposes.iter().map(move |purpose| (n, *purpose)))
        .flat_map(|(n, purpose)| {
            [("status", "plain"), ("category", "plain"), ("household_size", "band")].map(|(field, form)| {
                format!("p, desk.{n}, civil.subsistence, {field}, {purpose}, {form}, allow, X-{n}-{field}-{purpose}\n")
            })
        })
        .collect();
    sources.0.get_mut("policies/systems.toml").unwrap().push_str(&systems);
    sources.0.get_mut("policies/rules/civil.subsistence.csv").unwrap().push_str(&rules);
    sources
}

fn row() -> Map<String, Value> {
    let row = json!({
        "name": "王小兰", "id_number": "11010519491231002X", "status": "receiving", "category": "urban",
        "household_size": 2, "monthly_income": 2800, "monthly_allowance": 900, "approved_on": "2024-05-01",
        "review_due_on": "2026-12-01", "mobile": "13812345678", "bank_card": "6222020200112233445"
    });
    row.as_object().unwrap().clone()
}

fn answer_schema(criterion: &mut Criterion, world: &World) {
    let (dataset, row) = (world.dataset(), row());
    criterion.bench_function("answer: eleven values against their schemas", |b| {
        b.iter(|| dataset.fields.iter().all(|field| field.accepts(black_box(row.get(field.name.as_str())))));
    });
}

fn forms(criterion: &mut Criterion, world: &World) {
    let (dataset, row) = (world.dataset(), row());
    let key = PseudonymKey::new(&Secret::new([7; 32]));
    let department = DepartmentId::parse("housing").unwrap();
    let mut group = criterion.benchmark_group("form");
    let cases = BTreeMap::from([
        (Form::Exists, "status"),
        (Form::Predicate, "monthly_income"),
        (Form::Band, "monthly_income"),
        (Form::Mask, "name"),
        (Form::Pseudonym, "id_number"),
        (Form::Plain, "status"),
    ]);
    for (form, name) in cases {
        let field = dataset.field(name).unwrap();
        let terms = field.sharing.forms.get(&form).unwrap();
        let purpose = PurposeId::parse("housing-aid.review").unwrap();
        let predicate = terms.compare.first().filter(|_| form == Form::Predicate);
        let plan = [Disclosure { field, form, predicate }];
        let recipient = Recipient { department: &department, purpose: &purpose };
        let context = Context::new(dataset.id(), recipient, &key, NOON.day());
        group.bench_function(form.as_str(), |b| {
            b.iter(|| privacy::disclose(black_box(&plan), black_box(&row), &context).unwrap());
        });
    }
}

fn draft() -> Draft {
    let mut caller = Object::new();
    caller
        .text("certificate", &"5f".repeat(32))
        .text("department", "service")
        .text("system", "service.onestop");
    let mut draft = Draft::new("query");
    draft
        .members()
        .text("request_id", "00112233445566778899aabbccddeeff")
        .object("caller", &caller)
        .text("dataset", "civil.subsistence")
        .text("purpose", "housing-aid.review")
        .text("response_sha256", &"5f".repeat(32))
        .text("outcome", "ok");
    draft.subject("resident-id", "11010519491231002X");
    draft
}

fn records(criterion: &mut Criterion) {
    let key = SubjectKey::new(&Secret::new([7; 32])).unwrap();
    criterion.bench_function("record: drafted", |b| b.iter(draft));
    let (members, subjects) = draft().into_parts();
    let subject = subjects.first().unwrap();
    criterion
        .bench_function("record: a subject sealed", |b| b.iter(|| key.seal(black_box(subject)).unwrap()));
    criterion.bench_function("record: encoded", |b| {
        b.iter_batched_ref(
            || members.clone(),
            |members| record::leaf(members, 7, NOON),
            BatchSize::SmallInput,
        );
    });
    let leaf = record::leaf(&mut members.clone(), 7, NOON);
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Bytes(leaf.len() as u64));
    group.bench_function("hashed", |b| b.iter(|| Hash::of_leaf(black_box(&leaf))));
}

fn trees(criterion: &mut Criterion) {
    let mut tree = Tree::new();
    (0..1_000_000u32).for_each(|n| tree.push(Hash::of_bytes(&n.to_be_bytes()), |_, _| {}));
    let leaf = Hash::of_bytes(b"leaf");
    criterion.bench_function("tree: a record appended to a million", |b| {
        b.iter(|| tree.push(black_box(leaf), |_, _| {}));
    });
    criterion.bench_function("tree: the root of a million", |b| b.iter(|| black_box(&tree).root()));
}

fn checkpoints(criterion: &mut Criterion) {
    let key = SigningKey::generate("bench/log", &SystemRandom::new()).unwrap();
    let root = Hash::of_bytes(b"root");
    criterion.bench_function("checkpoint: signed", |b| {
        b.iter(|| Checkpoint::sign(7, black_box(&root), &key, &[]))
    });
    let note = Checkpoint::sign(7, &root, &key, &[]);
    criterion.bench_function("checkpoint: verified", |b| {
        b.iter(|| Checkpoint::open(black_box(&note), key.public()).unwrap());
    });
}
