//! The workflow as it comes out: who may do what from where, for people who read no code.
//!
//! Invariant: made only of answers of the real handler to real commands, so that it shows what
//! would happen and not what somebody meant; the same files always make the same text.

mod cast;

use std::fmt::Write;

use cast::{Cast, Player, Scene};

use super::command::{Kind, TimerKind};
use super::event::Stage;
use super::workflow::Workflow;
use crate::base::Code;
use crate::catalogue::Catalogue;
use crate::identity::Registry;

const HEADING: &str = "\
# 办理矩阵 · Who may do what to an application
#
# 本文件由程序生成，请勿手工修改。先列各目录项的审批环节；然后逐个状态列出：何种命令可由谁发出。
# 未列出的一律不允许。not separate 一行：角色虽符，但因在此事项中另有身份（本人或委托人）而不得办理。
# requester 申请部门，provider 提供部门，third 其他部门，operator 运行方。author 为申请的经办人，
# 在两个部门各有账号并兼任各角色；voter 兼任各审批角色，投出第一票；deputy 受 section_head 委托，
# author's deputy 受 author 委托。timer 一行：到期的时钟在此状态下会产生的事件。
#
# Generated: do not edit. First the stages of each dataset; then, state by state, which command may be
# given by whom. What is not listed is not allowed. `not separate`: the role would do, but that person,
# or who lent the role, had another part in the matter. The author of the application has an account
# in both departments, with every role; the voter has every role of a reviewer, and casts the first
# vote; the deputy was lent the section head's role, the author's deputy the author's. `timer`: what
# clocks that run out come to in this state.
#
# cargo run -- check --workflow > policies/workflow.txt
";

const SIDES: [&str; 4] = ["requester", "provider", "third", "operator"];

/// The whole matrix: the stages of every dataset, and every state, command and role.
pub fn matrix(workflow: &Workflow, catalogue: &Catalogue, registry: &Registry) -> String {
    let mut out = HEADING.to_owned();
    stages(&mut out, workflow, catalogue);
    let Some(cast) = Cast::new(workflow, catalogue, registry) else {
        line(&mut out, "\n(no dataset can be applied for by another department)");
        return out;
    };
    line(&mut out, &format!("\nShown for {}, {}.", cast.terms.dataset, route(&cast.stages())));
    for scene in cast.scenes() {
        show(&mut out, &cast, &scene);
    }
    out
}

fn stages(out: &mut String, workflow: &Workflow, catalogue: &Catalogue) {
    line(out, "\n== 审批环节  Stages");
    let unconditional = route(&workflow.stages.unconditional);
    line(out, &format!("   {:22}  {unconditional}", "(unconditional fields)"));
    for dataset in catalogue.datasets.values() {
        let own = workflow.stages.datasets.get(dataset.id());
        let stages = own.or_else(|| workflow.stages.levels.get(&dataset.level()));
        let route = route(stages.map(Vec::as_slice).unwrap_or_default());
        line(out, &format!("   {:22}  {route}", dataset.id().as_str()));
    }
}

/// `section_head > leader + confidentiality_officer > sharing_lead`.
fn route(stages: &[Stage]) -> String {
    let roles = |stage: &Stage| stage.roles.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(" + ");
    if stages.is_empty() {
        "nobody".to_owned()
    } else {
        stages.iter().map(roles).collect::<Vec<_>>().join(" > ")
    }
}

fn show(out: &mut String, cast: &Cast<'_>, scene: &Scene) {
    line(out, &format!("\n== {}  {}  {}", scene.application.state.as_str(), scene.zh, scene.en));
    let mut empty = true;
    for kind in Kind::OF_PEOPLE {
        let asked = || cast.players.iter().map(|player| (player, cast.ask(scene, kind, player)));
        let may: Vec<&Player> = asked().filter(|(_, got)| got.is_ok()).map(|(player, _)| player).collect();
        let apart = asked().filter(|(_, got)| *got == Err(Code::NotSeparate));
        let apart: Vec<&Player> = apart.map(|(player, _)| player).collect();
        if may.is_empty() && apart.is_empty() {
            continue;
        }
        empty = false;
        let mut head = kind.as_str();
        let may = if may.is_empty() { vec!["nobody".to_owned()] } else { names(&may) };
        let apart = names(&apart).into_iter().map(|names| format!("not separate: {names}"));
        for who in may.into_iter().chain(apart) {
            line(out, &format!("   {head:18}{who}"));
            head = "";
        }
    }
    let fired: Vec<&str> =
        TIMERS.iter().filter(|(kind, _)| cast.fires(scene, *kind)).map(|(_, n)| *n).collect();
    if !fired.is_empty() {
        line(out, &format!("   {:18}{}", "(timer)", fired.join(", ")));
    } else if empty {
        line(out, "   (nobody, nothing)");
    }
}

const TIMERS: [(TimerKind, &str); 6] = [
    (TimerKind::Remind, "remind"),
    (TimerKind::Overdue, "overdue"),
    (TimerKind::Lapse, "lapse"),
    (TimerKind::Expire, "expire"),
    (TimerKind::OfferRenewal, "offer-renewal"),
    (TimerKind::Recompute, "recompute"),
];

/// A line for each side: `requester: author, applicant`.
fn names(players: &[&Player]) -> Vec<String> {
    let of_side = |side: &&str| {
        let names: Vec<&str> = players.iter().filter(|p| p.side == *side).map(|p| p.name).collect();
        (!names.is_empty()).then(|| format!("{side}: {}", names.join(", ")))
    };
    SIDES.iter().filter_map(of_side).collect()
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    writeln!(out, "{}", text.trim_end()).ok();
}
