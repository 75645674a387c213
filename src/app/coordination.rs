//! How applications get on: what is late and where, how long answers take, why it is refused.
//!
//! Invariant: everything is worked out from the events of applications, by the calendar and the rules
//! that are in force; a bounded number of the newest is looked at, and the answer says how many.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::applications::state;
use super::call::{Call, Known, PersonCaller};
use super::gateway::Gateway;
use super::trail::Trail;
use super::world::World;
use crate::approval::Workflow;
use crate::approval::application::{Application, State};
use crate::approval::event::What;
use crate::approval::progress::Awaited;
use crate::base::ids::DepartmentId;
use crate::base::{Code, Lang, Result, Timestamp};
use crate::identity::Role;
use crate::policy::Action;

/// The most applications under way that are looked at.
pub const MAX_OPEN: usize = 10_000;
/// The most decided applications that are looked at.
pub const MAX_DECIDED: usize = 2_000;
/// The most reasons of refusals that are listed: whoever refuses writes the law in words of their own.
const MAX_REFUSALS: usize = 50;
/// Working days left at which an application is nearly late.
const SOON: i32 = 3;

/// Where the provider has answered, or had its say.
const ANSWERED: [State; 8] = [
    State::Offered,
    State::Active,
    State::Suspended,
    State::Refused,
    State::Closed,
    State::Revoked,
    State::Expired,
    State::Lapsed,
];

/// How applications get on.
#[derive(Debug)]
pub struct Coordination {
    /// What waits, by the department that is waited for: the most overdue first.
    pub departments: Vec<DepartmentLine>,
    /// What waits, the latest first.
    pub open: Vec<OpenLine>,
    /// Was more waiting than was looked at?
    pub open_cut: bool,
    /// How long answers took, by the department that answered.
    pub answers: Vec<AnswerLine>,
    /// How long each stage of review takes.
    pub stages: Vec<StageLine>,
    /// Why applications were refused, the most frequent first.
    pub refusals: Vec<RefusalLine>,
    /// Were there more reasons?
    pub refusals_cut: bool,
    /// Decided applications that were looked at.
    pub decided: usize,
    /// Were there more?
    pub decided_cut: bool,
}

/// What waits for one department.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DepartmentLine {
    /// The department.
    pub department: String,
    /// Its name.
    pub title: String,
    /// What waits for it.
    pub open: usize,
    /// Of that, what has few days left.
    pub soon: usize,
    /// Of that, what is overdue.
    pub overdue: usize,
    /// Working days left of the most urgent; below zero when it has passed.
    pub least_left: i32,
}

/// One application that waits.
#[derive(Debug, Clone)]
pub struct OpenLine {
    /// Its id.
    pub application: String,
    /// The department that asks.
    pub requester: String,
    /// The department that owns the dataset.
    pub provider: String,
    /// The dataset.
    pub dataset: String,
    /// Where it stands.
    pub state: &'static str,
    /// The department that is waited for.
    pub department: String,
    /// In it, people of these roles.
    pub roles: Vec<Role>,
    /// The last day.
    pub due: String,
    /// Working days left after today; below zero when it has passed.
    pub left: i32,
    /// Does the day depend on a year whose calendar is not published yet?
    pub provisional: bool,
}

/// How long one department takes to answer, in working days by the statutory clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerLine {
    /// The department.
    pub department: String,
    /// Its name.
    pub title: String,
    /// Answers.
    pub answers: usize,
    /// Half were no slower than this.
    pub median: u32,
    /// Nine of ten were no slower than this.
    pub ninth: u32,
    /// The most working days that the law gave for any of them.
    pub law: u32,
    /// Answers that came late.
    pub late: usize,
}

/// How long a stage of review takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageLine {
    /// The provider.
    pub department: String,
    /// Its name.
    pub title: String,
    /// The roles of the stage.
    pub roles: Vec<Role>,
    /// Applications that stand there now.
    pub open: usize,
    /// Working days that the longest of them has stood there.
    pub longest: u32,
    /// The median of working days that those spent there that went on; none where none did.
    pub median: Option<u32>,
}

