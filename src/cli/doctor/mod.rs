//! `sluice doctor`: is everything in order that a gateway stands on, and what to do where not?
//!
//! Invariant: it changes nothing, shows no secret and nobody's data, and goes on after a fault, so
//! that one run tells all. Exit codes: 0 all in order, 1 something is worth a look, 2 something
//! keeps the gateway from serving or would lose evidence.

mod anchors;
mod certificates;
mod databases;
mod outside;
mod running;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;

use crate::adapters::Adapters;
use crate::app::keys::Keys;
use crate::app::{apply, world};
use crate::base::{Clock, Findings, Lang, SystemClock};
use crate::config::Config;

/// What to look at, and how to tell.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The gateway's configuration; it may be running
    #[arg(long, short)]
    config: PathBuf,
    /// Tell it as JSON
    #[arg(long)]
    json: bool,
    /// Tell it in this language: en or zh-CN
    #[arg(long, default_value = "en", value_parser = language)]
    lang: Lang,
}

fn language(text: &str) -> Result<Lang, String> {
    [Lang::Zh, Lang::En].into_iter().find(|lang| lang.tag() == text).ok_or("expected en or zh-CN".into())
}

/// How something stands, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// A sentence in both languages.
struct Text {
    en: String,
    zh: String,
}

impl Text {
    fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    fn of(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }
}

/// What one check came to.
struct Check {
    name: &'static str,
    state: State,
    what: Text,
    /// What to do; empty where nothing is.
    fix: Text,
}

impl Check {
    fn ok(name: &'static str, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { name, state: State::Ok, what: Text::new(en, zh), fix: Text::new("", "") }
    }

    fn warn(name: &'static str, what: Text, fix: Text) -> Self {
        Self { name, state: State::Warn, what, fix }
    }

    fn fail(name: &'static str, what: Text, fix: Text) -> Self {
        Self { name, state: State::Fail, what, fix }
    }

    /// Findings that keep a file from being used: they say themselves what to do.
    fn refused(name: &'static str, findings: &Findings) -> Self {
        let told = findings.to_string();
        let told = told.trim_end();
        let zh = format!("不能使用：{told}");
        Self::fail(name, Text::new(told, zh), Text::new("correct what is named", "请按所述更正"))
    }
}

/// As JSON.
#[derive(Serialize)]
struct Told<'a> {
    check: &'static str,
    state: State,
    what: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    fix: &'a str,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let checks = examine(args);
    let worst = checks.iter().map(|check| check.state).max().unwrap_or(State::Ok);
    match args.json {
        true => println!("{}", json(&checks, worst, args.lang)),
        false => checks.iter().for_each(|check| tell(check, args.lang)),
    }
    ExitCode::from(worst as u8)
}

fn json(checks: &[Check], worst: State, lang: Lang) -> serde_json::Value {
    let told: Vec<_> = checks
        .iter()
        .map(|c| Told { check: c.name, state: c.state, what: c.what.of(lang), fix: c.fix.of(lang) })
        .collect();
    serde_json::json!({ "state": worst, "checks": told })
}

fn tell(check: &Check, lang: Lang) {
    let word = match check.state {
        State::Ok => "ok  ",
        State::Warn => "warn",
        State::Fail => "FAIL",
    };
    println!("{word}  {:<14} {}", check.name, check.what.of(lang).replace('\n', "\n                      "));
    if !check.fix.of(lang).is_empty() {
        println!("                      -> {}", check.fix.of(lang));
    }
}

fn examine(args: &Args) -> Vec<Check> {
    let config = match Config::read(&args.config) {
        Ok(config) => config,
        Err(findings) => return vec![Check::refused("config", &findings)],
    };
    let clock = SystemClock;
    let mut checks = vec![Check::ok("config", "reads and holds together", "可读且各项一致")];
    checks.push(catalogue(&config, &clock));
    let keys = Keys::read(&config.audit);
    checks.push(match &keys {
        Ok(keys) => Check::ok(
            "keys",
            format!("readable by this user alone; the log is {}", keys.signing.public().name()),
            format!("仅本用户可读；日志名为 {}", keys.signing.public().name()),
        ),
        Err(finding) => Check::refused("keys", &Findings(vec![finding.clone()])),
    });
    checks.extend(certificates::check(&config, Arc::new(clock)));
    checks.extend(databases::check(&config, keys.as_ref().ok(), clock.now()));
    let file = args.config.display().to_string();
    checks.extend(keys.as_ref().ok().and_then(|keys| anchors::check(&file, &config, keys, clock.now())));
    checks.extend(outside::check(&file, &config, clock.now()));
    match Adapters::new(&file, &config.adapter) {
        Ok(adapters) => checks.extend(running::adapters(&adapters)),
        Err(findings) => checks.push(Check::refused("adapters", &findings)),
    }
    checks.push(running::gateway(config.gateway.ops_listen));
    checks
}

/// The files that the next `sluice apply` would read.
fn catalogue(config: &Config, clock: &dyn Clock) -> Check {
    const NAME: &str = "catalogue";
    let sources = apply::read_sources(&config.gateway.catalogue_dir);
    match sources.and_then(|sources| world::check(&sources)) {
        Err(findings) => Check::refused(NAME, &findings),
        Ok(checked) => {
            let warnings = checked.warnings.0.len() + checked.policy.worn(clock.now()).0.len();
            let datasets = checked.catalogue.datasets.len();
            match warnings {
                0 => Check::ok(NAME, format!("{datasets} datasets"), format!("{datasets} 个目录项")),
                some => Check::warn(
                    NAME,
                    Text::new(
                        format!("{datasets} datasets; {some} warnings"),
                        format!("{datasets} 个目录项；{some} 条提醒"),
                    ),
                    Text::new("`sluice check DIR` shows them", "运行 `sluice check 目录` 查看"),
                ),
            }
        }
    }
}
