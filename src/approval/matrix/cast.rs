//! The people and the situations that the matrix is made of.
//!
//! Invariant: every situation is reached by commands that the handler allowed to those people; none
//! is put together by hand.

use crate::approval::command::{As, Command, Kind, TimerKind};
use crate::approval::event::{Missing, Stage};
use crate::approval::facts::{By, Delegation, Facts};
use crate::approval::terms::{FieldTerms, Terms};
use crate::approval::workflow::Workflow;
use crate::approval::{Application, draft, handle};
use crate::base::ids::{AccountId, ApplicationId, DepartmentId, PersonId, PurposeId};
use crate::base::{Code, Lang, Result, Timestamp};
use crate::catalogue::{Catalogue, Class, Dataset, Field, Form};
use crate::identity::{Account, Registry, Role};

/// 2026-03-02, a Monday, 09:00 in Shanghai: any day does, as long as it is always the same.
const NOW: Timestamp = Timestamp::from_micros(1_772_413_200_000_000);
/// After every clock has run out.
const LATER: Timestamp = NOW.plus_seconds(10 * 366 * 24 * 60 * 60);
/// The days for which the grant is asked.
const VALID_DAYS: i64 = 200;

const REVIEWERS: [Role; 4] =
    [Role::SectionHead, Role::Leader, Role::ConfidentialityOfficer, Role::SharingLead];

/// Somebody of the matrix.
pub(super) struct Player {
    /// For whom.
    pub side: &'static str,
    /// As whom.
    pub name: &'static str,
    account: Account,
    acting: As,
}

/// A situation.
pub(super) struct Scene {
    pub zh: &'static str,
    pub en: &'static str,
    pub application: Application,
}

/// Everybody, and what they act on.
pub(super) struct Cast<'a> {
    pub players: Vec<Player>,
    pub terms: Terms,
    workflow: &'a Workflow,
    catalogue: &'a Catalogue,
    registry: &'a Registry,
    accounts: Vec<Account>,
    delegations: Vec<Delegation>,
}

impl<'a> Cast<'a> {
    /// For the dataset of the longest way that some other department can apply for.
    pub fn new(workflow: &'a Workflow, catalogue: &'a Catalogue, registry: &'a Registry) -> Option<Self> {
        let roles = |terms: &Terms| workflow.stages(terms, catalogue).iter().map(|s| s.roles.len()).sum();
        let all = catalogue.datasets.values().filter_map(|dataset| {
            let system = registry.systems().find(|system| system.department != dataset.entry.provider)?;
            let terms = dataset.entry.purposes.iter().find_map(|purpose| terms(dataset, purpose))?;
            let terms = Terms { systems: vec![system.id.clone()], ..terms };
            Some((system.department.clone(), dataset.entry.provider.clone(), terms))
        });
        // The first of the longest.
        let longest = all.reduce(|best, next| {
            let more: (usize, usize) = (roles(&next.2), roles(&best.2));
            if more.0 > more.1 { next } else { best }
        });
        let (requester, provider, terms) = longest?;
        let third = DepartmentId::parse("third")?;
        let players = players(&[requester, provider, third])?;
        let accounts: Vec<Account> = players.iter().map(|player| player.account.clone()).collect();
        let delegations = players.iter().filter_map(|to| lent(to, &players)).collect();
        Some(Self { players, terms, workflow, catalogue, registry, accounts, delegations })
    }

    pub fn stages(&self) -> Vec<Stage> {
        self.workflow.stages(&self.terms, self.catalogue)
    }

    /// What a command of a player comes to.
    pub fn ask(&self, scene: &Scene, kind: Kind, player: &Player) -> Result<(), Code> {
        let command = self.command(kind, &scene.application).ok_or(Code::Internal)?;
        let by = By::Person { account: &player.account, acting: &player.acting };
        handle(&scene.application, &command, &by, &self.facts(NOW)).map(drop).map_err(|e| e.code)
    }

    /// Does a clock come to something once it has run out?
    pub fn fires(&self, scene: &Scene, timer: TimerKind) -> bool {
        let fired = handle(&scene.application, &Command::Fire { timer }, &By::Timer, &self.facts(LATER));
        fired.is_ok_and(|events| !events.is_empty())
    }