impl StageLine {
    /// Does something stand there for longer than it usually takes?
    pub fn is_bottleneck(&self) -> bool {
        self.open > 0 && self.median.is_some_and(|usual| self.longest > usual)
    }
}

/// Why applications were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalLine {
    /// The code of the reason.
    pub reason: String,
    /// In words.
    pub title: String,
    /// The law that was cited.
    pub basis: String,
    /// How often.
    pub refusals: usize,
}

/// How applications get on, for those who look after the whole.
///
/// # Errors
/// `forbidden`, `overloaded`, `audit-unavailable`, `not-ready`.
pub async fn coordination(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    lang: Lang,
) -> Result<Coordination> {
    let mut trail = Trail::new("coordination", call);
    if !call.caller.may(&gateway.world().policy, Action::ApplicationsReadAll) {
        return Err(gateway.record_failure(&call.caller, trail, Code::Forbidden.into()).await);
    }
    let held = Arc::clone(gateway);
    let read = move || -> Result<Coordination> {
        let (world, now) = (held.world(), held.now());
        let waiting = held.state.newest_applications(&State::PENDING, MAX_OPEN + 1).map_err(state)?;
        let decided = held.state.newest_applications(&ANSWERED, MAX_DECIDED + 1).map_err(state)?;
        Ok(work_out(&world, &waiting, &decided, now, lang))
    };
    let all = gateway.reading.run(read).await??;
    trail.count("found", (all.open.len() + all.decided) as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    Ok(all)
}

fn work_out(
    world: &World,
    waiting: &[Application],
    decided: &[Application],
    now: Timestamp,
    lang: Lang,
) -> Coordination {
    let workflow = &*world.workflow;
    let (open_cut, decided_cut) = (waiting.len() > MAX_OPEN, decided.len() > MAX_DECIDED);
    let waiting = waiting.get(..MAX_OPEN).unwrap_or(waiting);
    let decided = decided.get(..MAX_DECIDED).unwrap_or(decided);
    let titles = |id: &str| title(world, id, lang);
    // A draft waits for nobody but its author.
    let waits = waiting.iter().filter(|application| application.state != State::Draft);
    let mut open: Vec<OpenLine> =
        waits.filter_map(|a| a.due(workflow, now).map(|awaited| open_line(a, awaited))).collect();
    open.sort_by(|a, b| (a.left, &a.application).cmp(&(b.left, &b.application)));
    let mut refusals = refusals(workflow, decided, lang);
    let refusals_cut = refusals.len() > MAX_REFUSALS;
    refusals.truncate(MAX_REFUSALS);
    Coordination {
        departments: departments(&open, titles),
        answers: answers(workflow, waiting.iter().chain(decided), titles),
        stages: stages(workflow, waiting, decided, now, titles),
        refusals,
        refusals_cut,
        decided: decided.len(),
        open,
        open_cut,
        decided_cut,
    }
}

fn title(world: &World, department: &str, lang: Lang) -> String {
    let found = DepartmentId::parse(department).and_then(|id| world.catalogue.departments.get(&id));
    found.map_or_else(|| department.to_owned(), |known| known.title.lang(lang).to_owned())
}

fn open_line(application: &Application, awaited: Awaited) -> OpenLine {
    OpenLine {
        application: application.id.to_string(),
        requester: application.requester.to_string(),
        provider: application.provider.to_string(),
        dataset: application.terms.dataset.to_string(),
        state: application.state.as_str(),
        department: awaited.department.to_string(),
        roles: awaited.roles,
        due: awaited.due.day.to_string(),
        left: awaited.left,
        provisional: awaited.due.provisional,
    }
}

fn departments(open: &[OpenLine], title: impl Fn(&str) -> String) -> Vec<DepartmentLine> {
    let mut lines: BTreeMap<&str, DepartmentLine> = BTreeMap::new();
    for item in open {
        let line = lines.entry(&item.department).or_insert_with(|| DepartmentLine {
            department: item.department.clone(),
            title: title(&item.department),
            least_left: item.left,
            ..DepartmentLine::default()
        });
        line.open += 1;
        line.overdue += usize::from(item.left < 0);
        line.soon += usize::from((0..=SOON).contains(&item.left));
        line.least_left = line.least_left.min(item.left);
    }
    let mut lines: Vec<DepartmentLine> = lines.into_values().collect();
    lines.sort_by_key(|line| (std::cmp::Reverse(line.overdue), line.least_left));
    lines
}

/// Working days of the provider from its receipt to its first answer that is no return, without those
/// on which the requester was waited for; and how many the law gave.
fn answer(workflow: &Workflow, application: &Application) -> Option<(u32, u32)> {
    let (mut since, mut used, mut asked, mut law) = (None, 0, 0, 0);
    for event in &application.events {
        let day = event.at.day();
        match &event.what {
            What::Submitted { answer_days, .. } if law == 0 => law = u32::from(*answer_days),
            What::Consented { .. } => since = Some(day),
            What::ExtensionAsked { days, .. } => asked = u32::from(*days),
            What::ExtensionGranted { .. } => law += std::mem::take(&mut asked),
            What::Returned { .. } | What::Offered { .. } | What::Refused { .. } => {
                let from = since.take()?;
                used += u32::try_from(workflow.calendar.between(from, day)).unwrap_or_default();
                if !matches!(event.what, What::Returned { .. }) {
                    return Some((used, law));
                }
            }
            _ => {}
        }
    }
    None
}

fn answers<'a>(
    workflow: &Workflow,
    applications: impl Iterator<Item = &'a Application>,
    title: impl Fn(&str) -> String,
) -> Vec<AnswerLine> {
    let mut by: BTreeMap<&str, Vec<(u32, u32)>> = BTreeMap::new();
    for application in applications {
        if let Some(took) = answer(workflow, application) {
            by.entry(application.provider.as_str()).or_default().push(took);
        }
    }
    let line = |(department, took): (&str, Vec<(u32, u32)>)| {
        let mut days: Vec<u32> = took.iter().map(|(used, _)| *used).collect();
        AnswerLine {
            department: department.to_owned(),
            title: title(department),
            answers: took.len(),
            median: quantile(&mut days, 1, 2).unwrap_or_default(),
            ninth: quantile(&mut days, 9, 10).unwrap_or_default(),
            law: took.iter().map(|(_, law)| *law).max().unwrap_or_default(),
            late: took.iter().filter(|(used, law)| used > law).count(),
        }
    };
    let mut lines: Vec<AnswerLine> = by.into_iter().map(line).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.ninth));
    lines
}

