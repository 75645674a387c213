//! A small world: three departments, datasets of several levels, and people with one part each.

use std::collections::BTreeMap;

use crate::approval::command::{As, TimerKind};
use crate::approval::facts::{Delegation, PastApproval};
use crate::approval::terms::FieldTerms;
use crate::approval::{Application, By, Command, Facts, State, Terms, What, Workflow, draft, handle};
use crate::base::ids::{
    AccountId, ApplicationId, DatasetId, DepartmentId, FieldName, PersonId, PurposeId, SystemId,
};
use crate::base::{Code, Error, Lang, Sources, Timestamp};
use crate::catalogue::load::sources_of;
use crate::catalogue::{Catalogue, Form, Op, Predicate};
use crate::identity::{self, Account, Registry, Role};

const DEPARTMENTS: &str = r#"
[[department]]
id = "civil"
title = { zh = "民政局", en = "Civil" }
[[department]]
id = "service"
title = { zh = "中心", en = "Service" }
[[department]]
id = "hrss"
title = { zh = "人社局", en = "HRSS" }
"#;

const PURPOSES: &str = r#"
[[purpose]]
id = "aid"
title = { zh = "救助", en = "Aid" }
basis = "法"
[[purpose]]
id = "recheck"
title = { zh = "核查", en = "Recheck" }
basis = "法"
"#;

const SYSTEMS: &str = r#"
[[system]]
id = "service.desk"
department = "service"
title = { zh = "系", en = "S" }
[[system]]
id = "service.app"
department = "service"
title = { zh = "系", en = "S" }
[[system]]
id = "hrss.pay"
department = "hrss"
title = { zh = "系", en = "S" }
[[system]]
id = "civil.own"
department = "civil"
title = { zh = "系", en = "S" }
"#;

pub const WORKFLOW: &str = r#"
[stages]
unconditional = []
public = [["sharing_lead"]]
internal = [["sharing_lead"]]
sensitive = [["section_head"], ["leader", "confidentiality_officer"], ["sharing_lead"]]
core = [["section_head"], ["leader", "confidentiality_officer", "sharing_lead"]]
[answer]
unconditional = 1
conditional = 10
extension = 10
remind = 2
[lapse]
draft = 60
consent = 10
returned = 20
offered = 20
[grant]
longest = 1000
renewal = 30
resume = 2
[people]
ring = 90
delegation = 30
[[reason]]
code = "beyond-need"
zh = "超出必要范围"
en = "More than needed"
basis = "法"
[[toxic]]
name = "birth-sex-community"
zh = "出生、性别、社区"
en = "Birth, sex, community"
parts = [
  { fields = ["civil.list.birth_date"], forms = ["band", "plain"] },
  { fields = ["civil.list.sex"], forms = ["plain"] },
  { fields = ["civil.list.community", "civil.pay.community"], forms = ["plain"] },
]
[[toxic]]
name = "masked-id-and-age"
zh = "遮盖号码与年龄"
en = "Masked ID and age"
parts = [
  { identifier = "resident-id", forms = ["mask"] },
  { fields = ["civil.list.birth_date"], forms = ["band", "plain"] },
]
[emergency]
minutes = 60
subjects = 20
review = 2
[[emergency.dataset]]
dataset = "civil.list"
purpose = "aid"
fields = [{ field = "name", form = "plain" }]
"#;

/// Name, class, level and forms; a field may say more of itself.
type FieldRow = (&'static str, &'static str, &'static str, &'static str);

