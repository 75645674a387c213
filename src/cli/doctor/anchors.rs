//! Who outside vouches for the log, and how old their newest word is.

use super::{Check, Text};
use crate::app::anchors::Anchors;
use crate::app::keys::Keys;
use crate::base::Timestamp;
use crate::config::Config;
use crate::store::anchors::{AnchorStore, DATABASE};

/// Nothing where the configuration names nobody.
pub(super) fn check(file: &str, config: &Config, keys: &Keys, now: Timestamp) -> Option<Check> {
    const NAME: &str = "anchors";
    if config.witness.is_empty() && config.timestamp.is_none() {
        return None;
    }
    let nobody = || {
        Check::warn(
            NAME,
            Text::new("not as many as are required have vouched for the log yet", "尚无足够的外部见证"),
            Text::new(
                "a running gateway asks them; its log says who does not vouch, and why",
                "网关运行时会请求见证；未见证者及其原因见网关日志",
            ),
        )
    };
    let dir = &config.gateway.data_dir;
    if !dir.join(DATABASE).exists() {
        return Some(nobody());
    }
    let key = keys.signing.public().clone();
    let anchors = match Anchors::new(file, config, key, || AnchorStore::open_beside(dir), now) {
        Err(findings) => return Some(Check::refused(NAME, &findings)),
        Ok(anchors) => anchors?,
    };
    if anchors.newest().is_ok_and(|newest| newest.is_none()) {
        return Some(nobody());
    }
    let age = anchors.age(now);
    let what = Text::new(
        format!("the newest checkpoint for which enough vouch is of {}", age.since),
        format!("最近一次足够见证的时间是 {}", age.since),
    );
    let fix = Text::new(
        "docs/operations.md, SluiceNobodyVouches",
        "参见 docs/operations.md 的 SluiceNobodyVouches 一节",
    );
    Some(match (age.stopped, age.overdue) {
        (true, _) => Check::fail(NAME, what, fix),
        (false, true) => Check::warn(NAME, what, fix),
        (false, false) => Check::ok(NAME, what.en, what.zh),
    })
}