/// The smallest value than which `part` of `whole` are no larger.
fn quantile(values: &mut [u32], part: usize, whole: usize) -> Option<u32> {
    values.sort_unstable();
    values.get((values.len() * part).div_ceil(whole).saturating_sub(1)).copied()
}

/// The working days that an application spent in each stage that it has passed, and where it stands.
fn passed(workflow: &Workflow, application: &Application) -> (Vec<(usize, u32)>, Option<time::Date>) {
    let (mut since, mut done) = (None, Vec::new());
    let mut voted: Vec<(usize, Role)> = Vec::new();
    for event in &application.events {
        match &event.what {
            // A new revision is voted on anew.
            What::Submitted { .. } => voted.clear(),
            What::Consented { .. } => since = Some(event.at.day()),
            What::Approved { stage, .. } => {
                voted.extend(event.by.role().map(|role| (*stage, role)));
                let whole = application
                    .stages
                    .get(*stage)
                    .is_some_and(|wanted| wanted.roles.iter().all(|role| voted.contains(&(*stage, *role))));
                if let (true, Some(from)) = (whole, since) {
                    let days = workflow.calendar.between(from, event.at.day());
                    done.push((*stage, u32::try_from(days).unwrap_or_default()));
                    since = Some(event.at.day());
                }
            }
            _ => {}
        }
    }
    (done, since.filter(|_| application.state == State::InReview))
}