const LIST: [FieldRow; 8] = [
    ("status", "unconditional", "internal", r#"{"exists":{},"plain":{}}"#),
    ("name", "conditional", "sensitive", r#"{"mask":{"mask":"name"},"plain":{}}"#),
    ("id_number", "conditional", "sensitive", r#"{"mask":{"mask":"resident-id"},"pseudonym":{},"plain":{}}"#),
    (
        "income",
        "conditional",
        "sensitive",
        r#"{"exists":{},"predicate":{"compare":[{"op":"<","value":3000},{"op":"<","value":4000}]},"band":{"by":{"edges":[0,2000]}},"plain":{"purposes":["aid"]}}"#,
    ),
    ("birth_date", "conditional", "sensitive", r#"{"exists":{},"band":{"by":{"age":10}},"plain":{}}"#),
    ("sex", "conditional", "internal", r#"{"plain":{}}"#),
    ("community", "conditional", "internal", r#"{"plain":{}}"#),
    ("custody", "withheld", "sensitive", r#"{"exists":{},"plain":{}}"#),
];
const PAY: [FieldRow; 2] = [
    ("amount", "conditional", "internal", r#"{"exists":{},"plain":{}}"#),
    ("community", "conditional", "internal", r#"{"plain":{}}"#),
];
const SECRET: [FieldRow; 1] = [("held", "withheld", "core", r#"{"exists":{}}"#)];

fn schema(code: &str, fields: &[FieldRow]) -> String {
    let field = |(name, class, level, forms): &FieldRow| {
        let kind = if *name == "id_number" { r#","x-identifier":"resident-id""# } else { "" };
        format!(
            r#""{name}":{{"title":"项","x-title-en":"Item"{kind},"type":["string","integer","boolean"],"x-sharing":{{"class":"{class}","level":"{level}","basis":"法","forms":{forms}}}}}"#
        )
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    format!(
        r#"{{"type":"object","x-dataset":{{"code":"{code}","provider":"civil","title":{{"zh":"集","en":"Set"}},"summary":{{"zh":"集","en":"Set"}},"update_cycle":"daily","mode":"service","conditions":{{"zh":"无","en":"None"}},"subject":{{"member":"id_number","identifier":"resident-id"}},"purposes":["aid","recheck"]}},"properties":{{{}}}}}"#,
        fields.join(",")
    )
}

/// The files of the world.
pub fn sources(workflow: &str) -> Sources {
    sources_of(&[
        ("schemas/departments.toml", DEPARTMENTS),
        ("schemas/purposes.toml", PURPOSES),
        ("schemas/civil.list.json", &schema("civil.list", &LIST)),
        ("schemas/civil.pay.json", &schema("civil.pay", &PAY)),
        ("schemas/civil.secret.json", &schema("civil.secret", &SECRET)),
        ("policies/systems.toml", SYSTEMS),
        ("policies/workflow.toml", workflow),
        ("policies/calendar.toml", include_str!("../../../policies/calendar.toml")),
    ])
}

/// The world, and one application in it.
pub struct World {
    pub catalogue: Catalogue,
    pub registry: Registry,
    pub workflow: Workflow,
    pub people: BTreeMap<String, Account>,
    pub delegations: Vec<Delegation>,
    pub in_force: Vec<Terms>,
    pub approvals: Vec<PastApproval>,
    pub now: Timestamp,
    pub application: Option<Application>,
}

/// Roles that every department has somebody for, alone.
pub const OFFICE: [Role; 5] =
    [Role::Applicant, Role::SectionHead, Role::Leader, Role::ConfidentialityOfficer, Role::SharingLead];

impl World {
    pub fn new() -> Self {
        Self::with(WORKFLOW)
    }

    pub fn with(workflow: &str) -> Self {
        let sources = sources(workflow);
        let (catalogue, _) = Catalogue::load(&sources).unwrap_or_else(|found| panic!("{found}"));
        let registry = Registry::new(identity::load(&sources).unwrap());
        let (workflow, _) = Workflow::load(&sources, &catalogue).unwrap_or_else(|found| panic!("{found}"));
        let mut world = Self {
            catalogue,
            registry,
            workflow,
            people: BTreeMap::new(),
            delegations: Vec::new(),
            in_force: Vec::new(),
            approvals: Vec::new(),
            now: at("2026-11-23T02:00:00Z"),
            application: None,
        };
        for department in ["civil", "service", "hrss"] {
            for role in OFFICE {
                let id = format!("{department}.{}", role.as_str());
                world.join(&id, &id, department, &[role]);
            }
        }
        for role in [Role::Coordinator, Role::SecurityAdmin, Role::Auditor] {
            let id = format!("hrss.{}", role.as_str());
            world.join(&id, &id, "hrss", &[role]);
        }
        world
    }

    /// Opens an account of a person.
    pub fn join(&mut self, id: &str, person: &str, department: &str, roles: &[Role]) {
        let account = Account {
            id: AccountId::parse(id).unwrap(),
            person: PersonId::parse(person).unwrap(),
            name: id.to_owned(),
            department: DepartmentId::parse(department).unwrap(),
            roles: roles.to_vec(),
            email: None,
            lang: Lang::Zh,
            active: true,
        };
        self.people.insert(id.to_owned(), account);
    }

    /// One account lends another its role for ten days.
    pub fn lend(&mut self, from: &str, to: &str, role: Role) {
        self.delegations.push(Delegation {
            from: self.people[from].clone(),
            to: AccountId::parse(to).unwrap(),
            role,
            since: self.now,
            until: self.now.plus_seconds(10 * 24 * 60 * 60),
        });
    }

    pub fn facts<'a>(&'a self, accounts: &'a [Account]) -> Facts<'a> {
        Facts {
            catalogue: &self.catalogue,
            registry: &self.registry,
            workflow: &self.workflow,
            delegations: &self.delegations,
            accounts,
            renewed: None,
            in_force: &self.in_force,
            approvals: &self.approvals,
            stopped_by_files: false,
            now: self.now,
        }
    }

    /// Writes a new application as the service's applicant.
    pub fn draft(&mut self, terms: Terms) -> Result<(), Error> {
        self.draft_as("service.applicant", terms, None)
    }

    pub fn draft_as(&mut self, who: &str, terms: Terms, renews: Option<&Application>) -> Result<(), Error> {
        let accounts: Vec<Account> = self.people.values().cloned().collect();
        let facts = Facts { renewed: renews, ..self.facts(&accounts) };
        let by = By::Person { account: &self.people[who], acting: &As::default() };
        let event = draft(terms, renews.map(|old| old.id.clone()), &by, &facts)?;
        let id = ApplicationId::parse("A-2026-000001").unwrap();
        self.application = Some(Application::of(id, vec![event]).unwrap());
        Ok(())
    }

    /// Somebody gives a command; gives what happened. `who` may be `lender/deputy` or `who as role`.
    pub fn does(&mut self, who: &str, command: Command) -> Result<Vec<What>, Error> {
        let (who, role) = who.split_once(" as ").map_or((who, None), |(who, role)| (who, Role::parse(role)));
        let (lender, who) = who.split_once('/').map_or((None, who), |(lender, who)| (Some(lender), who));
        let acting = As { role, for_account: lender.map(|id| AccountId::parse(id).unwrap()) };
        let accounts: Vec<Account> = self.people.values().cloned().collect();
        let application = self.application.clone().unwrap();
        let by = By::Person { account: &self.people[who], acting: &acting };
        let events = handle(&application, &command, &by, &self.facts(&accounts))?;
        let happened = events.iter().map(|event| event.what.clone()).collect();
        self.application = Some(application.and(events).unwrap());
        Ok(happened)
    }

    /// The code with which somebody is told no.
    pub fn refused(&mut self, who: &str, command: Command) -> Code {
        self.does(who, command).unwrap_err().code
    }

    /// A clock says that it ran out.
    pub fn fires(&mut self, timer: TimerKind) -> Vec<What> {
        let application = self.application.clone().unwrap();
        let events = handle(&application, &Command::Fire { timer }, &By::Timer, &self.facts(&[])).unwrap();
        let happened = events.iter().map(|event| event.what.clone()).collect();
        self.application = Some(application.and(events).unwrap());
        happened
    }

    pub fn application(&self) -> &Application {
        self.application.as_ref().unwrap()
    }

    pub fn state(&self) -> State {
        self.application().state
    }

    /// An application for income, and with it handed in and consented to.
    pub fn in_review() -> Self {
        let mut world = Self::new();
        world.draft(terms()).unwrap();
        world.does("service.applicant", Command::Submit).unwrap();
        world.does("service.sharing_lead", Command::Consent).unwrap();
        world
    }

    /// The same when every vote but the lead's was given.
    pub fn before_the_last_vote() -> Self {
        let mut world = Self::in_review();
        for who in ["civil.section_head", "civil.confidentiality_officer", "civil.leader"] {
            world.does(who, approve()).unwrap();
        }
        world
    }

    /// The same as a grant in force.
    pub fn active() -> Self {
        let mut world = Self::before_the_last_vote();
        world.does("civil.sharing_lead", approve()).unwrap();
        world.does("service.sharing_lead", Command::Accept).unwrap();
        world
    }
}

/// Terms for the income as a comparison, and the name.
pub fn terms() -> Terms {
    Terms {
        dataset: DatasetId::parse("civil.list").unwrap(),
        purpose: PurposeId::parse("aid").unwrap(),
        basis: "《社会救助暂行办法》第九条".to_owned(),
        scenario: "低保审核时核对收入".to_owned(),
        scope: "本中心受理窗口".to_owned(),
        mode: "service".to_owned(),
        systems: vec![SystemId::parse("service.desk").unwrap(), SystemId::parse("service.app").unwrap()],
        fields: vec![field("income", Form::Predicate), field("name", Form::Plain)],
        per_day: 100,
        distinct_per_day: 50,
        until: at("2027-06-30T00:00:00Z").day(),
        toxic_reason: None,
    }
}

pub fn field(name: &str, form: Form) -> FieldTerms {
    let fixed = |value: i32| Predicate { op: Op::Lt, value: value.into() };
    let compare = if form == Form::Predicate { vec![fixed(3000), fixed(4000)] } else { Vec::new() };
    FieldTerms { field: FieldName::parse(name).unwrap(), form, compare, reason: "核对需要".to_owned() }
}

pub fn approve() -> Command {
    Command::Approve { without: Vec::new() }
}

pub fn note() -> String {
    "说明".to_owned()
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}