    fn facts(&self, now: Timestamp) -> Facts<'_> {
        Facts {
            catalogue: self.catalogue,
            registry: self.registry,
            workflow: self.workflow,
            delegations: &self.delegations,
            accounts: &self.accounts,
            renewed: None,
            in_force: &[],
            approvals: &[],
            stopped_by_files: false,
            now,
        }
    }

    /// Every situation that there is, in the order of an application's life.
    pub fn scenes(&self) -> Vec<Scene> {
        let draft = self.draft();
        let draft = draft.as_ref();
        let consent = self.then(draft, "author", Kind::Submit);
        let review = self.then(consent.as_ref(), "requester sharing_lead", Kind::Consent);
        let review = review.as_ref();
        let second = self.then(review, "voter", Kind::Approve);
        let second = second.filter(|application| application.offer.is_none());
        let last = self.all_but_one(second.as_ref().or(review));
        let asked = self.then(review, "provider sharing_lead", Kind::Extend);
        let returned = self.then(review, "provider sharing_lead", Kind::Return);
        let again = self.then(returned.as_ref(), "author", Kind::Submit);
        let again = self.then(again.as_ref(), "requester sharing_lead", Kind::Consent);
        let offered = self.then(last.as_ref(), "provider sharing_lead", Kind::Approve);
        let active = self.then(offered.as_ref(), "requester sharing_lead", Kind::Accept);
        let active = active.as_ref();
        let suspended = self.then(active, "operator security_admin", Kind::Suspend);
        let resuming = self.then(suspended.as_ref(), "provider leader", Kind::Resume);
        let refused = self.then(review, "provider sharing_lead", Kind::Refuse);
        let closed = self.then(active, "requester sharing_lead", Kind::Close);
        let revoked = self.then(active, "provider leader", Kind::Revoke);
        let expired = self.fire(active, TimerKind::Expire);
        let withdrawn = self.then(review, "author", Kind::Withdraw);
        let lapsed = self.fire(draft, TimerKind::Lapse);
        let scenes = [
            ("起草中", "being written", draft.cloned()),
            ("待本部门同意", "for the requester's own sharing lead", consent),
            ("审核中：第一环节", "the first stage", review.cloned()),
            ("审核中：voter 已投第一票", "the voter has voted", second),
            ("审核中：只差最后一票", "one vote is missing", last),
            ("审核中：已请求延期", "more time was asked for", asked),
            ("已退回补正", "sent back", returned),
            ("审核中：补正后再次提交", "handed in again after it was sent back", again),
            ("待接受", "for the requester to accept", offered),
            ("授权有效", "a grant in force", active.cloned()),
            ("已中止", "stopped", suspended),
            ("已中止：leader 已同意恢复", "the leader has said that it may go on", resuming),
            ("已拒绝", "refused", refused),
            ("已终止", "ended by the requester", closed),
            ("已撤销", "ended by the owner", revoked),
            ("已到期", "over", expired),
            ("已撤回", "taken back", withdrawn),
            ("已失效", "nobody went on with it", lapsed),
        ];
        let scenes = scenes.into_iter();
        scenes.filter_map(|(zh, en, application)| Some(Scene { zh, en, application: application? })).collect()
    }

    fn draft(&self) -> Option<Application> {
        let author = self.players.iter().find(|player| player.name == "author")?;
        let by = By::Person { account: &author.account, acting: &author.acting };
        let event = draft(self.terms.clone(), None, &by, &self.facts(NOW)).ok()?;
        Application::of(ApplicationId::parse("A-2026-000001")?, vec![event]).ok()
    }

    /// After a command of the first player of that name.
    fn then(&self, application: Option<&Application>, name: &str, kind: Kind) -> Option<Application> {
        let application = application?;
        let is = |p: &&Player| p.name == name || format!("{} {}", p.side, p.name) == name;
        let player = self.players.iter().find(is)?;
        let by = By::Person { account: &player.account, acting: &player.acting };
        let command = self.command(kind, application)?;
        let events = handle(application, &command, &by, &self.facts(NOW)).ok()?;
        application.clone().and(events).ok()
    }

    fn fire(&self, application: Option<&Application>, timer: TimerKind) -> Option<Application> {
        let application = application?;
        let events = handle(application, &Command::Fire { timer }, &By::Timer, &self.facts(LATER)).ok()?;
        application.clone().and(events).ok()
    }

    /// After every vote but the last, each by who holds that role alone.
    fn all_but_one(&self, application: Option<&Application>) -> Option<Application> {
        let mut application = application?.clone();
        loop {
            let missing: usize = application.stages.iter().map(|stage| stage.roles.len()).sum();
            let (_, roles) = application.outstanding()?;
            if application.votes.len() + 1 >= missing {
                return Some(application);
            }
            let role = roles.iter().find(|role| **role != Role::SharingLead).or(roles.first())?;
            application =
                self.then(Some(&application), &format!("provider {}", role.as_str()), Kind::Approve)?;
        }
    }

    /// A command that lacks nothing.
    fn command(&self, kind: Kind, application: &Application) -> Option<Command> {
        let note = || "示例".to_owned();
        Some(match kind {
            Kind::Revise => Command::Revise { terms: application.terms.clone() },
            Kind::Submit => Command::Submit,
            Kind::Consent => Command::Consent,
            Kind::Decline => Command::Decline { note: note() },
            Kind::Approve => Command::Approve { without: Vec::new() },
            Kind::Return => {
                Command::Return { missing: vec![Missing { pointer: "/scope".to_owned(), note: note() }] }
            }
            Kind::Refuse => {
                let (reason, text) = self.workflow.reasons.first_key_value()?;
                Command::Refuse { reason: reason.clone(), basis: text.basis.clone(), note: note() }
            }
            Kind::Counter => Command::Counter { terms: Terms { per_day: 1, ..application.remaining() } },
            Kind::Accept => Command::Accept,
            Kind::Extend => Command::Extend { days: 1, note: note() },
            Kind::GrantExtension => Command::GrantExtension,
            Kind::RefuseExtension => Command::RefuseExtension { note: note() },
            Kind::Comment => Command::Comment { text: note() },
            Kind::Withdraw => Command::Withdraw,
            Kind::Suspend => Command::Suspend { note: note() },
            Kind::Resume => Command::Resume,
            Kind::Revoke => Command::Revoke { note: note() },
            Kind::Close => Command::Close,
            Kind::Fire => Command::Fire { timer: TimerKind::Lapse },
        })
    }
}