fn stages(
    workflow: &Workflow,
    waiting: &[Application],
    decided: &[Application],
    now: Timestamp,
    title: impl Fn(&str) -> String,
) -> Vec<StageLine> {
    #[derive(Default)]
    struct Sums {
        open: usize,
        longest: u32,
        took: Vec<u32>,
    }
    let mut by: BTreeMap<(String, Vec<Role>), Sums> = BTreeMap::new();
    for application in waiting.iter().chain(decided) {
        let roles = |at: usize| application.stages.get(at).map(|stage| stage.roles.clone());
        let provider = application.provider.to_string();
        let (done, since) = passed(workflow, application);
        for (at, days) in done {
            let Some(roles) = roles(at) else { continue };
            by.entry((provider.clone(), roles)).or_default().took.push(days);
        }
        let stands =
            since.zip(application.outstanding()).and_then(|(since, (at, _))| Some((since, roles(at)?)));
        if let Some((since, roles)) = stands {
            let days = workflow.calendar.between(since, now.day());
            let sums = by.entry((provider, roles)).or_default();
            sums.open += 1;
            sums.longest = sums.longest.max(u32::try_from(days).unwrap_or_default());
        }
    }
    let line = |((department, roles), mut sums): ((String, Vec<Role>), Sums)| StageLine {
        title: title(&department),
        department,
        roles,
        open: sums.open,
        longest: sums.longest,
        median: quantile(&mut sums.took, 1, 2),
    };
    let mut lines: Vec<StageLine> = by.into_iter().map(line).collect();
    lines.sort_by_key(|line| std::cmp::Reverse((line.longest, line.median)));
    lines
}

fn refusals(workflow: &Workflow, decided: &[Application], lang: Lang) -> Vec<RefusalLine> {
    let mut by: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for event in decided.iter().flat_map(|application| &application.events) {
        if let What::Refused { reason, basis, .. } = &event.what {
            *by.entry((reason, basis)).or_default() += 1;
        }
    }
    let line = |((reason, basis), refusals): ((&str, &str), usize)| RefusalLine {
        title: workflow.reasons.get(reason).map_or(reason, |known| known.title.lang(lang)).to_owned(),
        reason: reason.to_owned(),
        basis: basis.to_owned(),
        refusals,
    };
    let mut lines: Vec<RefusalLine> = by.into_iter().map(line).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.refusals));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_was_there() {
        assert_eq!(quantile(&mut [], 1, 2), None);
        assert_eq!(quantile(&mut [4], 9, 10), Some(4));
        assert_eq!(quantile(&mut [9, 1, 5], 1, 2), Some(5));
        let mut ten = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
        assert_eq!((quantile(&mut ten, 1, 2), quantile(&mut ten, 9, 10)), (Some(5), Some(9)));
    }

    #[test]
    fn a_stage_is_a_bottleneck_where_something_stands_for_longer_than_usual() {
        let line = |open, longest, median| StageLine {
            department: "civil".into(),
            title: "civil".into(),
            roles: Vec::new(),
            open,
            longest,
            median,
        };
        assert!(line(2, 5, Some(4)).is_bottleneck());
        for (open, longest, median) in [(2, 4, Some(4)), (0, 0, Some(4)), (2, 9, None)] {
            assert!(!line(open, longest, median).is_bottleneck(), "{open} {longest} {median:?}");
        }
    }

    #[test]
    fn departments_with_what_is_overdue_come_first() {
        let line = |department: &str, left: i32| OpenLine {
            application: "A-2026-000001".into(),
            requester: "housing".into(),
            provider: department.into(),
            dataset: "d".into(),
            state: "in-review",
            department: department.into(),
            roles: Vec::new(),
            due: "2026-12-01".into(),
            left,
            provisional: false,
        };
        let open = [line("civil", 1), line("medical", -2), line("medical", 9), line("medical", 3)];
        let lines = departments(&open, str::to_owned);
        let shown: Vec<_> =
            lines.iter().map(|l| (l.department.as_str(), l.open, l.soon, l.overdue, l.least_left)).collect();
        assert_eq!(shown, [("medical", 3, 1, 1, -2), ("civil", 1, 1, 0, 1)]);
    }
}
