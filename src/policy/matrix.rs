//! The policies as they come out: who gets what, for people who read no code.
//!
//! Invariant: made only of decisions, so that it shows what a query would get and not what
//! somebody meant; the same policies always make the same text, so that a review reads its diff.

use std::fmt::Write;

use super::decide::Offer;
use super::roles::{self, Action};
use super::snapshot::Policy;
use crate::base::ids::PurposeId;
use crate::catalogue::{Catalogue, Dataset, Form};
use crate::identity::{Registry, System};

const HEADING: &str = "\
# 披露矩阵 · Who gets what
#
# 本文件由程序生成，请勿手工修改。每行：某系统为某用途可取得某数据项，最多到何种披露形式，依据哪条规则或授权。
# 未列出的一律不提供。授权按有效期内计，已中止的不列；形式由少到多：exists < predicate < band < mask < pseudonym < plain。
#
# Generated: do not edit. A line says: this system, for this purpose, may have this field, in this
# form at most, by this rule or grant. What is not listed is not given. Grants are shown as between
# their first and last day, suspended ones not at all. Forms from least to most revealing: exists (is
# there a record), predicate (a comparison), band (a range), mask (part of the characters), pseudonym
# (a token), plain (the value).
#
# cargo run -- check --matrix > policies/matrix.txt
";

/// How many refused fields a summary names before it only counts.
const NAMED: usize = 12;

/// The whole matrix: every system, dataset, purpose and field, and every role and action.
pub fn matrix(policy: &Policy, catalogue: &Catalogue, registry: &Registry) -> String {
    let mut out = HEADING.to_owned();
    for dataset in catalogue.datasets.values() {
        section(&mut out, policy, dataset, registry);
    }
    actions(&mut out, policy);
    out
}

/// One line of the matrix, in columns.
type Row = [String; 5];

fn section(out: &mut String, policy: &Policy, dataset: &Dataset, registry: &Registry) {
    let mut rows: Vec<Row> = Vec::new();
    let mut given = std::collections::BTreeSet::new();
    let mut empty_handed = Vec::new();
    for system in registry.systems() {
        let before = rows.len();
        for purpose in &dataset.entry.purposes {
            for offer in policy.written(system, dataset, purpose) {
                if let Some(row) = row(system, purpose, &offer) {
                    given.extend(row.get(2).cloned());
                    rows.push(row);
                }
            }
        }
        if rows.len() == before {
            empty_handed.push(system.id.as_str());
        }
    }
    let entry = &dataset.entry;
    line(out, &format!("\n== {}  {}  {}", dataset.id(), entry.title.zh, entry.title.en));
    line(
        out,
        &format!("   {} · {} · {}", entry.provider, dataset.class().as_str(), dataset.level().as_str()),
    );
    columns(out, &rows);
    let refused: Vec<&str> =
        dataset.fields.iter().map(|f| f.name.as_str()).filter(|name| !given.contains(*name)).collect();
    summary(out, "to nobody", &refused);
    summary(out, "nothing to", &empty_handed);
}

fn row(system: &System, purpose: &PurposeId, offer: &Offer) -> Option<Row> {
    let Offer::UpTo { name, form, compare, rule, .. } = offer else { return None };
    let mut what = form.to_string();
    if *form == Form::Predicate {
        let list: Vec<_> = compare.iter().map(|p| format!("{} {}", p.op.as_str(), p.value)).collect();
        what = format!("{what} ({})", list.join(", "));
    }
    Some([system.id.to_string(), purpose.to_string(), name.to_string(), what, rule.to_string()])
}

/// Rows in columns, each as wide as its widest value; a system or purpose is not said twice.
fn columns(out: &mut String, rows: &[Row]) {
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let [system, purpose, field, form] = [0, 1, 2, 3].map(width);
    let mut above: Option<&Row> = None;
    for row in rows {
        let [mut s, mut p, f, what, rule] = row.each_ref().map(String::as_str);
        if let Some([above_s, above_p, ..]) = above
            && above_s == s
        {
            s = "";
            p = if above_p == p { "" } else { p };
        }
        line(out, &format!("   {s:system$}  {p:purpose$}  {f:field$}  {what:form$}  {rule}"));
        above = Some(row);
    }
}

fn summary(out: &mut String, says: &str, names: &[&str]) {
    if names.is_empty() {
        return;
    }
    let shown: Vec<&str> = names.iter().copied().take(NAMED).collect();
    let rest = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    line(out, &format!("   ({says}: {}{rest})", shown.join(", ")));
}

fn actions(out: &mut String, policy: &Policy) {
    line(out, "\n== 接口权限  What roles may do in the interface");
    for role in roles::names() {
        let may: Vec<&str> =
            Action::ALL.into_iter().filter(|a| policy.roles.role_may(role, *a)).map(Action::as_str).collect();
        line(out, &format!("   {role:24}{}", may.join(", ")));
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    writeln!(out, "{}", text.trim_end()).ok();
}