/// The author and the voter first: where a story needs somebody of that role alone, it says so.
fn players(departments: &[DepartmentId; 3]) -> Option<Vec<Player>> {
    const OFFICE: [Role; 5] =
        [Role::Applicant, Role::SectionHead, Role::Leader, Role::ConfidentialityOfficer, Role::SharingLead];
    let [requester, provider, third] = departments;
    let mut players = vec![
        player("requester", "author", requester, &OFFICE)?,
        player("provider", "author", provider, &OFFICE)?,
        player("provider", "voter", provider, &REVIEWERS)?,
    ];
    for (side, department) in [("requester", requester), ("provider", provider), ("third", third)] {
        for role in OFFICE {
            players.push(player(side, role.as_str(), department, &[role])?);
        }
    }
    for (name, lender) in [("deputy", "provider.section_head"), ("author's deputy", "provider.author")] {
        let mut deputy = player("provider", name, provider, &[])?;
        deputy.acting.for_account = AccountId::parse(lender);
        players.push(deputy);
    }
    for role in Role::ALL.into_iter().filter(|role| !OFFICE.contains(role)) {
        players.push(player("operator", role.as_str(), third, &[role])?);
    }
    Some(players)
}

fn player(
    side: &'static str,
    name: &'static str,
    department: &DepartmentId,
    roles: &[Role],
) -> Option<Player> {
    let id = format!("{side}.{name}").replace([' ', '\''], "-");
    // The author is one person, whatever the account.
    let person = if name == "author" { "author".to_owned() } else { id.clone() };
    let account = Account {
        id: AccountId::parse(&id)?,
        person: PersonId::parse(&person)?,
        name: name.to_owned(),
        department: department.clone(),
        roles: roles.to_vec(),
        email: None,
        lang: Lang::Zh,
        active: true,
    };
    Some(Player { side, name, account, acting: As::default() })
}

/// What a deputy was lent.
fn lent(to: &Player, players: &[Player]) -> Option<Delegation> {
    let lender = to.acting.for_account.as_ref()?;
    let from = players.iter().find(|player| player.account.id == *lender)?.account.clone();
    let until = NOW.plus_seconds(24 * 60 * 60);
    Some(Delegation { from, to: to.account.id.clone(), role: Role::SectionHead, since: NOW, until })
}

/// Terms for some of the dataset's fields, each in its least revealing form.
fn terms(dataset: &Dataset, purpose: &PurposeId) -> Option<Terms> {
    let fields: Vec<FieldTerms> =
        dataset.fields.iter().filter_map(|field| asked(field, purpose)).take(2).collect();
    let text = || "示例".to_owned();
    (!fields.is_empty()).then(|| Terms {
        dataset: dataset.id().clone(),
        purpose: purpose.clone(),
        basis: text(),
        scenario: text(),
        scope: text(),
        mode: dataset.entry.mode.clone(),
        systems: Vec::new(),
        fields,
        per_day: 2,
        distinct_per_day: 1,
        until: NOW.plus_seconds(VALID_DAYS * 24 * 60 * 60).day(),
        toxic_reason: Some(text()),
    })
}

fn asked(field: &Field, purpose: &PurposeId) -> Option<FieldTerms> {
    if field.sharing.class == Class::Unconditional {
        return None;
    }
    let (form, listed) = field.sharing.forms.iter().find(|(_, listed)| listed.serves(purpose))?;
    if field.sharing.class == Class::Withheld && *form == Form::Plain {
        return None;
    }
    let compare = listed.compare.first().cloned().into_iter().collect();
    Some(FieldTerms { field: field.name.clone(), form: *form, compare, reason: "示例".to_owned() })
}
