//! Letters: a notice, or a day's notices, as mail in the reader's language and as JSON.
//!
//! Invariant: pure. What stands in a letter is fixed words, ids, days, and titles out of the
//! catalogue; beside the reader's own name nothing tells of a person.

use std::fmt::Write;

use serde_json::json;
use time::Date;

use super::words;
use crate::base::Lang;
use crate::base::clock::Timestamp;
use crate::base::ids::{DatasetId, DepartmentId};
use crate::base::unseen::is_unseen;
use crate::catalogue::Catalogue;
use crate::identity::Account;
use crate::store::state::notice::Notice;
use crate::store::state::outbox::{Letter, Posted};

/// The most notices that one letter tells of; of more it says how many.
const MOST: usize = 100;

/// A letter by mail: subject and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The subject.
    pub subject: String,
    /// The text, with `\n` between lines.
    pub text: String,
}

/// Writes a letter to an account. `link` is what links begin with.
pub fn mail(letter: &Letter, to: &Account, catalogue: &Catalogue, link: &str, now: Timestamp) -> Written {
    let writer = Writer { lang: to.lang, catalogue, link };
    match letter.notices.as_slice() {
        [posted] if !letter.digest => writer.one(&posted.notice, to, now),
        many => writer.day(many, to, now),
    }
}

/// What is posted to a department's webhook. One notice is one post.
pub fn webhook(letter: &Letter) -> Vec<u8> {
    let notices = letter.notices.iter().map(|posted| {
        let Notice { kind, object, about, .. } = &posted.notice;
        json!({ "kind": kind.as_str(), "object": object, "at": posted.at, "about": about })
    });
    let body = json!({ "id": letter.code(), "notices": notices.collect::<Vec<_>>() });
    body.to_string().into_bytes()
}

struct Writer<'a> {
    lang: Lang,
    catalogue: &'a Catalogue,
    link: &'a str,
}

impl Writer<'_> {
    fn one(&self, notice: &Notice, to: &Account, now: Timestamp) -> Written {
        let subject = words::subject(notice.kind, self.lang);
        let text = format!("{}\n\n{}", words::request(notice.kind, self.lang), self.particulars(notice));
        self.written(&format!("{subject} {}", notice.object), &text, to, now)
    }

    fn day(&self, many: &[Posted], to: &Account, now: Timestamp) -> Written {
        let subject = match self.lang {
            Lang::Zh => format!("每日办理情况（{} 项）", many.len()),
            Lang::En => format!("The day's notices ({})", many.len()),
        };
        let mut text = match self.lang {
            Lang::Zh => "现将近日办理情况告知如下。\n".to_owned(),
            Lang::En => "This is what happened of late.\n".to_owned(),
        };
        for (number, Posted { notice, .. }) in many.iter().take(MOST).enumerate() {
            let (subject, request) =
                (words::subject(notice.kind, self.lang), words::request(notice.kind, self.lang));
            let particulars = self.particulars(notice).replace('\n', "\n   ");
            // Writing to a String cannot fail.
            write!(text, "\n{}. {subject}\n   {request}\n   {particulars}\n", number + 1).ok();
        }
        let more = many.len().saturating_sub(MOST);
        if more > 0 {
            text.push_str(&match self.lang {
                Lang::Zh => format!("\n另有 {more} 项，请登录查看。\n"),
                Lang::En => format!("\nThere are {more} more; please sign in to see them.\n"),
            });
        }
        self.written(&subject, text.trim_end(), to, now)
    }

    fn particulars(&self, Notice { object, about, .. }: &Notice) -> String {
        let dataset = self.dataset(&about.dataset);
        let (requester, provider) = (self.department(&about.requester), self.department(&about.provider));
        let mut text = match self.lang {
            Lang::Zh => {
                format!("编号：{object}\n目录项：{dataset}\n申请部门：{requester}\n提供部门：{provider}\n")
            }
            Lang::En => {
                format!(
                    "Number: {object}\nDataset: {dataset}\nRequester: {requester}\nProvider: {provider}\n"
                )
            }
        };
        if let Some(due) = about.due {
            let due = self.date(due);
            text.push_str(&match self.lang {
                Lang::Zh => format!("办理期限：{due}\n"),
                Lang::En => format!("Last day: {due}\n"),
            });
        }
        text.push_str(&match self.lang {
            Lang::Zh => format!("办理地址：{}{object}", self.link),
            Lang::En => format!("Link: {}{object}", self.link),
        });
        text
    }

    fn written(&self, subject: &str, text: &str, to: &Account, now: Timestamp) -> Written {
        let (name, today) = (one_line(&to.name), self.date(now.day()));
        match self.lang {
            Lang::Zh => Written {
                subject: format!("【数闸】{subject}"),
                text: format!(
                    "{name}同志：\n\n{text}\n\n此致\n敬礼\n\n数闸\n{today}\n\n（本函由系统自动发出，请勿直接回复。）\n"
                ),
            },
            Lang::En => Written {
                subject: format!("[Sluice] {subject}"),
                text: format!(
                    "Dear {name},\n\n{text}\n\nYours faithfully,\nSluice\n{today}\n\n\
                     (This letter was written by a program. Please do not answer it.)\n"
                ),
            },
        }
    }

    fn date(&self, day: Date) -> String {
        let (year, month, day) = day.to_calendar_date();
        let month = u8::from(month);
        match self.lang {
            Lang::Zh => format!("{year}年{month}月{day}日"),
            Lang::En => format!("{year}-{month:02}-{day:02}"),
        }
    }

    /// The title, or the id of what the catalogue no longer has.
    fn dataset(&self, id: &DatasetId) -> String {
        let known = self.catalogue.datasets.get(id);
        known.map_or_else(|| id.to_string(), |dataset| dataset.entry.title.lang(self.lang).to_owned())
    }

    fn department(&self, id: &DepartmentId) -> String {
        let known = self.catalogue.departments.get(id);
        known.map_or_else(|| id.to_string(), |department| department.title.lang(self.lang).to_owned())
    }
}

/// A name is somebody's own line, and no more than that.
fn one_line(name: &str) -> String {
    name.chars().filter(|c| !is_unseen(*c)).take(64).collect()
}
