//! The gateway's certificate, the clients' CA, and the revocation lists.

use std::sync::Arc;

use super::{Check, Text};
use crate::base::{Clock, Findings, Timestamp};
use crate::config::Config;
use crate::web::tls::{Tls, TlsStatus};

const DAY: i64 = 86_400;
/// A certificate that ends sooner is to be renewed now.
const CERTIFICATE_DAYS: i64 = 30;
/// A revocation list that ends sooner has missed its renewal.
const LIST_DAYS: i64 = 2;

pub(super) fn check(config: &Config, clock: Arc<dyn Clock>) -> Vec<Check> {
    let now = clock.now();
    match Tls::load(config.tls.clone(), clock) {
        Err(finding) => vec![Check::refused("certificate", &Findings(vec![finding]))],
        Ok(tls) => vec![certificate(tls.status(), now), lists(tls.status(), now)],
    }
}

fn certificate(status: TlsStatus, now: Timestamp) -> Check {
    const NAME: &str = "certificate";
    let (ends, left) = (status.certificate_ends, left(status.certificate_ends, now));
    let fix = Text::new(
        "put a new certificate in the place of the old one; it is taken up by itself",
        "换上新证书即可，网关会自动启用",
    );
    match left {
        ..0 => Check::fail(NAME, Text::new(format!("ended {ends}"), format!("已于 {ends} 到期")), fix),
        0..CERTIFICATE_DAYS => Check::warn(
            NAME,
            Text::new(format!("ends in {left} days, {ends}"), format!("{left} 天后到期：{ends}")),
            fix,
        ),
        _ => Check::ok(NAME, format!("ends in {left} days, {ends}"), format!("{left} 天后到期：{ends}")),
    }
}

fn lists(status: TlsStatus, now: Timestamp) -> Check {
    const NAME: &str = "revocation";
    let (Some(issued), Some(ends)) = (status.crl_issued, status.crl_ends) else {
        return Check::warn(
            NAME,
            Text::new(
                "no revocation list is configured: a client is shut out by its registration only",
                "未配置吊销列表：只能靠撤销登记来阻止调用方",
            ),
            Text::new(
                "name the CA's list in [tls] client_crls",
                "在 [tls] client_crls 中填写证书机构的吊销列表",
            ),
        );
    };
    let (left, age) = (left(ends, now), (now.seconds() - issued.seconds()) / 3600);
    let what = Text::new(
        format!("the oldest list is {age} hours old; the first ends {ends}"),
        format!("最旧的列表签发于 {age} 小时前；最早到期：{ends}"),
    );
    let fix = Text::new(
        "publish a fresh list now: once a list has ended, everybody is refused",
        "立即发布新的吊销列表：列表到期后，所有调用方都会被拒绝",
    );
    match left {
        _ if status.crl_is_stale(now) => Check::fail(NAME, what, fix),
        ..LIST_DAYS => Check::warn(NAME, what, fix),
        _ => Check::ok(NAME, what.en, what.zh),
    }
}

/// Whole days from `now` to `ends`; negative when it has passed.
fn left(ends: Timestamp, now: Timestamp) -> i64 {
    (ends.seconds() - now.seconds()).div_euclid(DAY)
}
